"""What it interrupts to replace a container of a component."""

from __future__ import annotations

from ops.drift.record import Recorded
from ops.plan.model import Interruption

# Who notices, by component: nobody, where something only watches the stack.
MEETS = {
    "gateway": "every request",
    "postgres": "requests that need the database",
    "redis": "requests that need the cache",
}
# The provider's own defaults, where the record has none.
STOP_SECONDS, START_SECONDS = 10.0, 60.0
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
    if container is None or not container.runs or not serves or container.component not in MEETS:
        return None
    stop = float(container.inputs.get("stopTimeout") or STOP_SECONDS)
    start = float(container.inputs.get("waitTimeout") or START_SECONDS)
    return Interruption(container.component, stop + start, MEETS[container.component])
