"""What a restart loop is, and how it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ops.errors import ExitCode, OperationError
from ops.project import Project
from ops.restart_loops import RESTARTS, SECONDS, find_loops, loops_of, refuse, seconds_since_exit
from ops.session import Session
from ops.status import ContainerStatus

NOW = datetime.now(UTC)


def inspected(restarts: int = RESTARTS, ago: float = 10, **state: Any) -> dict[str, Any]:
    ended = (NOW - timedelta(seconds=ago)).isoformat()
    known = {"Running": True, "Restarting": False, "ExitCode": 0, "OOMKilled": False, "FinishedAt": ended}
    return {"Id": "c", "Name": "/s-backend-0", "RestartCount": restarts, "State": {**known, **state}}


class Engine:
    """Answers with these events and these lines."""

    def __init__(self, *exit_codes: str, container: dict[str, Any] | None = None) -> None:
        self._codes, self._container = exit_codes, container

    def events(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Actor": {"Attributes": {"exitCode": code}}} for code in self._codes]

    def logs(self, *_: Any, **__: Any) -> bytes:
        return b"connecting\nrefused\n"

    def close(self) -> None:
        pass

    def inspect_container(self, _name: str) -> dict[str, Any]:
        assert self._container
        return self._container


@pytest.mark.parametrize(
    ("container", "ago"),
    [
        (inspected(), 10),
        (inspected(restarts=RESTARTS - 1), None),
        (inspected(ago=SECONDS + 5), None),
        (inspected(ago=-3), 0),
        (inspected(FinishedAt="0001-01-01T00:00:00Z"), None),
    ],
)
def test_a_loop_is_so_many_restarts_and_an_exit_of_late(container: dict[str, Any], ago: int | None) -> None:
    assert seconds_since_exit(container, NOW) == ago


@pytest.mark.parametrize(
    ("container", "codes", "words"),
    [
        (inspected(), ("1", "3"), "with exit code 3; the end of its log:"),
        (inspected(), (), "with an exit code that the engine forgot"),
        (inspected(Restarting=True, ExitCode=137), (), "with exit code 137"),
        (inspected(OOMKilled=True), ("137",), "137, killed because it used more memory than its limit"),
    ],
)
def test_it_is_told_with_its_exit_code_and_its_last_lines(
    container: dict[str, Any], codes: tuple[str, ...], words: str
) -> None:
    (loop,) = find_loops(Engine(*codes), [container])  # type: ignore[arg-type]
    assert str(loop).startswith("s-backend-0 is in a restart loop: restarted 3 times, ended last ")
    assert words in str(loop)
    assert str(loop).endswith("\n    connecting\n    refused")


def test_a_container_in_a_loop_is_not_well_though_it_is_healthy() -> None:
    (loop,) = find_loops(Engine("1"), [inspected()])  # type: ignore[arg-type]
    assert ContainerStatus("backend", "n", "running", "healthy").is_well
    assert not ContainerStatus("backend", "n", "running", "healthy", restart_loop=loop).is_well


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Session:
    """A session whose engine has that container."""
    monkeypatch.setattr("ops.restart_loops.connect", lambda _: Engine("2", container=request.param))
    return Session(Project("p", Path("/nowhere")), {})


OUTPUTS = {"containers": {"backend": ["s-backend-0"]}}


@pytest.mark.parametrize("session", [inspected(restarts=0)], indirect=True)
def test_without_a_loop_a_command_goes_on(session: Session) -> None:
    refuse(loops_of(session, OUTPUTS), "s", {})


@pytest.mark.parametrize("session", [inspected()], indirect=True)
def test_a_command_ends_with_it_as_its_error(session: Session) -> None:
    with pytest.raises(OperationError, match="restart loop") as caught:
        refuse(loops_of(session, OUTPUTS), "s", {"url": "u"})
    assert caught.value.code is ExitCode.NOT_VERIFIED
    assert "./medianest logs s" in caught.value.hint
    assert caught.value.details["restart_loops"][0]["exit_code"] == 2
    assert caught.value.details["url"] == "u"
