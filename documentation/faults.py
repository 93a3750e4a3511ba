"""The matrix of faults: what the tests make, what they promise, what their last run has measured.

Faults and promises are read off the tests' marks, without importing them; figures come from
documentation/faults.jsonl, into which `python -m documentation` takes what test runs have left in .build/.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from documentation.markdown import code, table

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "documentation" / "faults.jsonl"
LEFT_BY_RUNS = ROOT / ".build" / "faults.jsonl"
MARK = "fault"
# By folder, in this order: what it is that the faults are made to.
PLACES = {
    "tests/faults": "A whole stack; the default backend alone, with nothing before it",
    "tests/stack": "Deploys, state and data",
    "tests/guardian": "The guardian alone, on real containers",
    "tests/images": "The gateway alone, on real containers",
    "tests/review": "Posting into pull requests",
}
HEAD = """\
# Reliability

<!-- Made by `python -m documentation` from the tests' marks and their last results. Do not edit. -->

Every fault that the tests make real, what is promised, and what the last run has measured. Figures are of
2 cores that other tests shared, often at a load of ten and more: read them as sizes. *Held* says in how many
variants of a test the promise was kept. How it is done is in [healing.md](healing.md),
[deploys.md](deploys.md) and [backup.md](backup.md).
"""
Result = Mapping[str, Any]


@dataclass(frozen=True)
class Fault:
    """A test with the mark: its file, its name, and what the mark says."""

    path: str
    test: str
    fault: str
    promise: str


def faults_page() -> str:
    """The whole page. Raises LookupError where a fault is made in a place that it does not know."""
    results, parts = list(read(KEPT)), [HEAD]
    found = faults()
    if unplaced := {fault.path for fault in found if Path(fault.path).parent.as_posix() not in PLACES}:
        raise LookupError(f"documentation/faults.py knows no place for {', '.join(sorted(unplaced))}")
    for place, title in PLACES.items():
        rows = [row(fault, results) for fault in found if Path(fault.path).parent.as_posix() == place]
        if rows:
            parts.append(
                f"## {title}\n\n" + table(("fault", "promised", "held", "measured", "test"), rows) + "\n"
            )
    return "\n".join(parts)


def faults() -> list[Fault]:
    """All faults that tests make, in the order of files and lines."""
    return [
        Fault(path.relative_to(ROOT).as_posix(), test.name, *arguments)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if f"mark.{MARK}(" in path.read_text()
        for test in ast.walk(ast.parse(path.read_text()))
        if isinstance(test, ast.FunctionDef)
        for arguments in marks(test)
    ]


def marks(test: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"pytest.mark.{MARK}":
            fault, promise = (ast.literal_eval(argument) for argument in decorator.args)
            yield fault, promise


def row(fault: Fault, results: Iterable[Result]) -> tuple[str, ...]:
    own = [result for result in results if result["test"].split("[")[0] == f"{fault.path}::{fault.test}"]
    if not own:
        return (fault.fault, fault.promise, "not run yet", "", code(Path(fault.path).stem))
    held = sum(result["passed"] for result in own)
    figures = "; ".join(figures_of(result, len(own) > 1) for result in own)
    return (fault.fault, fault.promise, f"{held} of {len(own)}", figures, code(Path(fault.path).stem))


def figures_of(result: Result, several: bool) -> str:
    """What was measured in a run, with the variant where there are several."""
    variant = result["test"].partition("[")[2].rstrip("]") if several else ""
    said = ", ".join(result["measured"]) or f"{result['seconds']:g} s in all"
    return f"{variant}: {said}" if variant else said


def read(path: Path) -> Iterator[Result]:
    if path.exists():
        yield from (json.loads(line) for line in path.read_text().splitlines())


def take_in() -> None:
    """The newest result of each test is kept, those of tests that are gone are not."""
    known = {f"{fault.path}::{fault.test}" for fault in faults()}
    newest = {result["test"]: result for result in (*read(KEPT), *read(LEFT_BY_RUNS))}
    kept = [newest[test] for test in sorted(newest) if test.split("[")[0] in known]
    KEPT.write_text("".join(json.dumps(result, ensure_ascii=False) + "\n" for result in kept))
    LEFT_BY_RUNS.unlink(missing_ok=True)
