"""The PostgreSQL image while it serves: what the first run made, who gets in, how it stops."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from docker.models.containers import Container

from tests.harness.inside import run
from tests.harness.volume_files import File
from tests.harness.waiting import until
from tests.images.engine import Engine, exit_code, logs, wait_healthy

PASSWORD = 'it\'s a "pass\\word" $(of) the test'
DATA = "/var/lib/postgresql/data"
TMPFS = {"/var/run/postgresql": "rw,noexec,nosuid,nodev,size=1m,uid=999,gid=999,mode=0755"}
ENVIRONMENT = {
    "POSTGRES_USER": "media",
    "POSTGRES_DB": "nest",
    "POSTGRES_PASSWORD_FILE": "/run/secrets/postgres_password",
}


def start(
    engine: Engine,
    image: str,
    data: str,
    *,
    password: str | None = PASSWORD,
    environment: Mapping[str, str] = ENVIRONMENT,
    scripts: Mapping[str, File] | None = None,
) -> Container:
    volumes = {DATA: data}
    if password is not None:
        secrets = engine.files(image, {"postgres_password": File(password, owner=999, mode=0o400)})
        volumes["/run/secrets:ro"] = secrets.name
    if scripts:
        volumes["/docker-entrypoint-initdb.d:ro"] = engine.files(image, scripts).name
    return engine.start(
        image,
        ["postgres", "-c", "shared_buffers=24MB"],
        volumes=volumes,
        tmpfs=TMPFS,
        environment=environment,
    )


def query(
    container: Container, text: str, password: str = PASSWORD, database: str = "nest"
) -> tuple[int, str]:
    """Over TCP, as a backend would."""
    return run(
        container,
        *("psql", "--no-psqlrc", "-wtA", "-h", "127.0.0.1", "-U", "media", "-d", database, "-c", text),
        environment={"PGPASSWORD": password},
    )


@pytest.fixture(scope="module")
def data(shared_engine: Engine) -> str:
    return str(shared_engine.volume().name)


@pytest.fixture(scope="module")
def database(shared_engine: Engine, postgres_image: str, data: str) -> Container:
    """One for all tests: those that stop it start it again."""
    container = start(shared_engine, postgres_image, data)
    wait_healthy(container)
    return container


def start_again(database: Container) -> str:
    """Returns what this start logged."""
    before = len(logs(database))
    database.start()
    wait_healthy(database)
    return logs(database)[before:]


def test_the_first_run_makes_user_and_database(database: Container) -> None:
    assert query(database, "select current_user, current_database()") == (0, "media|nest")


def test_the_database_is_set_up_for_the_long_term(database: Container) -> None:
    for setting, value in {
        "server_encoding": "UTF8",
        "data_checksums": "on",
        "password_encryption": "scram-sha-256",
        "TimeZone": "UTC",
        "fsync": "on",
        "server_version_num": "17",
    }.items():
        assert query(database, f"show {setting}")[1].startswith(value), setting
    locale = "select datcollate, datctype, datlocprovider, datlocale from pg_database where datname = 'nest'"
    assert query(database, locale)[1] == "C.UTF-8|C.UTF-8|b|C.UTF-8"


def test_arguments_reach_the_server(database: Container) -> None:
    assert query(database, "show shared_buffers")[1] == "24MB"


def test_a_wrong_or_missing_password_is_refused(database: Container) -> None:
    assert "password authentication failed" in query(database, "select 1", password="wrong")[1]
    assert "no password supplied" in query(database, "select 1", password="")[1]
    stored = query(database, "select rolpassword from pg_authid where rolname = 'media'")[1]
    assert stored.startswith("SCRAM-SHA-256$")


def test_the_password_shows_nowhere(database: Container) -> None:
    everywhere = logs(database) + str(database.attrs) + run(database, "ps", "axeww")[1]
    assert PASSWORD not in everywhere
    # The server's own environment, in which a password given as a variable would stay.
    server = run(
        database, "bash", "-c", "cat /proc/$(head -1 $PGDATA/postmaster.pid)/environ | tr '\\0' '\\n'"
    )[1]
    assert "POSTGRES_USER=media" in server
    assert PASSWORD not in server


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT"])
def test_a_stop_is_clean_and_prompt_with_clients_connected(database: Container, signal: str) -> None:
    table = f"kept_{signal.lower()}"
    assert query(database, f"create table {table} as select 1 as id")[0] == 0
    database.exec_run(["psql", "-U", "media", "-d", "nest", "-c", "select pg_sleep(60)"], detach=True)
    busy = (
        "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%' and pid != pg_backend_pid()"
    )
    until(lambda: query(database, busy)[1] == "1", "a client at work")
    database.kill(signal)
    assert exit_code(database) == 0
    assert "database system was shut down at" in start_again(database)
    assert query(database, f"select id from {table}") == (0, "1")


def test_what_was_committed_survives_a_kill(database: Container) -> None:
    assert query(database, "create table kept as select generate_series(1, 1000) as id")[0] == 0
    database.kill("SIGKILL")
    exit_code(database)
    assert "automatic recovery in progress" in start_again(database)
    assert query(database, "select count(*) from kept") == (0, "1000")


def test_two_containers_never_share_the_data(
    engine: Engine, postgres_image: str, database: Container, data: str
) -> None:
    second = start(engine, postgres_image, data)
    assert exit_code(second) == 1
    assert logs(second) == f"postgres: another container uses {DATA}: stop it first\n"
    assert query(database, "select 1") == (0, "1")


def test_another_major_version_is_told_and_left_alone(engine: Engine, postgres_image: str) -> None:
    files = {
        "PG_VERSION": File("16\n", owner=999, mode=0o600),
        "precious": File("data", owner=999, mode=0o600),
    }
    data = engine.files(postgres_image, files, DATA).name
    server = start(engine, postgres_image, data)
    assert exit_code(server) == 1
    assert f"{DATA} holds a database of PostgreSQL 16, and this is 17. Nothing was changed." in logs(server)
    found = engine.start(postgres_image, ["ls", "-A", DATA], volumes={DATA: data}, tmpfs=TMPFS)
    exit_code(found)
    assert logs(found).split() == ["PG_VERSION", "precious"]
