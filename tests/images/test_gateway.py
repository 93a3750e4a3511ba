"""The gateway's rules: what it lets through, what it answers itself, what it repeats."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from docker.models.containers import Container

from tests.harness.inside import run
from tests.harness.waiting import until
from tests.images.engine import Engine, logs
from tests.images.gateways import FRAGILE, RunningGateway, count, start_gateway, start_stub

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Site:
    """A gateway with two backends, of which one dies on requests for /die."""

    gateway: RunningGateway
    sturdy: Container
    fragile: Container


@pytest.fixture(scope="module")
def site(shared_engine: Engine, gateway_image: str) -> Site:
    network = shared_engine.network()
    sturdy = start_stub(shared_engine, gateway_image, network)
    fragile = start_stub(shared_engine, gateway_image, network, everything_else=FRAGILE)
    gateway = start_gateway(shared_engine, gateway_image, network=network)
    gateway.wait_for_servers(2)
    return Site(gateway, sturdy, fragile)


def raw(gateway: RunningGateway, data: bytes, seconds: float = 10) -> bytes:
    """What comes back for bytes on a connection."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=seconds) as connection:
        connection.sendall(data)
        received = b""
        while part := connection.recv(65536):
            received += part
    return received


def test_requests_are_shared_between_the_backends(site: Site) -> None:
    names = [site.gateway.request().server for _ in range(20)]
    assert len(set(names)) == 2
    assert min(names.count(name) for name in set(names)) >= 5


@pytest.mark.parametrize(
    "path",
    [
        *("/metrics", "/metrics/", "/metrics/x", "/metrics?a=b", "/METRICS", "/metrics;a=b"),
        *("//metrics", "/./metrics", "/a/../metrics", "/%6detrics", "/%2e/metrics", "/x/%2e%2e/metrics"),
        *("/%2Fmetrics", "/\\metrics", "/%5Cmetrics", "/api//internal.v1", "/api;x/internal.v1/y"),
    ],
)
def test_internal_paths_are_not_found_however_they_are_written(site: Site, path: str) -> None:
    answer = site.gateway.request(path)
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


@pytest.mark.parametrize("path", ["/metrics%00", "/a%zz"])
def test_paths_that_cannot_be_read_are_refused(site: Site, path: str) -> None:
    assert site.gateway.request(path).status == 400


@pytest.mark.parametrize(
    "path", ["/metricsandmore", "/api/internalxv1", "/a%2Fb", "/a/metrics", "/x?y=/metrics"]
)
def test_other_paths_pass(site: Site, path: str) -> None:
    assert site.gateway.request(path).status == 200


def test_what_a_client_says_of_itself_is_not_believed(site: Site) -> None:
    claims = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Real-IP")
    seen = site.gateway.request(headers=dict.fromkeys(claims, "6.6.6.6")).text.lower()
    assert "6.6.6.6" not in seen
    assert re.search(r"^x-forwarded-for: \d+\.\d+\.\d+\.\d+$", seen, re.M)
    assert re.search(r"^x-forwarded-proto: http$", seen, re.M)


def test_a_requests_id_is_passed_on_and_returned(site: Site) -> None:
    answer = site.gateway.request(headers={"X-Request-ID": "abc-1"})
    assert answer.headers["x-request-id"] == "abc-1"
    assert "x-request-id: abc-1" in answer.text


@pytest.mark.parametrize("given", [None, 'a"b', "x" * 65, "a, b"])
def test_a_request_without_a_usable_id_gets_one(site: Site, given: str | None) -> None:
    answer = site.gateway.request(headers={"X-Request-ID": given} if given else {})
    made = answer.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f-]{36}", made)
    assert f"x-request-id: {made}" in answer.text


def test_answers_of_its_own_carry_the_id(site: Site) -> None:
    assert (
        site.gateway.request("/metrics", headers={"X-Request-ID": "abc-2"}).headers["x-request-id"] == "abc-2"
    )


def test_a_body_up_to_the_limit_passes_and_a_larger_one_does_not(site: Site) -> None:
    assert site.gateway.request(method="POST", body=b"x" * MEGABYTE).status == 200
    answer = site.gateway.request(method="POST", headers={"Content-Length": str(MEGABYTE + 1)})
    assert answer.status == 413
    assert answer.headers["content-type"] == "application/problem+json"


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 1000):
        yield b"x" * 1000


def test_a_body_of_unknown_length_passes_only_while_it_can_be_measured(site: Site) -> None:
    assert site.gateway.request(method="POST", body=chunks(10_000)).status == 200
    answer = site.gateway.request(method="POST", body=chunks(16_000))
    assert answer.status == 411
    assert answer.json()["title"] == "Length Required"


def test_a_header_that_is_too_large_is_refused(site: Site) -> None:
    assert site.gateway.request(headers={"X-Large": "x" * 20_000}).status in {400, 431}
    assert site.gateway.request(headers={f"X-{n}": "y" for n in range(150)}).status in {400, 431}


def test_a_header_that_trickles_in_is_cut_off(site: Site) -> None:
    began = time.monotonic()
    answer = raw(site.gateway, b"GET / HTTP/1.1\r\nHost: x\r\n")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 5


def test_a_read_that_gets_no_answer_is_repeated_elsewhere(site: Site) -> None:
    answers = [site.gateway.request("/die", method=method) for method in ("GET", "HEAD", "OPTIONS") * 4]
    assert {answer.status for answer in answers} == {200}
    assert count(site.fragile, "GET /die") > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_write_that_gets_no_answer_is_never_repeated(site: Site, method: str) -> None:
    answers = [site.gateway.request("/die", method=method) for _ in range(8)]
    assert [answer.status for answer in answers].count(502) == count(site.fragile, f"{method} /die") > 0
    assert [answer.status for answer in answers].count(200) == count(site.sturdy, f"{method} /die")


def test_health_and_metrics_are_on_the_inside(site: Site) -> None:
    container = site.gateway.container
    assert run(container, "http-probe", "8405", "/health")[0] == 0
    assert run(container, "http-probe", "8405", "/metrics")[0] == 0
    assert run(container, "http-probe", "8405", "/")[0] == 1
    assert list(container.ports) == ["8080/tcp", "8405/tcp"]
    assert container.ports["8405/tcp"] is None


def test_the_log_has_a_line_of_json_a_request_and_no_secret(site: Site) -> None:
    site.gateway.request(
        "/logged?token=hidden-1", headers={"Authorization": "hidden-2", "X-Request-ID": "log-1"}
    )
    # The log comes through a pipe, a moment after the answer.
    until(lambda: '"log-1"' in logs(site.gateway.container), "the request in the log")
    (line,) = [line for line in logs(site.gateway.container).splitlines() if '"log-1"' in line]
    entry = json.loads(line)
    assert (entry["method"], entry["path"], entry["status"]) == ("GET", "/logged", 200)
    assert "hidden" not in logs(site.gateway.container)


def test_without_a_backend_the_answer_says_when_to_try_again(engine: Engine, gateway_image: str) -> None:
    answer = start_gateway(engine, gateway_image).request("/")
    assert answer.status == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["title"] == "Service Unavailable"
