"""Turns a failed run of Pulumi into the error that the command ends with, with the engine's evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.errors import ExitCode, OperationError
from ops.events import Step, Update
from ops.evidence import ContainerEvidence
from ops.failures import Cause, explain, failing_step
from ops.output import seconds
from ops.pulumi import PREVIEW_SECONDS, Outcome, said


@dataclass(frozen=True)
class Purpose:
    """What Pulumi is run for: what the stack is then, the command that does it, whether it changes any."""

    done: str
    again: str
    changes: bool = True


PURPOSES = {
    "up": Purpose("deployed", "./medianest up"),
    "destroy": Purpose("removed", "./medianest down"),
    "preview": Purpose("previewed", "./medianest preview", changes=False),
    # The preview before an update that may interrupt.
    "consent": Purpose("deployed", "./medianest up", changes=False),
}


def explain_failure(
    root: Path,
    stack: str,
    command: str,
    outcome: Outcome,
    update: Update,
    evidence: Mapping[str, ContainerEvidence],
) -> OperationError:
    """One error for all that went wrong in a run. `command` is one of PURPOSES.

    `evidence` has what is known of the containers that were given up, by resource name.
    """
    purpose = PURPOSES[command]
    if outcome.interrupted or update.result == "canceled" or outcome.exit_code < 0:
        return (cut_off if purpose.changes else preview_cut_off)(purpose, stack, outcome, update)
    explanations = [
        explain(cause, evidence.get(cause.resource), read_build_log(root, cause))
        for cause in causes(update, outcome.said)
    ]
    message = "\n".join(explanation.message for explanation in explanations)
    hints = dict.fromkeys(explanation.hint for explanation in explanations if explanation.hint)
    return OperationError(
        f"stack {stack} could not be {purpose.done}: {message}",
        "\n".join([*hints, f"All that Pulumi said: {outcome.log}"]),
        explanations[0].code,
        {"changes": update.changes},
    )


def cut_off(purpose: Purpose, stack: str, outcome: Outcome, update: Update) -> OperationError:
    """A run that did not end by itself, and left what it had begun."""
    changes = {"changes": update.changes}
    if outcome.interrupted or update.result == "canceled":
        how_far = (
            f"is partly {purpose.done}, and the state knows what" if update.changed else "was not changed"
        )
        return OperationError(
            f"interrupted: stack {stack} {how_far}",
            f"Run it again, it carries on: {purpose.again} {stack}",
            ExitCode.INTERRUPTED,
            changes,
        )
    return OperationError(
        f"Pulumi was killed by signal {-outcome.exit_code}: stack {stack} is partly {purpose.done}",
        f"Run it again, it mends what was cut off: {purpose.again} {stack}",
        details=changes,
    )


def preview_cut_off(purpose: Purpose, stack: str, outcome: Outcome, update: Update) -> OperationError:
    """A preview that did not end by itself: there is nothing to mend."""
    again = f"Nothing was touched. Run it again: {purpose.again} {stack}"
    if outcome.interrupted or update.result == "canceled":
        return OperationError(f"interrupted while stack {stack} was previewed", again, ExitCode.INTERRUPTED)
    return OperationError(
        f"Pulumi was killed by signal {-outcome.exit_code} while it previewed stack {stack}",
        f"{again}\nA preview that takes longer than {seconds(PREVIEW_SECONDS)} is killed.",
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
