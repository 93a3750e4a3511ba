"""What a backup says of itself: of which stack and release, its parts, and what was in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

NOT_BACKED_UP = {"redis": "a cache: a restore empties it"}


@dataclass(frozen=True)
class Part:
    """One part's content, before compression. Sizes in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Table:
    """A table's rows: how many, and the sum of their hashes, which does not depend on their order."""

    rows: int
    digest: str


@dataclass(frozen=True)
class Database:
    """What the dump holds. `version` is the server's number: 170006 is 17.6. `roles` are names."""

    name: str
    user: str
    version: int
    roles: Sequence[str]
    tables: Mapping[str, Table]

    @property
    def major(self) -> int:
        return self.version // 10000

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())


@dataclass(frozen=True)
class Manifest:
    """A backup's description, the last thing in its file."""

    project: str
    stack: str
    owner: str
    release: str
    made: str
    database: Database
    volumes: Sequence[str]
    parts: Sequence[Part]
    left_out: Mapping[str, str] = field(default_factory=lambda: NOT_BACKED_UP)

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    def part(self, name: str) -> Part:
        return next(part for part in self.parts if part.name == name)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_manifest(document: Mapping[str, Any]) -> Manifest:
    """A manifest as `as_json` gave it."""
    database = document["database"]
    tables = {name: Table(**table) for name, table in database["tables"].items()}
    return Manifest(
        **{
            **document,
            "database": Database(**{**database, "tables": tables}),
            "parts": [Part(**part) for part in document["parts"]],
        }
    )


def differences(expected: Database, found: Mapping[str, Table], *, rows_only: bool = False) -> list[str]:
    """How the tables of a restored database differ from those that were backed up.

    With `rows_only` just their numbers count: another major version may write a value in another way.
    """
    problems = []
    for name, table in sorted(expected.tables.items()):
        other = found.get(name)
        if other is None:
            problems.append(f"table {name} is missing")
        elif other.rows != table.rows:
            problems.append(f"table {name} has {other.rows} rows instead of {table.rows}")
        elif not rows_only and other.digest != table.digest:
            problems.append(f"table {name} has other content")
    problems += [
        f"table {name} should not be there" for name in sorted(found.keys() - expected.tables.keys())
    ]
    return problems
