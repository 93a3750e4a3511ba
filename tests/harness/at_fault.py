"""Containers that something is done to, and what the guardian writes down about it."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

from docker.models.containers import Container

from components.guardian import MEMORY
from tests.harness.inside import run


def healthy(container: Container) -> bool:
    container.reload()
    state = container.attrs["State"]
    return bool(state["Running"] and state["Health"]["Status"] == "healthy")


def signal(container: Container, name: str) -> None:
    """Send a signal to a container's own process. What the engine sends goes to the init process in front
    of it, and a kill by the engine counts as a stop that somebody asked for."""
    code, said = run(container, "bash", "-c", f"kill -{name} $(cat /proc/1/task/1/children)")
    assert code == 0, said


def started_at(container: Container) -> str:
    container.reload()
    return str(container.attrs["State"]["StartedAt"])


def read_file(container: Container, path: str) -> str:
    """A file in a container, through the engine: the output of a command may lose its beginning."""
    stream, _ = container.get_archive(path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        (entry,) = archive.getmembers()
        content = archive.extractfile(entry)
        assert content is not None, path
        return content.read().decode()


def journal(guardian: Container, **wanted: str | None) -> list[dict[str, Any]]:
    """The entries of the guardian's journal that have these values."""
    lines = read_file(guardian, f"{MEMORY}/journal.jsonl").splitlines()
    # The last line may be one that is being written.
    lines = lines if not lines or lines[-1].endswith("}") else lines[:-1]
    return [found for line in lines if line and wanted.items() <= (found := json.loads(line)).items()]
