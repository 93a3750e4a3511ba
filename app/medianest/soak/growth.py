"""Whether a value grows: decided on a series of samples, after its first half as the warm-up."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# A slope of fewer samples says nothing.
LEAST_SAMPLES = 4
MOST_BINS = 240

Sample = tuple[float, float]
"""Seconds, value."""


@dataclass(frozen=True)
class Growth:
    """How much a value grows over the whole of a run, at the slope that it has after the warm-up."""

    start: float
    total: float

    def within(self, share: float, floor: float) -> bool:
        """Whether it is at most a share of the value at the start, or so little that it is noise."""
        return self.total <= max(share * self.start, floor)


def growth(samples: Sequence[Sample]) -> Growth | None:
    """The growth by the median of all slopes between two samples; None with too few samples.

    Up to 29 % of the samples may lie anywhere, as those taken in the middle of a password's hash do.
    Source: Theil-Sen estimator, https://en.wikipedia.org/wiki/Theil%E2%80%93Sen_estimator
    """
    after_warm_up = samples[len(samples) // 2 :]
    if len(after_warm_up) < LEAST_SAMPLES:
        return None
    slopes = [
        (later - earlier) / (end - begin)
        for (begin, earlier), (end, later) in itertools.combinations(after_warm_up, 2)
        if end > begin
    ]
    start = statistics.median(value for _, value in after_warm_up[:LEAST_SAMPLES])
    duration = samples[-1][0] - samples[0][0]
    return Growth(start, statistics.median(slopes) * duration)


class Series:
    """Samples of a value, taken at a steady pace. Keeps a bounded number of medians, however long it
    goes on: when they get too many, each two become one."""

    def __init__(self) -> None:
        self._bins: list[Sample] = []
        self._open: list[Sample] = []
        self._width = 1

    def add(self, seconds: float, value: float) -> None:
        self._open.append((seconds, value))
        if len(self._open) < self._width:
            return
        self._bins.append(_middle(self._open, statistics.median))
        self._open = []
        if len(self._bins) == MOST_BINS:
            pairs = zip(self._bins[::2], self._bins[1::2], strict=True)
            self._bins = [_middle(pair, statistics.fmean) for pair in pairs]
            self._width *= 2

    @property
    def growth(self) -> Growth | None:
        return growth(self._bins)


def _middle(samples: Sequence[Sample], kind: Callable[[list[float]], float]) -> Sample:
    return kind([seconds for seconds, _ in samples]), kind([value for _, value in samples])
