"""What an environment leaves in files goes with it, and nothing of another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.settings import StackSettings
from ops.env import leftovers
from ops.plan import interruptible
from ops.project import Project
from ops.session import Session

NAMES = (
    "cache/medianest/logs/pulumi-up-{}.log",
    "cache/medianest/logs/pulumi-destroy-{}.log",
    "cache/medianest/logs/pulumi-preview-{}.log",
    "cache/medianest/logs/pulumi-preview-refresh-{}.log",
    "cache/medianest/logs/pulumi-refresh-{}.log",
    "checkout/.build/{}-backend.log",
    "checkout/.build/{}-guardian.log",
    "state/.pulumi/stacks/medianest/{}.json",
    "state/.pulumi/history/medianest/{}/{}-1.history.json",
)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state-home"))
    return Session(
        Project("medianest", tmp_path / "checkout"), {"PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}"}
    )


def files(directory: Path) -> set[Path]:
    return {path for path in directory.rglob("*") if path.is_file()}


def test_all_of_it_goes_and_nothing_of_one_whose_name_begins_so(session: Session, tmp_path: Path) -> None:
    def leave(stack: str) -> None:
        for name in NAMES:
            path = tmp_path / name.format(stack, stack)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("left")
        settings = StackSettings.model_validate({})
        interruptible.remember(session, stack, interruptible.gather(session, stack, settings))

    leave("pr-1-backend")
    others = files(tmp_path)
    leave("pr-1")
    assert len(files(tmp_path)) == 2 * len(others) == 2 * (len(NAMES) + 1)
    leftovers.clear(session, "pr-1")
    assert files(tmp_path) == others
