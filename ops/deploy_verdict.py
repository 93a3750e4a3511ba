"""Whether what an update has left is good: restart loops, verification, a watch over its traffic.

The verdicts go on record, so that a roll-back knows which releases were good.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.errors import ExitCode, OperationError

if TYPE_CHECKING:
    from components.settings import StackSettings
    from ops.deploy import Phases
    from ops.events import Update
    from ops.output import Output
    from ops.session import Session
    from ops.state import StackState
    from ops.unchanged import Inputs


@dataclass(frozen=True)
class Deployed:
    """A stack after an update that went all the way.

    `inputs` are what the update was made of. `former` is the state before; None where there was none, or
    where nothing had to be done. `report` is for machines, and grows with each look.
    """

    session: Session
    stack: str
    settings: StackSettings
    inputs: Inputs | None
    update: Update
    former: StackState | None
    report: dict[str, Any]

    @property
    def took_over(self) -> bool:
        """Whether another release served before."""
        before = self.former.outputs.get("release") if self.former else None
        return before not in (None, self.update.outputs.get("release"))

    @property
    def build_seconds(self) -> float:
        """How long the build of the backend's image took; 0 where it was not built."""
        from ops.deploy_report import BACKEND_IMAGE

        return self.update.build_seconds().get(BACKEND_IMAGE, 0.0)


def refuse_restart_loops(deployed: Deployed, say: Callable[[str], None]) -> None:
    """Raises OperationError where a container of the stack is in a restart loop.

    A backend's after a change is the release's own doing: then it is no longer good.
    """
    from ops import unchanged
    from ops.releases import records
    from ops.restart_loops import loops_of, refuse

    update = deployed.update
    loops = loops_of(deployed.session, update.outputs)
    of_backend = [loop for loop in loops if loop.container in update.outputs["containers"]["backend"]]
    if of_backend and update.changed:
        reason = of_backend[0].summary
        records.remember(
            deployed.session,
            deployed.stack,
            records.NOT_VERIFIED,
            reason,
            say,
            build=deployed.build_seconds,
        )
        unchanged.remember_failure(deployed.inputs)
    refuse(loops, deployed.stack, deployed.report)


def verify(deployed: Deployed, output: Output, phases: Phases) -> None:
    """Verify what runs. Raises OperationError, and the next `up` verifies again, where that fails."""
    from ops import unchanged
    from ops.releases import records
    from ops.verification import verify_stack

    session, stack, report = deployed.session, deployed.stack, deployed.report
    with phases.measure("verify"):
        verdicts = verify_stack(session, stack, deployed.update.outputs, deployed.settings, output)
    report["verification"] = verdicts.as_json()
    verdict = records.VERIFIED if verdicts.passed else records.NOT_VERIFIED
    records.remember(
        session, stack, verdict, verdicts.summary(), output.progress, build=deployed.build_seconds
    )
    if not verdicts.passed:
        unchanged.remember_failure(deployed.inputs)
        output.show(verdicts.table())
        raise OperationError(
            f"stack {stack} runs, but {verdicts.summary()}",
            f"Look at: ./medianest status {stack}, ./medianest logs {stack}",
            ExitCode.NOT_VERIFIED,
            {**report, "phases": phases.seconds},
        )


def watch(deployed: Deployed, began: float, switched: float, say: Callable[[str], None]) -> str:
    """Watch a release that has taken over. Returns why it is bad; empty for one that is not.

    `began` is when the update did, and `switched` when it had ended, in seconds since the epoch.
    """
    from ops.release_watch import watch_release
    from ops.releases import records

    seen = watch_release(deployed.session, deployed.settings, deployed.update.outputs, began, switched)
    say(f"Watched the new release: {seen}")
    deployed.report["watch"] = seen.as_json()
    if seen.problem:
        records.remember(deployed.session, deployed.stack, records.NOT_VERIFIED, seen.problem, say)
    return seen.problem
