"""The first run of the PostgreSQL image: all of it or nothing, whatever happens in the middle."""

from __future__ import annotations

import pytest
from docker.models.containers import Container

from tests.harness.inside import run
from tests.harness.volume_files import File
from tests.harness.waiting import until
from tests.images.engine import Engine, exit_code, logs, wait_healthy
from tests.images.test_postgres import DATA, ENVIRONMENT, PASSWORD, TMPFS, query, start

WAITING_SCRIPT = File("echo waiting; until [ -e /tmp/go ]; do sleep 0.05; done; echo gone on\n")
TABLE_SCRIPT = File("create table made as select 1 as id;\n")


def listens(container: Container) -> bool:
    return run(container, "pg_isready", "-q", "-h", "127.0.0.1")[0] == 0


def kill(container: Container) -> None:
    container.kill("SIGKILL")
    exit_code(container)


def test_killed_at_many_moments_it_begins_again_and_ends_healthy(engine: Engine, postgres_image: str) -> None:
    server = start(engine, postgres_image, engine.volume().name)
    # Each step of an initialisation says or makes something; a kill follows each as soon as it shows.
    stages = [
        ".initialising",
        ".initialising/PG_VERSION",
        ".initialising/global/pg_control",
        ".initialising/postmaster.pid",
        "base",
    ]
    for stage in stages:
        watch = f"until [ -e {DATA}/{stage} ]; do ((SECONDS < 20)) || exit 1; done"
        assert run(server, "bash", "-c", watch)[0] == 0, stage
        kill(server)
        server.start()
    wait_healthy(server)
    assert query(server, "select current_database()") == (0, "nest")
    assert "an earlier initialisation was interrupted; beginning again" in logs(server)
    assert run(server, "bash", "-c", f"ls -A {DATA} | grep initialising")[1] == ""


def test_killed_while_its_files_move_into_place_it_begins_again(engine: Engine, postgres_image: str) -> None:
    data = engine.volume().name
    server = start(engine, postgres_image, data)
    wait_healthy(server)
    server.stop()
    halfway = f"cd {DATA} && mkdir .initialising && mv PG_VERSION pg_wal postgresql.conf .initialising/"
    undo = engine.start(postgres_image, ["bash", "-c", halfway], volumes={DATA: data}, tmpfs=TMPFS)
    assert exit_code(undo) == 0, logs(undo)
    server.start()
    wait_healthy(server)
    assert query(server, "select 1") == (0, "1")
    assert "beginning again" in logs(server)


def test_nobody_takes_the_server_of_the_initialisation_for_the_real_one(
    engine: Engine, postgres_image: str
) -> None:
    scripts = {"10-table.sql": TABLE_SCRIPT, "20-wait.sh": WAITING_SCRIPT, "README": File("no script")}
    server = start(engine, postgres_image, engine.volume().name, scripts=scripts)
    until(lambda: "\nwaiting\n" in logs(server), "the script to run")
    assert not listens(server)
    kill(server)
    server.start()
    until(lambda: logs(server).count("\nwaiting\n") == 2, "the script to run again")
    assert not listens(server)
    run(server, "touch", "/tmp/go")
    wait_healthy(server)
    assert query(server, "select count(*) from made") == (0, "1")
    assert "README\npostgres: ignored, neither *.sh nor *.sql" in logs(server)


def test_a_stop_in_the_middle_is_prompt(engine: Engine, postgres_image: str) -> None:
    server = start(engine, postgres_image, engine.volume().name, scripts={"wait.sh": WAITING_SCRIPT})
    until(lambda: "\nwaiting\n" in logs(server), "the script to run")
    server.stop(timeout=10)
    assert exit_code(server) == 130


def test_a_script_that_fails_leaves_no_half_made_database(engine: Engine, postgres_image: str) -> None:
    broken = {"10-table.sql": TABLE_SCRIPT, "20-broken.sql": File("select * from nowhere;")}
    server = start(engine, postgres_image, engine.volume().name, scripts=broken)
    assert exit_code(server) == 1
    assert "20-broken.sql failed: mend it; the next start begins again" in logs(server)
    server.start()
    assert exit_code(server) == 1
    assert "beginning again" in logs(server)
    assert 'relation "made" already exists' not in logs(server)


def test_the_files_of_others_are_left_alone(engine: Engine, postgres_image: str) -> None:
    data = engine.files(postgres_image, {"precious": File("data", owner=999, mode=0o600)}, DATA).name
    server = start(engine, postgres_image, data)
    assert exit_code(server) == 1
    assert "is not empty and holds no database: nothing was changed; mount an empty volume" in logs(server)
    found = engine.start(postgres_image, ["cat", f"{DATA}/precious"], volumes={DATA: data}, tmpfs=TMPFS)
    exit_code(found)
    assert logs(found) == "data"


@pytest.mark.parametrize(
    ("environment", "password", "message"),
    [
        ({}, None, "no password for postgres: set POSTGRES_PASSWORD_FILE"),
        (ENVIRONMENT, None, "/run/secrets/postgres_password, is not there: mount it"),
        (ENVIRONMENT, "", "no password for media: set POSTGRES_PASSWORD_FILE"),
        (ENVIRONMENT | {"POSTGRES_PASSWORD": PASSWORD}, PASSWORD, "are both set: set one of them"),
        (ENVIRONMENT, f"{PASSWORD}\nand more", "has more than one line"),
    ],
    ids=["none", "no file", "empty", "two", "two lines"],
)
def test_a_password_that_cannot_be_used_is_told_in_one_line(
    engine: Engine, postgres_image: str, environment: dict[str, str], password: str | None, message: str
) -> None:
    server = start(engine, postgres_image, engine.volume().name, password=password, environment=environment)
    assert exit_code(server) == 1
    assert message in logs(server)
    assert logs(server).count("\n") == 1
    assert PASSWORD not in logs(server)


def test_a_password_in_the_environment_works_and_does_not_stay_there(
    engine: Engine, postgres_image: str
) -> None:
    environment = {"POSTGRES_USER": "media", "POSTGRES_DB": "nest", "POSTGRES_PASSWORD": PASSWORD}
    server = start(engine, postgres_image, engine.volume().name, password=None, environment=environment)
    wait_healthy(server)
    assert query(server, "select 1") == (0, "1")
    environ = run(
        server, "bash", "-c", "cat /proc/$(head -1 $PGDATA/postmaster.pid)/environ | tr '\\0' '\\n'"
    )[1]
    assert "POSTGRES_USER=media" in environ
    assert PASSWORD not in environ
