"""What the tree declares, where its program fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.drift.look import declared_by
from ops.errors import OperationError
from ops.plan.mask import Mask


def test_what_a_program_that_fails_has_printed_shows_no_secret() -> None:
    def fails() -> Mapping[str, Any]:
        raise OperationError("Pulumi cannot preview stack s: ValueError: 'hunter2-hunter2' is no port")

    notes: list[str] = []
    assert declared_by(fails, Mask(["hunter2-hunter2"]), notes) == (None, ())
    (note,) = notes
    assert note.startswith("What the tree declares is not known: Pulumi cannot preview stack s")
    assert "hunter2" not in note
