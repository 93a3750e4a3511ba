"""Faults of a deployed stack under load, made real: found, healed by the right action alone, or left alone.

The stack has two replicas; requests come at 50 a second, half of them on new connections.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import docker
import pytest
from docker.models.containers import Container

from components import labels
from tests.harness.at_fault import healthy, signal, started_at
from tests.harness.waiting import until
from tests.harness.watched import Outcome, Watched, watched

pytestmark = pytest.mark.slow

# Three failed probes of 2 s and their time-outs, on a machine that is slower than this one.
DETECTED_SECONDS = 30
RECOVERED_SECONDS = 30
# How long one has to look to say that nothing was done: several looks, and a health check that fails.
NOTHING_SECONDS = 12


@pytest.fixture(scope="module")
def stack(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(engine, tmp_path_factory.mktemp("watched")) as deployed:
        yield deployed


@pytest.mark.fault("backend killed (`docker kill`)", "it is started; no request fails")
def test_a_killed_backend_is_started_and_no_request_fails(stack: Watched) -> None:
    """By the engine's API, after which the engine leaves it down."""
    killed = stack.of("backend")[0]
    with stack.fault("backend killed") as outcome:
        killed.kill("SIGKILL")
        until(lambda: not healthy(killed), "it is down")
    assert_healed(outcome, "start backend")
    assert outcome.failed == 0
    assert outcome.detected is not None
    assert outcome.detected < DETECTED_SECONDS


def assert_healed(outcome: Outcome, action: str) -> None:
    """By this action alone, and in time."""
    assert outcome.actions == [action]
    assert outcome.recovered is not None
    assert outcome.recovered < RECOVERED_SECONDS


@pytest.mark.fault("backend crashed", "left to the engine; no request fails")
def test_a_backend_that_crashes_once_is_left_to_the_engine(stack: Watched) -> None:
    crashed = stack.of("backend")[0]
    with stack.fault("backend crashed") as outcome:
        signal(crashed, "KILL")
        time.sleep(3)
    assert outcome.actions == []
    assert outcome.failed == 0


@pytest.mark.fault("backend hung", "it is restarted; only what it had taken is lost")
def test_a_hung_backend_is_restarted_and_no_request_fails(stack: Watched) -> None:
    hung, other = stack.of("backend")
    before = started_at(other)
    with stack.fault("backend hung (SIGSTOP)") as outcome:
        signal(hung, "STOP")
        until(lambda: not healthy(hung), "the engine sees that it hangs", DETECTED_SECONDS)
    assert_healed(outcome, "restart backend")
    # What it had taken before it hung may be lost: the gateway takes 1 s to see it.
    assert outcome.failed <= 0.02 * outcome.sent
    assert started_at(other) == before
    assert stack.journal(kind="action", outcome="begun", container=hung.name, what="restart")[-1]["evidence"]


@pytest.mark.fault("backend's memory grows", "it is restarted before its limit; no request fails")
def test_a_backend_whose_memory_grows_is_restarted_before_its_limit(stack: Watched) -> None:
    grown, other = stack.of("backend")
    before = started_at(other)

    def restarts() -> int:
        return len(stack.journal(kind="action", outcome="done", container=grown.name, what="restart"))

    known = restarts()
    with stack.fault("backend's memory grows") as outcome:
        grow = "import time; held = bytearray(b'x') * (340 << 20); time.sleep(300)"
        grown.exec_run(["python", "-c", grow], detach=True)
        until(lambda: restarts() > known, "it is restarted", 90)
    assert_healed(outcome, "restart backend")
    assert outcome.failed == 0
    assert started_at(other) == before


@pytest.mark.fault("Postgres killed", "it is started; backends are left alone")
def test_postgres_killed_is_started_and_backends_are_left_alone(stack: Watched) -> None:
    backends = {item.name: started_at(item) for item in stack.of("backend")}
    with stack.fault("Postgres killed") as outcome:
        stack.one("postgres").kill("SIGKILL")
        until(lambda: not healthy(stack.one("postgres")), "it is down")
    assert_healed(outcome, "start postgres")
    assert {item.name: started_at(item) for item in stack.of("backend")} == backends


@pytest.mark.fault("Redis killed", "it is started; no request fails")
def test_redis_killed_is_started_and_no_request_fails(stack: Watched) -> None:
    with stack.fault("Redis killed") as outcome:
        stack.one("redis").kill("SIGKILL")
        until(lambda: not healthy(stack.one("redis")), "it is down")
    assert_healed(outcome, "start redis")
    assert outcome.failed == 0


