from __future__ import annotations

import io
import json
import os
import stat
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

import pytest

from components.build_context import base_image
from ops.errors import ExitCode, OperationError
from ops.setup.base_image import BaseImageStep
from ops.setup.debian_image import _no_source, debian_architecture, pack
from ops.setup.engine import EngineVersion, ask_version
from ops.setup.engine_api import ask
from ops.setup.packages import System

from .conftest import ROOT

Answers = dict[str, tuple[int, Any]]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """An engine on a socket of its own that gives the answers put into the table, else 404."""
    answers: Answers = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, document = answers.get(self.path, (404, {"message": "no such thing"}))
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "unix"

        def log_message(self, *_: object) -> None:
            pass

    socket = tmp_path / "engine.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    with ThreadingUnixStreamServer(str(socket), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield answers
        server.shutdown()
        thread.join()


@pytest.fixture
def step(tmp_path: Path) -> BaseImageStep:
    return BaseImageStep(ROOT, tmp_path, System(debian=True, systemd=False, root=True))


def test_the_version_is_what_the_engine_says(engine: Answers) -> None:
    engine["/version"] = (200, {"Version": "20.10.24", "ApiVersion": "1.41"})
    assert ask_version(os.environ) == EngineVersion("20.10.24", "1.41")


@pytest.mark.parametrize("host", ["unix:///nowhere/engine.sock", "tcp://127.0.0.1:9"])
def test_where_nothing_answers_there_is_no_version(host: str) -> None:
    assert ask_version({"DOCKER_HOST": host}) is None


def test_what_is_no_engine_gives_no_answer(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert ask("/version", {"DOCKER_HOST": f"unix://{tmp_path}/file"}) is None


def test_an_address_that_makes_no_sense_is_named() -> None:
    with pytest.raises(OperationError, match="nonsense://x cannot be used") as caught:
        ask("/version", {"DOCKER_HOST": "nonsense://x"})
    assert caught.value.code is ExitCode.REFUSED


def test_a_base_that_was_made_here_is_present(engine: Answers, step: BaseImageStep) -> None:
    labels = {"medianest.component": "base"}
    engine[f"/images/{base_image(ROOT)}/json"] = (200, {"Config": {"Labels": labels}})
    assert step.missing() is None


@pytest.mark.parametrize("labels", [None, {}, {"medianest.component": "backend"}])
def test_another_image_of_that_name_is_not_taken_for_the_base(
    engine: Answers, step: BaseImageStep, labels: dict[str, str] | None
) -> None:
    engine[f"/images/{base_image(ROOT)}/json"] = (200, {"Config": {"Labels": labels}})
    assert str(step.missing()).endswith("is another image")


def test_a_base_that_is_not_there_is_missing(engine: Answers, step: BaseImageStep) -> None:
    assert step.missing() == f"{base_image(ROOT)} is not on the engine"


def test_without_an_engine_the_base_is_missing_and_that_is_no_error(
    step: BaseImageStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/engine.sock")
    assert "does not answer yet" in str(step.missing())


def test_only_an_installation_is_asked_about(
    tmp_path: Path, programs: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    root, user = System(True, False, True), System(True, False, False)
    assert "mmdebstrap" in str(BaseImageStep(ROOT, tmp_path, root).intends())
    assert BaseImageStep(ROOT, tmp_path, user).intends() is None
    monkeypatch.setenv("PATH", str(programs("mmdebstrap", "").parent))
    assert BaseImageStep(ROOT, tmp_path, root).intends() is None


@pytest.mark.parametrize(
    ("engine_says", "debian"), [("amd64", "amd64"), ("x86_64", "amd64"), ("aarch64", "arm64")]
)
def test_architectures_have_debians_names(engine_says: str, debian: str) -> None:
    assert debian_architecture(engine_says) == debian


def test_the_recipe_reaches_the_engine_as_roots_with_its_modes() -> None:
    with tarfile.open(fileobj=io.BytesIO(pack(ROOT / "images" / "base", "recipe"))) as archive:
        entries = {entry.name: entry for entry in archive.getmembers()}
    assert {"recipe/finish", "recipe/http-probe", "recipe/packages"} <= entries.keys()
    assert {(entry.uid, entry.gid, entry.uname) for entry in entries.values()} == {(0, 0, "root")}
    assert entries["recipe/finish"].mode & stat.S_IXUSR


def test_without_any_source_the_commands_are_shown() -> None:
    on_debian = _no_source(System(debian=True, systemd=True, root=False), "trixie")
    assert "sudo apt-get install -y --no-install-recommends mmdebstrap" in on_debian.hint
    elsewhere = _no_source(System(debian=False, systemd=True, root=True), "trixie")
    assert "apt-get" not in elsewhere.hint
    assert "debian:trixie-slim cannot be pulled" in elsewhere.message
