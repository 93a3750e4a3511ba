"""Before what interrupts a person is asked; what cannot interrupt is not even looked at."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from components.settings import StackSettings
from ops.errors import ExitCode, OperationError
from ops.output import Output, Verbosity
from ops.plan import interruptible
from ops.plan.consent import ask
from ops.project import Project
from ops.session import Session
from tests.unit.ops.plan.plans import GATEWAY, VOLUME


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    root = tmp_path / "checkout"
    for name in ("components/gateway.py", "images/gateway/Dockerfile", "app/main.py", "__main__.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("before\n")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Session(Project("medianest", root), {"PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}"})


def settings(**values: Any) -> StackSettings:
    return StackSettings.model_validate(values)


def deployed(session: Session, text: str = "{}") -> None:
    assert session.files
    path = session.files.path("medianest", "staging")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def remembered(session: Session) -> Session:
    deployed(session)
    interruptible.remember(session, "staging", interruptible.gather(session, "staging", settings()))
    return session


def same(session: Session, **values: Any) -> bool:
    found = interruptible.gather(session, "staging", settings(**values))
    return interruptible.same(session, "staging", found)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"backend": {"replicas": 3}},
        {"backend": {"limits": {"memory_mb": 256}}},
        {"gateway": {"body_limit_mb": 30}},
        {"generations": {"jwt_secret": 2}},
        {"deploy": {"keep_releases": 2}},
    ],
)
def test_what_interrupts_nobody_is_not_looked_at(remembered: Session, values: dict[str, Any]) -> None:
    assert same(remembered, **values)


@pytest.mark.parametrize(
    "values",
    [
        {"gateway": {"port": 3001}},
        {"gateway": {"address": "192.0.2.7"}},
        {"gateway": {"limits": {"memory_mb": 256}}},
        {"postgres": {"max_connections": 120}},
        {"postgres": {"image": "postgres:17"}},
        {"redis": {"maxmemory_mb": 32}},
        {"backend": {"volumes": []}},
    ],
)
def test_what_may_interrupt_or_delete_is(remembered: Session, values: dict[str, Any]) -> None:
    assert not same(remembered, **values)


@pytest.mark.parametrize("name", ["components/gateway.py", "images/gateway/Dockerfile", "__main__.py"])
def test_so_is_a_changed_file_of_the_program_or_of_an_image(remembered: Session, name: str) -> None:
    (remembered.project.root / name).write_text("after\n")
    assert not same(remembered)


def test_a_file_of_the_backend_is_not(remembered: Session) -> None:
    (remembered.project.root / "app/main.py").write_text("after\n")
    assert same(remembered)


def test_an_update_from_elsewhere_is_a_doubt(remembered: Session) -> None:
    deployed(remembered, '{"another": "update"}')
    assert not same(remembered)


def test_without_a_record_or_a_state_in_a_file_there_is_always_doubt(session: Session) -> None:
    deployed(session)
    assert not same(session)
    elsewhere = Session(session.project, {"PULUMI_BACKEND_URL": "s3://bucket"})
    assert interruptible.gather(elsewhere, "staging", settings()) is None
    assert not same(elsewhere)


def test_where_nobody_can_answer_it_is_refused_with_what_and_how_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(OperationError) as raised:
        ask("staging", [VOLUME, GATEWAY], Output())
    assert raised.value.code is ExitCode.REFUSED
    assert "deletes data" in raised.value.message
    assert "gateway: interrupts gateway for about 2.0 s, at most 1 min 30 s" in raised.value.message
    assert "--allow-interruption" in raised.value.hint
    assert [item["resource"] for item in raised.value.details["dangerous"]] == ["backend-media", "gateway"]


@pytest.mark.parametrize(("answer", "goes_on"), [(True, True), (False, False)])
def test_at_a_terminal_a_person_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: bool, goes_on: bool
) -> None:
    import typer

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: answer)
    if goes_on:
        ask("staging", [GATEWAY], Output())
    else:
        with pytest.raises(OperationError, match="nothing was touched"):
            ask("staging", [GATEWAY], Output())
    assert "This update of stack staging interrupts:" in capsys.readouterr().err


def test_whoever_is_asked_is_told_what_for_however_quiet_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import typer

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: True)
    output = Output()
    output.verbosity = Verbosity.QUIET
    ask("staging", [VOLUME, GATEWAY], output)
    assert "gateway: interrupts gateway for about 2.0 s" in capsys.readouterr().err


def test_a_program_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    with pytest.raises(OperationError, match="nobody is there to ask"):
        ask("staging", [GATEWAY], Output(as_json=True))
