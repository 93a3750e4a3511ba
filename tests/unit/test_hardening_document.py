"""The table of hardening, the benchmark and docs/hardening.md are one; Dockerfiles do their part."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.hardening.benchmark import ITEMS
from components.hardening.kinds import KINDS
from components.hardening.rules import RULES
from ops.restart_loops import RESTARTS, SECONDS
from ops.suites import dockerfiles

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "hardening.md").read_text()
# So many items have sections 4 and 5 of the benchmark.
SIZES = {"4": 12, "5": 32}


def table(*head: str) -> list[tuple[str, ...]]:
    """The rows of the document's table with that head."""
    text = DOCUMENT.split(f"| {' | '.join(head)} |\n", 1)[1].split("\n\n", 1)[0]
    lines = text.splitlines()[1:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def test_every_rule_is_documented() -> None:
    rows = [(rule.name, rule.reason, ", ".join(rule.items), rule.undeclared) for rule in RULES]
    assert table("rule", "why", "CIS", "where the program cannot tell") == rows


def test_every_exception_is_documented() -> None:
    rows = [(kind.name, name, reason) for kind in KINDS for name, reason in kind.exceptions.items()]
    assert table("container", "does not keep", "because") == rows


def test_every_item_of_the_benchmark_is_documented() -> None:
    rows = [
        (item.number, item.subject, "; ".join(part for part in (", ".join(item.rules), item.answer) if part))
        for item in ITEMS
    ]
    assert table("item", "about", "how it is answered") == rows


def test_the_document_says_what_a_restart_loop_is() -> None:
    assert (
        f"restarted {RESTARTS} times or more, and whose last exit was within {SECONDS // 60} minutes"
        in DOCUMENT
    )


def test_every_item_of_the_benchmark_is_accounted_for() -> None:
    numbers = [f"{section}.{number}" for section, size in SIZES.items() for number in range(1, size + 1)]
    assert [item.number for item in ITEMS] == numbers
    assert [item.number for item in ITEMS if not item.rules and not item.answer] == []
    assert {number for rule in RULES for number in rule.items} <= set(numbers)


@pytest.fixture(params=dockerfiles(ROOT))
def instructions(request: pytest.FixtureRequest) -> list[str]:
    """The instructions of a Dockerfile, each in one line."""
    text = (ROOT / str(request.param)).read_text()
    without_comments = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    return [line for line in re.sub(r"\\\n\s*", "", without_comments).splitlines() if line.strip()]


def test_package_lists_are_updated_where_packages_are_installed(instructions: list[str]) -> None:
    for line in instructions:
        assert line.count("apt-get update") == line.count("apt-get install"), line


def test_files_are_copied_and_never_fetched(instructions: list[str]) -> None:
    assert not [
        line for line in instructions if line.startswith("ADD") or re.search(r"\b(curl|wget)\b", line)
    ]


def test_packages_are_verified_and_no_more_than_needed(instructions: list[str]) -> None:
    for line in instructions:
        assert line.count("apt-get install") == line.count("--no-install-recommends"), line
        assert not re.search(r"allow-unauthenticated|trusted=yes|--force-yes|allow-insecure", line), line
        assert len(re.findall(r"pip install\b", line)) == line.count("--require-hashes"), line
