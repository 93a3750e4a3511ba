"""Whether a secret is in a text. Names come back and never values, so that no message of a test has one."""

from __future__ import annotations

import re
from collections.abc import Mapping

# What is shorter may be in any text by chance.
SHORTEST = 16
# Source: https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/, #<hashedpassword>
_ACL_PASSWORD = re.compile(r"#([0-9a-f]{64})\b")


def leaked(secrets: Mapping[str, str], text: str) -> set[str]:
    """The names of the secrets that are in a text, as a whole or by one of their parts."""
    return {name for name, content in secrets.items() if any(part in text for part in parts(content))}


def parts(content: str) -> list[str]:
    """What to look for of a secret's file: all of it, the bare password of a URL or of a document whose last
    word is one, and the passwords of an ACL, as Redis keeps them."""
    bare = (content.split("@")[0].rsplit(":", 1)[-1], content.rsplit(': "', 1)[-1][:-2])
    found = (content, *bare, *_ACL_PASSWORD.findall(content))
    return [part for part in found if len(part) >= SHORTEST]
