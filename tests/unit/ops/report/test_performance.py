"""The report on performance: what is asked, what the answers say, and how it is told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from components.engine_exec import ExecError
from components.settings import StackSettings
from ops.errors import OperationError
from ops.releases.deploys import deploy
from ops.report.performance import model
from ops.report.performance.command import as_document, save
from ops.report.performance.gather import marks, prometheus_of, read_statements, statements_of
from ops.report.performance.markdown import as_markdown, cell
from ops.report.performance.model import DeployMark, Line, Performance, Route, Statement, Trend
from ops.report.performance.questions import Question, questions, route_questions, step_of

START, END = 1_795_500_000.0, 1_795_586_400.0
LATENCY = Question("latency", "Latency", "ms", [], warning=500, critical=2000, judged="p95", better="down")
POINTS = [(START + 720.0 * index, 100.0 + index) for index in range(120)]
REPORT = Performance(
    stack="staging",
    start=START,
    end=END,
    step=720,
    trends=[Trend(LATENCY, [Line("p95", POINTS), Line("p99", [(at, 600.0) for at, _ in POINTS])])],
    routes=[Route("/api/users/me", "GET", 1200.0, 3.2, 9.1, 0.75)],
    statements=[Statement("SELECT $1 | $2", 12, 24.0, 2.0, 11.0, 12)],
    statements_since="2026-11-24T10:00:00",
    deploys=[DeployMark(START + 3600, "bc0614169042", True, "ann@host", "0123456789ab")],
    missing=["Routes: no answer within 30 s"],
)


def settings(**objects: Any) -> StackSettings:
    return StackSettings.model_validate(objects)


@pytest.mark.parametrize(("span", "step"), [(60, 5), (1800, 15), (86_400, 720), (604_800, 5040)])
def test_a_plot_has_so_many_points(span: float, step: float) -> None:
    assert step_of(span, 5.0) == step


def test_every_trend_has_its_levels_from_the_settings() -> None:
    own = settings(monitoring={"alerts": {"response_ms": {"warning": 300.0, "critical": 1000.0}}})
    found = {question.key: question for question in questions(own, 720)}
    assert set(found) >= {"traffic", "latency", "errors", "memory", "cache", "workers"}
    assert (found["latency"].warning, found["latency"].critical) == (300, 1000)
    assert found["errors"].warning == 1
    assert found["memory"].warning == pytest.approx(384 * 1.048576)
    # A rate over less than a few readings is none.
    assert "[720s]" in found["errors"].lines[0][1]
    assert "[20s]" in questions(own, 5)[0].lines[0][1]


def test_a_backend_without_figures_is_told_by_the_gateway_alone() -> None:
    own = settings(monitoring={"backend_metrics": None})
    keys = {question.key for question in questions(own, 60)}
    assert keys == {"traffic", "errors", "memory", "memory-all", "processor"}


def test_every_question_names_metrics_that_there_are() -> None:
    contract = (Path(__file__).parents[4] / "docs/contract.md").read_text()
    asked = " ".join(expression for question in questions(settings(), 60) for _, expression in question.lines)
    asked += " ".join(route_questions(60).values())
    for name in set(re.findall(r"medianest_\w+", asked)):
        assert re.sub(r"_(bucket|sum|count)$", "", name) in contract, name


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0] * 9, "steady"),
        ([10.0] * 3 + [11.0] * 3 + [10.9] * 3, "steady"),
        ([10.0] * 3 + [15.0] * 3 + [20.0] * 3, "up 100% (worse)"),
        ([10.0] * 3 + [8.0] * 3 + [5.0] * 3, "down 50% (better)"),
        ([0.0] * 9, "steady"),
        ([0.0] * 6 + [5.0] * 3, "-"),
        ([5.0], "-"),
    ],
)
def test_whether_a_figure_changed(values: list[float], said: str) -> None:
    line = Line("x", list(enumerate(values)))
    assert model.in_words(line, "down") == said
    assert model.in_words(line) == said.split(" (")[0]


def test_the_time_above_a_warning_counts_the_line_that_is_judged() -> None:
    assert REPORT.trends[0].over == 0.0
    slow = Trend(LATENCY, [Line("p95", [(0, 500.0), (1, 500.1), (2, 900.0), (3, 1.0)])])
    assert slow.over == 0.5
    assert Trend(LATENCY, []).over is None


@pytest.mark.parametrize(
    ("values", "bars"), [([0, 0], "▁▁"), ([0, 1], "▁█"), ([-1, 8, 4], "▁█▅"), (list(range(100)), None)]
)
def test_a_line_as_bars(values: list[float], bars: str | None) -> None:
    drawn = model.spark(Line("x", list(enumerate(map(float, values)))))
    assert drawn == bars if bars else (len(drawn), drawn[0], drawn[-1]) == (model.SPARKS, "▁", "█")


def test_the_slowest_routes_come_first_and_the_unused_not_at_all() -> None:
    fast, slow, unused = ("/a", "GET"), ("/b", "POST"), ("/c", "GET")
    answers = {
        "requests": {fast: 300.0, slow: 100.0, unused: 0.0},
        "seconds": {fast: 0.3, slow: 0.9},
        "p95": {fast: 0.002, slow: 0.02},
    }
    found = model.read_routes(answers)
    assert [route.route for route in found] == ["/b", "/a"]
    assert (found[0].mean_ms, found[0].p95_ms, found[0].share) == pytest.approx((9.0, 20.0, 0.75))
    assert model.read_routes({}) == []


def test_deploys_of_that_time_are_marked() -> None:
    def update(at: float, kind: str = "update", result: str = "succeeded") -> Any:
        return deploy("medianest", {"kind": kind, "startTime": int(at), "result": result})

    deploys = [
        update(START - 1),
        update(START + 60),
        update(START + 90, "refresh"),
        update(END, result="failed"),
    ]
    assert [(mark.at, mark.succeeded) for mark in marks(deploys, START, END)] == [
        (START + 60, True),
        (END, False),
    ]


SAID = 'NOTICE\n{"since": "2026-11-24T10:00:00+00:00", "statements": [%s]}'
ROW = '{"text": "SELECT $1", "calls": 3, "rows": 3, "total_ms": 1.5, "mean_ms": 0.5, "longest_ms": 1.0}'


def test_the_statements_that_postgres_has_counted() -> None:
    since, found = read_statements(SAID % ROW)
    assert since.startswith("2026-11-24")
    assert found == [Statement("SELECT $1", 3, 1.5, 0.5, 1.0, 3)]
    assert read_statements(SAID % "") == ("2026-11-24T10:00:00+00:00", [])


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (
            "ERROR: it must be loaded via shared_preload_libraries",
            "Statements: they are not counted: the next",
        ),
        ("ERROR: permission denied\nmore", "Statements: ERROR: permission denied"),
    ],
)
def test_statements_that_cannot_be_had_are_noted(problem: str, said: str) -> None:
    def refuse(*_: object) -> str:
        raise ExecError(problem)

    missing: list[str] = []
    outputs = {"containers": {"postgres": ["p"]}}
    assert statements_of(None, outputs, settings(), missing, refuse) == ("", [])  # type: ignore[arg-type]
    assert missing[0].startswith(said)


def test_a_stack_that_nobody_watches_has_no_figures() -> None:
    with pytest.raises(OperationError, match="nobody keeps figures of it"):
        prometheus_of(None, "quiet", {"containers": {}})  # type: ignore[arg-type]


def test_the_report_as_markdown() -> None:
    text = as_markdown(REPORT, {"latency": "latency.svg"})
    assert text.startswith("# Performance of stack staging\n")
    assert "| Latency, p95 | 160 ms | 219 ms | 219 ms | up 67% (worse) |" in text
    assert "![Latency](latency.svg)" in text
    assert "| `GET /api/users/me` | 1200 | 3.20 ms | 9.10 ms | 75% |" in text
    assert "| `SELECT $1 \\| $2` | 12 | 24.0 ms | 2.00 ms | 11.0 ms |" in text
    assert "| bc0614169042 | done | ann@host | 0123456789ab |" in text
    assert "- Routes: no answer within 30 s" in text
    assert "No figure was above the warning" in text


def test_a_report_of_a_quiet_stack() -> None:
    text = as_markdown(Performance("s", START, END, 60))
    assert "None in this time." in text
    assert "No request in this time" in text
    assert "None was counted." in text
    assert "Not to be had" not in text


def test_a_cell_stays_in_its_row() -> None:
    assert cell("a\n b | c") == "a b \\| c"


def test_what_is_written_keeps_what_was_written_before(tmp_path: Path) -> None:
    file = save(REPORT, tmp_path)
    assert file.parent.name == "staging-20261125T060000Z"
    assert {path.name for path in file.parent.iterdir()} == {"report.md", "report.json", "latency.svg"}
    assert json.loads((file.parent / "report.json").read_text()) == json.loads(
        json.dumps(as_document(REPORT))
    )
    later = Performance("staging", START, END + 60, 60)
    assert save(later, tmp_path).parent != file.parent


def test_a_plot_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    drawing = (save(REPORT, tmp_path).parent / "latency.svg").read_text()
    root = ElementTree.fromstring(drawing)
    said = {text.strip() for element in root.iter() for text in [element.text or ""]}
    assert {"p95", "p99", "deploys", "warning"} <= said
    # A level far above everything would flatten the rest.
    assert "critical" not in said
    links = [
        value
        for element in root.iter()
        for name, value in element.attrib.items()
        if name.endswith(("href", "src"))
    ]
    assert links == []


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OperationError, match="cannot be written"):
        save(REPORT, tmp_path / "file")
