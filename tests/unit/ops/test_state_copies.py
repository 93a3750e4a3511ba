"""A state is judged, copied and put back: what is not whole is seen, what is good is kept."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from components import labels
from ops.engine import Resource
from ops.errors import ExitCode, OperationError
from ops.project import Project
from ops.session import Session
from ops.state import FileBackend, read_checkpoint
from ops.state_check import SECRET_SIGNATURE, DamagedStateError, read_state
from ops.state_command import choose
from ops.state_copies import KEPT, copies, directory, keep_copy, put_back
from ops.unknown import in_the_way, is_data, unknown

STACK = {"urn": "urn:s", "type": "pulumi:pulumi:Stack", "outputs": {"owner": "me"}}
CHILD = {"urn": "urn:c", "type": "docker:x", "parent": "urn:s", "dependencies": ["urn:s"]}
SECRET = {SECRET_SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}


def state(**latest: Any) -> bytes:
    deployment = {"manifest": {"time": "2026-11-24T03:00:00Z"}, "resources": [STACK, CHILD], **latest}
    return json.dumps({"version": 3, "checkpoint": {"latest": deployment}}).encode()


def checksum(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


GOOD = state()


@pytest.mark.parametrize("content", [GOOD, gzip.compress(GOOD), state(resources=None), state(resources=[])])
def test_a_whole_state_is_read(content: bytes) -> None:
    assert read_state(content, [checksum(content)])["manifest"]
    assert read_state(b'{"version": 3, "checkpoint": {"latest": null}}') == {}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\0" * 4096, "is empty"),
        (GOOD[:-1], "is no JSON"),
        (GOOD[: len(GOOD) // 2], "is no JSON"),
        (gzip.compress(GOOD)[:-20], "cannot be unpacked"),
        (b"[]", "no version"),
        (b'{"version": 99, "checkpoint": {}}', "no version"),
        (b'{"version": 3}', "no checkpoint"),
        (state(resources=[CHILD]), "depends on one that is not there: urn:s"),
        (state(resources=[STACK, {**CHILD, "dependencies": ["urn:x"]}]), "not there: urn:x"),
        (state(resources=[{"type": "x"}]), "a resource without a name"),
        (state(resources={"a": 1}), "no list of resources"),
        (state(resources=[{**STACK, "outputs": {"p": SECRET}}]), "does not say how they are encrypted"),
    ],
)
def test_what_is_not_whole_is_told(content: bytes, words: str) -> None:
    with pytest.raises(DamagedStateError, match=words):
        read_state(content)


def test_a_flipped_bit_anywhere_is_seen_by_the_back_ends_checksum() -> None:
    for offset in range(len(GOOD)):
        damaged = bytearray(GOOD)
        damaged[offset] ^= 1
        with pytest.raises(DamagedStateError):
            read_state(bytes(damaged), [checksum(GOOD)])


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Session(Project("p", tmp_path), {"PULUMI_BACKEND_URL": f"file://{tmp_path}"})


def store(session: Session, content: bytes, *, noted: bytes | None = None) -> Path:
    assert session.files
    path = session.files.path("p", "s")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    attributes = {"md5": checksum(content if noted is None else noted)}
    path.with_name(f"{path.name}.attrs").write_text(json.dumps(attributes))
    return path


def files(session: Session) -> FileBackend:
    assert session.files
    return session.files


def test_a_changed_state_is_copied_once_and_for_its_user_only(session: Session) -> None:
    keep_copy(session, "s")
    assert copies(files(session), "p", "s") == []
    store(session, GOOD)
    keep_copy(session, "s")
    keep_copy(session, "s")
    (copy,) = copies(files(session), "p", "s")
    assert copy.content() == GOOD
    assert copy.updated == "2026-11-24T03:00:00Z"
    assert stat.S_IMODE(copy.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(copy.path.parent.stat().st_mode) == 0o700


def test_a_damaged_state_takes_no_good_copys_place(session: Session) -> None:
    store(session, GOOD)
    keep_copy(session, "s")
    store(session, GOOD.replace(b"me", b"mf"), noted=GOOD)
    keep_copy(session, "s")
    (copy,) = copies(files(session), "p", "s")
    assert copy.content() == GOOD


def test_old_copies_go(session: Session) -> None:
    for minute in range(KEPT + 3):
        store(session, state(manifest={"time": f"2026-11-24T03:{minute:02}:00Z"}))
        keep_copy(session, "s")
    found = copies(files(session), "p", "s")
    assert len(found) == KEPT
    assert found[0].updated == f"2026-11-24T03:{KEPT + 2:02}:00Z"
    assert len(list(directory(files(session), "p", "s").iterdir())) == KEPT


def test_pulumis_own_copies_count_and_bad_ones_come_last(session: Session) -> None:
    path = store(session, GOOD)
    later = state(manifest={"time": "2026-11-24T04:00:00Z"})
    path.with_name("s.json.bak").write_bytes(later)
    backups = files(session).directory / "backups" / "p" / "s"
    backups.mkdir(parents=True)
    (backups / "s.1.json").write_bytes(GOOD[:50])
    (backups / "s.1.json.attrs").write_text("{}")
    history = files(session).directory / "history" / "p" / "s"
    history.mkdir(parents=True)
    (history / "s-1.checkpoint.json").write_bytes(state(manifest={"time": "2026-11-24T02:00:00Z"}))
    keep_copy(session, "s")
    found = copies(files(session), "p", "s")
    assert [(copy.updated[11:16], copy.source, bool(copy.problem)) for copy in found] == [
        ("04:00", "pulumi", False),
        ("03:00", "medianest", False),
        ("02:00", "pulumi", False),
        ("", "pulumi", True),
    ]


@pytest.mark.parametrize("damaged", [b"", GOOD[:40], None])
def test_a_copy_put_back_is_read_again(session: Session, damaged: bytes | None) -> None:
    path = store(session, GOOD)
    keep_copy(session, "s")
    if damaged is None:
        path.unlink()
        assert session.state("s") is None
    else:
        path.write_bytes(damaged)
        with pytest.raises(OperationError, match="the state of stack s is damaged") as caught:
            session.state("s")
        assert caught.value.code is ExitCode.REFUSED
        assert "./medianest state restore s" in caught.value.hint
    (copy,) = copies(files(session), "p", "s")
    aside = put_back(files(session), "p", "s", copy)
    assert path.read_bytes() == GOOD
    assert (aside is None) == (damaged is None)
    assert aside is None or gzip.decompress(aside.read_bytes()) == damaged
    read = session.state("s")
    assert read is not None
    assert read.owner == "me"
    path.write_bytes(GOOD.replace(b"me", b"mf"))
    with pytest.raises(OperationError):
        session.state("s")


def test_a_run_killed_between_checksum_and_file_has_done_no_damage(session: Session) -> None:
    path = store(session, GOOD, noted=b"the next one, which was never written")
    path.with_name("s.json.bak.attrs").write_text(json.dumps({"md5": checksum(GOOD)}))
    assert session.state("s") is not None


def test_only_a_good_copy_is_chosen(session: Session) -> None:
    path = store(session, GOOD)
    keep_copy(session, "s")
    path.with_name("s.json.bak").write_bytes(b"")
    found = copies(files(session), "p", "s")
    assert choose(found, 1, "s").content() == GOOD
    with pytest.raises(OperationError, match="damaged itself"):
        choose(found, 2, "s")
    with pytest.raises(OperationError, match="no copy 3"):
        choose(found, 3, "s")
    with pytest.raises(OperationError, match="no good copy"):
        choose(found[1:], 1, "s")


def thing(kind: str, name: str, component: str, owner: str = "me") -> Resource:
    return Resource(kind, name, name, {labels.OWNER: owner, labels.COMPONENT: component})


def test_what_the_state_does_not_know_is_found_by_its_labels() -> None:
    known = read_checkpoint(
        {
            "resources": [STACK, {"urn": "c", "type": "x", "id": "known"}],
            "pending_operations": [{"type": "creating", "resource": {"inputs": {"name": "being-made"}}}],
        }
    )
    found = [
        thing("volume", "data", "postgres"),
        thing("volume", "secrets", "backend-secrets"),
        thing("container", "backend", "backend"),
        thing("container", "postgres", "postgres"),
        thing("container", "prometheus", "prometheus"),
        thing("container", "guardian", "guardian"),
        thing("container", "exporter", "node-exporter"),
        thing("container", "known", "redis"),
        thing("container", "being-made", "redis"),
        thing("container", "helper", "one-shot"),
        thing("container", "soak", "soak"),
        thing("volume", "mark", "deploying"),
        thing("container", "theirs", "backend", owner="you"),
        thing("image", "i", "backend"),
    ]
    left = unknown(known, found)
    watching = ["prometheus", "guardian"]
    assert [item.name for item in left] == ["backend", "postgres", *watching, "exporter", "data", "secrets"]
    assert [item.name for item in in_the_way(left)] == ["postgres", *watching]
    assert [item.name for item in left if is_data(item)] == ["data"]
