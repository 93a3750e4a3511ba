"""What an engine tells of what happens on it."""

from __future__ import annotations

import time
from typing import Any

import docker


def events_from_now(engine: docker.DockerClient, filters: dict[str, Any], seconds: float) -> Any:
    """Events as they come, for so long. They can be closed before that.

    With an end and no beginning the engine tells of what has been as well.
    """
    now = time.time()
    return engine.api.events(
        decode=True,
        filters=filters,
        # The engine takes fractions of a second, which its client's types do not know of.
        since=f"{now:.6f}",  # type: ignore[call-overload]
        until=int(now + seconds),
    )
