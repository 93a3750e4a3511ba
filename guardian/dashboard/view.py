"""From what the guardian knows and Prometheus tells to the document. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from guardian.alerts import PAGE, WATCHDOG, Alert
from guardian.container_figures import Figures
from guardian.dashboard.document import (
    AlertRow,
    Document,
    Healing,
    Release,
    Resources,
    Route,
    Stale,
    Traffic,
    Use,
)
from guardian.dashboard.figures import PrometheusFigures
from guardian.dashboard.verdict import verdict
from guardian.engine.containers import Container
from guardian.policy.services import SERVICES
from guardian.policy.view import View
from guardian.record.entries import Entry

# The engine is looked at every five seconds, and at once when something happens.
ENGINE_STALE_SECONDS = 20.0
# So long Prometheus may be silent before its figures are no longer of now: it is asked every five seconds.
FIGURES_STALE_SECONDS = 15.0
_OWN = frozenset({"guardian", "engine-proxy"})
# They live for one command.
_HELPERS = frozenset({"one-shot", "scratch", "soak"})
_ROUTES = 20


@dataclass(frozen=True)
class Seen:
    """All that the document is made of."""

    stack: str
    now: float
    view: View | None
    used: Mapping[str, Figures] = field(default_factory=dict)
    prometheus: PrometheusFigures = field(default_factory=PrometheusFigures)
    entries: Sequence[Entry] = ()
    given_up: Sequence[str] = ()


def document(seen: Seen) -> Document:
    """The document of what is seen."""
    view, stale = seen.view, staleness(seen)
    uses = [_use(seen, item) for item in view.containers] if view else []
    uses.sort(key=lambda use: (use.well, _rank(use.component), use.container))
    alerts = _alerts(seen, stale)
    return Document(
        stack=seen.stack,
        now=seen.now,
        verdict=verdict(view, stale, uses, alerts),
        seen_at=view.now if view else 0.0,
        figures_at=seen.prometheus.at,
        stale=stale,
        traffic=_traffic(seen.prometheus),
        routes=_routes(seen.prometheus.by_route),
        containers=uses,
        resources=_resources(seen.prometheus),
        alerts=alerts,
        healing=Healing([_told(entry) for entry in reversed(seen.entries)], sorted(seen.given_up)),
        deploying=view.deploying if view else "",
        releases=_releases(view) if view else [],
        drift=list(_drift(view)) if view else [],
    )


def as_json(made: Document) -> dict[str, object]:
    """As it is sent."""
    return asdict(made)


def staleness(seen: Seen) -> Stale:
    """What is not of now."""
    view, figures = seen.view, seen.prometheus
    engine = told = ""
    if view is not None and seen.now - view.now > ENGINE_STALE_SECONDS:
        engine = f"The engine has not been seen for {_ago(seen.now - view.now)}: what it told is old."
    if seen.now - figures.at > FIGURES_STALE_SECONDS:
        since = f" for {_ago(seen.now - figures.at)}" if figures.at else ""
        why = figures.problem or "Prometheus has not answered yet"
        told = f"There are no new figures{since}: {why}."
    return Stale(engine, told)


def _use(seen: Seen, item: Container) -> Use:
    used = seen.used.get(item.id) if item.state == "running" else None
    return Use(
        component=item.component,
        container=item.name,
        well=item.serves or item.component in _HELPERS,
        state=item.state,
        health=item.health,
        release=item.release,
        since=item.started,
        restarts=item.restarts,
        memory=used.memory_bytes if used else None,
        memory_limit=item.memory_limit,
        cores=used.cores if used else None,
        cores_limit=item.cpu_limit,
        processes=used.processes if used else None,
        processes_limit=item.processes_limit,
    )


def _rank(component: str) -> int:
    """Services in the order in which they need each other, then the rest."""
    return list(SERVICES).index(component) if component in SERVICES else len(SERVICES)


def _traffic(figures: PrometheusFigures) -> Traffic:
    return Traffic(**{name: figures.single.get(name) for name in Traffic.__dataclass_fields__})


def _resources(figures: PrometheusFigures) -> Resources:
    return Resources(**{name: figures.single.get(name) for name in Resources.__dataclass_fields__})


def _routes(by_route: Mapping[str, Mapping[str, float]]) -> list[Route]:
    """Those that are asked most."""
    requests, errors = by_route.get("route_requests", {}), by_route.get("route_errors", {})
    found = [
        Route(
            route,
            number,
            errors.get(route, 0.0) / number if number else None,
            by_route["route_p95"].get(route),
        )
        for route, number in requests.items()
        if number
    ]
    return sorted(found, key=lambda route: -route.requests)[:_ROUTES]


def _alerts(seen: Seen, stale: Stale) -> list[AlertRow]:
    """As Prometheus has them; where it does not answer, as Alertmanager told the guardian last."""
    rows = (
        [_told_alert(alert) for alert in (seen.view.alerts if seen.view else ())]
        if stale.figures or not seen.prometheus.at
        else list(_of_prometheus(seen.prometheus.alerts))
    )
    shown = [row for row in rows if row.name not in (WATCHDOG, PAGE)]
    return sorted(shown, key=lambda row: (row.state != "firing", row.severity != "critical", row.since))


def _told_alert(alert: Alert) -> AlertRow:
    return AlertRow(
        "firing",
        alert.name,
        alert.severity,
        alert.component,
        alert.container,
        alert.summary,
        alert.runbook,
        alert.starts_at,
    )


def _of_prometheus(alerts: Sequence[Mapping[str, Mapping[str, str]]]) -> Iterator[AlertRow]:
    for alert in alerts:
        labels, notes = alert.get("labels") or {}, alert.get("annotations") or {}
        yield AlertRow(
            str(alert.get("state", "firing")),
            labels.get("alertname", ""),
            labels.get("severity", "warning"),
            labels.get("component", ""),
            labels.get("instance_container", ""),
            notes.get("summary", ""),
            notes.get("runbook", ""),
            _moment(str(alert.get("activeAt", ""))),
        )


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def _told(entry: Entry) -> dict[str, object]:
    keys = ("kind", "what", "outcome", "component", "container", "why", "evidence")
    return {"at": entry.at, **{key: str(getattr(entry, key)) for key in keys}}


def _releases(view: View) -> list[Release]:
    """The newest first."""
    names: dict[str, list[str]] = {}
    since: dict[str, float] = {}
    for item in view.of("backend"):
        names.setdefault(item.release, []).append(item.name)
        since[item.release] = min(since.get(item.release, item.created), item.created)
    found = [Release(release, since[release], sorted(own)) for release, own in names.items()]
    return sorted(found, key=lambda release: -release.since)


def _drift(view: View) -> Iterator[str]:
    """What can be seen of it from inside: `./medianest drift` sees the rest."""
    releases = {item.release for item in view.of("backend") if item.release}
    if len(releases) > 1 and not view.deploying:
        yield f"backends run {len(releases)} releases beside each other: {', '.join(sorted(releases))}"
    for item in view.containers:
        if item.component == "backend" and not item.release:
            yield f"{item.name} does not say of which release it is"
        if item.component not in SERVICES.keys() | _OWN | _HELPERS:
            said = item.component or "none"
            yield f"{item.name} carries the stack's labels, with a component that it has not: {said}"


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
