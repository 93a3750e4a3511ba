"""Leases: read off labels, off a state, by their times; and durations as people write them."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta

import pytest

from components import labels
from components.settings import SettingsError, load
from ops.env.duration import in_words, read_duration, read_time, written
from ops.env.lease import current, home_of, lease_in, lease_of
from ops.env.plan import new_expiry
from ops.errors import ExitCode, OperationError
from ops.lock import this_host
from ops.state import StackState

NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)
OWN = {
    labels.STACK: "pr-17",
    labels.OWNER: "abc",
    labels.EXPIRES: "2026-11-25T15:00:00Z",
    labels.PORT: "4001",
    labels.BASE: "staging",
    labels.HOME: "me@here:/state",
    labels.PULL_REQUEST: "17",
}


def test_a_lease_is_read_off_its_labels() -> None:
    lease = lease_of(OWN, "2026-11-24T15:00:00Z")
    assert (lease.stack, lease.owner, lease.port, lease.base) == ("pr-17", "abc", 4001, "staging")
    assert (lease.expires, lease.created) == (NOW + timedelta(days=1), NOW)
    assert (lease.home, lease.pull_request) == ("me@here:/state", 17)


@pytest.mark.parametrize("text", ["", "soon", "2026-11-25", "2026-13-45T00:00:00Z", "2026-11-25T15:00:00"])
def test_a_time_that_is_none_is_not_guessed(text: str) -> None:
    assert lease_of({**OWN, labels.EXPIRES: text}).expires is None


def test_of_two_the_later_end_counts() -> None:
    early, late = lease_of(OWN), lease_of({**OWN, labels.EXPIRES: "2026-11-26T15:00:00Z"})
    broken, other = lease_of({**OWN, labels.EXPIRES: "?"}), lease_of({**OWN, labels.OWNER: "xyz"})
    assert current([early, late]) == current([late, early]) == [late]
    assert current([late, broken]) == current([broken, late]) == [broken]
    assert current([other, early]) == [early, other]


def test_the_state_knows_the_lease_too() -> None:
    urn = "urn:pulumi:pr-17::medianest::docker:index/volume:Volume::lease"
    inputs = {"labels": [{"label": label, "value": value} for label, value in OWN.items()]}
    volume = {"type": "docker:index/volume:Volume", "urn": urn, "inputs": inputs}
    other = {"type": "docker:index/volume:Volume", "urn": f"{urn}-of-nothing", "inputs": inputs}
    assert lease_in(StackState((other, volume))) == lease_of(OWN)
    assert lease_in(StackState((other,))) is None
    assert lease_in(None) is None


def test_a_home_tells_whose_state_it_is_and_no_password() -> None:
    home = home_of({"PULUMI_BACKEND_URL": "file:///root/state?x=1"})
    assert home == f"{getpass.getuser()}@{this_host()}:/root/state"
    url = "postgres://me:secret@db:5432/pulumi?sslpassword=secret"
    assert home_of({"PULUMI_BACKEND_URL": url}) == "postgres://db:5432/pulumi"


@pytest.mark.parametrize(("text", "hours"), [("30m", 0.5), ("24h", 24), (" 7d ", 168)])
def test_durations(text: str, hours: float) -> None:
    assert read_duration(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "1.5h", "1w", "24 h", "0m", "999999h", "1h; rm"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(OperationError) as caught:
        read_duration(text)
    assert caught.value.code is ExitCode.USAGE


def test_a_duration_has_an_end() -> None:
    assert read_duration("48h", timedelta(days=2)) == timedelta(days=2)
    with pytest.raises(OperationError, match="too long: an environment may live for 2 d"):
        read_duration("49h", timedelta(days=2))


def test_times_and_durations_are_written_as_they_are_read() -> None:
    assert read_time(written(NOW)) == NOW
    assert [in_words(timedelta(minutes=number)) for number in (0, 59, 60, 61, 3000, -5)] == [
        *("less than a minute", "59 min", "1 h", "1 h 1 min", "2 d 2 h", "less than a minute"),
    ]


@pytest.mark.parametrize(
    ("left", "renew", "expected"),
    [(13, False, 13), (11, False, 24), (-5, False, 24), (13, True, 24), (90, True, 24)],
)
def test_an_expiry_stays_while_more_than_half_of_it_is_left(left: int, renew: bool, expected: int) -> None:
    lease = lease_of({**OWN, labels.EXPIRES: written(NOW + timedelta(hours=left))})
    assert new_expiry(lease, NOW, timedelta(hours=24), renew=renew) == NOW + timedelta(hours=expected)
    assert new_expiry(None, NOW, timedelta(hours=24), renew=False) == NOW + timedelta(hours=24)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"expires": "tomorrow", "base": "b", "home": "h", "url": "u"}, "lease.expires"),
        ({"expires": "2026-11-25T15:00:00Z", "base": "b", "home": "h"}, "lease.url"),
    ],
)
def test_a_lease_in_the_settings_is_checked(value: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load("medianest", {"medianest:lease": value}, ())


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"ttl": "soon"}, "environments.ttl"),
        ({"url": "http://{user}.example.org"}, "only {name} and {port}"),
        ({"first_port": 5000, "last_port": 4000}, "last_port is below"),
        ({"sanitise": "../other.sql"}, "below the project's root"),
        ({"seed": []}, "environments.seed"),
    ],
)
def test_how_environments_are_made_is_checked(value: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load("medianest", {"medianest:environments": value}, ())
