"""The command `logs`: the logs of a stack's containers, as one stream."""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from components import labels
from ops import completion
from ops.errors import ExitCode, OperationError
from ops.names import short_name
from ops.options import JsonOption, StackArgument
from ops.output import Output, is_coloured

if TYPE_CHECKING:
    from docker import APIClient

    from ops.engine import Document

COLOURS = (36, 33, 35, 32, 34, 96, 93, 95)
# How often new containers are looked for while following: a deploy replaces them.
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Line:
    """One line of a container's log. `time` is as the engine gives it, which sorts as text."""

    time: str
    source: str
    text: str


def logs(
    stack: StackArgument,
    component: Annotated[
        str | None,
        typer.Argument(help="Only this one: backend, gateway, …", autocompletion=completion.components),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    tail: Annotated[int, typer.Option(min=0, help="The last lines of each container.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Show the logs of a stack's containers, merged by time.

    With --follow --json each line is a document of its own.

    Examples:

        ./medianest logs staging

        ./medianest logs staging backend --follow --tail 20
    """
    from ops.engine import connect
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    session.require_stack(stack)
    project = session.project.name
    api = connect(session.environment)

    def sources() -> dict[str, str]:
        return named_containers(api, project, stack, component)

    found = sources()
    if not found:
        raise nothing_to_show(api, project, stack, component)
    if follow:
        try:
            for line in followed(api, sources, tail):
                print_line(line, as_json)
        except KeyboardInterrupt as interrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from interrupt
        return
    merged = sorted(
        (line for identifier, name in found.items() for line in read(api, identifier, name, tail)),
        key=lambda line: line.time,
    )
    output.document({"stack": stack, "lines": [asdict(line) for line in merged]})
    if not as_json:
        for line in merged:
            print_line(line, as_json=False)


def named_containers(api: APIClient, project: str, stack: str, component: str | None) -> dict[str, str]:
    """Container id → short name, of those that were started."""
    return {
        item["Id"]: short_name(item["Names"][0].lstrip("/"), project, stack)
        for item in _started(api, project, stack)
        if component in (None, item["Labels"].get(labels.COMPONENT))
    }


def nothing_to_show(api: APIClient, project: str, stack: str, component: str | None) -> OperationError:
    """Why there is no log: no containers at all, or none of that component."""
    names = sorted({item["Labels"].get(labels.COMPONENT, "") for item in _started(api, project, stack)})
    if component and names:
        return OperationError(
            f"stack {stack} has no component {component!r}",
            f"Its components: {', '.join(names)}",
            ExitCode.USAGE,
        )
    return OperationError(f"stack {stack} has no containers", f"Run: ./medianest up {stack}")


def _started(api: APIClient, project: str, stack: str) -> list[Document]:
    from ops.engine import containers

    return [item for item in containers(api, project, stack) if item["State"] != "created"]


def read(api: APIClient, identifier: str, name: str, tail: int) -> Iterator[Line]:
    """The last lines of one container."""
    text = api.logs(identifier, timestamps=True, tail=tail)
    for line in text.decode(errors="replace").splitlines():
        yield parse_line(line, name)


def followed(api: APIClient, sources: Callable[[], Mapping[str, str]], tail: int) -> Iterator[Line]:
    """Lines as they come, also of containers that are started later. Never ends by itself."""
    lines: queue.Queue[Line] = queue.Queue()
    seen: set[str] = set()
    first = True
    while True:
        for identifier, name in sources().items():
            if identifier not in seen:
                seen.add(identifier)
                # All of a container that came up meanwhile.
                count: int | Literal["all"] = tail if first else "all"
                threading.Thread(
                    target=_stream, args=(api, identifier, name, count, lines), daemon=True
                ).start()
        first = False
        deadline = time.monotonic() + LOOK_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            try:
                yield lines.get(timeout=left)
            except queue.Empty:
                break


def _stream(
    api: APIClient, identifier: str, name: str, tail: int | Literal["all"], lines: queue.Queue[Line]
) -> None:
    rest = ""
    for chunk in api.logs(identifier, stream=True, follow=True, timestamps=True, tail=tail):
        *whole, rest = (rest + chunk.decode(errors="replace")).split("\n")
        for line in whole:
            lines.put(parse_line(line, name))


def parse_line(line: str, name: str) -> Line:
    """Split the engine's time off a line."""
    when, _, text = line.partition(" ")
    return Line(when, name, text.rstrip("\r"))


def print_line(line: Line, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(line)), flush=True)
    elif is_coloured(sys.stdout):
        colour = COLOURS[sum(line.source.encode()) % len(COLOURS)]
        print(f"\033[{colour}m{line.source:<12}\033[0m {line.text}", flush=True)
    else:
        print(f"{line.source:<12} {line.text}", flush=True)
