"""What counts as growth: a leak, and neither noise nor a warm-up."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from medianest.soak.growth import LEAST_SAMPLES, MOST_BINS, Sample, Series, growth

MB = 1e6
NOISE = random.Random(7)


def sampled(value: Callable[[float], float], seconds: int = 600) -> list[Sample]:
    return [(float(second), value(float(second))) for second in range(seconds)]


STEADY: dict[str, Callable[[float], float]] = {
    "flat": lambda _: 80 * MB,
    "noise": lambda _: 80 * MB + NOISE.gauss(0, 2 * MB),
    "spikes": lambda _: 80 * MB + (38 * MB if NOISE.random() < 0.15 else 0),
    "sawtooth": lambda t: 80 * MB + (t % 40) / 40 * 6 * MB,
    "warm-up": lambda t: 80 * MB - 30 * MB * math.exp(-t / 40),
    "shrinking": lambda t: 80 * MB - t * 0.02 * MB,
    "a step in the warm-up": lambda t: (60 if t < 200 else 80) * MB,
    "so little that it is noise": lambda t: 20 * MB + t / 600 * 1.5 * MB,
}
GROWING: dict[str, Callable[[float], float]] = {
    "leak": lambda t: 80 * MB + t * 0.01 * MB,
    "leak below noise": lambda t: 80 * MB + t * 0.015 * MB + NOISE.gauss(0, 2 * MB),
    "leak below a sawtooth": lambda t: 80 * MB + t * 0.015 * MB + (t % 40) / 40 * 6 * MB,
    "leak below spikes": lambda t: 80 * MB + t * 0.015 * MB + (38 * MB if NOISE.random() < 0.15 else 0),
    "leak in steps": lambda t: 80 * MB + t // 60 * MB,
}


@pytest.mark.parametrize("name", STEADY)
def test_what_stays_is_no_growth(name: str) -> None:
    found = growth(sampled(STEADY[name]))
    assert found is not None
    assert found.within(0.05, 2 * MB), found


@pytest.mark.parametrize("name", GROWING)
def test_a_leak_is_growth(name: str) -> None:
    found = growth(sampled(GROWING[name]))
    assert found is not None
    assert not found.within(0.05, 2 * MB), found


def test_growth_is_told_for_the_whole_run_and_from_the_end_of_the_warm_up() -> None:
    found = growth(sampled(lambda t: 100 + t, seconds=101))
    assert found is not None
    assert found.total == pytest.approx(100)
    assert found.start == pytest.approx(151.5)


def test_too_few_samples_say_nothing() -> None:
    assert growth([]) is None
    assert growth(sampled(lambda _: 1.0, seconds=2 * LEAST_SAMPLES - 2)) is None
    assert growth(sampled(lambda _: 1.0, seconds=2 * LEAST_SAMPLES)) is not None


@pytest.mark.parametrize(("name", "grows"), [("leak below spikes", True), ("spikes", False)])
def test_a_long_series_is_kept_small_and_says_the_same(name: str, grows: bool) -> None:
    series = Series()
    value = (GROWING | STEADY)[name]
    for second in range(20 * MOST_BINS):
        series.add(second, value(second * 600 / (20 * MOST_BINS)))
    assert len(series._bins) < MOST_BINS
    assert series.growth is not None
    assert series.growth.within(0.05, 2 * MB) is not grows
