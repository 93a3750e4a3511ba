from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.settings import StackSettings
from ops.errors import ExitCode, OperationError
from ops.plan.saved import SavedPlan, read_plan
from ops.plan.world import World, counting, differences
from ops.project import Project
from ops.session import Session

WORLD = World(
    files={"app/main.py": "1", "Pulumi.staging.yaml": "1"},
    settings={"gateway.port": "1"},
    state="1",
    surroundings="1",
    live={"medianest-staging-redis-1": "1"},
)


@pytest.fixture
def saved(tmp_path: Path) -> SavedPlan:
    path = tmp_path / "staging.plan"
    plan = SavedPlan(path, "medianest", "staging", "2026-11-24 12:00:00 UTC", WORLD, {"resourcePlans": {}})
    plan.write()
    return plan


def test_it_reads_as_it_was_written_and_is_its_owners_alone(saved: SavedPlan) -> None:
    assert read_plan(saved.path, "staging") == saved
    assert saved.path.stat().st_mode & 0o777 == 0o600
    with saved.as_file() as path:
        assert json.loads(path.read_text()) == saved.pulumi
        assert path.stat().st_mode & 0o077 == 0
    assert not path.exists()


def test_a_file_that_others_could_read_is_not_so_any_more(saved: SavedPlan) -> None:
    saved.path.chmod(0o644)
    saved.write()
    assert saved.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[: len(text) // 2], "damaged"),
        (lambda text: text.replace('"staging"', '"Staging"'), "damaged"),
        (lambda _: "", "damaged"),
        (lambda _: "[]", "no plan of this version"),
        (lambda text: text.replace("medianest plan 1", "medianest plan 2"), "no plan of this version"),
    ],
)
def test_a_damaged_file_is_refused(saved: SavedPlan, damage: object, words: str) -> None:
    assert callable(damage)
    saved.path.write_text(damage(saved.path.read_text()))
    with pytest.raises(OperationError, match=words) as raised:
        read_plan(saved.path, "staging")
    assert raised.value.code is ExitCode.REFUSED
    assert "--save" in raised.value.hint


def test_another_stacks_plan_and_a_missing_one_are_refused(saved: SavedPlan) -> None:
    with pytest.raises(OperationError, match="is a plan of stack staging, not of production"):
        read_plan(saved.path, "production")
    with pytest.raises(OperationError, match="cannot be read"):
        read_plan(saved.path.with_name("gone"), "staging")


def test_a_directory_that_is_not_there_is_told(saved: SavedPlan, tmp_path: Path) -> None:
    lost = SavedPlan(tmp_path / "no" / "where", "m", "s", "", WORLD, {})
    with pytest.raises(OperationError, match="cannot be written"):
        lost.write()


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ({}, []),
        ({"files": {"app/main.py": "2", "Pulumi.staging.yaml": "1"}}, ["files have changed: app/main.py"]),
        ({"files": {"app/main.py": "1"}}, []),
        ({"settings": {"gateway.port": "2"}}, ["settings have changed: gateway.port"]),
        ({"state": "2", "live": {}}, ["the state was changed by another update"]),
        ({"live": {}}, ["what runs has changed: medianest-staging-redis-1"]),
        ({"surroundings": "2"}, ["the tools or their variables are others"]),
    ],
)
def test_what_has_changed_since_is_named(now: dict[str, object], expected: list[str]) -> None:
    values = {**WORLD.__dict__, **now}
    assert differences(WORLD, World(**values), "staging") == expected


def test_many_files_are_a_few_and_a_number() -> None:
    now = World(**{**WORLD.__dict__, "files": {f"app/{number}.py": "2" for number in range(20)}})
    (line,) = differences(WORLD, now, "staging")
    assert line.endswith("and 16 more")


def test_every_file_that_an_update_is_made_of_counts(tmp_path: Path) -> None:
    made_of = (
        "__main__.py",
        "components/x.py",
        "guardian/healer.py",
        "images/redis/Dockerfile",
        "app/main.py",
    )
    for name in (*made_of, "docs/previews.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("x")
    session = Session(Project("medianest", tmp_path), {})
    found = {str(path.relative_to(tmp_path)) for path in counting(session, "staging", StackSettings())}
    assert found == set(made_of)
