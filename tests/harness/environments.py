"""Environments in tests: what there is of one, on the engine and in files, and one that has expired."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import docker
import yaml

from components import labels
from tests.harness.checkout import Checkout, Run, new_name, of_stack, swept

PAST = "2020-01-01T00:00:00Z"


def traces(checkout: Checkout, engine: docker.DockerClient, name: str) -> list[str]:
    """Everything that there is of an environment: resources, and files whose path has its name."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "medianest"
    places = (checkout.state, checkout.root, cache / "logs", cache / "unchanged")
    files = [str(path) for place in places for path in place.rglob("*") if is_of(path, name)]
    mentioned = [
        str(path) for path in (checkout.root / ".git" / "info").glob("*") if name in path.read_text()
    ]
    return [*of_stack(engine, name), *files, *mentioned]


def is_of(path: Path, name: str) -> bool:
    """Whether a file's own name has the environment's as a whole word."""
    return re.search(rf"(^|[^a-z0-9-]){name}([^a-z0-9]|$)", f"/{path.name}") is not None


def lease_labels(engine: docker.DockerClient, name: str) -> dict[str, str]:
    """The labels of an environment's one lease."""
    wanted = [f"{labels.STACK}={name}", f"{labels.COMPONENT}={labels.LEASE}"]
    (lease,) = engine.volumes.list(filters={"label": wanted})
    return dict(lease.attrs["Labels"])


def expire(checkout: Checkout, name: str) -> None:
    """Let it expire, by its settings file and plain Pulumi."""
    file = checkout.settings_file(name)
    head, body = file.read_text().split("config:", 1)
    document = yaml.safe_load(f"config:{body}")
    document["config"]["medianest:lease"]["expires"] = PAST
    file.write_text(head + yaml.safe_dump(document))
    urn = f"urn:pulumi:{name}::medianest::docker:index/volume:Volume::lease"
    run = checkout.pulumi("up", "--yes", "--skip-preview", "-s", name, "--target", urn)
    assert run.code == 0, run.said


@contextmanager
def names(engine: docker.DockerClient, purpose: str, count: int) -> Iterator[list[str]]:
    """So many names that no other run has, swept at the end."""
    with ExitStack() as stack:
        made = [new_name(f"{purpose}{number}") for number in range(count)]
        for name in made:
            stack.enter_context(swept(engine, name))
        yield made


def together(checkout: Checkout, commands: Sequence[Sequence[str]], timeout: float) -> list[Run]:
    """Run commands of ours at the same time, to the end of all of them."""
    with ThreadPoolExecutor(len(commands)) as threads:
        return list(threads.map(lambda command: checkout.medianest(*command, timeout=timeout), commands))
