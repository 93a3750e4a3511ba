"""The command `status`: what runs of a stack, and how it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from components import labels
from ops.container_commands import PASSING
from ops.errors import ExitCode
from ops.options import JsonOption, StackArgument
from ops.output import Output, megabytes, seconds

if TYPE_CHECKING:
    from docker import APIClient

    from ops.restart_loops import RestartLoop

HEALTHY = "healthy"
MISSING = "missing"


@dataclass(frozen=True)
class ContainerStatus:
    """One container. Memory in bytes, uptime in seconds."""

    component: str
    container: str
    state: str
    health: str = ""
    uptime_seconds: float = 0.0
    restarts: int = 0
    memory_bytes: int = 0
    memory_limit_bytes: int = 0
    release: str = ""
    image: str = ""
    restart_loop: RestartLoop | None = None

    @property
    def is_well(self) -> bool:
        if self.restart_loop:
            return False
        # A helper that is under way has no health of its own.
        return self.state == "running" and (self.health == HEALTHY or self.component in PASSING)


def status(stack: StackArgument, as_json: JsonOption = False) -> None:
    """Show the containers of a stack. Exits with 0 when all are healthy, else with 1.

    Examples:

        ./medianest status staging

        ./medianest status staging --json
    """
    from ops.engine import connect
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    state = session.deployed(stack)
    with closing(connect(session.environment)) as api:
        containers = gather(api, session.project.name, stack, state.outputs["containers"])
    well = bool(containers) and all(container.is_well for container in containers)
    outputs = {key: state.outputs.get(key) for key in ("url", "release", "owner", "pin")}
    output.document(
        {
            "stack": stack,
            "healthy": well,
            **outputs,
            "updated": state.updated,
            "containers": [asdict(container) for container in containers],
        }
    )
    if not as_json:
        from rich.text import Text

        updated = (state.updated or "")[:19].replace("T", " ")
        output.show(
            table(containers),
            f"{outputs['url']}  release {outputs['release']}, updated {updated}",
        )
        for container in containers:
            if container.restart_loop:
                output.show(Text(str(container.restart_loop), style="red"))
        if pin := outputs["pin"]:
            output.show(
                f"Pinned to release {pin['release']} since {pin['since']}. "
                f"Lift it with: ./medianest up {stack} --unpin"
            )
    if not well:
        raise typer.Exit(ExitCode.FAILED)


def gather(
    api: APIClient, project: str, stack: str, expected: Mapping[str, Sequence[str]]
) -> list[ContainerStatus]:
    """The containers that the state knows or that carry the stack's labels."""
    from ops.engine import containers
    from ops.measures import container_memory
    from ops.restart_loops import find_loops

    # Loaders, which only ever carried files into a volume, were never started.
    listed = [item for item in containers(api, project, stack) if item["State"] != "created"]
    memory = container_memory(api, [item["Id"] for item in listed if item["State"] == "running"])
    now = datetime.now(UTC)
    inspected = [api.inspect_container(item["Id"]) for item in listed]
    loops = {loop.container: loop for loop in find_loops(api, inspected)}
    found = [
        describe(document, memory.get(item["Id"], 0), item["Image"], now)
        for document, item in zip(inspected, listed, strict=True)
    ]
    found = [replace(status, restart_loop=loops.get(status.container)) for status in found]
    names = {container.container for container in found}
    found += [
        ContainerStatus(component, name, MISSING)
        for component, expected_names in expected.items()
        for name in expected_names
        if name not in names
    ]
    return sorted(found, key=lambda container: (container.component, container.container))


def describe(inspected: Mapping[str, Any], memory: int, image: str, now: datetime) -> ContainerStatus:
    """One container out of the engine's document."""
    from ops.measures import parse_time

    state, own_labels = inspected["State"], inspected["Config"]["Labels"] or {}
    started = parse_time(state["StartedAt"]) if state["Status"] == "running" else None
    return ContainerStatus(
        component=own_labels.get(labels.COMPONENT, ""),
        container=inspected["Name"].lstrip("/"),
        state=state["Status"],
        health=(state.get("Health") or {}).get("Status", ""),
        uptime_seconds=round((now - started).total_seconds(), 1) if started else 0.0,
        restarts=inspected["RestartCount"],
        memory_bytes=memory,
        memory_limit_bytes=inspected["HostConfig"]["Memory"],
        release=own_labels.get(labels.RELEASE, ""),
        image=image.removeprefix("sha256:")[:12] if image.startswith("sha256:") else image,
    )


def table(containers: Sequence[ContainerStatus]) -> Any:
    """The containers for people."""
    from rich import box
    from rich.table import Table

    titles = ("component", "container", "state", "up for", "restarts", "memory", "release", "image")
    shown = Table(*titles, box=box.SIMPLE_HEAD, pad_edge=False)
    for column in shown.columns:
        # A narrow terminal breaks a name rather than hide its end.
        column.overflow = "fold"
    for item in containers:
        condition = item.health if item.state == "running" and item.health else item.state
        limit = f" of {megabytes(item.memory_limit_bytes)}" if item.memory_limit_bytes else ""
        shown.add_row(
            item.component,
            item.container,
            f"[{'green' if item.is_well else 'red'}]{condition}[/]",
            seconds(item.uptime_seconds) if item.uptime_seconds else "",
            str(item.restarts),
            f"{megabytes(item.memory_bytes)}{limit}" if item.memory_bytes else "",
            item.release,
            item.image,
        )
    return shown
