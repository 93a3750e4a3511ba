"""The command `env list`: the environments, until when they live, and how they are."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ops.options import JsonOption
from ops.output import Output, megabytes

if TYPE_CHECKING:
    from docker import APIClient

    from ops.env.survey import Seen
    from ops.session import Session

RUNNING, STOPPED, EXPIRED, LEAKING, FOREIGN = "running", "stopped", "expired", "leaking", "another state's"


@dataclass(frozen=True)
class Row:
    """One environment. Times are UTC, memory in bytes."""

    name: str
    url: str
    state: str
    expires: str | None
    expires_in_seconds: float | None
    idle_since: str | None
    pull_request: int | None
    base: str
    port: int | None
    memory_bytes: int
    home: str


def list_environments(as_json: JsonOption = False) -> None:
    """List the environments on this engine, those of other states too.

    Examples:

        ./medianest env list

        ./medianest env list --json
    """
    from ops.engine import connect
    from ops.env.survey import survey
    from ops.session import open_session

    output, session = Output(as_json), open_session()
    with closing(connect(session.environment)) as api:
        found = survey(session, api, output.progress)
        rows = [describe(session, api, seen, datetime.now(UTC)) for seen in found.environments]
    output.document(
        {"environments": [asdict(row) for row in rows], "leaks": [asdict(leak) for leak in found.leaks]}
    )
    if as_json:
        return
    for leak in found.leaks:
        output.progress(f"Look at this: {leak}")
    if not rows:
        output.show("There are no environments. Make one: ./medianest env up NAME")
        return
    from rich import box
    from rich.table import Table

    from ops.env.duration import in_words, read_time

    titles = ("name", "url", "state", "expires in", "pull request", "idle for", "memory")
    table = Table(*titles, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        now = datetime.now(UTC)
        expires, idle = (read_time(moment or "") for moment in (row.expires, row.idle_since))
        table.add_row(
            row.name,
            row.url,
            row.state,
            in_words(expires - now) if expires and expires > now else "-",
            str(row.pull_request or ""),
            in_words(now - idle) if idle else "",
            megabytes(row.memory_bytes) if row.memory_bytes else "",
        )
    output.show(table)


def describe(session: Session, api: APIClient, seen: Seen, now: datetime) -> Row:
    """One row."""
    from ops.env.activity import idle_since_of
    from ops.env.duration import written
    from ops.measures import container_memory

    lease = seen.lease
    idle = idle_since_of(session, api, seen)
    running = [item["Id"] for listed in seen.parts.values() for item in listed if item["State"] == "running"]
    outputs = seen.state.outputs if seen.state else {}
    return Row(
        name=lease.stack,
        url=str((outputs.get("lease") or {}).get("url", "")),
        state=state_of(seen, now, bool(running)),
        expires=written(lease.expires) if lease.expires else None,
        expires_in_seconds=round((lease.expires - now).total_seconds()) if lease.expires else None,
        idle_since=written(idle) if idle else None,
        pull_request=lease.pull_request,
        base=lease.base,
        port=lease.port,
        memory_bytes=sum(container_memory(api, running).values()),
        home=lease.home,
    )


def state_of(seen: Seen, now: datetime, running: bool) -> str:
    """In one word, the most urgent first."""
    from ops.env.judge import Whose

    if seen.whose is Whose.FOREIGN:
        return FOREIGN
    if seen.whose is Whose.LOST:
        return LEAKING
    if seen.lease.expires is None or seen.lease.expires <= now:
        return EXPIRED
    return RUNNING if running else STOPPED
