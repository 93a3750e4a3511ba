"""Figures on their way to a limit, told from those that only go up and down or are warming up."""

from __future__ import annotations

from components.monitoring.windows import Windows

# Between two thirds of the window the floor has to move by more than this share of it.
RISE = 0.02
# A growth that slows down by more than this is a warm-up that will end by itself.
STEADY = 0.7


def rising(series: str, limit: str, window: float, ahead: float, windows: Windows) -> str:
    """Whether `series` reaches `limit` within `ahead` seconds, by what it did in the last `window`.

    The line through the readings has to cross the limit, and the floor of the figure (its lowest in a
    third of the window) has to rise from third to third, without slowing down. A sawtooth falls back
    to its floor, as long as its period is not longer than a third of the window; a warm-up slows
    down. A series that has not been there for a whole window is not judged.
    """
    third = windows.span(window / 3)
    floors = [f"min_over_time({series}[{third}]{_offset(number, window, windows)})" for number in range(3)]
    return _trend(series, "+", f"> {limit}", floors, window, ahead, windows)


def falling(series: str, window: float, ahead: float, windows: Windows) -> str:
    """The same for what falls to nothing: the ceiling, the highest of each third, has to fall."""
    third = windows.span(window / 3)
    ceilings = [f"max_over_time({series}[{third}]{_offset(number, window, windows)})" for number in range(3)]
    return _trend(series, "-", "< 0", ceilings, window, ahead, windows)


def _offset(thirds: int, window: float, windows: Windows) -> str:
    if not thirds:
        return ""
    milliseconds = int(windows.span(window / 3).removesuffix("ms")) * thirds
    return f" offset {milliseconds}ms"


def _trend(
    series: str, sign: str, crossed: str, bounds: list[str], window: float, ahead: float, windows: Windows
) -> str:
    newest, middle, oldest = bounds
    later, earlier = f"({newest} - {middle})", f"({middle} - {oldest})"
    if sign == "-":
        later, earlier = f"({middle} - {newest})", f"({oldest} - {middle})"
    return (
        f"predict_linear({series}[{windows.span(window)}], {windows.ahead(ahead):g}) {crossed}"
        f" and {earlier} > {RISE} * {oldest}"
        f" and {later} > {RISE} * {oldest}"
        f" and {later} > {STEADY} * {earlier}"
    )
