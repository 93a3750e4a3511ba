"""The gateway while things change around it: its configuration, its backends, its own end."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager
from functools import partial

import pytest
from docker.models.containers import Container

from components.gateway_configuration import gateway_configuration, server_slots
from tests.harness.load.load import Load, steady_load
from tests.harness.load.plan import Kind, reads
from tests.harness.volume_files import File
from tests.harness.waiting import until
from tests.images.engine import Engine, exit_code, logs, wait_healthy
from tests.images.gateways import (
    BACKEND,
    SETTINGS,
    TMPFS,
    WARMING_UP,
    Answer,
    RunningGateway,
    count,
    start_gateway,
)

LARGER = SETTINGS.model_copy(update={"body_limit_mb": 2})
READS = reads("/", 100)
JOBS = Kind("write", "POST", "/job", 100, keep=False)


def loading(gateway: RunningGateway, *kinds: Kind) -> AbstractContextManager[Load]:
    return steady_load(f"http://127.0.0.1:{gateway.port}", kinds)


def reloaded(gateway: RunningGateway, times: int) -> bool:
    return logs(gateway.container).count("gateway: reloading") == times


@pytest.fixture(scope="module")
def gateway(shared_engine: Engine, gateway_image: str) -> RunningGateway:
    """One for all changes, with two backends that stay."""
    gateway = start_gateway(shared_engine, gateway_image)
    gateway.stub()
    gateway.stub()
    gateway.wait_for_servers(2)
    return gateway


def test_a_changed_configuration_is_taken_over_without_a_dropped_request(gateway: RunningGateway) -> None:
    body = b"x" * 1_500_000
    assert gateway.request(method="POST", body=body).status == 413
    with loading(gateway, *READS, Kind("write", "POST", "/", 50)) as load:
        for number in range(1, 4):
            gateway.configure(gateway_configuration(LARGER, BACKEND) + f"# change {number}\n")
            until(partial(reloaded, gateway, number), f"reload {number}")
            time.sleep(0.5)
    assert load.failed == 0, load.failures
    assert load.sent > 100
    assert gateway.request(method="POST", body=body).status == 200


def test_a_server_of_a_high_number_keeps_its_place_where_there_is_room_for_fewer(
    engine: Engine, gateway_image: str
) -> None:
    gateway = start_gateway(engine, gateway_image)
    former = [gateway.stub() for _ in range(4)]
    gateway.wait_for_servers(4)
    gateway.stub()
    gateway.wait_for_servers(5)
    for stub in former:
        stub.remove(force=True, v=True)
    until(lambda: gateway.named_servers() == 1, "those that are gone are forgotten")
    fewer = BACKEND.model_copy(update={"replicas": 1})
    assert server_slots(fewer.replicas) < 5
    with loading(gateway, *READS, JOBS) as load:
        for number in (1, 2):
            gateway.configure(gateway_configuration(SETTINGS, fewer) + f"# change {number}\n")
            until(partial(reloaded, gateway, number), f"reload {number}")
            time.sleep(1)
    assert load.failed == 0, load.failures


def test_fewer_places_are_taken_over_when_enough_servers_have_gone(
    engine: Engine, gateway_image: str
) -> None:
    gateway = start_gateway(engine, gateway_image, backend=BACKEND.model_copy(update={"replicas": 3}))
    stubs = []
    for number in range(1, 6):
        stubs.append(gateway.stub())
        gateway.wait_for_servers(number)
    fewer = BACKEND.model_copy(update={"replicas": 1})
    assert server_slots(fewer.replicas) < len(stubs)
    with loading(gateway, *READS, JOBS) as load:
        gateway.configure(gateway_configuration(SETTINGS, fewer))
        time.sleep(3)
        assert reloaded(gateway, 0)
        for stub in stubs[:-1]:
            # It takes no more connections, and ends what it has begun. One by one: a stub cannot say before
            # that it is going to, so that a request is tried elsewhere, and finds somebody there.
            stub.kill("SIGUSR1")
            time.sleep(1)
        until(partial(reloaded, gateway, 1), "reload")
        time.sleep(1)
    assert load.failed == 0, load.failures
    assert gateway.request().status == 200


def test_who_warms_up_during_a_reload_gets_no_request(engine: Engine, gateway_image: str) -> None:
    gateway = start_gateway(engine, gateway_image)
    gateway.stub()
    gateway.wait_for_servers(1)
    gateway.stub(listens_after=4)
    until(lambda: gateway.named_servers() == 2, "the address of the second")
    with loading(gateway, *READS, JOBS) as load:
        gateway.configure(gateway_configuration(SETTINGS, BACKEND) + "# change\n")
        until(partial(reloaded, gateway, 1), "reload")
        gateway.wait_for_servers(2)
    assert load.failed == 0, load.failures
    assert "L4 unsuccessful connection" not in logs(gateway.container)


def test_a_reload_that_knows_nothing_of_its_servers_says_so(engine: Engine, gateway_image: str) -> None:
    gateway = start_gateway(engine, gateway_image)
    gateway.stub()
    gateway.wait_for_servers(1)
    # Nobody can be asked for the state any more after this one.
    text = gateway_configuration(SETTINGS, BACKEND)
    silent = "\n".join(line for line in text.splitlines() if "stats socket" not in line)
    assert silent != text
    gateway.configure(silent + "\n")
    until(partial(reloaded, gateway, 1), "reload")
    gateway.configure(text)
    until(partial(reloaded, gateway, 2), "reload of one that has it again")
    assert "does not tell the state of its servers" in logs(gateway.container)
    gateway.wait_for_servers(1)


@pytest.mark.fault("a configuration that is not valid", "refused; the one before serves on")
def test_a_bad_configuration_is_refused_and_the_one_before_serves_on(gateway: RunningGateway) -> None:
    before = logs(gateway.container).count("gateway: reloading")
    gateway.configure("frontend clients\n    bind :8080\n    nonsense here\n")
    until(lambda: "is refused, the one before serves on" in logs(gateway.container), "refusal")
    assert "unknown keyword 'nonsense'" in logs(gateway.container)
    assert reloaded(gateway, before)
    assert gateway.request().status == 200
    gateway.configure(gateway_configuration(SETTINGS, BACKEND))
    until(partial(reloaded, gateway, before + 1), "reload of the next good one")
    assert gateway.request().status == 200


@pytest.mark.fault("a backend dies", "no read fails; it is used again when it is back")
def test_a_backend_that_dies_fails_no_read_and_is_used_again_when_it_is_back(gateway: RunningGateway) -> None:
    victim = gateway.stub()
    gateway.wait_for_servers(3)
    with loading(gateway, *READS) as load:
        time.sleep(0.5)
        victim.kill("SIGKILL")
        time.sleep(2)
    assert load.failed == 0, load.failures
    victim.start()
    gateway.wait_for_servers(3)
    victim.remove(force=True)
    # Its address is given to the next container: whoever comes before it is forgotten is taken for it.
    until(lambda: gateway.named_servers() == 2, "the end of the one that died")


def test_a_backend_that_warms_up_gets_no_request(gateway: RunningGateway) -> None:
    # Writes, since a read that met it would be repeated elsewhere and not be seen.
    with loading(gateway, JOBS) as load:
        warming_up = gateway.stub(ready=503, everything_else=WARMING_UP)
        until(lambda: count(warming_up, "GET /api/health/ready") > 2, "checks of the new one")
        time.sleep(1)
    assert load.failed == 0, load.failures
    assert count(warming_up, "POST /job") == 0
    warming_up.remove(force=True)
    until(lambda: gateway.named_servers() == 2, "the end of it")


@pytest.mark.fault(
    "the address of a dead backend is given to one that still starts",
    "no request goes to it before it is ready",
)
def test_who_takes_the_address_of_a_dead_one_gets_no_request_before_it_is_ready(
    gateway: RunningGateway,
) -> None:
    """Writes again. The new one takes a moment to listen, as every server does."""
    for _ in range(3):
        victim = gateway.stub()
        gateway.wait_for_servers(3)
        address = address_of(victim, gateway)
        with loading(gateway, JOBS) as load:
            victim.kill("SIGKILL")
            heir = gateway.stub(ready=503, everything_else=WARMING_UP, listens_after=0.1)
            until(partial(checked, heir), "checks of the new one")
        assert address_of(heir, gateway) == address
        assert count(heir, "POST /job") == 0, load.failures
        victim.remove(force=True)
        heir.remove(force=True)
        until(lambda: gateway.named_servers() == 2, "the end of both")


def checked(stub: Container) -> bool:
    return count(stub, "GET /api/health/ready") > 2


def address_of(container: Container, gateway: RunningGateway) -> str:
    container.reload()
    return str(container.attrs["NetworkSettings"]["Networks"][gateway.network.name]["IPAddress"])


def test_a_stop_ends_what_has_begun(engine: Engine, gateway_image: str) -> None:
    gateway = start_gateway(engine, gateway_image)
    gateway.stub()
    gateway.wait_for_servers(1)
    answers: list[Answer] = []
    slow = threading.Thread(target=lambda: answers.append(gateway.request("/slow")))
    slow.start()
    time.sleep(0.4)
    gateway.container.kill("SIGTERM")
    slow.join()
    assert [answer.status for answer in answers] == [200]
    assert exit_code(gateway.container) == 0


def test_a_configuration_that_comes_late_is_waited_for(engine: Engine, gateway_image: str) -> None:
    volume = engine.volume()
    container = engine.start(gateway_image, volumes={"/etc/haproxy:ro": volume.name}, tmpfs=TMPFS)
    time.sleep(0.5)
    engine.write(gateway_image, volume, {"haproxy.cfg": File(gateway_configuration(SETTINGS, BACKEND))})
    wait_healthy(container)


def test_a_missing_configuration_is_told(engine: Engine, gateway_image: str) -> None:
    container = engine.start(gateway_image, tmpfs=TMPFS, environment={"CONFIGURATION_WAIT_SECONDS": "1"})
    assert exit_code(container) == 1
    assert "gateway: no configuration in /etc/haproxy/haproxy.cfg after 1 s: mount the volume" in logs(
        container
    )


def test_a_bad_configuration_at_the_start_is_told(engine: Engine, gateway_image: str) -> None:
    volume = engine.files(gateway_image, {"haproxy.cfg": File("nonsense\n")})
    container = engine.start(gateway_image, volumes={"/etc/haproxy:ro": volume.name}, tmpfs=TMPFS)
    assert exit_code(container) == 1
    assert "unknown keyword 'nonsense'" in logs(container)
    assert "cannot be used: the reason is above" in logs(container)
