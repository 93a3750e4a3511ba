"""The document, out of what is seen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guardian.alerts import Action
from guardian.container_figures import Figures
from guardian.dashboard.document import Document, Word
from guardian.dashboard.figures import PrometheusFigures
from guardian.dashboard.view import Seen, as_json, document
from guardian.policy.view import View
from guardian.record.entries import Entry, Kind, Outcome
from tests.unit.guardian.stacks import EXITED, LONG_AGO, NOW, UNHEALTHY, alert, item, view

FRESH = PrometheusFigures(NOW - 3)
FIRING = {
    "labels": {"alertname": "ErrorRateHigh", "severity": "critical", "component": "backend"},
    "annotations": {"summary": "7 % of the requests fail.", "runbook": "docs/monitoring.md"},
    "state": "firing",
    "activeAt": "2026-11-24T10:00:00.123456789Z",
}
PENDING = {
    **FIRING,
    "labels": {"alertname": "QueueOld", "severity": "warning", "component": "backend"},
    "state": "pending",
}
WATCHDOG = {**FIRING, "labels": {"alertname": "Watchdog", "severity": "warning"}}


def made(seen: View | None = None, prometheus: PrometheusFigures = FRESH, **more: Any) -> Document:
    return document(Seen("staging", NOW, seen, prometheus=prometheus, **more))


def stopped() -> View:
    return view(gateway=EXITED, backend_0=EXITED, backend_1=EXITED, postgres=EXITED, redis=EXITED)


@pytest.mark.parametrize(
    ("seen", "prometheus", "word", "reason"),
    [
        (view(), FRESH, Word.WELL, "All 8 containers are well, and no alert fires."),
        (None, FRESH, Word.UNKNOWN, "The stack has not been looked at yet."),
        (
            view(now=NOW - 60),
            FRESH,
            Word.UNKNOWN,
            "The engine has not been seen for 60 s: what it told is old.",
        ),
        (stopped(), FRESH, Word.STOPPED, "Nothing of the stack runs: somebody has stopped it."),
        (view(postgres=EXITED), FRESH, Word.DOWN, "postgres does not serve."),
        (view(postgres=EXITED, redis=EXITED), FRESH, Word.DOWN, "postgres and redis do not serve."),
        (view(backend_0=UNHEALTHY), FRESH, Word.DEGRADED, "backend-0 is unhealthy."),
        (
            view(backend_0=EXITED, redis_exporter=EXITED),
            FRESH,
            Word.DEGRADED,
            "backend-0 is exited, and 1 more.",
        ),
        (
            view(deploying="`up` has marked it"),
            FRESH,
            Word.DEPLOYING,
            "A deploy is going on: `up` has marked it.",
        ),
        # What is down is told of whatever else goes on.
        (view(deploying="`up` has marked it", redis=EXITED), FRESH, Word.DOWN, "redis does not serve."),
        (
            view(),
            PrometheusFigures(NOW - 3, alerts=[PENDING, FIRING, WATCHDOG]),
            Word.DEGRADED,
            "ErrorRateHigh: 7 % of the requests fail.",
        ),
        (view(), PrometheusFigures(NOW - 3, alerts=[PENDING, WATCHDOG]), Word.WELL, "All 8 containers"),
        (
            view(),
            PrometheusFigures(NOW - 60, problem="Prometheus does not answer: TimeoutError"),
            Word.DEGRADED,
            "There are no new figures for 60 s: Prometheus does not answer: TimeoutError.",
        ),
        (
            view(),
            PrometheusFigures(),
            Word.DEGRADED,
            "There are no new figures: Prometheus has not answered yet.",
        ),
    ],
)
def test_the_verdict_and_its_reason(
    seen: View | None, prometheus: PrometheusFigures, word: Word, reason: str
) -> None:
    found = made(seen, prometheus).verdict
    assert found.word is word
    assert found.reason.startswith(reason)


def test_one_late_answer_of_prometheus_is_nothing_to_tell_of() -> None:
    late = PrometheusFigures(NOW - 10, problem="Prometheus does not answer: TimeoutError")
    assert made(view(), late).stale.figures == ""


def test_alerts_that_fire_come_first_and_what_is_always_there_is_left_out() -> None:
    found = made(view(), PrometheusFigures(NOW, alerts=[PENDING, WATCHDOG, FIRING])).alerts
    assert [(row.state, row.name) for row in found] == [("firing", "ErrorRateHigh"), ("pending", "QueueOld")]
    assert found[0].since == pytest.approx(1795514400.123456)
    assert found[0].runbook == "docs/monitoring.md"


def test_without_prometheus_the_alerts_are_those_that_the_guardian_was_told_of() -> None:
    seen = view(alert("BackendMemoryHigh", Action.RESTART))
    silent = PrometheusFigures(NOW - 60, alerts=[FIRING], problem="it does not answer")
    for figures in (silent, PrometheusFigures()):
        assert [row.name for row in made(seen, figures).alerts] == ["BackendMemoryHigh"]


def test_what_a_container_uses_of_its_limits() -> None:
    seen = view(redis={"memory_limit": 200, "cpu_limit": 0.5, "processes_limit": 100, "restarts": 2})
    used = {"id-redis": Figures(NOW, 50, 9.0, 3, 0.25), "id-postgres": Figures(NOW, 1, 1.0, 1)}
    rows = {row.container: row for row in made(seen, used=used).containers}
    redis = rows["redis"]
    assert (redis.memory, redis.memory_limit) == (50, 200)
    assert (redis.cores, redis.cores_limit) == (0.25, 0.5)
    assert (redis.processes, redis.processes_limit, redis.restarts) == (3, 100, 2)
    assert rows["postgres"].cores is None
    assert rows["gateway"].memory is None


def test_figures_of_a_container_that_has_ended_are_not_shown() -> None:
    found = made(view(redis=EXITED), used={"id-redis": Figures(NOW, 50, 9.0, 3)}).containers
    assert (found[0].container, found[0].well, found[0].memory) == ("redis", False, None)


def test_figures_of_prometheus_and_those_that_there_are_not() -> None:
    figures = PrometheusFigures(
        NOW,
        {"requests": 12.5, "error_ratio": 0.02, "workers_busy": 1.0},
        {
            "route_requests": {"/a": 1.0, "/b": 4.0, "/idle": 0.0},
            "route_errors": {"/b": 1.0},
            "route_p95": {"/a": 0.2},
        },
    )
    found = made(view(), figures)
    assert (found.traffic.requests, found.traffic.error_ratio, found.traffic.p95) == (12.5, 0.02, None)
    assert (found.resources.workers_busy, found.resources.queued) == (1.0, None)
    assert [(row.route, row.error_ratio, row.p95) for row in found.routes] == [
        ("/b", 0.25, None),
        ("/a", 0, 0.2),
    ]


def test_what_the_healer_did_is_told_the_newest_first() -> None:
    entries = [
        Entry(NOW - 9, Kind.ACTION, "restart", Outcome.BEGUN, "redis", "redis-0", "it hangs", "evidence/1"),
        Entry(NOW - 5, Kind.ACTION, "restart", Outcome.DONE, "redis", "redis-0", "it hangs", "evidence/1"),
    ]
    found = made(view(), entries=entries, given_up=["redis"]).healing
    assert [entry["outcome"] for entry in found.entries] == ["done", "begun"]
    assert found.entries[0]["why"] == "it hangs"
    assert found.given_up == ["redis"]


def test_releases_with_what_they_run_in_and_since_when() -> None:
    seen = view(backend_1={"release": "r2", "created": NOW - 5}, backend_0={"created": LONG_AGO})
    found = made(seen)
    assert [(row.release, row.since, row.containers) for row in found.releases] == [
        ("r2", NOW - 5, ["backend-1"]),
        ("r1", LONG_AGO, ["backend-0"]),
    ]
    assert found.drift == ["backends run 2 releases beside each other: r1, r2"]


def test_two_releases_are_no_drift_while_a_deploy_goes_on() -> None:
    assert made(view(backend_1={"release": "r2"}, deploying="`up` has marked it")).drift == []


@pytest.mark.parametrize(
    ("stranger", "told"),
    [
        (item("backend-9", release=""), "backend-9 does not say of which release it is"),
        (
            item("mine", component="debug"),
            "mine carries the stack's labels, with a component that it has not: debug",
        ),
    ],
)
def test_drift_that_can_be_seen_from_inside(stranger: Any, told: str) -> None:
    seen = view()
    assert made(View(NOW, [*seen.containers, stranger])).drift == [told]


def test_helpers_of_one_command_are_no_drift_and_not_judged() -> None:
    seen = view()
    helper = item("one-shot-1", component="one-shot", addresses={})
    found = made(View(NOW, [*seen.containers, helper]))
    assert (found.drift, found.verdict.word) == ([], Word.WELL)


def test_it_is_one_json_document() -> None:
    text = json.dumps(as_json(made(view(), PrometheusFigures(NOW, alerts=[FIRING]))), allow_nan=False)
    found = json.loads(text)
    assert found["verdict"] == {"word": "degraded", "reason": "ErrorRateHigh: 7 % of the requests fail."}
    assert len(found["containers"]) == 8
