"""Results of tests with the mark `fault` are written down: see harness/fault_results.py."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.harness.fault_results import figures_of_a_test, write_down

FIGURES = pytest.StashKey[list[str]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    if item.get_closest_marker("fault") is None:
        return (yield)
    with figures_of_a_test() as figures:
        item.stash[FIGURES] = figures
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call" and FIGURES in item.stash and not report.skipped:
        write_down(item.nodeid, report.passed, call.duration, item.stash[FIGURES])
    return report
