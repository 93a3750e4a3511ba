"""Where the dashboard is, and what is said where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from ops.dashboard import where
from ops.errors import OperationError

CONTAINERS = {"guardian": ["medianest-staging-guardian-1"]}


def test_the_address_and_how_to_read_the_password() -> None:
    found = where("staging", {"dashboard": "http://localhost:3100", "containers": CONTAINERS})
    assert found == {
        "url": "http://localhost:3100",
        "password_command": "docker exec medianest-staging-guardian-1 cat /run/secrets/dashboard_password",
    }


@pytest.mark.parametrize("outputs", [{}, {"dashboard": None, "containers": CONTAINERS}])
def test_a_stack_without_one_is_told_how_to_get_it(outputs: dict[str, Any]) -> None:
    with pytest.raises(OperationError, match="publishes no dashboard") as raised:
        where("notes", outputs)
    assert "Pulumi.notes.yaml" in str(raised.value.hint)
    assert "./medianest watch notes" in str(raised.value.hint)
