"""The gateway's configuration follows the settings. That HAProxy does what it says: tests/images."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from components.gateway_configuration import (
    INTERNAL_PORT,
    PUBLIC_PORT,
    STATE_PORT,
    gateway_configuration,
    milliseconds,
    server_slots,
)
from components.settings import BackendSettings, GatewaySettings, HealthSettings, LimitSettings

IMAGE = Path(__file__).parents[3] / "images" / "gateway"


def written(
    gateway: GatewaySettings | None = None, backend: BackendSettings | None = None
) -> dict[str, list[str]]:
    """Lines of the configuration by section."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in gateway_configuration(
        gateway or GatewaySettings(), backend or BackendSettings()
    ).splitlines():
        if line and not line.startswith((" ", "#")):
            lines = sections.setdefault(line, [])
        elif line.strip():
            lines.append(line.strip())
    return sections


@pytest.mark.parametrize(("replicas", "slots"), [(1, 4), (2, 6), (50, 102)])
def test_there_is_room_for_two_releases_and_two_that_failed(replicas: int, slots: int) -> None:
    assert server_slots(replicas) == slots
    (template,) = (
        line
        for line in written(backend=BackendSettings(replicas=replicas))["backend backends"]
        if line.startswith("server-template")
    )
    assert f"server-template backend {slots} backend:3000 check" in template


def test_the_same_settings_make_the_same_text() -> None:
    settings = GatewaySettings(), BackendSettings()
    assert gateway_configuration(*settings) == gateway_configuration(*settings)
    assert gateway_configuration(*settings).endswith("\n")


def test_the_backends_port_and_readiness_are_those_of_the_settings() -> None:
    backend = BackendSettings(port=8000, health=HealthSettings(ready="/ready/now"))
    lines = written(backend=backend)["backend backends"]
    assert any(" backend:8000 " in line for line in lines)
    assert any("uri /ready/now " in line for line in lines)


def test_a_check_may_take_as_long_as_the_engines_own() -> None:
    sections = written(backend=BackendSettings(health=HealthSettings(timeout_seconds=4.5)))
    assert "timeout check 4500ms" in sections["defaults"]


def test_times_and_limits_are_those_of_the_settings() -> None:
    gateway = GatewaySettings(
        connect_timeout_seconds=0.25,
        request_timeout_seconds=3.0,
        response_timeout_seconds=7.0,
        max_connections=500,
        body_limit_mb=3,
        limits=LimitSettings(cpus=2.0),
    )
    sections = written(gateway)
    for line in ("timeout connect 250ms", "timeout http-request 3000ms", "timeout server 7000ms"):
        assert line in sections["defaults"]
    assert "hard-stop-after 7000ms" in sections["global"]
    assert "nbthread 2" in sections["global"]
    assert "maxconn 500" in sections["frontend clients"]
    assert (
        f"http-request deny deny_status 413 if {{ req.body_size gt {3 * 1024 * 1024} }}"
        in (sections["frontend clients"])
    )


def test_clients_at_their_limit_leave_room_for_health_and_metrics() -> None:
    sections = written(GatewaySettings(max_connections=100))
    (whole,) = (line for line in sections["global"] if line.startswith("maxconn"))
    assert int(whole.split()[1]) > 100


@pytest.mark.parametrize(("seconds", "text"), [(0.0001, "1ms"), (0.5, "500ms"), (30, "30000ms")])
def test_a_short_time_is_never_for_ever(seconds: float, text: str) -> None:
    assert milliseconds(seconds) == text


def test_internal_paths_are_compared_literally() -> None:
    lines = written(GatewaySettings(internal_paths=["/metrics/", "/a.b/c"]))["frontend clients"]
    patterns = [line.split(" -i ")[1].split(" }")[0] for line in lines if " -i " in line]
    assert patterns == ["^/metrics(/|$)", r"^/a\.b/c(/|$)"]


def test_without_internal_paths_no_path_is_refused() -> None:
    assert not any(
        "txn.path" in line for line in written(GatewaySettings(internal_paths=[]))["frontend clients"]
    )


def test_only_reads_are_repeated() -> None:
    lines = written()["backend backends"]
    assert "http-request disable-l7-retry unless { method GET HEAD OPTIONS }" in lines


def test_every_error_is_a_problem_document() -> None:
    bodies = re.findall(
        r"content-type (\S+) string '([^']*)'", gateway_configuration(GatewaySettings(), BackendSettings())
    )
    assert {content_type for content_type, _ in bodies} == {"application/problem+json"}
    documents = [json.loads(body) for _, body in bodies]
    assert {document["status"] for document in documents} >= {400, 404, 408, 411, 413, 502, 503, 504}
    for document in documents:
        assert set(document) == {"type", "title", "status", "detail"}


def test_only_the_public_frontend_and_the_inner_one_listen_beyond_the_container() -> None:
    text = gateway_configuration(GatewaySettings(), BackendSettings())
    assert re.findall(r"^ +bind (\S+)$", text, re.M) == [f":{PUBLIC_PORT}", f":{INTERNAL_PORT}"]
    assert f"stats socket ipv4@127.0.0.1:{STATE_PORT} level user" in text


def test_the_image_has_what_the_configuration_names() -> None:
    entry_point = (IMAGE / "entrypoint").read_text()
    dockerfile = (IMAGE / "Dockerfile").read_text()
    sections = written()
    assert f"readonly statistics_port={STATE_PORT}\n" in entry_point
    assert f"EXPOSE {PUBLIC_PORT} {INTERNAL_PORT}\n" in dockerfile
    (state,) = (line.split()[1] for line in sections["global"] if line.startswith("server-state-file"))
    assert state == "/run/haproxy/servers.state"
    assert "readonly server_state=$directory/servers.state\n" in entry_point
    (script,) = (line.split()[1] for line in sections["global"] if line.startswith("lua-load"))
    assert f"COPY --chmod=0644 admission.lua {script}\n" in dockerfile


def test_a_server_is_admitted_only_if_a_check_can_lift_its_health_above_rise() -> None:
    """What images/gateway/admission.lua relies on."""
    (options,) = (line for line in written()["backend backends"] if line.startswith("default-server"))
    assert int(options.split(" fall ")[1].split()[0]) >= 2
    assert "backend backends" in written()
    assert "core.backends.backends.servers" in (IMAGE / "admission.lua").read_text()


def test_no_connection_is_cut_on_a_reload_and_who_takes_none_is_out_until_it_is_ready() -> None:
    sections = written()
    assert "option idle-close-on-response" in sections["defaults"]
    (options,) = (line for line in sections["backend backends"] if line.startswith("default-server"))
    assert options.endswith("observe layer4 error-limit 3 on-error mark-down")
