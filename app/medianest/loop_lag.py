"""How late the event loop is: whatever blocks it delays every request."""

from __future__ import annotations

import asyncio

from medianest.request_figures import Durations

BOUNDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0)


class LoopLag:
    """Asks to be called every `interval` seconds, and notes how much later that happens."""

    def __init__(self, interval: float = 0.5) -> None:
        self.lags = Durations(BOUNDS)
        self._interval = interval
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._interval
        self._timer = loop.call_at(due, self._tick, due)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self, due: float) -> None:
        self.lags.add(max(0.0, asyncio.get_running_loop().time() - due))
        self.start()
