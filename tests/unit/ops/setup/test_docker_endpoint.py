from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.docker_endpoint import DEFAULT_HOST, find_endpoint
from ops.errors import OperationError

AddContext = Callable[..., Path]


@pytest.fixture
def add_context(tmp_path: Path) -> AddContext:
    def add(name: str, host: str, *, skip: bool = False, certificates: bool = False) -> Path:
        digest = hashlib.sha256(name.encode()).hexdigest()
        contexts = tmp_path / ".docker" / "contexts"
        meta = contexts / "meta" / digest / "meta.json"
        meta.parent.mkdir(parents=True)
        endpoint = {"Host": host, "SkipTLSVerify": skip}
        meta.write_text(json.dumps({"Name": name, "Endpoints": {"docker": endpoint}}))
        tls = contexts / "tls" / digest / "docker"
        if certificates:
            tls.mkdir(parents=True)
        return tls

    return add


def choose_context(home: Path, name: str) -> None:
    (home / ".docker").mkdir(exist_ok=True)
    (home / ".docker" / "config.json").write_text(json.dumps({"currentContext": name}))


def test_without_any_choice_it_is_the_default_socket(tmp_path: Path) -> None:
    endpoint = find_endpoint({}, tmp_path)
    assert (endpoint.host, endpoint.chosen, endpoint.variables) == (DEFAULT_HOST, False, {})
    assert endpoint.socket == Path("/var/run/docker.sock")


def test_the_host_variable_wins_over_contexts(tmp_path: Path, add_context: AddContext) -> None:
    add_context("far", "tcp://far:2376")
    choose_context(tmp_path, "far")
    endpoint = find_endpoint({"DOCKER_HOST": "tcp://near:1", "DOCKER_CONTEXT": "far"}, tmp_path)
    assert (endpoint.host, endpoint.source, endpoint.chosen) == ("tcp://near:1", "DOCKER_HOST", True)
    assert endpoint.variables == {}
    assert endpoint.socket is None


def test_the_context_variable_wins_over_the_current_context(tmp_path: Path, add_context: AddContext) -> None:
    add_context("far", "tcp://far:2376")
    add_context("farther", "ssh://farther")
    choose_context(tmp_path, "far")
    assert find_endpoint({}, tmp_path).host == "tcp://far:2376"
    endpoint = find_endpoint({"DOCKER_CONTEXT": "farther"}, tmp_path)
    assert endpoint.source == "context farther"
    assert endpoint.variables == {"DOCKER_HOST": "ssh://farther"}


@pytest.mark.parametrize(("skip", "verify"), [(False, {"DOCKER_TLS_VERIFY": "1"}), (True, {})])
def test_certificates_of_a_context_are_handed_on(
    tmp_path: Path, add_context: AddContext, skip: bool, verify: dict[str, str]
) -> None:
    tls = add_context("far", "tcp://far:2376", skip=skip, certificates=True)
    endpoint = find_endpoint({"DOCKER_CONTEXT": "far"}, tmp_path)
    assert endpoint.variables == {"DOCKER_HOST": "tcp://far:2376", "DOCKER_CERT_PATH": str(tls), **verify}


def test_the_default_context_is_the_default_socket(tmp_path: Path) -> None:
    choose_context(tmp_path, "default")
    assert not find_endpoint({}, tmp_path).chosen


def test_another_configuration_directory_is_honoured(tmp_path: Path, add_context: AddContext) -> None:
    add_context("far", "tcp://far:2376")
    choose_context(tmp_path, "far")
    environ = {"DOCKER_CONFIG": str(tmp_path / ".docker")}
    assert find_endpoint(environ, tmp_path / "elsewhere").host == "tcp://far:2376"


def test_an_unknown_context_is_named(tmp_path: Path) -> None:
    choose_context(tmp_path, "gone")
    with pytest.raises(OperationError, match="context 'gone'") as caught:
        find_endpoint({}, tmp_path)
    assert "docker context use" in caught.value.hint


def test_a_broken_configuration_is_named(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text("{")
    with pytest.raises(OperationError, match=r"config\.json cannot be read"):
        find_endpoint({}, tmp_path)
