"""The reports that a stack's guardian makes: a new one now, and those that it has kept.

What a report says is the guardian's to decide (guardian/reports): here it is only asked for and read.
"""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import IO, TYPE_CHECKING, Any

from ops.errors import ExitCode, OperationError

if TYPE_CHECKING:
    from docker import APIClient

Report = Mapping[str, Any]
# In the guardian's container (docs/healing.md).
DIRECTORY = "/var/lib/guardian/reports"
COMMAND = ("python3", "-m", "guardian", "report")


class Kind(StrEnum):
    """The reports that the guardian makes."""

    MEMORY = "memory"
    HEALTH = "health"
    WORKERS = "workers"


def guardian_of(outputs: Mapping[str, Any], stack: str) -> str:
    """The name of a stack's guardian. Raises OperationError for a stack that has none."""
    found: Sequence[str] = outputs["containers"].get("guardian") or ()
    if not found:
        raise OperationError(
            f"stack {stack} is not watched: nobody is there who reports",
            "Set medianest:monitoring: {enabled: true} and run ./medianest up "
            f"{stack}; or look at it from here: ./medianest health {stack}",
            ExitCode.REFUSED,
        )
    return found[0]


def make(api: APIClient, guardian: str, kind: Kind, stack: str) -> Report:
    """Have the guardian make a report now, which it keeps as any other. Raises OperationError."""
    from docker.errors import APIError

    from ops.container_commands import CommandError, run

    hint = (
        f"Look at: ./medianest status {stack}. What was reported before: "
        f"./medianest report {kind} {stack} --history"
    )
    try:
        out, _ = run(api, guardian, [*COMMAND, kind.value], f"report {kind}")
        made: Report = json.loads(out)
    except CommandError as error:
        why = error.said.strip().splitlines()
        raise OperationError(
            f"the guardian of stack {stack} made no report: {why[-1] if why else 'it did not say why'}", hint
        ) from error
    except (APIError, ValueError) as error:
        raise OperationError(
            f"the guardian of stack {stack} cannot be asked: it does not run, or is paused", hint
        ) from error
    return made


def read(api: APIClient, guardian: str, kind: Kind, since: float) -> list[Report]:
    """The reports that were kept since then, in seconds since 1970, the oldest first.

    Read off its volume, so that they are there when it does not run. None where there are none yet.
    """
    from docker.errors import NotFound

    try:
        stream, _ = api.get_archive(guardian, f"{DIRECTORY}/{kind.value}.jsonl")
    except NotFound:
        return []
    # Months of them are much: they go through a file, and those that are asked for stay in memory.
    with tempfile.TemporaryFile() as file:
        for part in stream:
            file.write(part)
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            content = archive.extractfile(archive.getmembers()[0])
            return list(parse(content, since)) if content else []


def parse(lines: IO[bytes] | Sequence[bytes], since: float) -> Iterator[Report]:
    """The reports in lines of JSON. A line that is cut off, as one that is being written, is passed over."""
    for line in lines:
        try:
            report = json.loads(line)
            if report["at"] >= since:
                yield report
        except (ValueError, KeyError, TypeError):
            continue
