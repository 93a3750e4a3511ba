"""Gathers a report on performance: from Prometheus, from Postgres, and from Pulumi's history."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from components.accounts import owner_role, psql
from components.settings import StackSettings
from ops.errors import ExitCode, OperationError
from ops.inside import AskingError
from ops.prometheus import Prometheus, Series
from ops.report.performance.model import (
    DeployMark,
    Line,
    Performance,
    Route,
    Statement,
    Trend,
    read_routes,
)
from ops.report.performance.questions import ROUTES, Question, questions, route_questions, step_of

if TYPE_CHECKING:
    from docker import APIClient

    from ops.releases.deploys import Deploy

STATEMENTS = 10
LONGEST_STATEMENT = 300
# The extension is in the server's own database, so that it is in no backup of the backend's.
DATABASE = "postgres"
# Of what backends do alone: they act as that role (docs/contract.md). jsonb, which is one line; `\q`, since
# psql must end by itself.
QUESTION = """\
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
SELECT jsonb_build_object(
  'since', (SELECT stats_reset FROM pg_stat_statements_info),
  'statements', (SELECT coalesce(jsonb_agg(found), '[]'::jsonb) FROM (
    SELECT left(regexp_replace(query, '\\s+', ' ', 'g'), {longest}) AS text, calls, rows,
           total_exec_time AS total_ms, mean_exec_time AS mean_ms, max_exec_time AS longest_ms
    FROM pg_stat_statements
    JOIN pg_database ON pg_database.oid = dbid
    JOIN pg_roles ON pg_roles.oid = userid
    WHERE datname = '{database}' AND rolname = '{role}'
    ORDER BY total_exec_time DESC LIMIT {count}) AS found));
\\q
"""


def gather(
    api: APIClient,
    stack: str,
    outputs: Mapping[str, Any],
    settings: StackSettings,
    deploys: list[Deploy],
    start: float,
    end: float,
) -> Performance:
    """The report of a span of time, in seconds since 1970.

    Raises OperationError where there is no Prometheus, or where it does not answer.
    """
    prometheus = prometheus_of(api, stack, outputs)
    missing: list[str] = []
    step = step_of(end - start, settings.monitoring.scrape_seconds)
    with ThreadPoolExecutor(max_workers=4) as pool:
        trends = list(
            pool.map(
                lambda question: trend(prometheus, question, start, end, step, missing),
                questions(settings, step),
            )
        )
        routes = routes_of(prometheus, settings, end - start, missing)
    if not any(found.lines for found in trends):
        raise OperationError(
            f"Prometheus of stack {stack} has no figures of that time"
            + (f": {missing[0]}" if missing else ""),
            f"Look at: ./medianest status {stack}. It keeps {settings.monitoring.prometheus.retention_days} "
            "days (monitoring.prometheus.retention_days).",
        )
    since, statements = statements_of(api, outputs, settings, missing)
    return Performance(
        stack=stack,
        start=start,
        end=end,
        step=step,
        trends=[found for found in trends if found.lines],
        routes=routes[:ROUTES],
        statements=statements,
        statements_since=since,
        deploys=marks(deploys, start, end),
        missing=missing,
    )


def prometheus_of(api: APIClient, stack: str, outputs: Mapping[str, Any]) -> Prometheus:
    """The stack's Prometheus. Raises OperationError for a stack that has none."""
    found = outputs["containers"].get("prometheus") or ()
    if not found:
        raise OperationError(
            f"stack {stack} is not watched: nobody keeps figures of it",
            "Set medianest:monitoring: {enabled: true} and run ./medianest up "
            f"{stack}; or look at it from here: ./medianest health {stack}",
            ExitCode.REFUSED,
        )
    return Prometheus(api, found[0])


def trend(
    prometheus: Prometheus, question: Question, start: float, end: float, step: float, missing: list[str]
) -> Trend:
    """One question's answer; what cannot be had is noted."""
    lines = []
    try:
        for name, expression in question.lines:
            for series in prometheus.trend(expression, start, end, step):
                if series.points:
                    lines.append(Line(name.format(series.labels.get(question.by, "")), series.points))
    except AskingError as error:
        missing.append(f"{question.title}: {error}")
    return Trend(question, lines)


def routes_of(
    prometheus: Prometheus, settings: StackSettings, seconds: float, missing: list[str]
) -> list[Route]:
    """The routes over the whole span, the slowest first."""
    if settings.monitoring.backend_metrics is None:
        return []
    try:
        answers = {what: by_route(prometheus.now(asked)) for what, asked in route_questions(seconds).items()}
    except AskingError as error:
        missing.append(f"Routes: {error}")
        return []
    return read_routes(answers)


def by_route(found: list[Series]) -> dict[tuple[str, str], float]:
    """The newest figure by route and method."""
    return {
        (series.labels.get("route", ""), series.labels.get("method", "")): series.last
        for series in found
        if series.last is not None
    }


def statements_of(
    api: APIClient,
    outputs: Mapping[str, Any],
    settings: StackSettings,
    missing: list[str],
    ask: Callable[..., str] | None = None,
) -> tuple[str, list[Statement]]:
    """What Postgres has counted of the backends' statements, and since when."""
    from docker.errors import APIError

    from components import engine_exec

    postgres = settings.postgres
    question = QUESTION.format(
        longest=LONGEST_STATEMENT,
        database=postgres.database,
        role=owner_role(postgres.user),
        count=STATEMENTS,
    )
    command = psql(postgres.user, DATABASE)
    try:
        said = (ask or engine_exec.ask)(api, outputs["containers"]["postgres"][0], command, question)
        return read_statements(said)
    except engine_exec.ExecError as error:
        loaded = "shared_preload_libraries" not in str(error)
        why = str(error).splitlines()[0] if loaded else "they are not counted: the next `up` switches that on"
        missing.append(f"Statements: {why}")
    except (APIError, OSError):
        missing.append("Statements: Postgres does not run")
    return "", []


def read_statements(said: str) -> tuple[str, list[Statement]]:
    """Postgres' answer. What was said before it is passed over."""
    document = json.loads(said.splitlines()[-1])
    found = [
        Statement(
            str(row["text"]),
            int(row["calls"]),
            float(row["total_ms"]),
            float(row["mean_ms"]),
            float(row["longest_ms"]),
            int(row["rows"]),
        )
        for row in document["statements"]
    ]
    return str(document.get("since") or ""), found


def marks(deploys: list[Deploy], start: float, end: float) -> list[DeployMark]:
    """The updates of a span of time, the oldest first."""
    return [
        DeployMark(
            deploy.started.timestamp(),
            deploy.facts.release if deploy.facts else "",
            deploy.succeeded,
            deploy.by,
            deploy.commit[:12],
        )
        for deploy in deploys
        if deploy.kind == "update" and start <= deploy.started.timestamp() <= end
    ]
