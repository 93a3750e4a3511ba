"""The trends as plots: one SVG file a trend, with the deploys on its time line.

None of them loads anything from elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ops.report.performance.model import DeployMark, Performance, Trend

WIDTH, HEIGHT = 900, 320
LABELS = 6


def write_plots(report: Performance, directory: Path) -> dict[str, str]:
    """Write them; returns the name of each file by the trend's key. Raises OSError."""
    written = {}
    for trend in report.trends:
        name = f"{trend.question.key}.svg"
        (directory / name).write_bytes(plot(trend, report.deploys, report.start, report.end))
        written[trend.question.key] = name
    return written


def plot(trend: Trend, deploys: Sequence[DeployMark], start: float, end: float) -> bytes:
    """One plot. Times are those of this machine's zone."""
    # Here, since nothing else needs it.
    from pygal import Config, DateTimeLine, PluginImportFixer
    from pygal.style import CleanStyle

    # It looks at every import from then on, for plug-ins that we have not got.
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, PluginImportFixer)]
    question = trend.question
    highest = max((max(line.values) for line in trend.lines), default=0.0)
    config = Config()
    config.js = []  # nothing from elsewhere, and no tool tips
    chart = DateTimeLine(
        config,
        style=CleanStyle,
        width=WIDTH,
        height=HEIGHT,
        title=f"{question.title}, {question.unit}" if question.unit else question.title,
        show_dots=False,
        allow_interruptions=True,
        legend_at_bottom=True,
        include_x_axis=True,
        xrange=(start, end),
        x_label_rotation=20,
        truncate_legend=-1,
        x_value_formatter=lambda at: at.strftime("%m-%d %H:%M"),
    )
    for line in trend.lines:
        chart.add(line.name, [(_time(at), value) for at, value in line.points])
    ends = (start, end)
    # A level far above everything would flatten the rest.
    for name, level in (("warning", question.warning), ("critical", question.critical)):
        if level is not None and level <= 2 * highest:
            chart.add(name, [(_time(at), level) for at in ends], stroke_style={"dasharray": "6, 4"})
    if deploys:
        marks = [[(_time(mark.at), 0.0), (_time(mark.at), highest or 1.0), None] for mark in deploys]
        chart.add("deploys", [point for mark in marks for point in mark], stroke_style={"dasharray": "2, 3"})
    step = (end - start) / LABELS
    chart.x_labels = [_time(start + index * step) for index in range(LABELS + 1)]
    rendered: bytes = chart.render()
    return rendered


def _time(at: float) -> datetime:
    # pygal draws what it takes for UTC: local times without a zone stay as they are.
    return datetime.fromtimestamp(at)
