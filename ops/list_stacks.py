"""The command `list`: the stacks that there are, and what runs of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ops.errors import OperationError
from ops.options import JsonOption
from ops.output import Output

if TYPE_CHECKING:
    from ops.engine import Resource
    from ops.session import Session


@dataclass(frozen=True)
class StackEntry:
    """One stack. `foreign` says that the engine has it from another state than the one at hand."""

    stack: str
    settings: bool
    state: bool
    foreign: bool
    owner: str | None
    url: str
    release: str
    updated: str
    problem: str
    """Why its state cannot be read; empty where it can."""
    containers: int
    volumes: int


def list_stacks(as_json: JsonOption = False) -> None:
    """List the stacks with settings, with a state, or on the engine, also those of other owners.

    Examples:

        ./medianest list

        ./medianest list --json
    """
    from ops.engine import connect, resources
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    try:
        api = connect(session.environment)
        found = resources(api, session.project.name)
        api.close()
    except OperationError as error:
        output.progress(f"{error.message}: showing settings and state only")
        found = []
    entries = gather(session, found)
    output.document({"stacks": [asdict(entry) for entry in entries]})
    for entry in entries:
        if entry.problem:
            output.progress(f"{entry.problem}. Look at: ./medianest state list {entry.stack}")
    if as_json:
        return
    from rich import box
    from rich.table import Table

    titles = ("stack", "settings", "updated", "owner", "url", "release", "containers", "volumes")
    table = Table(*titles, box=box.SIMPLE_HEAD, pad_edge=False)
    for entry in entries:
        owner = f"{entry.owner or ''}{' [red](not this state)[/]' if entry.foreign else ''}"
        table.add_row(
            entry.stack,
            "yes" if entry.settings else "no",
            "[red]state damaged[/]" if entry.problem else when(entry),
            owner,
            entry.url,
            entry.release,
            str(entry.containers),
            str(entry.volumes),
        )
    output.show(table)


def when(entry: StackEntry) -> str:
    return entry.updated[:19].replace("T", " ") if entry.state else "never"


def gather(session: Session, found: Sequence[Resource]) -> list[StackEntry]:
    """What settings, state and engine know, joined by stack and owner."""
    on_engine: dict[tuple[str, str | None], list[Resource]] = {}
    for resource in found:
        if resource.stack:
            on_engine.setdefault((resource.stack, resource.owner), []).append(resource)
    with_settings = session.project.stacks()
    entries = []
    for stack in session.stacks():
        problem = ""
        try:
            state = session.state(stack)
        except OperationError as error:
            state, problem = None, error.message
        outputs = state.outputs if state else {}
        owner = state.owner if state else None
        own = on_engine.pop((stack, owner), []) if owner else []
        entries.append(
            StackEntry(
                stack=stack,
                settings=stack in with_settings,
                state=state is not None,
                foreign=False,
                owner=owner,
                url=str(outputs.get("url", "")),
                release=str(outputs.get("release", "")),
                updated=(state.updated or "") if state else "",
                problem=problem,
                **count(own),
            )
        )
    entries += [
        StackEntry(stack, stack in with_settings, False, True, owner, "", "", "", "", **count(own))
        for (stack, owner), own in on_engine.items()
    ]
    return sorted(entries, key=lambda entry: (entry.stack, entry.foreign))


def count(found: Sequence[Resource]) -> Mapping[str, int]:
    kinds = [resource.kind for resource in found]
    return {"containers": kinds.count("container"), "volumes": kinds.count("volume")}
