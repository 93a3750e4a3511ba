"""A report on performance as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ops.env.duration import in_words as duration_in_words
from ops.report.performance.model import Performance, Trend, figure, in_words, moment, spark

HEAD = ("figure", "mean", "highest", "at the end", "from start to end", "")


def as_markdown(report: Performance, plots: Mapping[str, str] | None = None) -> str:
    """The report. `plots` has the file of each trend's plot, by its key."""
    from datetime import timedelta

    plots = plots or {}
    span = duration_in_words(timedelta(seconds=report.end - report.start))
    parts = [
        f"# Performance of stack {report.stack}",
        f"{moment(report.start)} to {moment(report.end)} ({span}), a figure every {report.step:.0f} s.",
        "## Trends",
        _table(HEAD, (row for trend in report.trends for row in _trend_rows(trend))),
        *_levels(report.trends),
        *(
            f"### {trend.question.title}\n\n![{trend.question.title}]({plots[trend.question.key]})"
            for trend in report.trends
            if trend.question.key in plots
        ),
        "## Deploys",
        _deploys(report),
        "## Slowest routes",
        _routes(report),
        "## Statements that took the most time in Postgres",
        _statements(report),
    ]
    if report.missing:
        parts += ["## Not to be had", "\n".join(f"- {cell(line)}" for line in report.missing)]
    return "\n\n".join(parts) + "\n"


def _trend_rows(trend: Trend) -> Iterable[Sequence[str]]:
    question = trend.question
    for line in trend.lines:
        alone = len(trend.lines) == 1
        yield (
            question.title if alone else f"{question.title}, {line.name}",
            figure(line.mean, question.unit),
            figure(max(line.values), question.unit),
            figure(line.values[-1], question.unit),
            in_words(line, question.better),
            spark(line),
        )


def _levels(trends: Sequence[Trend]) -> list[str]:
    """Which trends spent time above the warning of their alert."""
    over = [
        f"- {trend.question.title}: above the warning of "
        f"{figure(trend.question.warning or 0, trend.question.unit)} for {trend.over:.0%} of the time."
        for trend in trends
        if trend.over
    ]
    return ["\n".join(over)] if over else ["No figure was above the warning of its alert."]


def _deploys(report: Performance) -> str:
    if not report.deploys:
        return "None in this time."
    rows = (
        (moment(mark.at), mark.release or "-", "done" if mark.succeeded else "failed", mark.by, mark.commit)
        for mark in report.deploys
    )
    return _table(("at", "release", "went", "by", "commit"), rows)


def _routes(report: Performance) -> str:
    if not report.routes:
        return "No request in this time, or the backend does not tell of its routes."
    rows = (
        (
            f"`{route.method} {route.route}`",
            f"{route.requests:.0f}",
            figure(route.mean_ms, "ms"),
            figure(route.p95_ms, "ms") if route.p95_ms is not None else "-",
            f"{route.share:.0%}",
        )
        for route in report.routes
    )
    return _table(("route", "requests", "mean", "p95", "of all the time"), rows)


def _statements(report: Performance) -> str:
    if not report.statements:
        return "None was counted."
    rows = (
        (
            f"`{statement.text.replace('`', ' ')}`",
            str(statement.calls),
            figure(statement.total_ms, "ms"),
            figure(statement.mean_ms, "ms"),
            figure(statement.longest_ms, "ms"),
        )
        for statement in report.statements
    )
    since = (
        f"Counted since {report.statements_since[:16].replace('T', ' ')}.\n\n"
        if report.statements_since
        else ""
    )
    return since + _table(("statement", "calls", "in all", "mean", "longest"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_row(head), "|" + "---|" * len(head), *(_row([cell(text) for text in row]) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def cell(text: str) -> str:
    """Text that stays in its cell."""
    return " ".join(text.split()).replace("|", "\\|")
