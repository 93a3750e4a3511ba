"""Where this process is between its start and its end."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Phase(StrEnum):
    """`STARTING` until migrations and connections are there, `DRAINING` from SIGTERM on."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


class Lifecycle:
    """The phase, which only goes forward."""

    def __init__(self) -> None:
        self.phase = Phase.STARTING
        self._when_draining: list[Callable[[], None]] = []

    def when_draining(self, callback: Callable[[], None]) -> None:
        """Call `callback` as soon as the end begins: for what should take no more work then."""
        self._when_draining.append(callback)

    def serve(self) -> None:
        """Start-up is complete; a process that was told to stop meanwhile goes on stopping."""
        if self.phase is Phase.STARTING:
            self.phase = Phase.SERVING

    def drain(self) -> None:
        """Send new work elsewhere, finish what is here."""
        self.phase = Phase.DRAINING
        while self._when_draining:
            self._when_draining.pop(0)()

    @property
    def draining(self) -> bool:
        return self.phase is Phase.DRAINING
