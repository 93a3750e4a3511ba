from __future__ import annotations

from pathlib import Path

import pytest

from components.settings import BackendSettings, BuildSettings, StackSettings
from ops import unchanged
from ops.project import Project
from ops.session import Session
from ops.unchanged import Inputs


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    root = tmp_path / "checkout"
    (root / "components").mkdir(parents=True)
    (root / "components" / "backend.py").write_text("pass\n")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Session(Project("medianest", root), {"PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}"})


def gathered(session: Session, **variables: str) -> Inputs:
    changed = Session(session.project, {**session.environment, **variables})
    inputs = unchanged.gather(changed, "staging", StackSettings())
    assert inputs is not None
    return inputs


def stored_state(session: Session, text: str) -> Path:
    assert session.files
    path = session.files.path("medianest", "staging")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_same_files_are_the_same_inputs(session: Session) -> None:
    assert gathered(session) == gathered(session)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("a changed file", lambda root: (root / "components/backend.py").write_text("pass \n")),
        ("a new file", lambda root: (root / "Pulumi.staging.yaml").write_text("")),
        ("a gone file", lambda root: (root / "components/backend.py").unlink()),
        ("an executable bit", lambda root: (root / "components/backend.py").chmod(0o755)),
        ("a new link", lambda root: (root / "link").symlink_to("components")),
    ],
)
def test_any_change_of_the_files_is_a_change(session: Session, name: str, change: object) -> None:
    before = gathered(session)
    assert callable(change)
    change(session.project.root)
    assert gathered(session).digest != before.digest, name


def test_what_tools_leave_behind_is_no_change(session: Session) -> None:
    before = gathered(session)
    for name in (".git", ".build", "components/__pycache__"):
        (session.project.root / name).mkdir()
        (session.project.root / name / "left").write_text("x")
    assert gathered(session).digest == before.digest


def test_another_engine_or_another_pulumi_setting_is_a_change(session: Session) -> None:
    digests = {
        gathered(session).digest,
        gathered(session, DOCKER_HOST="ssh://elsewhere").digest,
        gathered(session, PULUMI_EXPERIMENTAL="1").digest,
    }
    assert len(digests) == 3


def test_another_passphrase_file_is_a_change(session: Session, tmp_path: Path) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("one")
    before = gathered(session, PULUMI_CONFIG_PASSPHRASE_FILE=str(passphrase))
    passphrase.write_text("another")
    assert gathered(session, PULUMI_CONFIG_PASSPHRASE_FILE=str(passphrase)).digest != before.digest


@pytest.mark.parametrize(
    ("variables", "settings"),
    [
        ({"PULUMI_CONFIG_PASSPHRASE": "x"}, StackSettings()),
        ({"PULUMI_BACKEND_URL": "s3://bucket"}, StackSettings()),
        ({}, StackSettings(backend=BackendSettings(build=BuildSettings(context=".")))),
    ],
)
def test_pulumi_is_asked_where_the_inputs_cannot_be_told(
    session: Session, variables: dict[str, str], settings: StackSettings
) -> None:
    changed = Session(session.project, {**session.environment, **variables})
    assert unchanged.gather(changed, "staging", settings) is None


def test_a_tree_that_is_too_large_is_not_read(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "LARGEST_TREE_BYTES", 3)
    assert unchanged.gather(session, "staging", StackSettings()) is None


def test_pulumi_is_asked_the_first_time(session: Session) -> None:
    stored_state(session, "{}")
    assert unchanged.nothing_to_do(session, "staging", gathered(session)) is None


def test_the_fingerprint_changes_with_the_state(session: Session) -> None:
    inputs = gathered(session)
    before = inputs.fingerprint(stored_state(session, "{}"))
    assert inputs.fingerprint(stored_state(session, "{ }")) != before


def test_pulumi_is_asked_after_the_state_has_changed(session: Session) -> None:
    inputs = gathered(session)
    stored_state(session, '{"version": 3, "checkpoint": {"latest": {"resources": []}}}')
    unchanged.remember(session, "staging", inputs)
    stored_state(session, '{"version": 3, "checkpoint": {"latest": {"resources": [ ]}}}')
    assert unchanged.nothing_to_do(session, "staging", inputs) is None


def test_pulumi_is_asked_where_operations_were_cut_off(session: Session) -> None:
    inputs = gathered(session)
    latest = '{"resources": [], "pending_operations": [{"type": "creating", "resource": {}}]}'
    stored_state(session, f'{{"version": 3, "checkpoint": {{"latest": {latest}}}}}')
    unchanged.remember(session, "staging", inputs)
    assert unchanged.nothing_to_do(session, "staging", inputs) is None


def test_a_failed_verification_is_looked_at_again(session: Session) -> None:
    inputs = gathered(session)
    stored_state(session, "{}")
    assert not unchanged.not_verified(inputs)
    unchanged.remember_failure(inputs)
    assert unchanged.not_verified(inputs)
    assert unchanged.nothing_to_do(session, "staging", inputs) is None
    unchanged.remember(session, "staging", inputs)
    assert not unchanged.not_verified(inputs)
