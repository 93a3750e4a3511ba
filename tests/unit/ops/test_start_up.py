"""Which of the containers that an update starts are given up, and when."""

from __future__ import annotations

import pytest

from ops.start_up import StartUps


def told(*actions: str, container: str = "c1") -> list[str | None]:
    """What the fold says of each event of one container."""
    start_ups = StartUps()
    return [start_ups.apply({"Action": action, "Actor": {"ID": container}}) for action in actions]


@pytest.mark.parametrize(
    ("actions", "given_up_at"),
    [
        (["create", "start", "health_status: healthy"], None),
        (["create", "start", "die"], None),
        (["create", "start", "die", "start", "die"], 4),
        (["create", "start", "health_status: unhealthy"], 2),
        (["create", "start", "die", "start", "health_status: healthy", "die"], None),
        # Of a release before this update, which is asked to stop.
        (["die", "start", "die"], None),
    ],
)
def test_two_exits_or_a_failed_health_check_are_enough(actions: list[str], given_up_at: int | None) -> None:
    answers = told(*actions)
    assert answers == ["c1" if number == given_up_at else None for number in range(len(actions))]


def test_a_container_is_given_up_once() -> None:
    assert told("create", "start", "die", "die", "die", "health_status: unhealthy")[4:] == [None, None]


def test_when_the_update_ends_what_runs_and_is_not_healthy_is_late() -> None:
    start_ups = StartUps()
    for container, actions in {
        "starting": ["create", "start"],
        "healthy": ["create", "start", "health_status: healthy"],
        "given up": ["create", "start", "die", "die"],
        "a loader": ["create"],
    }.items():
        for action in actions:
            start_ups.apply({"Action": action, "Actor": {"ID": container}})
    assert start_ups.late() == ["starting"]


def test_the_time_of_a_container_is_up_once_and_only_while_it_starts() -> None:
    start_ups = StartUps()
    for container, actions in {
        "starting": ["create", "start"],
        "healthy": ["create", "start", "health_status: healthy"],
        "given up": ["create", "start", "die", "die"],
        "created": ["create"],
    }.items():
        for action in actions:
            start_ups.apply({"Action": action, "Actor": {"ID": container}})
    every = ("starting", "starting", "healthy", "given up", "created", "of a release before")
    assert [start_ups.out_of_time(container) for container in every] == [True, *[False] * 5]
    assert start_ups.containers["starting"].verdict == "did not get healthy in time"
