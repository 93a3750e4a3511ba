"""Calls people: by the team's receivers in Alertmanager, or straight where that does not work."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

from guardian.alerts import PAGE
from guardian.settings import Settings, secret

_SECONDS = 5.0
# Between two attempts at a page that has reached nobody.
TRY_AGAIN_SECONDS = 60.0

log = logging.getLogger("guardian")


@dataclass(frozen=True)
class Page:
    """What people are told. `about` makes two pages the same one."""

    component: str
    summary: str
    about: str
    container: str = ""
    evidence: str = ""
    runbook: str = ""


@dataclass(frozen=True)
class Pager:
    """Every page is also a critical line in the guardian's log, whatever else can be reached."""

    session: aiohttp.ClientSession
    settings: Settings

    async def send(self, page: Page, now: float) -> bool:
        """Whether somebody was told."""
        log.critical(page.summary, extra={"page": page.about, "evidence": page.evidence})
        return await self.deliver(page, now)

    async def deliver(self, page: Page, now: float) -> bool:
        """The same for one that the log has already."""
        alert = self._alert(page, now)
        if await self._post(f"{self.settings.alertmanager}/api/v2/alerts", [alert]):
            return True
        return await self.send_directly([alert])

    async def send_directly(self, alerts: list[Mapping[str, Any]]) -> bool:
        """By the team's own webhook, past Alertmanager, in the form that Alertmanager uses."""
        url = secret(self.settings.webhook_file)
        if not url:
            return False
        document = {
            "version": "4",
            "status": "firing",
            "receiver": "guardian",
            "alerts": [{**alert, "status": "firing"} for alert in alerts],
        }
        return await self._post(url, document)

    async def missing_watchdog(self, silent_seconds: float, now: float) -> bool:
        """Prometheus or Alertmanager does not work: Alertmanager cannot be the one to tell."""
        summary = f"No Watchdog alert for {silent_seconds:.0f} s: Prometheus or Alertmanager does not work"
        log.critical(summary)
        return await self.send_directly([self._alert(Page("alertmanager", summary, "watchdog"), now)])

    def _alert(self, page: Page, now: float) -> Mapping[str, Any]:
        details = {"container": page.container, "evidence": page.evidence, "runbook": page.runbook}
        ends = now + self.settings.page_again_seconds
        return {
            "labels": {
                "alertname": PAGE,
                "severity": "critical",
                "component": page.component,
                "about": page.about[:200],
                "stack": self.settings.stack,
                "action": "none",
            },
            "annotations": {"summary": page.summary, **{key: text for key, text in details.items() if text}},
            "startsAt": datetime.fromtimestamp(now, UTC).isoformat(),
            "endsAt": datetime.fromtimestamp(ends, UTC).isoformat(),
        }

    async def _post(self, url: str, document: object) -> bool:
        timeout = aiohttp.ClientTimeout(total=_SECONDS, sock_connect=2)
        try:
            async with self.session.post(url, json=document, timeout=timeout) as answer:
                if answer.status < 300:
                    return True
                log.error("a page was not taken", extra={"status": answer.status})
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # The address may hold a secret: it is not told.
            log.error("a page could not be sent", extra={"error": type(error).__name__})
        return False
