"""The document for a terminal: what matters most stands first, since the end may not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ops.output import megabytes

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

COLOURS = {"well": "green", "degraded": "yellow", "deploying": "yellow", "stopped": "dim"}
HIGH, FULL = 0.75, 0.9
ENTRIES, ROUTES = 6, 6


def screen(document: Mapping[str, Any], lost: str = "") -> RenderableType:
    """All of it. `lost` says why it is not of now, empty where it is."""
    from rich.console import Group

    return Group(*_parts(document, lost))


def _parts(document: Mapping[str, Any], lost: str) -> Iterator[RenderableType]:
    yield heading(document, lost)
    yield from _marks(document, lost)
    if document["traffic"]:
        yield figures(_traffic(document["traffic"]))
    yield from _alerts(document)
    yield _containers(document)
    if document["resources"]:
        yield figures(_resources(document["resources"]))
    yield from _routes(document["routes"])
    yield from _healing(document)
    yield from _releases(document)


def heading(document: Mapping[str, Any], lost: str) -> RenderableType:
    from rich.text import Text

    word = "unknown" if lost else document["verdict"]["word"]
    reason = "It cannot be looked at." if lost else document["verdict"]["reason"]
    return Text.assemble(
        (document["stack"], "bold"),
        "  ",
        (f" {word.upper()} ", f"reverse {COLOURS.get(word, 'red')}"),
        f"  {reason}  ",
        (clock(document["now"]), "dim"),
    )


def _marks(document: Mapping[str, Any], lost: str) -> Iterator[RenderableType]:
    from rich.text import Text

    if lost:
        yield Text(f"What is shown is of {clock(document['now'])}: {lost}", style="bold red")
    for text in filter(None, document["stale"].values()):
        yield Text(text, style="bold yellow")


def figures(pairs: Sequence[tuple[str, str]]) -> RenderableType:
    from rich.columns import Columns
    from rich.text import Text

    return Columns([Text.assemble((f"{name} ", "dim"), value) for name, value in pairs], padding=(0, 3))


def _traffic(traffic: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("requests/s", number(traffic["requests"], 1)),
        ("fail", percent(traffic["error_ratio"])),
        ("median", duration(traffic["p50"])),
        ("p95", duration(traffic["p95"])),
        ("p99", duration(traffic["p99"])),
    ]


def _resources(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (
            "database pool",
            f"{number(found['database_active'])} active, {number(found['database_idle'])} idle",
        ),
        ("waiting", number(found["database_waiting"])),
        ("at Postgres", number(found["postgres_connections"])),
        ("queued", f"{number(found['queued'])}, oldest {duration(found['queue_age'])}"),
        ("workers", f"{number(found['workers_healthy'])} of {number(found['workers_wanted'])}"),
        ("failed in 1 h", number(found["workers_failed_hour"])),
        ("cache hits", percent(found["cache_hit_ratio"])),
        ("Redis", "-" if found["redis_memory"] is None else megabytes(found["redis_memory"])),
    ]


def _containers(document: Mapping[str, Any]) -> RenderableType:
    shown = _table("container", "state", "memory", "processor", "processes", "since", "restarts")
    for item in document["containers"]:
        running = item["state"] == "running" and item["health"] != "none"
        condition = item["health"] if running else item["state"]
        shown.add_row(
            item["container"],
            f"[{'green' if item['well'] else 'red'}]{condition}[/]",
            use(item["memory"], item["memory_limit"], megabytes),
            use(item["cores"], item["cores_limit"], lambda cores: f"{cores:.2f}"),
            use(item["processes"], item["processes_limit"], str),
            ago(item["since"], document["now"]),
            str(item["restarts"]),
        )
    return shown


def _alerts(document: Mapping[str, Any]) -> Iterator[RenderableType]:
    from rich.text import Text

    for alert in document["alerts"]:
        style = "red" if alert["state"] == "firing" else "yellow"
        since = ago(alert["since"], document["now"])
        yield Text(
            f"{alert['state']}: {alert['name']} ({alert['severity']}), {since}: {alert['summary']}", style
        )


def _routes(routes: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    from rich.text import Text

    if not routes:
        return
    shown = _table("route", "requests/s", "errors", "p95")
    for route in routes[:ROUTES]:
        shown.add_row(
            Text(route["route"]),
            number(route["requests"], 2),
            percent(route["error_ratio"]),
            duration(route["p95"]),
        )
    yield shown


def _healing(document: Mapping[str, Any]) -> Iterator[RenderableType]:
    from rich.text import Text

    healing = document["healing"]
    if healing["given_up"]:
        yield Text(f"Not healed any more: {', '.join(healing['given_up'])}", style="bold red")
    if not healing["entries"]:
        return
    shown = _table("when", "healing", "about", "why")
    for entry in healing["entries"][:ENTRIES]:
        # Of a decision its outcome says it all: waiting, left alone, given up.
        what = entry["outcome"] if entry["kind"] == "decision" else f"{entry['what']} {entry['outcome']}"
        about = entry["container"] or entry["component"]
        shown.add_row(
            ago(entry["at"], document["now"]),
            what,
            about,
            Text(entry["why"]),
        )
    yield shown


def _releases(document: Mapping[str, Any]) -> Iterator[RenderableType]:
    from rich.text import Text

    for release in document["releases"]:
        began = ago(release["since"], document["now"])
        yield Text(
            f"release {release['release'] or 'unknown'}, {began}, in {len(release['containers'])}", "dim"
        )
    for text in document["drift"]:
        yield Text(f"drift: {text}", style="yellow")


def _table(*titles: str) -> Table:
    from rich import box
    from rich.table import Table

    shown = Table(*titles, box=box.SIMPLE_HEAD, pad_edge=False)
    for column in shown.columns:
        column.overflow = "fold"
    return shown


def use(used: float | None, limit: float, show: Any) -> str:
    """What is used of a limit, coloured as it nears it."""
    if used is None:
        return "-"
    if not limit:
        return str(show(used))
    text, share = f"{show(used)} of {show(limit)}", used / limit
    return f"[red]{text}[/]" if share >= FULL else f"[yellow]{text}[/]" if share >= HIGH else text


def number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.{2 if 0 < share < 0.1 else 0}f} %"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def ago(moment: float, now: float) -> str:
    if not moment:
        return "-"
    passed = max(0.0, now - moment)
    for unit, name, longest in ((1, "s", 90), (60, "min", 5400), (3600, "h", 129_600)):
        if passed < longest:
            return f"{passed / unit:.0f} {name} ago"
    return f"{passed / 86400:.0f} days ago"


def clock(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().strftime("%H:%M:%S")
