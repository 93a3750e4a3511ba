"""Before Pulumi looks at the engine, the names of images are on those of the state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.plan import make
from ops.plan.operations import Preview
from ops.project import Project
from ops.pulumi import Outcome, Pulumi
from ops.session import Session


@pytest.mark.parametrize("refresh", [True, False])
def test_names_are_held_before_a_preview_that_refreshes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refresh: bool
) -> None:
    course: list[str] = []
    (tmp_path / "Pulumi.yaml").write_text("name: medianest\n")
    session = Session(Project("medianest", tmp_path), {"PULUMI_BACKEND_URL": f"file://{tmp_path}"})

    def looks(_: Pulumi, take: Any, **options: Any) -> Outcome:
        course.append(f"preview, refresh={options['refresh']}")
        take({"summaryEvent": {"result": "succeeded", "resourceChanges": {}}})
        return Outcome(0, False, "", tmp_path)

    monkeypatch.setattr(make, "hold_images", lambda _, stack: course.append(f"hold {stack}"))
    monkeypatch.setattr(Pulumi, "preview", looks)
    make.preview(session, "staging", Preview(), make.Wish(), refresh=refresh)
    held = ["hold staging"] if refresh else []
    assert course == [*held, f"preview, refresh={refresh}"]
