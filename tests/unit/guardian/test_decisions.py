"""The policy as a table: what is seen and remembered, and what is done about it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from guardian.alerts import Action
from guardian.engine.containers import Health
from guardian.policy.decisions import CHANGES, Decision, Do, decide
from guardian.policy.problems import problems
from guardian.policy.view import View
from guardian.record.entries import Entry, Kind, Outcome
from guardian.record.memory import Memory
from tests.unit.guardian.stacks import (
    EXITED,
    NOW,
    SETTINGS,
    UNHEALTHY,
    acted,
    alert,
    happened,
    memory,
    view,
)

PAUSED = {"state": "paused"}
CUT: dict[str, dict[str, str]] = {"addresses": {}}
STARTING = {"health": Health.STARTING}
JUST_STARTED = {"started": NOW - 3}

MEMORY = alert(container="backend-0")
CRITICAL = alert(container="backend-0", severity="critical")
BOTH = alert()
WORKERS = alert("WorkerFailures", Action.RESTART_WORKERS)
SLOW = alert("ResponseTimeHigh", Action.INVESTIGATE)
ERRORS = alert("ErrorRateHigh", Action.PAGE, severity="critical")
MISSING = alert("BackendReplicaMissing")
DOWN_BACKEND = alert("ServiceDown", severity="critical")
DOWN = alert("ServiceDown", component="postgres", severity="critical")
TREND = alert("BackendMemoryTrend", container="backend-1")
DISK = alert("DiskFull", Action.PAGE, component="host")

Row = tuple[str, View, Memory, list[str]]


def crashes(name: str, number: int) -> Memory:
    return memory(*(happened(name, "die", 500 - 10 * each) for each in range(number)))


def busy(name: str, number: int) -> Memory:
    return memory(*(acted(name, 500 - 100 * each) for each in range(number)))


def told(about: str, ago: float = 60) -> Memory:
    return memory(Entry(NOW - ago, Kind.PAGE, "page", Outcome.SENT, about=about))


def gave_up(about: str) -> Memory:
    return memory(Entry(NOW - 60, Kind.DECISION, "give up", Outcome.GIVEN_UP, about=about))


TABLE: list[Row] = [
    ("all is well", view(), memory(), []),
    # Containers that are not well.
    ("killed", view(backend_0=EXITED), memory(), ["start backend-0"]),
    ("hung", view(backend_0=UNHEALTHY), memory(), ["restart backend-0"]),
    (
        "hung, the only replica",
        view(backend_0=UNHEALTHY, backend_1=EXITED),
        memory(),
        ["restart backend-0", "start backend-1"],
    ),
    ("Postgres hung", view(postgres=UNHEALTHY), memory(), ["restart postgres"]),
    ("Postgres killed", view(postgres=EXITED), memory(), ["start postgres"]),
    ("still starting", view(backend_0=STARTING), memory(), []),
    ("the engine restarts it", view(backend_0={"state": "restarting"}), memory(), []),
    ("the guardian itself", view(guardian=UNHEALTHY), memory(), []),
    # Hands off.
    ("stopped by somebody", view(backend_0=EXITED), memory(happened("backend-0", "stop", 5)), []),
    (
        "stopped and started, then killed",
        view(backend_0=EXITED),
        memory(happened("backend-0", "stop", 50), happened("backend-0", "start", 40)),
        ["start backend-0"],
    ),
    (
        "a stopped stack",
        view(gateway=EXITED, backend_0=EXITED, backend_1=EXITED, postgres=EXITED, redis=EXITED),
        memory(),
        ["leave postgres", "leave redis", "leave gateway", "leave backend-0", "leave backend-1"],
    ),
    (
        "a deploy",
        view(MEMORY, backend_1=UNHEALTHY, deploying="marked"),
        memory(),
        ["wait backend-1", "wait backend-0"],
    ),
    ("paused by somebody", view(redis=PAUSED), memory(), ["page redis"]),
    ("paused, and told already", view(redis=PAUSED), told("paused:redis"), ["leave redis"]),
    ("paused, told long ago", view(redis=PAUSED), told("paused:redis", 4000), ["page redis"]),
    ("cut from its network", view(postgres=CUT), memory(), ["page postgres"]),
    # What it needs comes first.
    (
        "Postgres is down",
        view(postgres=EXITED, backend_0=UNHEALTHY),
        memory(),
        ["start postgres", "wait backend-0"],
    ),
    (
        "Postgres is paused",
        view(postgres=PAUSED, backend_0=UNHEALTHY),
        memory(),
        ["page postgres", "wait backend-0"],
    ),
    (
        "an alert says that Postgres is down",
        view(DOWN, backend_0=UNHEALTHY),
        memory(),
        ["wait backend-0", "wait postgres"],
    ),
    (
        "it cannot reach Postgres, which serves",
        view(backend_0=UNHEALTHY, blames={"backend-0": ["postgres"]}),
        memory(),
        ["page backend-0"],
    ),
    (
        "it cannot reach Postgres, which has just started",
        view(backend_0=UNHEALTHY, postgres=JUST_STARTED, blames={"backend-0": ["postgres"]}),
        memory(),
        ["wait backend-0"],
    ),
    (
        "Postgres has just got well, and backends come back by themselves",
        view(MISSING, DOWN_BACKEND, backend_0=UNHEALTHY, serving_since={"postgres": NOW - 5}),
        memory(),
        ["wait backend-0", "wait backend", "wait backend"],
    ),
    (
        "killed when Postgres has just got well",
        view(backend_0=EXITED, serving_since={"postgres": NOW - 5}),
        memory(),
        ["start backend-0"],
    ),
    ("no longer paused", view(redis=UNHEALTHY, running_since={"redis": NOW - 3}), memory(), []),
    (
        "paused before, and hung",
        view(redis=UNHEALTHY, running_since={"redis": NOW - 30}),
        memory(),
        ["restart redis"],
    ),
    (
        "an exporter whose service is on no network",
        view(alert("ServiceDown", component="redis-exporter"), redis=CUT),
        memory(),
        ["page redis", "wait redis-exporter"],
    ),
    (
        "Redis is nothing that a backend needs",
        view(redis=EXITED, backend_0=UNHEALTHY, blames={"backend-0": ["redis"]}),
        memory(),
        ["start redis", "restart backend-0"],
    ),
    (
        "an exporter without its service",
        view(redis=EXITED, redis_exporter=UNHEALTHY),
        memory(),
        ["start redis", "wait redis-exporter"],
    ),
    # Restraint.
    ("done a moment ago", view(backend_0=UNHEALTHY), memory(acted("backend-0", 5)), ["wait backend-0"]),
    (
        "done, and the wait is over",
        view(backend_0=UNHEALTHY),
        memory(acted("backend-0", 11)),
        ["restart backend-0"],
    ),
    (
        "the other was done a moment ago",
        view(backend_0=EXITED),
        memory(acted("backend-1", 5)),
        ["start backend-0"],
    ),
    ("the budget is used up", view(backend_0=UNHEALTHY), busy("backend-1", 5), ["give up backend-0"]),
    ("the budget is nearly used up", view(backend_0=UNHEALTHY), busy("backend-1", 4), ["restart backend-0"]),
    ("another service's budget", view(backend_0=UNHEALTHY), busy("redis", 5), ["restart backend-0"]),
    ("given up", view(backend_0=UNHEALTHY), gave_up("backend"), ["leave backend-0"]),
    ("it crashes", view(backend_0={"state": "restarting"}), crashes("backend-0", 5), ["give up backend-0"]),
    ("it has crashed, but not so often", view(), crashes("backend-0", 4), []),
    (
        "the other replica of one that crashes",
        view(backend_1=EXITED),
        gave_up("backend-0"),
        ["start backend-1"],
    ),
    (
        "it crashes for want of Postgres",
        view(postgres=EXITED, backend_0={"state": "restarting"}),
        crashes("backend-0", 5),
        ["start postgres", "wait backend-0"],
    ),
    # Alerts.
    ("memory, one container is meant", view(MEMORY), memory(), ["restart backend-0"]),
    ("memory, none is meant", view(BOTH), memory(), ["restart backend-0"]),
    (
        "memory, the first has had its turn",
        view(BOTH, backend_0=JUST_STARTED),
        memory(),
        ["restart backend-1"],
    ),
    (
        "memory, all have",
        view(BOTH, backend_0=JUST_STARTED, backend_1=JUST_STARTED),
        memory(),
        ["wait backend"],
    ),
    ("memory, while another is not well", view(MEMORY, backend_1=STARTING), memory(), ["wait backend-0"]),
    ("critical memory of the only one", view(CRITICAL, backend_1=STARTING), memory(), ["restart backend-0"]),
    ("memory of a container that is no more", view(alert(container="backend-9")), memory(), []),
    ("memory of a foreign container", view(alert(container="foreign", component="backend")), memory(), []),
    ("a trend", view(TREND), memory(), ["restart backend-1"]),
    (
        "a trend that goes on after the restart is not acted on again",
        view(TREND, backend_1={"started": NOW - 500}, now=NOW),
        memory(acted("backend-1", 5, about=TREND.about)),
        ["wait backend-1"],
    ),
    ("workers fail", view(WORKERS), memory(), ["restart-workers backend-0"]),
    (
        "workers fail, the first replica is done",
        view(WORKERS),
        memory(acted("backend-0", 5, about=WORKERS.about)),
        ["restart-workers backend-1"],
    ),
    (
        "worker failures are counted over an hour: no second time",
        view(WORKERS),
        memory(acted("backend-0", 5, about=WORKERS.about), acted("backend-1", 5, about=WORKERS.about)),
        ["wait backend"],
    ),
    ("slow answers", view(SLOW), memory(), ["investigate backend"]),
    ("slow answers, looked into", view(SLOW), told(SLOW.about), ["leave backend"]),
    ("errors", view(ERRORS), memory(), ["page backend"]),
    ("a full disk", view(DISK), memory(), ["page host"]),
    ("an alert that asks for nothing", view(alert("Odd", Action.NONE)), memory(), []),
    ("an alert on something unknown", view(alert("Odd", component="moon")), memory(), ["leave moon"]),
    (
        "an alert on the guardian",
        view(alert("ServiceDown", component="guardian")),
        memory(),
        ["leave guardian"],
    ),
    ("the Watchdog", view(alert("Watchdog", Action.PAGE)), memory(), []),
    ("its own page", view(alert("GuardianPage", Action.PAGE)), memory(), []),
    # What is missing is looked for among those that are not well.
    ("a replica is missing, all say they are well", view(MISSING), memory(), ["wait backend"]),
    (
        "a replica is missing and starts",
        view(MISSING, backend_1={**STARTING, **JUST_STARTED}),
        memory(),
        ["wait backend"],
    ),
    (
        "a replica has been missing for long, though all say they are well",
        view(alert("BackendReplicaMissing", starts_at=NOW - 100)),
        memory(),
        ["restart backend-0"],
    ),
    (
        "a replica was missing for long and has just got well",
        view(alert("BackendReplicaMissing", starts_at=NOW - 100), serving_since={"backend-1": NOW - 5}),
        memory(),
        ["wait backend"],
    ),
    ("Postgres does not answer, but says it is well", view(DOWN), memory(), ["wait postgres"]),
]


def decisions(seen: View, known: Memory) -> list[Decision]:
    return [decide(problem, seen, known, SETTINGS) for problem in problems(seen, known, SETTINGS)]


def told_shortly(made: Sequence[Decision]) -> list[str]:
    return [f"{one.do} {one.container.name if one.container else one.problem.component}" for one in made]


@pytest.mark.parametrize(
    ("seen", "known", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_the_policy(seen: View, known: Memory, expected: list[str]) -> None:
    assert told_shortly(decisions(seen, known)) == expected


def test_every_decision_says_why() -> None:
    for _, seen, known, _ in TABLE:
        for decision in decisions(seen, known):
            assert len(decision.why) > 10, decision


def test_a_hung_backend_gets_little_time_to_stop_and_a_planned_restart_all_of_it() -> None:
    (hung,) = decisions(view(backend_0=UNHEALTHY), memory())
    (planned,) = decisions(view(MEMORY), memory())
    (database,) = decisions(view(postgres=UNHEALTHY), memory())
    assert (hung.stop_seconds, planned.stop_seconds, database.stop_seconds) == (2, 15, 15)


def test_the_only_replica_is_restarted_with_a_word_on_what_that_costs() -> None:
    (decision,) = decisions(view(CRITICAL, backend_1=STARTING), memory())
    assert "requests fail" in decision.why


def test_a_page_about_errors_names_the_way_back_to_a_young_release_alone() -> None:
    young = {"created": NOW - 600}
    (decision,) = decisions(view(ERRORS, backend_0=young, backend_1=young), memory())
    assert decision.do is Do.PAGE
    assert "Release r1 is 10 min old; to go back: ./medianest rollback staging" in decision.why
    (old,) = decisions(view(ERRORS), memory())
    assert "rollback" not in old.why
    (mixed,) = decisions(view(ERRORS, backend_0={"release": "r2"}), memory())
    assert "rollback" not in mixed.why


def test_a_container_without_healing_endpoints_is_restarted_instead() -> None:
    from dataclasses import replace

    plain = replace(SETTINGS, restart_workers="")
    seen = view(WORKERS)
    (problem,) = problems(seen, memory(), plain)
    assert decide(problem, seen, memory(), plain).do is Do.RESTART


def test_nothing_changes_a_stack_that_is_deployed_or_stopped() -> None:
    from dataclasses import replace

    for _, seen, known, _ in TABLE:
        made = decisions(replace(seen, deploying="marked"), known)
        assert not [decision for decision in made if decision.do in CHANGES]
