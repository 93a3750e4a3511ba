"""Turns a failed run of Pulumi into the error that the command ends with, with the engine's evidence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ops.errors import ExitCode, OperationError
from ops.events import Step, Update
from ops.evidence import ContainerEvidence
from ops.failures import Cause, explain, failing_step
from ops.pulumi import Outcome, said

INTENTIONS = {"up": "deployed", "destroy": "removed", "preview": "previewed"}


def explain_failure(
    root: Path,
    stack: str,
    command: str,
    outcome: Outcome,
    update: Update,
    evidence: Mapping[str, ContainerEvidence],
) -> OperationError:
    """One error for all that went wrong in a run.

    `evidence` has what is known of the containers that were given up, by resource name.
    """
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
    explanations = [
        explain(cause, evidence.get(cause.resource), read_build_log(root, cause))
        for cause in causes(update, outcome.said)
    ]
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
