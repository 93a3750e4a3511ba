"""The journal survives what happens to files, and the memory is what the journal says."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from guardian.alerts import Action
from guardian.record.entries import Entry, Kind, Outcome, entry
from guardian.record.journal import Journal
from guardian.record.memory import Memory, remembered
from guardian.record.notebook import Notebook
from tests.unit.guardian.stacks import NOW, acted, alert, happened, memory


def test_an_entry_is_read_as_it_was_written() -> None:
    written = Entry(
        NOW, Kind.ACTION, "restart", Outcome.BEGUN, "redis", "redis-1", "why", "evidence/x", "about"
    )
    assert entry(json.loads(json.dumps(written.as_json()))) == written


def test_the_journal_is_rotated_and_read_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path, largest_bytes=300)
    for number in range(40):
        journal.append(Entry(number, Kind.EVENT, "die", container="redis"))
    moments = [found.at for found in journal.read()]
    assert moments == sorted(moments)
    assert moments[-1] == 39
    assert 5 < len(moments) < 40
    assert len(list(tmp_path.iterdir())) == 4


def test_a_line_that_was_cut_off_costs_that_line_alone(tmp_path: Path) -> None:
    Journal(tmp_path).append(Entry(1, Kind.EVENT, "die"))
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write('{"at": 2, "kind": "ev')
    journal = Journal(tmp_path)
    journal.append(Entry(3, Kind.EVENT, "start"))
    assert [found.at for found in journal.read()] == [1, 3]


@pytest.mark.parametrize(
    "line", ["[]", "{}", '{"at": "x", "kind": "event", "what": "x"}', '{"at": 1, "new": 2}', "\x00"]
)
def test_what_is_no_entry_is_passed_over(tmp_path: Path, line: str) -> None:
    (tmp_path / "journal.jsonl").write_text(line + "\n")
    assert list(Journal(tmp_path).read()) == []


def test_a_guardian_that_was_started_again_remembers(tmp_path: Path) -> None:
    first = Notebook(tmp_path)
    fires = alert(container="backend-0")
    first.note(Kind.ALERT, fires.name, Outcome.FIRING, about=fires.fingerprint, details=fires.as_json())
    first.note(Kind.EVENT, "stop", container="redis")
    first.note(Kind.EVENT, "die", at=NOW, container="gateway")
    first.note(
        Kind.ACTION,
        "restart",
        Outcome.BEGUN,
        component="backend",
        container="backend-0",
        details={"retry_in": 7},
    )
    first.note(Kind.DECISION, "give up", Outcome.GIVEN_UP, about="postgres", why="no use")
    first.note(Kind.PAGE, "page", Outcome.SENT, about="paused:redis")
    first.note(Kind.PAGE, "page", Outcome.NOT_SENT, about="crashing:gateway", details={"runbook": "x"})
    first.note(Kind.REPORT, "memory", Outcome.DONE)
    again = Notebook(tmp_path).memory
    for name in (
        "acted",
        "actions",
        "alerts",
        "stopped",
        "deaths",
        "given_up",
        "told",
        "unsent",
        "decided",
        "reported",
    ):
        assert getattr(again, name) == getattr(first.memory, name), name
    assert again.alerts == {fires.fingerprint: fires}
    assert again.alerts[fires.fingerprint].action is Action.RESTART
    assert again.acted[0].not_before == again.acted[0].at + 7
    assert list(again.unsent) == ["crashing:gateway"]


def test_the_watchdog_is_not_written_down(tmp_path: Path) -> None:
    """It comes twice a minute, for ever, and a restart begins to wait anew."""
    notebook = Notebook(tmp_path)
    notebook.memory.watchdog_came(NOW)
    assert notebook.memory.watchdog_at == NOW
    assert list(Journal(tmp_path).read()) == []


def test_an_alert_counts_as_told_of_when_the_guardian_starts(tmp_path: Path) -> None:
    """Nobody could tell of it while it did not run: it is not silent since then."""
    fires = alert()
    details = fires.as_json()
    first = Notebook(tmp_path)
    first.note(Kind.ALERT, fires.name, Outcome.FIRING, at=NOW, about=fires.fingerprint, details=details)
    started = time.time()
    again = Notebook(tmp_path).memory
    assert again.silent_alerts(since=started) == []
    assert again.alerts == {fires.fingerprint: fires}


def page(outcome: Outcome, at: float = NOW) -> Entry:
    return Entry(at, Kind.PAGE, "page", outcome, about="crashing:redis", why="it crashes")


def test_a_page_that_reached_nobody_is_kept_until_it_does() -> None:
    lost = page(Outcome.NOT_SENT)
    known = memory(lost)
    assert known.unsent == {"crashing:redis": lost}
    assert known.told == {"crashing:redis": NOW}
    known.apply(page(Outcome.SENT, NOW + 60))
    assert known.unsent == {}
    assert known.told == {"crashing:redis": NOW + 60}


def test_an_alert_that_has_ended_is_forgotten() -> None:
    fires = alert()
    known = remembered(
        [
            Entry(
                1, Kind.ALERT, fires.name, Outcome.FIRING, about=fires.fingerprint, details=fires.as_json()
            ),
            Entry(2, Kind.ALERT, fires.name, Outcome.RESOLVED, about=fires.fingerprint),
        ]
    )
    assert known.alerts == {}


def test_an_alert_that_is_not_told_of_any_more_is_found() -> None:
    fires = alert()
    known = memory(
        Entry(10, Kind.ALERT, fires.name, Outcome.FIRING, about=fires.fingerprint, details=fires.as_json())
    )
    assert known.silent_alerts(since=10) == []
    assert known.silent_alerts(since=11) == [fires]
    known.fires_still(fires.fingerprint, 20)
    assert known.silent_alerts(since=11) == []


@pytest.mark.parametrize(
    ("events", "deaths", "stopped"),
    [
        # By itself: again and again, as the engine restarts it.
        ([("die", 9), ("start", 8), ("die", 7), ("start", 6)], 2, False),
        # docker stop
        ([("kill", 9), ("die", 8), ("stop", 8)], 0, True),
        # docker restart
        ([("kill", 9), ("die", 8), ("stop", 8), ("start", 7)], 0, False),
        # docker kill: it was asked to die, but nobody asked for it to stay down.
        ([("kill", 9), ("die", 9)], 0, False),
        # It dies by itself after somebody has restarted it.
        ([("kill", 9), ("die", 8), ("stop", 8), ("start", 7), ("die", 6)], 1, False),
        ([("oom", 9), ("die", 9), ("start", 8)], 1, False),
    ],
)
def test_who_wanted_a_death(events: list[tuple[str, float]], deaths: int, stopped: bool) -> None:
    known = memory(*(happened("redis", what, ago) for what, ago in events))
    assert known.deaths_of("redis", 0) == deaths
    assert ("redis" in known.stopped) is stopped


def test_a_restart_of_the_guardians_own_is_no_stop_by_somebody() -> None:
    known = memory(
        acted("redis", 9),
        happened("redis", "kill", 9),
        happened("redis", "die", 8),
        happened("redis", "stop", 8),
    )
    assert known.stopped == set()
    assert known.deaths_of("redis", 0) == 0


STOPPED_BY_SOMEBODY = [("kill", 5), ("die", 5), ("stop", 5)]


@pytest.mark.parametrize(
    ("what", "outcome"),
    [
        # It changes no container: the engine tells of no start after it.
        ("restart-workers", Outcome.DONE),
        ("restart-workers", Outcome.FAILED),
        # The start that was asked for did not come.
        ("start", Outcome.FAILED),
        ("restart", Outcome.FAILED),
    ],
)
def test_what_somebody_stops_after_an_action_stays_stopped(what: str, outcome: Outcome) -> None:
    begun = replace(acted("backend-0", 9), what=what)
    ended = replace(begun, at=NOW - 8, outcome=outcome)
    known = memory(begun, ended, *(happened("backend-0", name, ago) for name, ago in STOPPED_BY_SOMEBODY))
    assert known.stopped == {"backend-0"}
    assert known.deaths_of("backend-0", 0) == 0


def test_a_death_soon_after_its_workers_were_replaced_is_its_own() -> None:
    known = memory(replace(acted("backend-0", 9), what="restart-workers"), happened("backend-0", "die", 5))
    assert known.deaths_of("backend-0", 0) == 1


def test_containers_that_are_no_more_are_forgotten() -> None:
    known = memory(happened("redis", "stop", 9), happened("gateway", "die", 9))
    known.forget_others(["backend-0"])
    assert known.stopped == set()
    assert known.deaths_of("gateway", 0) == 0


def test_memory_is_bounded() -> None:
    known = Memory()
    for number in range(1000):
        known.apply(acted("redis", 1000 - number))
        known.apply(happened("gateway", "die", 1000 - number))
        known.apply(Entry(number, Kind.DECISION, "wait", Outcome.WAITING, about=f"about {number}", why="why"))
        known.apply(Entry(number, Kind.PAGE, "page", Outcome.NOT_SENT, about=f"about {number}"))
        known.apply(Entry(number, Kind.DECISION, "wait", Outcome.WAITING, about="often", why=f"{number}"))
    assert len(known.acted) == len(known.deaths["gateway"]) == len(known.decided) == 200
    assert len(known.told) == len(known.unsent) == 200
    # What was decided a moment ago is no old one, however long ago that was for the first time.
    assert known.decided["often"] == "999"
    # A counter never falls.
    assert known.actions == {"redis": 1000}
