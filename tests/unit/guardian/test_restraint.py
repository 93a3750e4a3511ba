"""Back-off, budget and recovery, over simulated time."""

from __future__ import annotations

import pytest

from guardian.policy import restraint
from guardian.policy.decisions import CHANGES, Do, decide
from guardian.policy.problems import problems
from guardian.record.entries import Entry, Kind, Outcome
from guardian.record.memory import Memory
from tests.unit.guardian.stacks import NOW, SETTINGS, UNHEALTHY, acted, happened, memory, view


@pytest.mark.parametrize(
    ("before", "seconds"), [(0, 10), (1, 20), (2, 40), (3, 80), (4, 160), (5, 300), (50, 300)]
)
def test_the_wait_doubles_up_to_five_minutes(before: int, seconds: float) -> None:
    known = memory(*(acted("redis", 500 - each) for each in range(before)))
    assert restraint.retry_in("redis", NOW, known, SETTINGS, 0.5) == seconds


def test_a_wait_is_longer_or_shorter_by_a_fifth() -> None:
    waits = [restraint.retry_in("redis", NOW, memory(), SETTINGS, chance) for chance in (0.0, 1.0)]
    assert waits == [8, 12]


def test_a_service_that_stays_ill_is_acted_on_five_times_then_people_are_called() -> None:
    known, did = Memory(), []
    for second in range(3600):
        now = NOW + second
        seen = view(now=now, redis=UNHEALTHY)
        (problem,) = problems(seen, known, SETTINGS)
        decision = decide(problem, seen, known, SETTINGS)
        if decision.do in CHANGES:
            wait = restraint.retry_in("redis", now, known, SETTINGS, 0.5)
            did.append(second)
            known.apply(
                Entry(
                    now, Kind.ACTION, "restart", Outcome.BEGUN, "redis", "redis", details={"retry_in": wait}
                )
            )
        elif decision.do is Do.GIVE_UP:
            did.append(-second)
            known.apply(Entry(now, Kind.DECISION, "give up", Outcome.GIVEN_UP, "redis", about=decision.about))
    assert did[:5] == [0, 10, 30, 70, 150]
    # At once, when the sixth is due; and nothing for the rest of the hour.
    assert did[5:] == [-151]


def given_up(ago: float, about: str = "redis") -> Entry:
    return Entry(NOW - ago, Kind.DECISION, "give up", Outcome.GIVEN_UP, about=about)


@pytest.mark.parametrize(
    ("known", "redis", "expected"),
    [
        (memory(given_up(700)), {}, ["redis"]),
        (memory(given_up(500)), {}, []),
        (memory(given_up(700)), UNHEALTHY, []),
        (memory(given_up(700), happened("redis", "die", 100)), {}, []),
        (memory(given_up(700), acted("redis", 100)), {}, []),
        (memory(given_up(100)), {"created": NOW - 50}, ["redis"]),
        (memory(given_up(700, "backend-0")), UNHEALTHY, ["backend-0"]),
    ],
)
def test_what_was_given_up_is_healed_again_when_it_has_been_well(
    known: Memory, redis: dict[str, object], expected: list[str]
) -> None:
    assert restraint.recovered(view(redis=redis), known, SETTINGS) == expected
