"""What it interrupts to replace a container of a component."""

from __future__ import annotations

from ops.drift.record import Recorded
from ops.plan.effects import MEETS, start_seconds, stop_seconds
from ops.plan.model import Interruption
from ops.unknown import EXCLUSIVE

_FILES = ("-secrets", "-configuration")


def consumer(component: str) -> str:
    """The component that reads the files of a loader's: postgres of postgres-secrets."""
    for ending in _FILES:
        component = component.removesuffix(ending)
    return component


def of_replacing(container: Recorded | None, *, serves: bool) -> Interruption | None:
    """None where it is replaced create-first, or does not serve in any case.

    The seconds are the most that its settings allow: its time to stop and its time to get healthy.
    """
    if container is None or not container.runs or not serves or container.component not in EXCLUSIVE:
        return None
    # Nobody notices where something only watches the stack.
    if container.component not in MEETS:
        return None
    most = stop_seconds(container.inputs) + start_seconds(container.inputs)
    return Interruption(container.component, most, MEETS[container.component])
