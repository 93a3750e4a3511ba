"""What every page that is made is written with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, a line a row."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell(text) for text in line)} |" for line in lines)


def cell(text: str) -> str:
    """One line. Raises ValueError for a bar: not every Markdown has a way to write one in a table."""
    if "|" in text:
        raise ValueError(f"a bar in a cell: {text}")
    return " ".join(text.split())


def code(text: str) -> str:
    return f"`{text}`" if text else ""
