"""docs/reliability.md has every fault that tests make, with what their last run has measured."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from documentation import faults
from documentation.faults import Fault, figures_of, marks, read, row
from tests.harness.fault_results import figures_of_a_test, measured, write_down

ROOT = Path(__file__).parents[2]
# Everything in these makes a fault, but for what only looks at the guardian's own figures and reports.
OF_FAULTS = [*sorted((ROOT / "tests" / "faults").glob("test_*.py")), ROOT / "tests/guardian/test_guardian.py"]
OF_NO_FAULT = {"test_figures_of_the_containers", "test_reports_are_written_by_themselves"}
KILLED = Fault("tests/faults/test_healing.py", "test_killed", "killed", "it is started")


def test_every_test_of_a_fault_is_in_the_matrix() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    for path in OF_FAULTS:
        for test in ast.parse(path.read_text()).body:
            if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
                told = list(marks(test))
                assert bool(told) != (test.name in OF_NO_FAULT), f"{test.name} has no mark `fault`"
                for fault, promise in told:
                    assert f"| {fault} | {promise} |" in page, test.name


def test_what_a_test_has_measured_gets_into_its_row(tmp_path: Path) -> None:
    results = tmp_path / "results"
    with figures_of_a_test() as figures:
        measured("1 of 400 failed")
    write_down(f"{KILLED.path}::{KILLED.test}[redis]", True, 3.21, figures, results)
    write_down(f"{KILLED.path}::{KILLED.test}[postgres]", False, 4.0, [], results)
    write_down(f"{KILLED.path}::{KILLED.test}_too", True, 1.0, [], results)
    _, _, held, figures_said, _ = row(KILLED, list(read(results)))
    assert held == "1 of 2"
    assert figures_said == "redis: 1 of 400 failed; postgres: 4 s in all"


def test_a_test_of_no_fault_measures_for_nobody() -> None:
    measured("nothing is kept")
    with figures_of_a_test() as figures:
        pass
    assert figures == []


def test_a_fault_that_was_not_run_says_so() -> None:
    assert row(KILLED, [])[2] == "not run yet"


def test_one_variant_needs_no_name() -> None:
    assert figures_of({"test": "t[engine]", "measured": ["2 s"], "seconds": 9}, several=False) == "2 s"


def test_the_newest_result_is_kept_and_that_of_a_test_that_is_gone_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = faults.faults()[0]
    name = f"{known.path}::{known.test}"
    kept, left = tmp_path / "kept", tmp_path / "left"
    monkeypatch.setattr(faults, "KEPT", kept)
    monkeypatch.setattr(faults, "LEFT_BY_RUNS", left)
    write_down(name, False, 1, [], kept)
    write_down("tests/faults/test_gone.py::test_gone", True, 1, [], kept)
    write_down(name, True, 2, [], left)
    faults.take_in()
    (result,) = read(kept)
    assert (result["test"], result["passed"]) == (name, True)
    assert not left.exists()
    faults.take_in()
    assert len(list(read(kept))) == 1
    assert json.loads(kept.read_text())["seconds"] == 2
