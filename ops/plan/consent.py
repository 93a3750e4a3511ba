"""Asks before an update that interrupts or deletes data; refuses where nobody is there to ask."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING

from ops.errors import ExitCode, OperationError
from ops.output import confirm
from ops.plan.model import Change, Danger
from ops.plan.operations import Preview
from ops.plan.words import effect_words

if TYPE_CHECKING:
    from components.settings import StackSettings
    from ops.output import Output
    from ops.session import Session
    from ops.unchanged import Inputs


class Consent(Enum):
    """What is done about an update that interrupts."""

    ASKED = "asked"
    """It is named; a person at a terminal is asked, and without one it is refused."""
    GIVEN = "given"
    """It is named, and goes on."""
    NOT_NEEDED = "not needed"
    """Nothing is looked at: the same has just been deployed."""


def require(
    session: Session,
    stack: str,
    settings: StackSettings,
    text: str | None,
    consent: Consent,
    output: Output,
) -> Inputs | None:
    """Ask where the update is dangerous. `text` is that of the settings file, where it is to change.

    Returns what can interrupt, to be remembered after the update. Raises OperationError, and nothing
    has been touched.
    """
    from ops.plan import interruptible

    found = interruptible.gather(session, stack, settings)
    if consent is Consent.NOT_NEEDED or interruptible.same(session, stack, found):
        return found
    state = session.state(stack)
    if state is None or not state.outputs:
        return found
    output.progress(f"Looking whether this update of stack {stack} interrupts anything")
    dangerous = dangers(session, stack, text)
    if dangerous and consent is Consent.ASKED:
        ask(stack, dangerous, output)
    elif dangerous:
        output.progress(
            "\n".join([f"This update of stack {stack} {what(dangerous)}:", *described(dangerous)])
        )
    return found


def dangers(session: Session, stack: str, text: str | None) -> list[Change]:
    """The changes that interrupt or delete data. Raises OperationError for what is protected."""
    from ops.failures import PROTECTED, PROTECTED_HINT
    from ops.plan.changes import changes
    from ops.plan.make import Wish, preview, quick_look
    from ops.plan.reasons import Background

    seen = Preview()
    state = session.state(stack)
    drifted = bool(state and quick_look(session, stack, state))
    preview(session, stack, seen, Wish(settings=text), refresh=drifted, command="consent")
    refused = [operation.name for operation in seen.operations if operation.is_refused]
    if refused:
        raise OperationError(
            f"stack {stack} could not be deployed: {PROTECTED.format(', '.join(refused))}",
            PROTECTED_HINT,
            ExitCode.REFUSED,
        )
    found = changes(seen, Background())
    return [change for change in found if change.effect.danger >= Danger.INTERRUPTION]


def what(dangerous: Sequence[Change]) -> str:
    """The worst of it, in a word or two."""
    return "deletes data" if any(change.effect.deletes_data for change in dangerous) else "interrupts"


def described(dangerous: Sequence[Change]) -> list[str]:
    """What a person has to know of them."""
    return [f"  {change.name}: {'; '.join(effect_words(change.effect))}" for change in dangerous]


def ask(stack: str, dangerous: Sequence[Change], output: Output) -> None:
    """Raises OperationError where the answer is no, or nobody can answer."""
    told = "\n".join(described(dangerous))
    refusal = OperationError(
        f"this update of stack {stack} {what(dangerous)}, and nobody is there to ask:\n{told}",
        f"Nothing was touched. See all of it: ./medianest preview {stack}\n"
        "If it may be, run it again with --allow-interruption.",
        ExitCode.REFUSED,
        {
            "dangerous": [
                {"resource": change.name, "effect": effect_words(change.effect)} for change in dangerous
            ]
        },
    )
    # What asks for JSON is a program.
    if output.as_json:
        raise refusal
    confirm(
        f"This update of stack {stack} {what(dangerous)}:\n{told}",
        "Do it all the same?",
        unanswered=refusal,
        declined="nothing was touched",
    )
