"""Notices that no Watchdog alert comes any more: who would tell of it cannot."""

from __future__ import annotations

import asyncio
import time

from guardian.pager import TRY_AGAIN_SECONDS, Pager
from guardian.record.entries import Kind, Outcome
from guardian.record.notebook import Notebook
from guardian.settings import Settings

ABOUT = "watchdog"


def silent_for(now: float, heard: float, began: float) -> float:
    """Seconds without a Watchdog: since the last one, or since the guardian began to wait for it."""
    return now - max(heard, began)


def must_tell(silent: float, told_ago: float | None, settings: Settings, *, lost: bool = False) -> bool:
    """Whether people are told now: after the time that the settings give, and then each hour again, or a
    minute after a page that was `lost`, having reached nobody."""
    if silent < settings.watchdog_seconds:
        return False
    again = min(TRY_AGAIN_SECONDS, settings.page_again_seconds) if lost else settings.page_again_seconds
    return told_ago is None or told_ago >= again or told_ago > silent


async def keep_watch(notebook: Notebook, pager: Pager, settings: Settings) -> None:
    """For ever. Without an Alertmanager there is nothing to wait for."""
    began = time.time()
    while settings.alertmanager:
        await asyncio.sleep(min(5.0, settings.watchdog_seconds / 4))
        now, memory = time.time(), notebook.memory
        silent = silent_for(now, memory.watchdog_at, began)
        told = memory.told.get(ABOUT)
        lost = ABOUT in memory.unsent
        if must_tell(silent, None if told is None else now - told, settings, lost=lost):
            sent = await pager.missing_watchdog(silent, now)
            outcome = Outcome.SENT if sent else Outcome.NOT_SENT
            why = f"no Watchdog alert for {silent:.0f} s"
            notebook.note(Kind.PAGE, "page", outcome, component="alertmanager", why=why, about=ABOUT)
