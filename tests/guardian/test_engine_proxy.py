"""Who reaches the proxy reaches the stack's containers and nothing else of the engine."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator

import docker
import pytest
import requests
from docker.errors import APIError
from docker.models.containers import Container

from components.build_context import base_image
from components.guardian import PROXY_PORT
from tests.guardian.guarded import ROOT, Guarded
from tests.harness.at_fault import started_at

Ask = Callable[[str, str], requests.Response]
UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"


@pytest.fixture(scope="module")
def own(stack: Guarded) -> Container:
    return stack.start("redis")


@pytest.fixture(scope="module")
def foreign(stack: Guarded) -> Container:
    """Of a stack of the same name that another state has made."""
    return stack.start("redis", owner="somebodyelse")


@pytest.fixture(scope="module")
def proxy(stack: Guarded) -> str:
    return stack.address(stack.client.containers.get(f"{stack.stack}-engine-proxy"))


@pytest.fixture(scope="module")
def api(proxy: str) -> Iterator[docker.APIClient]:
    api = docker.APIClient(proxy_url(proxy), version="1.41", timeout=20)
    yield api
    api.close()


def proxy_url(address: str) -> str:
    return f"http://{address}:{PROXY_PORT}"


@pytest.fixture(scope="module")
def ask(proxy: str) -> Ask:
    return lambda method, path: requests.request(method, proxy_url(proxy) + path, timeout=20)


def asked(proxy: str, request: str) -> str:
    """The answer's first line to a request that is sent as it is written."""
    with socket.create_connection((proxy, PROXY_PORT), timeout=10) as connection:
        connection.sendall(request.encode())
        return connection.recv(65536).decode(errors="replace").splitlines()[0]


def test_only_the_stacks_containers_are_listed(
    ask: Ask, stack: Guarded, own: Container, foreign: Container
) -> None:
    listed = {item["Id"] for item in ask("GET", "/containers/json?all=1").json()}
    assert own.id in listed
    assert foreign.id not in listed
    mine = stack.client.containers.list(
        all=True, ignore_removed=True, filters={"label": f"medianest.owner={stack.owner}"}
    )
    assert listed == {item.id for item in mine}


def test_a_container_is_told_of_without_its_environment(ask: Ask, own: Container) -> None:
    assert "never-to-be-seen" in str(own.attrs)
    seen = ask("GET", f"/containers/{own.id}/json")
    assert seen.json()["State"]["Running"] is True
    assert "never-to-be-seen" not in seen.text


def test_stats_logs_start_and_restart_of_own_containers(ask: Ask, own: Container) -> None:
    path = f"/v1.41/containers/{own.id}"
    assert ask("GET", f"{path}/stats?stream=false&one-shot=true").json()["memory_stats"]["usage"] > 0
    assert ask("GET", f"{path}/logs?stdout=1&stderr=1&tail=10").status_code == 200
    before = started_at(own)
    assert ask("POST", f"{path}/restart?t=3").status_code == 204
    assert started_at(own) > before
    assert ask("POST", f"{path}/start").status_code == 304


@pytest.mark.parametrize(
    "request_", ["GET json", "GET stats?stream=false", "GET logs?stdout=1", "POST restart?t=1", "POST start"]
)
def test_a_foreign_container_is_not_there(ask: Ask, foreign: Container, request_: str) -> None:
    before = started_at(foreign)
    method, path = request_.split()
    assert ask(method, f"/containers/{foreign.id}/{path}").status_code == 404
    assert started_at(foreign) == before