@pytest.mark.fault("Redis paused", "a page, nothing else; no request fails")
def test_redis_paused_is_left_to_who_paused_it(stack: Watched) -> None:
    redis = stack.one("redis")
    with stack.fault("Redis paused") as outcome:
        redis.pause()
        try:
            until(lambda: stack.journal(kind="page", container=redis.name), "a page", DETECTED_SECONDS)
            time.sleep(NOTHING_SECONDS)
        finally:
            redis.unpause()
    assert outcome.actions == []
    assert outcome.failed == 0


@pytest.mark.fault("Redis cut off its network", "a page, nothing else; no request fails")
def test_redis_cut_from_its_network_is_paged(stack: Watched) -> None:
    redis = stack.one("redis")
    (name,) = redis.attrs["NetworkSettings"]["Networks"]
    network = stack.client.networks.get(name)
    with stack.fault("Redis cut off") as outcome:
        network.disconnect(redis)
        try:
            until(lambda: cut_off(stack, redis), "a page", DETECTED_SECONDS)
            time.sleep(NOTHING_SECONDS)
        finally:
            network.connect(redis, aliases=["redis"])
    assert outcome.actions == []
    assert outcome.failed == 0


def cut_off(stack: Watched, container: Container) -> bool:
    pages = stack.journal(kind="page", container=container.name)
    return any("no network" in page["why"] for page in pages)


@pytest.mark.fault("gateway killed", "it is started")
def test_a_killed_gateway_is_started(stack: Watched) -> None:
    with stack.fault("gateway killed") as outcome:
        stack.one("gateway").kill("SIGKILL")
        until(lambda: not healthy(stack.one("gateway")), "it is down")
    assert_healed(outcome, "start gateway")


@pytest.mark.fault("Prometheus killed", "it is started; no request fails")
def test_prometheus_killed_is_started(stack: Watched) -> None:
    with stack.fault("Prometheus killed") as outcome:
        stack.one("prometheus").kill("SIGKILL")
        until(lambda: not healthy(stack.one("prometheus")), "it is down")
    assert_healed(outcome, "start prometheus")
    assert outcome.failed == 0


@pytest.mark.fault("guardian killed", "the engine starts it, and it remembers; no request fails")
def test_a_killed_guardian_comes_back_and_remembers(stack: Watched) -> None:
    before = len(stack.journal(kind="action"))
    with stack.fault("guardian killed") as outcome:
        since = started_at(stack.one("guardian"))
        signal(stack.one("guardian"), "KILL")
        until(lambda: started_at(stack.one("guardian")) > since, "the engine restarts it")
    assert outcome.actions == []
    assert outcome.failed == 0
    assert len(stack.journal(kind="action")) == before


@pytest.mark.fault("Redis killed while a deploy goes on", "nothing is done before the deploy has ended")
def test_a_deploy_is_left_alone(stack: Watched) -> None:
    own = {labels.STACK: stack.name, labels.OWNER: stack.owner}
    redis = stack.one("redis")
    with stack.fault("Redis killed while a deploy goes on") as outcome:
        mark = stack.client.volumes.create(labels={**own, labels.COMPONENT: labels.DEPLOYING})
        try:
            time.sleep(2)
            redis.kill("SIGKILL")
            time.sleep(NOTHING_SECONDS)
            redis.reload()
            assert redis.status == "exited"
        finally:
            mark.remove()
    assert outcome.actions == ["start redis"]
    assert stack.journal(kind="decision", outcome="waiting", container=redis.name)


@pytest.mark.fault("stopped by somebody, foreign, a slow client", "left alone")
def test_what_is_stopped_foreign_or_slow_is_left_alone(stack: Watched) -> None:
    exporter = stack.one("node-exporter")
    # Of this very stack by its name, and a backend by its image's labels; somebody else's all the same.
    foreign = stack.client.containers.create(
        "medianest/backend:" + stack.name,
        ["sleep", "1"],
        labels={labels.STACK: stack.name, labels.OWNER: "x"},
    )
    address = urlsplit(stack.url)
    gateway = str(address.hostname), int(address.port or 0)
    with stack.fault("stopped by somebody, a foreign container, a slow client") as outcome:
        exporter.stop()
        try:
            foreign.start()
            with socket.create_connection(gateway, timeout=30) as slow:
                for letter in "GET /api/he":
                    # The gateway may lose its patience.
                    with suppress(ConnectionError):
                        slow.sendall(letter.encode())
                    time.sleep(NOTHING_SECONDS / 11)
            exporter.reload()
            assert exporter.status == "exited"
        finally:
            exporter.start()
            foreign.remove(force=True, v=True)
    assert outcome.actions == []
    assert outcome.failed == 0
