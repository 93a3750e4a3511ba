"""A stack with rows and files: protected, backed up, deleted, brought back. Tests go on from each other."""

from __future__ import annotations

import hashlib
import io
import os
import re
import signal
import stat
import subprocess
import tarfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
import yaml

from components import labels
from components.hardening.kinds import SCRATCH_DATABASE
from ops.backup.archive import ArchiveReader, ArchiveWriter
from ops.backup.make import DATABASE
from ops.backup.sealed import Keys
from ops.container_commands import COMPONENTS
from tests.harness.checkout import ROOT, Checkout, Run, containers_of, new_name, of_stack, swept
from tests.harness.inside import run

FAILED, USAGE, REFUSED, NOT_VERIFIED = 1, 2, 3, 4
ROWS = 2_000
FILL = f"""
CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, about jsonb);
INSERT INTO users (name, about)
SELECT 'user ' || i, jsonb_build_object('n', i) FROM generate_series(1, {ROWS}) i;
CREATE SCHEMA "Odd ""name";
CREATE TABLE "Odd ""name"."it's" (content bytea, at timestamptz DEFAULT now());
INSERT INTO "Odd ""name"."it's" (content) VALUES ('\\x00ff'), (NULL);
CREATE ROLE reporting NOLOGIN; GRANT SELECT ON users TO reporting;
ALTER DATABASE medianest SET work_mem = '8MB';
"""
CONTENT = (
    "SELECT md5(string_agg(users::text, '|' ORDER BY id)) FROM users;"
    'SELECT md5(string_agg(x::text, E\'|\' ORDER BY at, content)) FROM "Odd ""name"."it\'s" x'
)


@dataclass(frozen=True)
class Data:
    """What of a stack has to be the same again: rows, and files with owner, mode, time and content."""

    rows: str
    files: dict[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Kept:
    """A stack that is meant to stay."""

    checkout: Checkout
    engine: docker.DockerClient
    name: str
    port: int

    def up(self) -> None:
        self.checkout.expect("up", self.name, "--no-verify")

    def psql(self, sql: str) -> str:
        (postgres,) = containers_of(self.engine, self.name, "postgres")
        command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "medianest", "-c", sql]
        code, said = run(postgres, *command, "medianest")
        assert code == 0, said
        return said

    def shell(self, script: str) -> None:
        code, said = run(containers_of(self.engine, self.name, "backend")[0], "sh", "-euc", script)
        assert code == 0, said

    def data(self) -> Data:
        stream, _ = containers_of(self.engine, self.name, "backend")[0].get_archive("/notes")
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            files = {
                entry.name: (
                    entry.type,
                    entry.mode,
                    entry.uid,
                    entry.gid,
                    entry.linkname,
                    # The database's name and the volume's own time change with a restore, nothing else.
                    int(entry.mtime) if entry.isfile() else 0,
                    hashlib.sha256(content.read()).hexdigest()
                    if (content := _content(archive, entry))
                    else "",
                )
                for entry in archive.getmembers()
            }
        return Data(self.psql(CONTENT), files)

    def backup(self, *options: str) -> Path:
        document = self.checkout.expect("backup", self.name, "--json", *options).document()
        return Path(document["file"])

    def rewritten(
        self, file: Path, path: Path, change: Callable[[bytes], bytes], more: Collection[str] = ()
    ) -> Path:
        """A backup in another file, with another dump, and with the files of `more` volumes."""
        key = self.checkout.expect("backup", "key", self.name).out.strip()
        with file.open("rb") as source, path.open("wb") as target:
            reader = ArchiveReader(source, Keys([key]))
            writer = ArchiveWriter(target, {"stack": self.name}, key, None)
            manifest = reader.manifest()
            for name, content in reader.parts():
                part = b"".join(content)
                writer.add(name, [change(part) if name == DATABASE else part])
            for volume in more:
                writer.add(f"files/{volume}", [b"an archive"])
                writer.add(f"files/{volume}/since", [b"another"])
            writer.finish(replace(manifest, parts=writer.parts, volumes=[*manifest.volumes, *more]))
        return path

    def helpers(self, components: Collection[str] = COMPONENTS) -> list[str]:
        listed = self.engine.containers.list(
            all=True, ignore_removed=True, filters={"label": f"{labels.STACK}={self.name}"}
        )
        return [str(item.name) for item in listed if item.labels[labels.COMPONENT] in components]

    def serves(self) -> bool:
        return requests.get(f"http://127.0.0.1:{self.port}/notes", timeout=5).status_code == 200


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> Any:
    return archive.extractfile(entry) if entry.isfile() else None


