"""Which containers a stack needs well, and which only pass."""

from __future__ import annotations

import pytest

from ops.status import ContainerStatus


@pytest.mark.parametrize(
    ("component", "health", "well"),
    [
        ("backend", "healthy", True),
        ("backend", "unhealthy", False),
        ("engine-proxy", "healthy", True),
        ("engine-proxy", "unhealthy", False),
        ("one-shot", "", True),
        ("scratch", "", True),
        ("soak", "", True),
    ],
)
def test_what_belongs_to_the_stack_must_be_healthy(component: str, health: str, well: bool) -> None:
    assert ContainerStatus(component, "c", "running", health).is_well is well
    assert ContainerStatus(component, "c", "exited", health).is_well is False
