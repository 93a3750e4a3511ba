"""The Redis image: who may do what, what survives, how much memory it takes."""

from __future__ import annotations

import time

import pytest
from docker.models.containers import Container
from docker.models.networks import Network

from components.redis import access_list
from tests.harness.inside import run
from tests.harness.volume_files import File
from tests.images.engine import Engine, exit_code, logs, wait_healthy

PASSWORD = "the password of the backend"
ACL = access_list("backend_a", PASSWORD, "of-the-administrator")
OPTIONS = ["redis-server", "--maxmemory", "8mb", "--maxmemory-policy", "allkeys-lru"]


def start(engine: Engine, image: str, data: str, acl: str = ACL, network: Network | None = None) -> Container:
    secrets = engine.files(image, {"users.acl": File(acl, owner=999, mode=0o400)})
    return engine.start(
        image,
        OPTIONS,
        volumes={"/data": data, "/run/secrets:ro": secrets.name},
        network=network,
        alias="redis" if network else None,
    )


def redis(container: Container, *command: str) -> str:
    """A command of the user `backend`."""
    return run(
        container, "redis-cli", "--user", "backend_a", *command, environment={"REDISCLI_AUTH": PASSWORD}
    )[1]


@pytest.fixture(scope="module")
def cache(shared_engine: Engine, redis_image: str) -> Container:
    """One for all tests: those that stop it start it again."""
    container = start(shared_engine, redis_image, shared_engine.volume().name)
    wait_healthy(container)
    return container


def test_a_stranger_may_ping_and_nothing_else(cache: Container) -> None:
    assert run(cache, "redis-cli", "ping") == (0, "PONG")
    for command in (["get", "x"], ["set", "x", "1"], ["info"], ["config", "get", "*"], ["shutdown"]):
        assert "NOPERM" in run(cache, "redis-cli", *command)[1], command


def test_a_wrong_password_is_refused(cache: Container) -> None:
    answer = run(
        cache, "redis-cli", "--user", "backend_a", "get", "x", environment={"REDISCLI_AUTH": "wrong"}
    )[1]
    assert "WRONGPASS" in answer


def test_the_backend_may_use_the_cache_but_not_administer_it(cache: Container) -> None:
    assert redis(cache, "set", "greeting", "hello", "EX", "60") == "OK"
    assert redis(cache, "get", "greeting") == "hello"
    assert redis(cache, "client", "setinfo", "lib-name", "test") == "OK"
    for command in (["flushall"], ["config", "set", "dir", "/"], ["acl", "list"], ["client", "list"]):
        assert "NOPERM" in redis(cache, *command), command


def test_memory_stays_below_its_limit_by_eviction(cache: Container) -> None:
    values = 'x=$(printf "%01000d" 0); for i in {1..20000}; do echo "SET k$i $x"; done'
    fill = f"{values} | redis-cli --user backend_a >/dev/null"
    run(cache, "bash", "-c", fill, environment={"REDISCLI_AUTH": PASSWORD})
    figures = dict(line.split(":", 1) for line in redis(cache, "info").splitlines() if ":" in line)
    assert int(figures["evicted_keys"]) > 1000
    assert int(figures["used_memory"]) < 9 * 1024 * 1024
    assert redis(cache, "set", "after", "1") == "OK"


def test_only_users_of_a_file_are_answered_beyond_the_container(engine: Engine, redis_image: str) -> None:
    network = engine.network()
    with_users = start(engine, redis_image, engine.volume().name, network=network)
    without = engine.start(redis_image, OPTIONS, network=network, alias="open")
    wait_healthy(with_users)
    wait_healthy(without)
    assert run(without, "redis-cli", "-h", "redis", "ping") == (0, "PONG")
    assert "DENIED" in run(with_users, "redis-cli", "-h", "open", "ping")[1]
    assert "no ACL file" in logs(without)


def test_data_survives_a_kill(cache: Container) -> None:
    redis(cache, "set", "kept", "yes")
    # Written every second.
    time.sleep(2.1)
    cache.kill("SIGKILL")
    exit_code(cache)
    cache.start()
    wait_healthy(cache)
    assert redis(cache, "get", "kept") == "yes"


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT"])
def test_a_stop_is_clean_and_keeps_what_was_written_last(cache: Container, signal: str) -> None:
    redis(cache, "set", signal, "kept")
    cache.kill(signal)
    assert exit_code(cache) == 0
    cache.start()
    wait_healthy(cache)
    assert redis(cache, "get", signal) == "kept"


def test_a_missing_file_of_users_is_told(engine: Engine, redis_image: str) -> None:
    server = engine.start(redis_image, [*OPTIONS, "--aclfile", "/run/secrets/users.acl"])
    assert exit_code(server) == 1
    assert logs(server) == (
        "redis: the ACL file /run/secrets/users.acl is not there: mount it, or leave --aclfile out\n"
    )


def test_an_unreadable_file_of_users_is_told(engine: Engine, redis_image: str) -> None:
    secrets = engine.files(redis_image, {"users.acl": File(ACL, owner=1, mode=0o400)})
    server = engine.start(redis_image, OPTIONS, volumes={"/run/secrets:ro": secrets.name})
    assert exit_code(server) == 1
    assert "cannot be read by user 999" in logs(server)


def test_a_broken_file_of_users_stops_the_start_without_showing_it(engine: Engine, redis_image: str) -> None:
    hidden = "f" * 63
    server = start(engine, redis_image, engine.volume().name, acl=f"user backend on #{hidden} ~* +@all\n")
    assert exit_code(server) == 1
    assert "users.acl:1" in logs(server)
    assert hidden not in logs(server)