def settings() -> dict[str, Any]:
    shown = re.search(r"```yaml\n(config:\n.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown
    configuration = dict(yaml.safe_load(shown[1])["config"])
    backend = {**configuration["medianest:backend"], "replicas": 1}
    return {**configuration, "medianest:backend": backend, "medianest:data": {"protected": True}}


@pytest.fixture(scope="module")
def kept(checkout: Checkout, engine: docker.DockerClient) -> Iterator[Kept]:
    name = new_name("kept")
    port = checkout.declare(name, settings())
    with swept(engine, name):
        stack = Kept(checkout, engine, name, port)
        stack.up()
        stack.psql(FILL)
        stack.shell(
            "cd /notes; chmod 751 .; for i in 1 2 3; do head -c 700000 /dev/urandom >file$i; done; "
            'mkdir -m 700 "a dir"; echo hidden >"a dir/.hidden"; ln -s file1 link; : >empty; chmod 600 file2'
        )
        yield stack


@pytest.fixture(scope="module")
def before(kept: Kept) -> Data:
    data = kept.data()
    assert len(data.files) == 9
    return data


@pytest.fixture(scope="module")
def file(kept: Kept, before: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A verified backup of the stack as it was at first."""
    return kept.backup("--to", str(tmp_path_factory.mktemp("backups")))


def problem(run: Run) -> str:
    return run.err[run.err.index("error: ") :]


def test_down_refuses_and_says_what_it_would_delete(kept: Kept) -> None:
    there = sorted(of_stack(kept.engine, kept.name))
    run = kept.checkout.medianest("down", kept.name, "--yes")
    assert run.code == REFUSED
    for words in ("the database of PostgreSQL", "the cache of Redis", "files of the backend", "MB"):
        assert words in problem(run)
    assert f"./medianest backup {kept.name}" in run.err
    assert "--delete-data" in run.err
    assert sorted(of_stack(kept.engine, kept.name)) == there


def test_a_plain_destroy_is_stopped_before_anything_is_gone(kept: Kept) -> None:
    there = sorted(of_stack(kept.engine, kept.name))
    run = kept.checkout.pulumi("destroy", "--yes", "--skip-preview", "-s", kept.name)
    assert run.code != 0
    assert "protected" in run.said
    assert sorted(of_stack(kept.engine, kept.name)) == there
    assert kept.serves()


def test_a_volume_that_the_settings_drop_is_refused(kept: Kept) -> None:
    declared = kept.checkout.settings_file(kept.name).read_text()
    kept.checkout.settings_file(kept.name).write_text(declared.replace("name: notes", "name: others"))
    run = kept.checkout.medianest("up", kept.name)
    kept.checkout.settings_file(kept.name).write_text(declared)
    assert run.code == REFUSED
    assert "notes" in problem(run)


def test_a_change_that_would_replace_a_volume_is_refused(kept: Kept) -> None:
    module = kept.checkout.root / "components" / "volumes.py"
    source = module.read_text()
    module.write_text(source.replace("stack.labels(component)", '{**stack.labels(component), "moving": "1"}'))
    run = kept.checkout.medianest("up", kept.name)
    module.write_text(source)
    assert run.code == REFUSED
    assert "is protected: nothing deletes or replaces it" in problem(run)
    kept.up()
    assert kept.serves()


def test_a_backup_is_verified_private_and_unreadable(kept: Kept, file: Path, before: Data) -> None:
    assert file.suffix == ".backup"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    for hidden in (b"user 1", b"PGDMP", b"hidden", b"users"):
        assert hidden not in content
    listed = kept.checkout.expect("backup", "list", kept.name, "--to", str(file.parent), "--json").document()
    assert [(entry["file"], entry["verified"]) for entry in listed["backups"]] == [(str(file), True)]
    assert kept.helpers() == []
    assert kept.data() == before


def test_one_that_nobody_has_tried_is_marked(kept: Kept, tmp_path: Path) -> None:
    assert kept.backup("--no-verify", "--to", str(tmp_path)).suffix == ".unverified"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda dump: dump[: len(dump) * 2 // 3], "pg_restore failed"),
        (lambda dump: dump.replace(b'{"n": 7}', b'{"n": 8}'), "table public.users has other content"),
        # A row with its length before it, as pg_dump writes it.
        (lambda dump: re.sub(rb"\0.\0\0\0007\tuser 7\t[^\n]*\n", b"", dump), "has 1999 rows instead of 2000"),
    ],
)
def test_verification_catches_a_dump_that_is_not_what_was_there(
    kept: Kept,
    file: Path,
    tmp_path: Path,
    spoil: Callable[[bytes], bytes],
    words: str,
) -> None:
    def spoil_it(dump: bytes) -> bytes:
        spoiled = spoil(dump)
        assert spoiled != dump
        return spoiled

    spoiled = kept.rewritten(file, tmp_path / "spoiled.unverified", spoil_it)
    run = kept.checkout.medianest("backup", "verify", kept.name, str(spoiled))
    assert run.code == NOT_VERIFIED
    assert "cannot be restored" in problem(run)
    assert words in problem(run)
    assert spoiled.exists()
    assert kept.helpers() == []


def test_a_backup_can_be_verified_later(kept: Kept, tmp_path: Path) -> None:
    unverified = kept.backup("--no-verify", "--to", str(tmp_path))
    kept.checkout.expect("backup", "verify", kept.name, str(unverified))
    assert not unverified.exists()
    assert unverified.with_suffix(".backup").exists()


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-1], lambda content: content[:99] + b"x" + content[100:]]
)
@pytest.mark.fault("a damaged backup", "refused before anything is touched")
def test_a_damaged_file_is_refused_before_anything_is_touched(
    kept: Kept, file: Path, before: Data, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    spoiled = tmp_path / file.name
    spoiled.write_bytes(damage(file.read_bytes()))
    run = kept.checkout.medianest("restore", kept.name, str(spoiled), "--yes")
    assert run.code == FAILED
    assert "the backup is damaged" in problem(run)
    assert kept.data() == before


def test_a_restore_asks_and_says_what_it_replaces(kept: Kept, file: Path, before: Data) -> None:
    run = kept.checkout.medianest("restore", kept.name, str(file))
    assert run.code == USAGE
    assert f"{ROWS + 2} rows in 2 tables are replaced" in problem(run)
    assert "volume notes" in problem(run)
    assert kept.data() == before


def test_a_backup_of_another_stack_is_refused(kept: Kept, file: Path) -> None:
    run = kept.checkout.medianest("restore", kept.name, str(file), "--yes", "--from", "production")
    assert run.code == REFUSED
    assert f"--from {kept.name}" in problem(run)


@pytest.mark.fault("the disk gets full during a backup", "told; nothing of it is left")
def test_a_full_disk_leaves_nothing_of_a_backup(kept: Kept, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=True)
    try:
        run = kept.checkout.medianest("backup", kept.name, "--to", str(small))
        assert run.code == REFUSED
        assert "the disk is too full" in problem(run)
        subprocess.run(["mount", "-o", "remount,size=200m", small], check=True)
        kept.shell("head -c 40000000 /dev/urandom >/notes/large")
        process = kept.checkout.start("./medianest", "backup", kept.name, "--to", str(small))
        wait_for(lambda: any(small.glob(".*.partial")), "the beginning of a backup", process)
        fill(small)
        out, err = process.communicate(timeout=120)
        assert process.returncode == FAILED, out + err
        assert "is full" in err
        assert not any(small.glob(".*.partial"))
        assert not any(small.glob("*.unverified"))
        kept.shell("rm /notes/large")
    finally:
        subprocess.run(["umount", small], check=True)
    assert kept.helpers() == []


def fill(directory: Path) -> None:
    """Write until nothing is free."""
    with (directory / "more").open("wb", buffering=0) as more:
        try:
            while True:
                more.write(b"x" * 65536)
        except OSError:
            return


@pytest.mark.fault("a backup killed", "nothing counts as a backup; the next one clears it")
def test_a_killed_backup_leaves_what_the_next_one_clears(kept: Kept, tmp_path: Path) -> None:
    process = kept.checkout.start("./medianest", "backup", kept.name, "--to", str(tmp_path))
    # Not one that is about to go by itself.
    scratch = {SCRATCH_DATABASE.component}
    wait_for(lambda: bool(kept.helpers(scratch)), "the scratch database", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert kept.helpers()
    (tmp_path / f".{kept.name}-20200101T000000Z.partial").write_bytes(b"half")
    assert kept.backup("--to", str(tmp_path)).suffix == ".backup"
    assert kept.helpers() == []
    assert [path.suffix for path in tmp_path.iterdir() if not path.name.endswith(".lock")].count(
        ".partial"
    ) == 0


@pytest.mark.parametrize("moment", ["Restoring beside", "Putting the restored", "Starting the backends"])
@pytest.mark.fault("a restore killed", "`--undo` takes it back, row by row and file by file")
def test_a_killed_restore_is_taken_back(kept: Kept, file: Path, moment: str) -> None:
    kept.psql("UPDATE users SET name = 'changed since' WHERE id = 1")
    kept.shell("echo since >/notes/since; rm -f /notes/file3")
    since = kept.data()
    process = kept.checkout.start("./medianest", "restore", kept.name, str(file), "--yes")
    assert process.stderr
    for line in process.stderr:
        if line.startswith(moment):
            break
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    run = kept.checkout.medianest("up", kept.name, "--no-verify")
    assert run.code == REFUSED
    assert "a restore" in problem(run)
    assert "--undo" in run.err
    kept.checkout.expect("restore", kept.name, "--undo")
    assert kept.data() == since
    assert kept.serves()
    kept.checkout.expect("up", kept.name, "--no-verify")


def test_a_restore_brings_back_every_row_and_file(
    kept: Kept, file: Path, before: Data, tmp_path: Path
) -> None:
    # One of a former version, which took the volumes of what watches a stack for data.
    older = kept.rewritten(file, tmp_path / "older.backup", bytes, ["guardian", "prometheus"])
    kept.psql("DELETE FROM users WHERE id > 5; CREATE TABLE late (id int)")
    run = kept.checkout.expect("restore", kept.name, str(older), "--yes", "--json")
    assert "Left out: guardian, prometheus" in run.err
    report = run.document()
    assert report["rows"] == ROWS + 2
    assert report["volumes"] == ["notes"]
    assert kept.data() == before
    assert kept.psql("SELECT to_regclass('late')") == ""
    assert kept.psql("SHOW work_mem") == "8MB"
    assert kept.psql("SELECT has_table_privilege('reporting', 'users', 'SELECT')") == "t"
    assert kept.psql("SELECT count(*) FROM pg_database WHERE datname LIKE 'medianest_%'") == "0"
    assert kept.serves()
    preview = kept.checkout.pulumi("preview", "--expect-no-changes", "--refresh", "-s", kept.name)
    assert preview.code == 0, preview.said


@pytest.mark.fault("everything is deleted", "a backup brings every row and file back")
def test_after_everything_is_deleted_a_backup_brings_it_back(kept: Kept, file: Path, before: Data) -> None:
    kept.checkout.expect("down", kept.name, "--delete-data", "--yes")
    assert of_stack(kept.engine, kept.name) == []
    kept.up()
    kept.checkout.expect("restore", kept.name, str(file), "--yes")
    assert kept.data() == before
    assert kept.serves()


def test_another_state_and_stack_need_the_key(kept: Kept, file: Path, before: Data, tmp_path: Path) -> None:
    key = tmp_path / "key"
    # That of the stack which was deleted above is gone: this is one of the new stack.
    newer = kept.backup("--to", str(tmp_path))
    key.write_text(kept.checkout.expect("backup", "key", kept.name).out)
    elsewhere = Checkout(kept.checkout.root, tmp_path / "state")
    name = new_name("other")
    port = elsewhere.declare(name, {**settings(), "medianest:data": {"protected": False}})
    other = Kept(elsewhere, kept.engine, name, port)
    with swept(kept.engine, name):
        other.up()
        run = elsewhere.medianest("restore", name, str(newer), "--yes", "--from", kept.name)
        assert run.code == REFUSED
        assert "--key-file" in run.err
        options = ["--from", kept.name, "--key-file", str(key)]
        elsewhere.expect("restore", name, str(newer), "--yes", *options)
        assert other.data() == before
        elsewhere.expect("down", name, "--yes")


def test_down_with_delete_data_leaves_nothing(kept: Kept) -> None:
    kept.checkout.expect("down", kept.name, "--delete-data", "--yes")
    assert of_stack(kept.engine, kept.name) == []


def wait_for(condition: Callable[[], Any], what: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        if process.poll() is not None:
            raise AssertionError(f"it ended before {what}: {process.communicate()}")
        time.sleep(0.02)
