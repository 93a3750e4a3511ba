"""The guardian's reports for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ops.output import megabytes
from ops.report.kept import Kind, Report

if TYPE_CHECKING:
    from rich.table import Table

# Rows of a history: the newest, since they are what people ask for.
SHOWN = 30


@dataclass(frozen=True)
class Spell:
    """How long the stack was in one condition: from the first of `reports` health reports to the last."""

    first: float
    last: float
    reports: int
    healthy: bool
    said: str


def spells(reports: Sequence[Report]) -> list[Spell]:
    """Health reports that say the same one after the other, as one."""
    found: list[Spell] = []
    for report in reports:
        healthy, said = bool(report.get("healthy")), words_of(report)
        last = found[-1] if found else None
        if last and (last.healthy, last.said) == (healthy, said):
            found[-1] = Spell(last.first, report["at"], last.reports + 1, healthy, said)
        else:
            found.append(Spell(report["at"], report["at"], 1, healthy, said))
    return found


def words_of(report: Report) -> str:
    """What a health report says, in one line."""
    return "; ".join(report.get("problems") or ()) or str(report.get("note") or "healthy")


def one(kind: Kind, report: Report) -> Table:
    """A single report."""
    return _ONE[kind](report)


def many(kind: Kind, reports: Sequence[Report]) -> Table:
    """A history."""
    return _MANY[kind](reports)


def moment(at: float) -> str:
    """A time for people, of this machine's zone."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _table(*titles: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(*titles, box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    return table


def _memory(report: Report) -> Table:
    table = _table("component", "container", "memory", "of its limit", "restarts")
    for row in sorted(report.get("containers") or (), key=lambda row: -row["bytes"]):
        limit, share = row.get("limit_bytes"), row.get("percent")
        of_limit = f"{share:.0f} % of {megabytes(limit)}" if limit and share is not None else ""
        table.add_row(
            row["component"], row["container"], megabytes(row["bytes"]), of_limit, str(row["restarts"])
        )
    table.add_row("all", "", megabytes(report.get("total_bytes", 0)), "", "")
    return table


def _memories(reports: Sequence[Report]) -> Table:
    table = _table("at", "all", "backends", "nearest to its limit")
    for report in reports[-SHOWN:]:
        rows = report.get("containers") or ()
        backends = sum(row["bytes"] for row in rows if row["component"] == "backend")
        nearest = max(rows, key=lambda row: row.get("percent") or 0, default=None)
        said = f"{nearest['container']}, {nearest.get('percent') or 0:.0f} %" if nearest else ""
        table.add_row(
            moment(report["at"]), megabytes(report.get("total_bytes", 0)), megabytes(backends), said
        )
    return table


def _health(report: Report) -> Table:
    table = _table("container", "state", "health", "says of its services")
    backends: Mapping[str, Any] = report.get("backends") or {}
    for row in report.get("containers") or ():
        table.add_row(
            row["container"], row["state"], row["health"], _services(backends.get(row["container"]))
        )
    return table


def _services(document: Any) -> str:
    """What a backend says, in one line; a text is why it said nothing."""
    if not isinstance(document, Mapping):
        return str(document or "")
    services = document.get("services")
    return (
        ", ".join(f"{name} {word}" for name, word in services.items())
        if isinstance(services, Mapping)
        else ""
    )


def _healths(reports: Sequence[Report]) -> Table:
    from rich.markup import escape

    table = _table("from", "to", "reports", "verdict", "why")
    for spell in spells(reports)[-SHOWN:]:
        verdict = "[green]healthy[/]" if spell.healthy else "[red]not healthy[/]"
        said = "" if spell.said == "healthy" else escape(spell.said)
        table.add_row(moment(spell.first), moment(spell.last), str(spell.reports), verdict, said)
    return table


def _workers(report: Report) -> Table:
    table = _table("container", "healthy", "busy", "tasks", "ended, by why", "memory")
    for name, figures in (report.get("replicas") or {}).items():
        states = figures.get("medianest_workers") or {}
        tasks = figures.get("medianest_worker_tasks_total") or {}
        ends = figures.get("medianest_workers_terminated_total") or {}
        held = sum((figures.get("medianest_workers_resident_bytes") or {}).values())
        table.add_row(
            name,
            f"{states.get('healthy', 0):.0f} of {states.get('wanted', 0):.0f}",
            f"{states.get('busy', 0):.0f}",
            _counted(tasks),
            _counted(ends),
            megabytes(held) if held else "",
        )
    return table


def _workers_since(reports: Sequence[Report]) -> Table:
    table = _table("at", "failed since their start", "healthy", "tasks")
    for report in reports[-SHOWN:]:
        replicas = list((report.get("replicas") or {}).values())
        states = [figures.get("medianest_workers") or {} for figures in replicas]
        tasks = [figures.get("medianest_worker_tasks_total") or {} for figures in replicas]
        done = sum(sum(counted.values()) for counted in tasks)
        healthy, wanted = (sum(state.get(word, 0) for state in states) for word in ("healthy", "wanted"))
        failed = f"{report.get('failed', 0):.0f}"
        table.add_row(moment(report["at"]), failed, f"{healthy:.0f} of {wanted:.0f}", f"{done:.0f}")
    return table


def _counted(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{count:.0f} {name}" for name, count in figures.items() if count) or "none"


_ONE: Mapping[Kind, Callable[[Report], Table]] = {
    Kind.MEMORY: _memory,
    Kind.HEALTH: _health,
    Kind.WORKERS: _workers,
}
_MANY: Mapping[Kind, Callable[[Sequence[Report]], Table]] = {
    Kind.MEMORY: _memories,
    Kind.HEALTH: _healths,
    Kind.WORKERS: _workers_since,
}
