"""Puts a stack back to what was deployed: through the same gate as `up`, and only then looked at again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.drift.look import Look, look
from ops.drift.mending import Plan, plan_of
from ops.drift.record import Recorded, process_limits
from ops.errors import ExitCode, OperationError
from ops.output import confirm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from docker import APIClient

    from components.settings import StackSettings
    from ops.output import Output
    from ops.plan.model import Interruption
    from ops.session import Session

# The second mends what the first one has made way for. It interrupts nothing that was not asked for.
ROUNDS = 2
TITLE = "Put back what was changed behind Pulumi's back"


@dataclass(frozen=True)
class Fixed:
    """What a fix has come to. `after` is the look behind it; `report` is for machines."""

    after: Look
    report: Mapping[str, Any]


def fix(
    session: Session, stack: str, seen: Look, output: Output, *, allow_interruption: bool, verify: bool
) -> Fixed:
    """Mend what was seen, verify, and look again. Raises OperationError."""
    from ops.deploy import prepare
    from ops.probe import probing

    plan = plan_of(seen.report.findings, seen.record)
    if plan.is_empty:
        return Fixed(seen, {})
    refuse_to_deploy_more(stack, plan, seen)
    ask(stack, plan.interruptions, allow_interruption)
    settings = prepare(session, stack, output)
    report: dict[str, Any] = {}
    with probing(session.state(stack), settings, output) as probed:
        for _ in range(ROUNDS):
            _carry_out(session, stack, plan, seen, output)
            output.progress(f"Looking at stack {stack} again")
            seen = look(session, stack)
            plan = plan_of(seen.report.findings, seen.record)
            if plan.is_empty or plan.interruptions:
                break
    if probed:
        report["probe"] = probed.as_json()
    if verify:
        outputs = session.deployed(stack).outputs
        report["verification"] = _verify(session, stack, outputs, settings, output)
    return Fixed(seen, report)


def _carry_out(session: Session, stack: str, plan: Plan, seen: Look, output: Output) -> None:
    from ops.deploy import deploy

    _in_place(session, plan, seen.record, output)
    _make_way(session, stack, output)
    if plan.update:
        deploy(session, stack, output, TITLE, refresh=plan.refresh, options=plan.options)
    elif plan.remove:
        _remove_unknown(session, stack, output)
    _wait_until_healthy(session, session.deployed(stack).outputs)


def refuse_to_deploy_more(stack: str, plan: Plan, seen: Look) -> None:
    """A fix deploys nothing new. Raises OperationError where Pulumi would, and has touched nothing then."""
    if plan.update and seen.report.pending:
        changed = ", ".join(pending.resource for pending in seen.report.pending[:5])
        raise OperationError(
            f"the tree declares changes of stack {stack} that are not deployed ({changed}), and the fix "
            "would deploy them too",
            f"Deploy them first: ./medianest up {stack}. Or check out what is deployed: "
            f"./medianest releases {stack}",
            ExitCode.REFUSED,
        )
    if plan.update and not seen.report.knows_the_tree:
        raise OperationError(
            f"stack {stack} cannot be mended: {seen.report.notes[0]}",
            f"Correct the tree, until this works: ./medianest up {stack}",
            ExitCode.REFUSED,
        )


def ask(stack: str, interruptions: Sequence[Interruption], allowed: bool) -> None:
    """Ask before something that serves is interrupted. Raises OperationError where the answer is no."""
    if not interruptions or allowed:
        return
    told = "\n".join(
        f"  - {gap.part}, {gap.seconds:.0f} s at most: meets {gap.meets}" for gap in interruptions
    )
    confirm(
        f"To mend stack {stack} interrupts:\n{told}",
        "Mend it now?",
        unanswered=OperationError(
            f"to mend stack {stack} interrupts, and nobody is there to ask:\n{told}",
            f"Run: ./medianest drift {stack} --fix --allow-interruption",
            ExitCode.REFUSED,
        ),
        declined="nothing was changed",
    )


def _in_place(session: Session, plan: Plan, record: Sequence[Recorded], output: Output) -> None:
    from ops.drift.in_place import put_back
    from ops.engine import connect

    if not plan.in_place:
        return
    for finding in plan.in_place:
        output.progress(f"  ~ {finding.resource} ({finding.property}) {finding.mending.value}")
    api = connect(session.environment)
    try:
        put_back(api, plan.in_place, {item.urn: item for item in record}, process_limits(record))
    finally:
        api.close()


def _make_way(session: Session, stack: str, output: Output) -> None:
    """End what was made by hand in the place of Postgres, Redis or the gateway: both cannot run at once."""
    from ops.engine import connect, drain_container, resources
    from ops.unknown import in_the_way, unknown

    state = session.state(stack)
    if state is None:
        return
    api = connect(session.environment)
    try:
        found = unknown(state, resources(api, session.project.name, stack))
        for resource in in_the_way(found):
            output.progress(f"Removing what stands in the way: {resource}")
            drain_container(api, resource.id)
    finally:
        api.close()


def _remove_unknown(session: Session, stack: str, output: Output) -> None:
    from ops.engine import connect
    from ops.unknown import clear_unknown

    state = session.state(stack)
    if state is None:
        return
    api = connect(session.environment)
    try:
        clear_unknown(api, session.project.name, stack, state, output.progress)
    finally:
        api.close()


def _wait_until_healthy(session: Session, outputs: Mapping[str, Any]) -> None:
    from ops.drift.quick import wait_until_healthy
    from ops.engine import connect

    api: APIClient = connect(session.environment)
    try:
        wait_until_healthy(api, [name for listed in outputs["containers"].values() for name in listed])
    finally:
        api.close()


def _verify(
    session: Session, stack: str, outputs: dict[str, Any], settings: StackSettings, output: Output
) -> dict[str, Any]:
    from ops.verification import verify_stack

    verdicts = verify_stack(session, stack, outputs, settings, output)
    if not verdicts.passed:
        output.show(verdicts.table())
        raise OperationError(
            f"stack {stack} was mended, but {verdicts.summary()}",
            f"Look at: ./medianest status {stack}, ./medianest logs {stack}",
            ExitCode.NOT_VERIFIED,
            {"verification": verdicts.as_json()},
        )
    return verdicts.as_json()