def test_what_would_lead_further_is_refused(api: docker.APIClient, stack: Guarded, own: Container) -> None:
    identifier, image = str(own.id), base_image(ROOT)

    def of_the_image() -> set[str]:
        found = stack.client.containers.list(all=True, ignore_removed=True, filters={"ancestor": image})
        return {str(item.id) for item in found}

    before = of_the_image()
    assert identifier in before
    attempts: list[Callable[[], object]] = [
        lambda: api.exec_create(identifier, ["id"]),
        lambda: api.create_container(image, ["id"]),
        lambda: api.create_container(image, ["id"], host_config={"Binds": ["/:/host"], "Privileged": True}),
        lambda: api.get_archive(identifier, "/etc/passwd"),
        lambda: api.put_archive(identifier, "/", b""),
        lambda: list(api.export(identifier)),
        lambda: api.kill(identifier),
        lambda: api.stop(identifier),
        lambda: api.remove_container(identifier, force=True),
        lambda: api.update_container(identifier, mem_limit="1g"),
        lambda: api.commit(identifier),
        lambda: api.images(),
        lambda: api.create_volume("test"),
        lambda: api.networks(),
        lambda: api.info(),
        lambda: api.inspect_container(str(own.name)),
        lambda: api.inspect_container(identifier[:12]),
        lambda: api.attach(identifier),
    ]
    for number, attempt in enumerate(attempts):
        with pytest.raises(APIError) as refused:
            attempt()
        assert refused.value.status_code == 403, number
    own.reload()
    assert own.status == "running"
    assert of_the_image() == before


@pytest.mark.parametrize(
    "request_",
    [
        "GET /v1.41/../images/json HTTP/1.1\r\nHost: e\r\n\r\n",
        "GET //images/json HTTP/1.1\r\nHost: e\r\n\r\n",
        "GET /containers%2fjson HTTP/1.1\r\nHost: e\r\n\r\n",
        "GET http://engine/images/json HTTP/1.1\r\nHost: e\r\n\r\n",
        f"GET /_ping HTTP/1.1\r\nHost: e\r\n{UPGRADE}\r\n",
        "POST /containers/ID/attach?stream=1 HTTP/1.1\r\nHost: e\r\n" + UPGRADE + "\r\n",
        "GET /containers/ID/attach/ws HTTP/1.1\r\nHost: e\r\n" + UPGRADE.replace("tcp", "websocket") + "\r\n",
        "POST /build HTTP/1.1\r\nHost: e\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
def test_tricks_lead_nowhere(proxy: str, own: Container, request_: str) -> None:
    status = asked(proxy, request_.replace("ID", str(own.id))).split()[1]
    assert status in ("400", "403"), status


def test_a_second_request_cannot_be_hidden_in_the_first(proxy: str, own: Container) -> None:
    """Neither a body nor a header of the request reaches the engine."""
    hidden = "POST /containers/create HTTP/1.1\r\nHost: e\r\n\r\n"
    before = started_at(own)
    status = asked(
        proxy,
        f"POST /containers/{own.id}/start HTTP/1.1\r\nHost: e\r\nContent-Length: {len(hidden)}\r\n"
        f"Content-Type: application/json\r\n\r\n{hidden}",
    ).split()[1]
    assert status == "304"
    assert started_at(own) == before


def test_events_are_those_of_the_stack(proxy: str, own: Container, foreign: Container) -> None:
    with requests.get(f"{proxy_url(proxy)}/events", stream=True, timeout=20) as events:
        foreign.restart(timeout=1)
        own.restart(timeout=1)
        seen = []
        for line in events.iter_lines(chunk_size=1):
            seen.append(json.loads(line))
            if seen[-1]["Action"] == "start":
                break
    assert {event["Actor"]["ID"] for event in seen} == {own.id}


def test_marks_of_a_deploy_are_the_only_volumes_seen(ask: Ask, stack: Guarded) -> None:
    assert not ask("GET", "/volumes").json()["Volumes"]
    mark = stack.client.volumes.create(labels=stack.labels("deploying") | {"medianest.since": "17"})
    data = stack.client.volumes.create(labels=stack.labels("redis"))
    try:
        assert [volume["Name"] for volume in ask("GET", "/volumes").json()["Volumes"]] == [mark.name]
    finally:
        mark.remove()
        data.remove()


def test_the_proxy_is_confined_itself(stack: Guarded) -> None:
    proxy = stack.client.containers.get(f"{stack.stack}-engine-proxy")
    assert {process[0] for process in proxy.top(ps_args="-eo uid,pid")["Processes"]} == {"998"}
    assert list(proxy.attrs["NetworkSettings"]["Networks"]) == [stack.inner.name]
