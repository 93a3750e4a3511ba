"""Runs the verification suite against a deployed stack, and reads its verdicts."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from ops.errors import OperationError

if TYPE_CHECKING:
    from rich.table import Table

    from components.settings import StackSettings
    from ops.output import Output
    from ops.session import Session

SUITE = "tests/stack/verify"
# Names the file with what the suite is to know of the stack.
FACTS_VARIABLE = "MEDIANEST_STACK_FACTS"
NOTHING_COLLECTED = 5


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check. `outcome` is passed, failed or skipped; `reason` says why."""

    check: str
    outcome: str
    reason: str
    seconds: float


@dataclass(frozen=True)
class Verdicts:
    """All verdicts of one run."""

    verdicts: tuple[Verdict, ...]

    @property
    def failed(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.outcome == "failed"]

    @property
    def passed(self) -> bool:
        """Whether something was checked and nothing failed."""
        return bool(self.verdicts) and not self.failed

    def summary(self) -> str:
        if not self.verdicts:
            return "nothing was verified"
        if not self.failed:
            return f"all {len(self.verdicts)} checks passed"
        return f"{len(self.failed)} of {len(self.verdicts)} checks failed"

    def as_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "checks": [
                {"check": v.check, "outcome": v.outcome, "reason": v.reason, "seconds": v.seconds}
                for v in self.verdicts
            ],
        }

    def table(self) -> Table:
        from rich.markup import escape
        from rich.table import Table

        colours = {"passed": "green", "failed": "red", "skipped": "yellow"}
        table = Table("check", "verdict", "reason", title=None)
        for verdict in self.verdicts:
            colour = colours[verdict.outcome]
            table.add_row(verdict.check, f"[{colour}]{verdict.outcome}[/]", escape(verdict.reason))
        return table


def verify_stack(
    session: Session, stack: str, outputs: Mapping[str, Any], settings: StackSettings, output: Output
) -> Verdicts:
    """Run the toolkit's checks and those of the settings. Raises OperationError when they cannot run."""
    output.progress(f"Verifying stack {stack}")
    facts = {"stack": stack, "outputs": outputs, "settings": settings.model_dump(mode="json")}
    with tempfile.TemporaryDirectory(prefix="medianest-") as directory:
        file, report = Path(directory, "facts.json"), Path(directory, "report.xml")
        file.write_text(json.dumps(facts))
        arguments = [
            *("-m", "pytest", SUITE, *settings.verification.paths),
            *(f"--junit-xml={report}", "--quiet", "--no-header", "-p", "no:cacheprovider"),
        ]
        # A process of its own: pytest leaves its traces in the one that it runs in.
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=session.project.root,
            env={**session.environment, FACTS_VARIABLE: str(file)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 1, NOTHING_COLLECTED) or not report.exists():
            raise OperationError(
                f"the verification of stack {stack} could not run:\n{tail(done.stdout)}",
                "Correct what it names: the checks, or verification.paths in the settings.",
            )
        return read_report(report.read_text())


def read_report(xml: str) -> Verdicts:
    """The verdicts in a JUnit report of pytest."""
    verdicts = []
    for case in ElementTree.fromstring(xml).iter("testcase"):  # noqa: S314 - our own pytest wrote it
        bad = next((case.find(tag) for tag in ("failure", "error") if case.find(tag) is not None), None)
        skipped = case.find("skipped")
        outcome = "failed" if bad is not None else "skipped" if skipped is not None else "passed"
        element = bad if bad is not None else skipped
        reason = element.get("message", "") if element is not None else ""
        verdicts.append(
            Verdict(sentence(case.get("name", "")), outcome, first_lines(reason), float(case.get("time", 0)))
        )
    return Verdicts(tuple(verdicts))


def sentence(name: str) -> str:
    """A test's name as words: test_no_secret_in_the_environment[redis] reads as people do."""
    words, bracket, parameter = name.removeprefix("test_").partition("[")
    return words.replace("_", " ") + (f" ({parameter.rstrip(']')})" if bracket else "")


def first_lines(text: str, count: int = 3) -> str:
    return "\n".join(text.strip().splitlines()[:count])


def tail(text: str, count: int = 15) -> str:
    return "\n".join(text.strip().splitlines()[-count:])
