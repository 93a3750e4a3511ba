"""The releases of a stack, from recorded files of Pulumi's history and from updates made up."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ops.errors import OperationError
from ops.project import Project
from ops.releases.command import ago, as_document, verdict
from ops.releases.deploys import Deploy, Facts, deploy, deployed_by, read_deploys
from ops.releases.entries import Changes, Known, Release, fold
from ops.releases.message import update_message
from ops.releases.records import FAILED, NOT_VERIFIED, VERIFIED, Record, first_line, read_records, records
from ops.session import Session

RECORDED = Path(__file__).parent / "recorded"
# Of the recorded stack: two images, the second with other settings and a rotated secret, and one that failed.
FIRST, SECOND, ROTATED, BAD = "a87f19a5abde", "03b1c06852f0", "658f4f97900c", "3415f61ab89a"
START = datetime(2026, 11, 24, 12, tzinfo=UTC)


def session(directory: Path) -> Session:
    return Session(Project("medianest", directory), {"PULUMI_BACKEND_URL": f"file://{directory}"})


@pytest.fixture
def recorded() -> Session:
    return session(RECORDED / "history")


def test_every_update_is_read_with_the_release_that_it_was_of(recorded: Session) -> None:
    deploys = read_deploys(recorded, "notes")
    assert [(d.facts.release if d.facts else "", d.succeeded, d.pin is not None) for d in deploys] == [
        (FIRST, True, False),
        (SECOND, True, False),
        (BAD, False, False),
        (SECOND, True, False),
        (FIRST, True, True),
        (FIRST, True, True),
        (FIRST, True, True),
        (SECOND, True, True),
        (FIRST, True, True),
        (SECOND, True, False),
        (ROTATED, True, False),
    ]


def test_an_update_says_when_by_whom_and_from_which_commit(recorded: Session) -> None:
    last = read_deploys(recorded, "notes", limit=1)[0]
    assert last.started == datetime(2026, 11, 24, 11, 37, 56, tzinfo=UTC)
    assert last.by == "ada@workshop"
    assert last.commit == "8510e9827b118977b8c46310e34cb653e27c70d2"
    assert last.dirty
    assert last.facts
    assert last.facts.image_name == "medianest/backend:notes-adfe9052bb49"
    assert last.facts.content == "adfe9052bb49"
    assert set(last.facts.secrets) == {"api_key", "postgres_password", "redis_password"}


def test_a_failed_update_is_of_the_release_that_it_tried_and_says_why(recorded: Session) -> None:
    (bad,) = (d for d in read_deploys(recorded, "notes") if not d.succeeded)
    assert bad.facts
    assert bad.facts.image_id.startswith("sha256:0988d5a3da4e")
    assert bad.facts.problem.startswith("error inspecting container state: ")


def test_the_recorded_stack_as_a_list(recorded: Session) -> None:
    known = Known(read_records(recorded, "notes"), {}, pinned="")
    found = {release.id: release for release in fold(read_deploys(recorded, "notes"), known)}
    assert list(found) == [ROTATED, SECOND, FIRST, BAD]
    assert found[ROTATED].current
    assert found[ROTATED].changes == Changes(("environment.GREETING",), image=False, secrets=("api_key",))
    assert found[SECOND].changes == Changes(image=True)
    assert found[FIRST].first_deployed < found[SECOND].first_deployed < found[FIRST].deployed
    assert [release.verdict for release in found.values()] == [VERIFIED, VERIFIED, VERIFIED, FAILED]
    assert not any(release.rolled_back for release in found.values())


def test_the_form_of_the_command_gives_the_same_settings(recorded: Session) -> None:
    """Back ends that are no directory have no states: `pulumi stack history --json` is all there is."""
    listed = json.loads((RECORDED / "history.json").read_text())
    own = deploy("medianest", listed[0])
    (file,) = read_deploys(recorded, "notes", limit=1)
    assert (own.started, own.by, own.commit, own.backend) == (
        file.started,
        file.by,
        file.commit,
        file.backend,
    )
    assert own.facts is None
    known = Known(read_records(recorded, "notes"), named="medianest/backend:notes-")
    (release,) = fold([own], known)
    assert (release.id, release.verdict, release.current) == (ROTATED, VERIFIED, True)
    assert release.facts.image_name == "medianest/backend:notes-adfe9052bb49"


def test_a_compressed_history_is_read_too(recorded: Session, tmp_path: Path) -> None:
    shutil.copytree(RECORDED / "history", tmp_path, dirs_exist_ok=True)
    for path in list(tmp_path.rglob("notes-*.json")):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert read_deploys(session(tmp_path), "notes") == read_deploys(recorded, "notes")


def test_a_damaged_history_is_named(tmp_path: Path) -> None:
    shutil.copytree(RECORDED / "history", tmp_path, dirs_exist_ok=True)
    broken = sorted(tmp_path.rglob("notes-*.history.json"))[0]
    broken.write_text("{")
    with pytest.raises(OperationError, match=broken.name):
        read_deploys(session(tmp_path), "notes")


def test_a_stack_without_a_history_has_no_releases(tmp_path: Path) -> None:
    assert read_deploys(session(tmp_path), "notes") == []
    assert read_records(session(tmp_path), "notes") == {}


def made(release: str, minute: int, *, succeeded: bool = True, pin: bool = False, **more: Any) -> Deploy:
    """An update that deploys a release; each release has an image of its own."""
    return Deploy(
        START + timedelta(minutes=minute),
        more.pop("kind", "update"),
        succeeded,
        backend={"environment": {"LEVEL": release}},
        pin={"settings": {"environment": {"LEVEL": release}}} if pin else None,
        facts=Facts(release, f"sha256:{release}", "", problem="" if succeeded else "it broke"),
    )


def states(deploys: list[Deploy], known: Known | None = None) -> list[str]:
    return [f"{release.id}: {verdict(release)}" for release in fold(deploys, known or Known())]


@pytest.mark.parametrize(
    ("deploys", "said"),
    [
        ([], []),
        ([made("a", 0), made("b", 1)], ["b: current, unverified", "a: unverified"]),
        ([made("a", 0), made("a", 1)], ["a: current, unverified"]),
        (
            [made("a", 0), made("b", 1), made("a", 2, pin=True)],
            ["a: current, unverified", "b: rolled back, unverified"],
        ),
        (
            [made("a", 0), made("b", 1), made("a", 2, pin=True), made("b", 3, pin=True)],
            ["b: current, unverified", "a: unverified"],
        ),
        (
            [made("a", 0), made("b", 1), made("a", 2, pin=True), made("b", 3)],
            ["b: current, unverified", "a: unverified"],
        ),
        ([made("a", 0), made("b", 1), made("a", 2)], ["a: current, unverified", "b: unverified"]),
        ([made("a", 0), made("b", 1, succeeded=False)], ["b: failed: it broke", "a: current, unverified"]),
        (
            [made("a", 0), made("b", 1, succeeded=False), made("a", 2)],
            ["a: current, unverified", "b: failed: it broke"],
        ),
        (
            [made("a", 0), made("b", 1, succeeded=False), made("b", 2)],
            ["b: current, unverified", "a: unverified"],
        ),
        (
            [made("a", 0), made("b", 1), made("a", 2, pin=True, succeeded=False)],
            ["b: current, unverified", "a: unverified"],
        ),
        ([made("a", 0), made("a", 1, succeeded=False)], ["a: current, unverified"]),
        ([made("a", 0), made("a", 1, kind="refresh")], ["a: current, unverified"]),
        ([made("a", 0), made("a", 1, kind="destroy")], ["a: unverified"]),
        ([made("a", 0, succeeded=False)], ["a: failed: it broke"]),
    ],
    ids=[
        "nothing",
        "two releases",
        "the same again",
        "a roll-back",
        "a roll-back and forward again",
        "a roll-back that is lifted",
        "the former tree again, without a pin",
        "a bad release",
        "a bad release, then the good one again",
        "a release that works the second time",
        "a roll-back that failed",
        "a good release that failed to change",
        "a refresh",
        "a destroy",
        "a first release that failed",
    ],
)
def test_what_became_of_each_release(deploys: list[Deploy], said: list[str]) -> None:
    assert states(deploys) == said


def test_records_give_the_verdicts_and_the_reasons() -> None:
    known = Known(
        records={
            "a": Record(VERIFIED, "35 checks"),
            "b": Record(NOT_VERIFIED, "1 of 35 checks failed"),
            "c": Record(FAILED, "backend-0 exits as soon as it starts"),
        },
        pinned="b",
    )
    assert states([made("a", 0), made("b", 1), made("c", 2, succeeded=False)], known) == [
        "c: failed: backend-0 exits as soon as it starts",
        "b: current, pinned, not verified: 1 of 35 checks failed",
        "a: verified: 35 checks",
    ]


def test_a_record_of_a_failure_is_over_once_the_release_works() -> None:
    known = Known(records={"b": Record(FAILED, "no luck")})
    assert states([made("a", 0), made("b", 1)], known)[0] == "b: current, unverified"


@pytest.mark.parametrize(
    ("labels", "schema"),
    [
        (None, (False, None, None)),
        ({}, (True, None, None)),
        ({"medianest.schema": "7", "medianest.schema.serves": "6"}, (True, 7, 6)),
        ({"medianest.schema": "seven", "medianest.schema.serves": ""}, (True, None, None)),
    ],
)
def test_an_image_says_which_schema_it_works_on(
    labels: Mapping[str, str] | None, schema: tuple[bool, int | None, int | None]
) -> None:
    known = Known(images={} if labels is None else {"sha256:a": labels})
    (release,) = fold([made("a", 0)], known)
    assert (release.image_present, release.schema, release.serves) == schema


def test_settings_that_are_only_written_down_are_no_change() -> None:
    plain = made("a", 0)
    spelled = Deploy(
        START, "update", True, backend={**(plain.backend or {}), "port": 3000, "replicas": 7}, facts=None
    )
    other = Deploy(
        spelled.started, "update", True, backend=spelled.backend, facts=Facts("b", "sha256:a", "", {})
    )
    found = fold([plain, other], Known())
    assert found[0].changes == Changes()


def test_what_changed_is_not_guessed_where_settings_are_not_known() -> None:
    unknown = Deploy(START + timedelta(minutes=1), "update", True, facts=Facts("b", "sha256:b", ""))
    assert fold([made("a", 0), unknown], Known())[0].changes is None


def test_a_tag_holds_what_it_can_and_is_read_again() -> None:
    record = Record(FAILED, "ü" * 500, 1795520276, f"sha256:{'0' * 64}", "adfe9052bb49")
    tag = record.as_tag()
    assert len(tag) <= 256
    again = records("medianest", {"medianest:release.b": tag, "medianest:release.x": "no", "team:note": "x"})
    assert list(again) == ["b"]
    assert again["b"].reason.endswith("ü…")
    assert (again["b"].update, again["b"].image) == (record.update, record.image)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("stack s could not be deployed: backend-0 exits\n  the end of its log", "backend-0 exits"),
        ("Pulumi was killed", "Pulumi was killed"),
        ("", ""),
    ],
)
def test_the_reason_of_a_failure_is_its_first_line(message: str, reason: str) -> None:
    assert first_line(message) == reason


def test_an_updates_message_says_who_deployed(tmp_path: Path) -> None:
    message = update_message(tmp_path, {"SUDO_USER": "ada"}, "Roll back to release a")
    assert message.startswith("Roll back to release a\n\n")
    assert deployed_by(message).startswith("ada@")
    assert deployed_by("Deployed by hand") == ""


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (7200, "2 h ago"),
        (90_000, "25 h ago"),
        (172_800, "2 days ago"),
    ],
)
def test_ages_read_as_people_say_them(seconds: float, said: str) -> None:
    assert ago(seconds) == said


def test_machines_get_times_in_iso_8601() -> None:
    release = Release("a", START, START, Facts("a", "sha256:a", "medianest/backend:s-1"))
    document = as_document(release)
    assert document["deployed"] == "2026-11-24T12:00:00+00:00"
    assert document["image"]["present"] is False
    json.dumps(document)
