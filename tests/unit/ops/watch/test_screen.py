"""What stands in the terminal, and how a watch goes on and ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import typer
from requests import ConnectionError as NoEngine
from rich.console import Console

from guardian.container_figures import Figures
from guardian.dashboard.figures import PrometheusFigures
from guardian.dashboard.view import Seen, as_json, document
from guardian.record.entries import Entry, Kind, Outcome
from ops.errors import ExitCode, OperationError
from ops.output import Output
from ops.watch import command
from ops.watch.look import described
from ops.watch.screen import screen, use
from tests.unit.guardian.stacks import NOW, view

ALERT = {
    "labels": {"alertname": "ErrorRateHigh", "severity": "critical", "component": "backend"},
    "annotations": {"summary": "7 % of the requests fail."},
    "state": "firing",
    "activeAt": "2026-11-24T10:00:00Z",
}
FIGURES = PrometheusFigures(
    NOW,
    {"requests": 12.5, "error_ratio": 0.07, "p95": 0.25, "cache_hit_ratio": 0.91, "redis_memory": 4e6},
    {"route_requests": {"/items/[id]": 3.0}, "route_errors": {}, "route_p95": {"/items/[id]": 1.5}},
    [ALERT],
)


def whole(**changes: Any) -> Mapping[str, Any]:
    entry = Entry(NOW - 30, Kind.ACTION, "restart", Outcome.DONE, "redis", "redis-0", "it hangs [x]")
    seen = Seen(
        "staging",
        NOW,
        view(redis={"memory_limit": 200_000_000}),
        {"id-redis": Figures(NOW, 190_000_000, 1.0, 3, 0.2)},
        FIGURES,
        [entry],
        ["redis"],
    )
    return {**as_json(document(seen)), **changes}


def shown(found: Mapping[str, Any], lost: str = "", width: int = 160) -> str:
    console = Console(width=width, highlight=False)
    with console.capture() as captured:
        console.print(screen(found, lost))
    return captured.get()


@pytest.mark.parametrize(
    "text",
    [
        "staging   DEGRADED   ErrorRateHigh: 7 % of the requests fail.",
        "requests/s 12.5",
        "fail 7.00 %",
        "p95 250 ms",
        "firing: ErrorRateHigh (critical)",
        "190 MB of 200 MB",
        "cache hits 91 %",
        "/items/[id]",
        "Not healed any more: redis",
        "restart done",
        "it hangs [x]",
        "30 s ago",
        "release r1",
    ],
)
def test_the_terminal_has_what_the_page_has(text: str) -> None:
    assert text in shown(whole())


def test_what_is_not_of_now_is_marked() -> None:
    text = shown(whole(), "the engine does not answer")
    assert "UNKNOWN" in text
    assert "What is shown is of" in text
    assert "the engine does not answer" in text
    assert "no new figures" in shown(whole(stale={"engine": "", "figures": "There are no new figures."}))


def test_a_stack_that_is_not_watched_has_its_containers_alone() -> None:
    text = shown(described("notes", [], NOW, ""))
    assert "STOPPED" in text
    assert "requests/s" not in text


def test_it_fits_a_narrow_terminal() -> None:
    assert max(map(len, shown(whole(), width=60).splitlines())) <= 60


@pytest.mark.parametrize(("used", "colour"), [(10, ""), (80, "[yellow]"), (95, "[red]")])
def test_use_is_coloured_as_it_nears_its_limit(used: int, colour: str) -> None:
    assert use(used, 100, str).startswith(colour or "10 of 100")


@pytest.mark.parametrize(("word", "code"), [("well", 0), ("deploying", 0), ("degraded", 1), ("stopped", 1)])
def test_one_look_ends_with_what_it_saw(word: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    found = whole(verdict={"word": word, "reason": "…"})
    if code:
        with pytest.raises(typer.Exit) as ended:
            command.show_once(Output(as_json=True), lambda: found)
        assert ended.value.exit_code == code
    else:
        command.show_once(Output(as_json=True), lambda: found)
    assert json.loads(capsys.readouterr().out)["verdict"]["word"] == word


def test_a_look_that_fails_is_told_of_beside_what_was_seen_last(capsys: pytest.CaptureFixture[str]) -> None:
    results: list[Mapping[str, Any] | BaseException] = [whole(), NoEngine("x"), whole(), KeyboardInterrupt()]

    def look() -> Mapping[str, Any]:
        result = results.pop(0)
        if isinstance(result, BaseException):
            raise result
        return result

    with pytest.raises(KeyboardInterrupt):
        command.go_on(Output(as_json=True), look, 0.001)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["lost"] for line in lines] == ["", "the engine does not answer: ConnectionError", ""]
    assert all(line["stack"] == "staging" for line in lines)


def test_an_engine_that_never_answered_is_an_error() -> None:
    def look() -> Mapping[str, Any]:
        raise NoEngine("x")

    with pytest.raises(OperationError, match="the engine does not answer") as raised:
        command.go_on(Output(), look, 0.001)
    assert raised.value.code is ExitCode.FAILED
