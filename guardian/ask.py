"""Asks the guardian that runs in this container, for who may run commands in it.

So that its token stays in its container. It imports little: a command that is asked every second starts soon.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException

from guardian import settings

# A backend that does not answer takes the guardian a second and a half.
SECONDS = 10.0


def ask(method: str, path: str, environment: Mapping[str, str]) -> int:
    """Print the answer. Returns 1, with the reason on standard error, where there is none."""
    try:
        own = settings.read(environment)
        with closing(HTTPConnection("127.0.0.1", own.port, timeout=SECONDS)) as connection:
            token = settings.secret(own.token_file)
            connection.request(method, path, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            text = answer.read().decode()
        if answer.status == 200:
            print(text)
            return 0
        why = json.loads(text).get("error", f"it answered {answer.status}")
    except settings.SettingsError as error:
        why = str(error)
    except (OSError, HTTPException, ValueError, AttributeError) as error:
        why = f"the guardian does not answer: {type(error).__name__}"
    print(why, file=sys.stderr)
    return 1
