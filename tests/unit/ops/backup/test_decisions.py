"""What a backup is made with and for: keys, facts of a dump, refusals of a restore, schedules."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.backup.keys import passphrase, read_keys
from ops.backup.manifest import Database, Manifest, Part, Table, read_manifest
from ops.backup.postgres import read_facts
from ops.backup.restore import Note, Phase, judge, of_data
from ops.backup.schedule import make_schedule
from ops.errors import ExitCode, OperationError
from ops.state import SECRET_SIGNATURE
from ops.timer import install, units_directory

DATABASE = Database("d", "u", 170006, ["u"], {"public.users": Table(2, "77")})
MANIFEST = Manifest("p", "staging", "0123", "abcd", "2026-11-24T03:00:00+00:00", DATABASE, ["notes"], [])


def secret(value: str) -> dict[str, Any]:
    return {SECRET_SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(value)}


def test_the_current_key_comes_before_the_former_one() -> None:
    urn = "urn:pulumi:s::p::pulumi-python:dynamic:Resource::backup_key"
    outputs = {"current": secret("new"), "previous": secret("old"), "version": "1"}
    assert read_keys({"resources": [{"urn": "u::other"}, {"urn": urn, "outputs": outputs}]}) == ["new", "old"]
    outputs["previous"] = secret("")
    assert read_keys({"resources": [{"urn": urn, "outputs": outputs}]}) == ["new"]
    assert read_keys({"resources": None}) == []


def test_the_passphrase_is_found_as_pulumi_finds_it(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("from the file\n")
    named = {"PULUMI_CONFIG_PASSPHRASE_FILE": str(file)}
    assert passphrase(named) == "from the file"
    assert passphrase({**named, "PULUMI_CONFIG_PASSPHRASE": "given"}) == "given"
    assert passphrase({"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "none")}) is None
    assert passphrase({}) is None


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert read_manifest(json.loads(json.dumps(MANIFEST.as_json()))) == MANIFEST
    assert MANIFEST.database.major == 17
    assert "a cache" in MANIFEST.left_out["redis"]


END = {"complete": True, "version": 170006, "roles": ["u"]}
USERS = {"table": "public.users", "rows": 2, "digest": "77"}


def test_a_dump_is_good_only_when_it_was_counted_to_its_end() -> None:
    assert read_facts([USERS, END], "d", "u") == DATABASE
    bad: list[list[dict[str, Any]]] = [[USERS], [], [{"failed": True}, USERS, END]]
    for lines in bad:
        with pytest.raises(OperationError, match="could not be dumped"):
            read_facts(lines, "d", "u")


@pytest.mark.parametrize(
    ("stack", "volumes", "version", "source", "words"),
    [
        ("staging", ["notes", "more"], 170001, None, []),
        ("review", ["notes"], 180000, "staging", []),
        ("review", ["notes"], 170006, None, ["backup of stack staging, not of review"]),
        ("staging", ["notes"], 160004, None, ["PostgreSQL 17, and the stack runs 16"]),
        ("staging", [], 170006, None, ["files of notes, and the stack has no such volume"]),
        ("staging", [], 150000, "other", ["not of other", "PostgreSQL 17", "no such volume"]),
    ],
)
def test_what_does_not_fit_is_refused(
    stack: str, volumes: list[str], version: int, source: str | None, words: list[str]
) -> None:
    problems = judge(MANIFEST, stack, volumes, version, source)
    assert len(problems) == len(words)
    assert all(word in problem for word, problem in zip(words, problems, strict=True))


def test_what_a_former_version_took_from_the_watch_is_left_out_and_nothing_else_is() -> None:
    names = ["files/notes", "files/prometheus", "database", "files/notes/since", "files/prometheus/since"]
    parts = [Part(name, "", 1) for name in names]
    older = replace(MANIFEST, volumes=["guardian", "notes", "prometheus"], parts=parts)
    kept, left_out = of_data(older, ["notes", "guardian"])
    assert left_out == ["prometheus"]
    assert kept.volumes == ["guardian", "notes"]
    assert [part.name for part in kept.parts] == ["files/notes", "database", "files/notes/since"]
    assert judge(kept, "staging", ["notes", "guardian"], 170006, None) == []
    assert of_data(MANIFEST, []) == (MANIFEST, [])


def test_a_note_tells_how_far_a_restore_has_come(tmp_path: Path) -> None:
    note = Note(tmp_path / "restoring" / "0123.json")
    assert note.read() is None
    note.write(Path("/backups/b"), Phase.STAGING)
    assert note.read() == {"file": "/backups/b", "phase": "staging"}
    note.path.write_text('{"half')
    assert note.read() == {}
    note.remove()
    assert note.read() is None


def test_a_timer_and_a_cron_line_do_the_same() -> None:
    environ = {
        "PULUMI_BACKEND_URL": "file:///with space/100%",
        "PATH": "/bin",
        "PULUMI_CONFIG_PASSPHRASE": "x",
    }
    made = make_schedule("staging", Path("/srv/my project"), "03:05", environ)
    assert made.files.keys() == {"medianest-backup-staging.service", "medianest-backup-staging.timer"}
    assert "OnCalendar=*-*-* 03:05:00" in made.timer
    assert "Persistent=true" in made.timer
    assert 'Environment="PULUMI_BACKEND_URL=file:///with space/100%%"' in made.service
    assert 'ExecStart="/srv/my project/medianest" backup staging --due' in made.service
    assert made.cron == (
        "5 3 * * * PULUMI_BACKEND_URL='file:///with space/100\\%' "
        "'/srv/my project/medianest' backup staging --due"
    )
    assert "PASSPHRASE=" not in made.service + made.cron


def test_a_passphrase_does_not_go_into_a_unit() -> None:
    environ = {"PULUMI_CONFIG_PASSPHRASE": "hunter2"}
    with pytest.raises(OperationError, match="must not hold it") as caught:
        install(make_schedule("s", Path("/p"), "03:00", environ), environ)
    assert caught.value.code is ExitCode.REFUSED
    assert "hunter2" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("environ", "root", "directory", "command"),
    [
        ({}, True, "/etc/systemd/system", ["systemctl"]),
        ({}, False, "/home/me/.config/systemd/user", ["systemctl", "--user"]),
        ({"XDG_CONFIG_HOME": "/c"}, False, "/c/systemd/user", ["systemctl", "--user"]),
    ],
)
def test_units_go_where_systemd_looks(
    environ: dict[str, str], root: bool, directory: str, command: list[str]
) -> None:
    assert units_directory(environ, Path("/home/me"), root=root) == (Path(directory), command)
