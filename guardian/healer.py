"""The loop: looks, decides by the policy, keeps the evidence, acts, writes down. One thing at a time."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field

from guardian import dead_mans_switch
from guardian.backends import BackendError, Backends
from guardian.engine.client import EngineClient, EngineError, Event
from guardian.engine.containers import Container
from guardian.evidence import Evidence, prune
from guardian.pager import TRY_AGAIN_SECONDS, Page, Pager
from guardian.policy import restraint
from guardian.policy.decisions import CHANGES, Decision, Do, decide
from guardian.policy.problems import problems
from guardian.policy.services import SERVICES
from guardian.record.entries import Entry, Kind, Outcome
from guardian.record.notebook import Notebook
from guardian.settings import Settings
from guardian.stack_watch import StackWatch

_LOOK_AGAIN_SECONDS = 0.25
# What an event is worth writing down for. The engine's others are seen, and left.
_NOTED = frozenset({"create", "start", "die", "kill", "stop", "oom", "pause", "unpause", "destroy"})
# A full disk: what it keeps itself is the only thing that it may clean up.
_CASES_WHEN_DISK_IS_FULL = 5

log = logging.getLogger("guardian")


@dataclass
class Healer:
    """`beat` is when the loop last went round, by the monotonic clock."""

    engine: EngineClient
    backends: Backends
    evidence: Evidence
    pager: Pager
    notebook: Notebook
    watch: StackWatch
    settings: Settings
    beat: float = field(default_factory=time.monotonic)
    _told_again: float = 0.0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Look at once."""
        self._wake.set()

    def heard(self, event: Event) -> None:
        """Take in what the engine tells of."""
        if event.action in _NOTED:
            self.notebook.note(
                Kind.EVENT,
                event.action,
                "" if event.exit_code is None else f"exit code {event.exit_code}",
                at=event.at,
                component=event.component,
                container=event.container,
            )
        self.wake()

    async def run(self) -> None:
        """For ever. An engine that does not answer is asked again."""
        while True:
            try:
                acted = await self.round()
            except EngineError as error:
                log.error("the stack cannot be seen: %s", error)
                acted = False
            except Exception:
                # A bug in a rule must not end the healing of everything else.
                log.critical("a round has failed", exc_info=True)
                acted = False
            self.beat = time.monotonic()
            if not acted:
                await self._pause()

    async def round(self) -> bool:
        """Look once, and act once at most. Returns whether something was changed. Raises EngineError."""
        self._wake.clear()
        memory = self.notebook.memory
        for alert in memory.silent_alerts(time.time() - self.settings.alert_seconds):
            why = "it is not told of any more"
            self.notebook.note(Kind.ALERT, alert.name, Outcome.RESOLVED, about=alert.fingerprint, why=why)
        await self._tell_again()
        view = await self.watch.look()
        memory.forget_others(item.name for item in view.containers)
        for about in restraint.recovered(view, memory, self.settings):
            self.notebook.note(Kind.DECISION, "healing again", Outcome.RECOVERED, about=about)
        for problem in problems(view, memory, self.settings):
            decision = decide(problem, view, memory, self.settings)
            await self._follow(decision)
            if decision.do in CHANGES:
                return True
        return False

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), self.settings.look_seconds)
        except TimeoutError:
            return
        # Events come in groups: a kill, a death, a stop.
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _follow(self, decision: Decision) -> None:
        problem = decision.problem
        match decision.do:
            case Do.WAIT | Do.LEAVE:
                self._decided(decision, Outcome.WAITING if decision.do is Do.WAIT else Outcome.LEFT)
            case Do.GIVE_UP:
                evidence = await self.evidence.keep(problem, decision.container)
                self._decided(decision, Outcome.GIVEN_UP, evidence)
                await self._page(decision, evidence)
            case Do.PAGE:
                if problem.component == "host":
                    prune(self.settings.directory / "evidence", _CASES_WHEN_DISK_IS_FULL)
                await self._page(decision, await self.evidence.keep(problem, decision.container))
            case Do.INVESTIGATE:
                evidence = await self.evidence.keep(problem, decision.container)
                self._acted(decision, Outcome.DONE, evidence)
            case _:
                await self._change(decision)

    async def _change(self, decision: Decision) -> None:
        """Evidence first: what is wrong now is gone with the container's processes."""
        container = decision.container
        assert container is not None
        evidence = await self.evidence.keep(decision.problem, container)
        now, memory = time.time(), self.notebook.memory
        wait = restraint.retry_in(container.name, now, memory, self.settings, random.random())  # noqa: S311
        self._acted(decision, Outcome.BEGUN, evidence, retry_in=round(wait, 2))
        try:
            outcome = await self._carry_out(decision, container)
        except (EngineError, BackendError) as error:
            log.error("%s failed: %s", decision.do, error, extra={"container": container.name})
            self._acted(decision, Outcome.FAILED, evidence, said=str(error))
            return
        self._acted(decision, outcome, evidence, took=round(time.time() - now, 2))

    async def _carry_out(self, decision: Decision, container: Container) -> Outcome:
        if decision.do is Do.RESTART_WORKERS:
            await self._looking(self.backends.restart_workers(container))
            return Outcome.DONE
        if decision.do is Do.START:
            await self._looking(self.engine.start(container.id))
        else:
            await self._looking(self.engine.restart(container.id, decision.stop_seconds))
        return Outcome.DONE if await self._serves_again(container) else Outcome.FAILED

    async def _looking(self, action: Awaitable[None]) -> None:
        """Look on while something is done, which may take minutes: what is seen stays true, and the loop
        is seen to go round. Raises what the action does."""
        doing = asyncio.ensure_future(action)
        try:
            while not (await asyncio.wait({doing}, timeout=self.settings.look_seconds))[0]:
                self.beat = time.monotonic()
                with suppress(EngineError):
                    await self.watch.look()
            await doing
        finally:
            doing.cancel()

    async def _serves_again(self, container: Container) -> bool:
        """Wait until it is well: the next one's turn comes after that. Not when it cannot get well since
        what it needs is gone: that is healed first."""
        deadline = time.monotonic() + self.settings.start_seconds
        while time.monotonic() < deadline:
            self.beat = time.monotonic()
            view = await self.watch.look()
            now = next((item for item in view.containers if item.id == container.id), None)
            if now is None or any(view.down(name) for name in SERVICES[container.component].needs):
                return False
            if now.serves:
                return True
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return False

    async def _page(self, decision: Decision, evidence: str) -> None:
        problem = decision.problem
        meant = problem.container.name if problem.container else problem.component
        page = Page(
            component=problem.component,
            summary=f"{self.settings.stack}: {meant}: {decision.why}",
            about=decision.about or problem.about,
            container=problem.container.name if problem.container else "",
            evidence=evidence,
            runbook=problem.alert.runbook if problem.alert else "docs/healing.md",
        )
        sent = await self.pager.send(page, time.time())
        self.notebook.note(
            Kind.PAGE,
            "page",
            Outcome.SENT if sent else Outcome.NOT_SENT,
            component=page.component,
            container=page.container,
            why=page.summary,
            evidence=evidence,
            about=problem.about,
            details={"page": page.about, "runbook": page.runbook},
        )

    async def _tell_again(self) -> None:
        """Pages that have reached nobody, once a minute at most. The journal has that it was tried once."""
        memory, now = self.notebook.memory, time.monotonic()
        lost = [page for about, page in memory.unsent.items() if about != dead_mans_switch.ABOUT]
        if not lost or now - self._told_again < TRY_AGAIN_SECONDS:
            return
        self._told_again = now
        told = await asyncio.gather(*(self.pager.deliver(_late(page), time.time()) for page in lost))
        for page in (page for page, sent in zip(lost, told, strict=True) if sent):
            self.notebook.note(
                page.kind,
                page.what,
                Outcome.SENT,
                component=page.component,
                container=page.container,
                why=page.why,
                evidence=page.evidence,
                about=page.about,
            )

    def _decided(self, decision: Decision, outcome: Outcome, evidence: str = "") -> None:
        """Write a decision down once, however often it is made."""
        about = decision.about or decision.problem.about
        if self.notebook.memory.decided.get(about) == decision.why and outcome is not Outcome.GIVEN_UP:
            return
        log.info("%s: %s", outcome, decision.why, extra={"about": about})
        self.notebook.note(
            Kind.DECISION,
            decision.do,
            outcome,
            component=decision.problem.component,
            container=decision.container.name if decision.container else "",
            why=decision.why,
            evidence=evidence,
            about=about,
        )

    def _acted(self, decision: Decision, outcome: Outcome, evidence: str, **details: float | str) -> None:
        container = decision.container.name if decision.container else ""
        extra = {"container": container, "why": decision.why, "evidence": evidence}
        log.warning("%s %s", decision.do, outcome, extra=extra)
        self.notebook.note(
            Kind.ACTION,
            decision.do,
            outcome,
            component=decision.problem.component,
            container=container,
            why=decision.why,
            evidence=evidence,
            about=decision.problem.about,
            details=dict(details),
        )


def _late(page: Entry) -> Page:
    """A page that the journal has, which says by now of when it is."""
    noticed = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(page.at))
    return Page(
        component=page.component,
        summary=f"{page.why} (noticed {noticed}: it could not be told before)",
        about=str(page.details.get("page", page.about)),
        container=page.container,
        evidence=page.evidence,
        runbook=str(page.details.get("runbook", "")),
    )
