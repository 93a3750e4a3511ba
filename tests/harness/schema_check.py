"""Runs schemathesis, which ships in the test stage of the backend's image, against a running stack."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import docker

from tests.harness.service_containers import LABELS
from tests.harness.volume_files import File, packed, write

DIRECTORY = "/check"
# Whom the image runs as.
USER = 1001
CONFIGURATION = "schemathesis.toml"
SEED = 20170
# Of one operation in one phase; all phases and all checks are on.
EXAMPLES = 60
REQUEST_SECONDS = 20


@dataclass(frozen=True)
class SchemaCheck:
    """How a run ended."""

    exit_code: int
    said: str


def check_schema(
    engine: docker.DockerClient,
    image: str,
    network: str,
    base: str,
    headers: Mapping[str, str],
    arguments: Sequence[str] = (),
) -> SchemaCheck:
    """Check what answers at `base` against its own description, by all of schemathesis' checks.

    `headers` go with each request. They may hold a token, so they reach the run as a file.
    """
    volume = engine.volumes.create(labels=LABELS)
    container = engine.containers.create(
        image,
        [
            *("schemathesis", "--no-color", "--config-file", f"{DIRECTORY}/{CONFIGURATION}", "run"),
            *("--checks", "all", "--seed", str(SEED), "--max-examples", str(EXAMPLES), *arguments),
            f"{base}/api/openapi.json",
        ],
        working_dir=DIRECTORY,
        volumes={volume.name: {"bind": DIRECTORY, "mode": "rw"}},
        network=network,
        labels=LABELS,
        read_only=True,
        tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=64m,mode=1777"},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        init=True,
    )
    try:
        files = {CONFIGURATION: File(_configuration(headers), owner=USER, mode=0o400)}
        archive = packed(files, directory=File("", owner=USER, mode=0o700))
        write(engine, image, str(volume.name), DIRECTORY, archive, LABELS)
        container.start()
        code = int(container.wait(timeout=600)["StatusCode"])
        return SchemaCheck(code, container.logs().decode(errors="replace"))
    finally:
        container.remove(force=True, v=True)
        volume.remove(force=True)


def _configuration(headers: Mapping[str, str]) -> str:
    written = ", ".join(f"{json.dumps(name)} = {json.dumps(value)}" for name, value in headers.items())
    return f"request-timeout = {REQUEST_SECONDS}\nheaders = {{ {written} }}\n"
