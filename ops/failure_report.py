"""Turns a failed run of Pulumi into the error that the command ends with, with the engine's evidence."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ops.errors import ExitCode, OperationError
from ops.events import Step, Update
from ops.failures import Cause, ContainerEvidence, Explanation, explain, failing_step
from ops.pulumi import Outcome, said

if TYPE_CHECKING:
    from docker import APIClient

    from ops.session import Session

INTENTIONS = {"up": "deployed", "destroy": "removed"}
LOG_LINES = 15


def explain_failure(
    session: Session, stack: str, command: str, outcome: Outcome, update: Update
) -> OperationError:
    """One error for all that went wrong in a run."""
    done = INTENTIONS[command]
    again = "./medianest up" if command == "up" else "./medianest down"
    if outcome.interrupted or update.result == "canceled":
        how_far = f"is partly {done}, and the state knows what" if update.changed else "was not changed"
        return OperationError(
            f"interrupted: stack {stack} {how_far}",
            f"Run it again, it carries on: {again} {stack}",
            ExitCode.INTERRUPTED,
            {"changes": update.changes},
        )
    if outcome.exit_code < 0:
        return OperationError(
            f"Pulumi was killed by signal {-outcome.exit_code}: stack {stack} is partly {done}",
            f"Run it again, it mends what was cut off: {again} {stack}",
            details={"changes": update.changes},
        )
    explanations = explain_causes(session, stack, causes(update, outcome.said))
    message = "\n".join(explanation.message for explanation in explanations)
    hints = dict.fromkeys(explanation.hint for explanation in explanations if explanation.hint)
    return OperationError(
        f"stack {stack} could not be {done}: {message}",
        "\n".join([*hints, f"All that Pulumi said: {outcome.log}"]),
        explanations[0].code,
        {"changes": update.changes},
    )


def causes(update: Update, printed: str) -> list[Cause]:
    """What Pulumi gave as errors: those of resources first, else those of the run."""
    steps = {step.urn: step for step in update.steps.values()}
    found = [_cause(text, steps.get(urn)) for urn, text in update.errors]
    # The stack itself only repeats that something in it failed.
    of_resources = [cause for cause in found if cause.kind not in ("", "Stack")]
    return of_resources or [Cause(cause.text) for cause in found] or [Cause(said(printed))]


def explain_causes(session: Session, stack: str, found: Sequence[Cause]) -> list[Explanation]:
    """Explain each, with what the builder printed and what the engine knows of its container."""
    from ops.engine import connect

    api = None
    if any(cause.kind == "Container" for cause in found):
        with suppress(OperationError):
            api = connect(session.environment)
    explanations = []
    for cause in found:
        evidence = gather_evidence(api, session.project.name, stack, cause) if api else None
        explanations.append(explain(cause, evidence, read_build_log(session.project.root, cause)))
    if api:
        api.close()
    return explanations


def _cause(text: str, step: Step | None) -> Cause:
    return Cause(text, step.name, step.kind, step.build_log) if step else Cause(text)


def read_build_log(root: Path, cause: Cause) -> list[str]:
    """What the step that failed printed; nothing where there is no log."""
    if not cause.build_log:
        return []
    try:
        return failing_step((root / cause.build_log).read_text(errors="replace"))
    except OSError:
        return []


def gather_evidence(api: APIClient, project: str, stack: str, cause: Cause) -> ContainerEvidence | None:
    """What the engine knows of the newest container of a resource; None where it has none."""
    from ops.engine import containers, log_tail
    from ops.names import short_name

    own = [
        item
        for item in containers(api, project, stack)
        if short_name(item["Names"][0].lstrip("/"), project, stack) == cause.resource
    ]
    # One that never started has no log, and its message says why.
    if "healthy" not in cause.text or not own:
        return None
    newest = max(own, key=lambda item: int(item["Created"]))
    inspected = api.inspect_container(newest["Id"])
    state = inspected["State"]
    results = (state.get("Health") or {}).get("Log") or [{}]
    health = (state.get("Health") or {}).get("Status", "")
    return ContainerEvidence(
        name=inspected["Name"].lstrip("/"),
        status=health if state["Status"] == "running" and health else state["Status"],
        exit_code=state["ExitCode"],
        out_of_memory=state["OOMKilled"],
        restarts=inspected["RestartCount"],
        health_output=results[-1].get("Output", ""),
        log=log_tail(api, newest["Id"], LOG_LINES),
    )
