"""The end of a process in a fixed order: what takes work first, what the work needs last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog


@dataclass(frozen=True)
class Step:
    """One part's end. It gets `seconds`; then it is cancelled, and the next step begins."""

    name: str
    close: Callable[[], Awaitable[object]]
    seconds: float


async def close_in_order(steps: Sequence[Step]) -> None:
    """One step after the other. One that fails or is late is logged and keeps nothing else open."""
    log = structlog.get_logger(component="shutdown")
    for step in steps:
        try:
            async with asyncio.timeout(step.seconds):
                await step.close()
        except Exception as error:
            log.warning("Could not be closed", step=step.name, error=type(error).__name__)
