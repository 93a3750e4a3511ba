"""What an environment begins with: nothing, demo data, or a copy of a stack's database that is sanitised."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ops.errors import ExitCode, OperationError

if TYPE_CHECKING:
    from docker import APIClient

    from ops.backup.meter import Meter
    from ops.backup.target import Target
    from ops.env.plan import Plan
    from ops.session import Session

    Fill = Callable[[APIClient], dict[str, Any]]

NONE, SEED, COPY = "none", "seed", "copy:"
CHUNK_BYTES = 1 << 20


def choose_data(session: Session, planned: Plan, wanted: str | None, *, new: bool) -> Fill | None:
    """How to fill the environment; None for not at all.

    A new one is seeded where the base has a command for it; one that is there keeps what it has, unless
    `wanted` says something else. Raises OperationError before anything is made.
    """
    seed = planned.base_settings.environments.seed
    wanted = wanted or (SEED if new and seed else NONE)
    if wanted == NONE:
        return None
    if wanted == SEED:
        if seed is None:
            raise OperationError(
                f"the settings of stack {planned.base} have no command that makes demo data",
                "Set one: medianest:environments: {seed: [COMMAND, …]}, or: --data none",
                ExitCode.USAGE,
            )
        return partial(run_seed, session, planned.name, seed)
    if wanted.startswith(COPY) and wanted != COPY:
        source = wanted.removeprefix(COPY)
        return partial(copy_from, session, planned.name, source, read_script(session, planned, source))
    raise OperationError(
        f"--data {wanted[:40]!r} is not known", "One of: none, seed, copy:STACK", ExitCode.USAGE
    )


def read_script(session: Session, planned: Plan, source: str) -> bytes:
    """The script that sanitises a copy of the source. Raises OperationError: without it there is no copy."""
    from ops.project import load_settings

    session.deployed(source, ExitCode.REFUSED)
    settings = load_settings(session.project, source)
    if settings.environments.sanitise is None:
        raise OperationError(
            f"a copy of stack {source} would show what nobody else may see: its settings name no script "
            "that takes it out",
            "Write one, and name it: medianest:environments: {sanitise: FILE.sql}",
            ExitCode.REFUSED,
        )
    if settings.postgres.user != planned.base_settings.postgres.user:
        raise OperationError(
            f"the tables of stack {source} belong to {settings.postgres.user}, and {planned.name} would have "
            f"{planned.base_settings.postgres.user}",
            f"Make it from the same settings: --from {source}",
            ExitCode.REFUSED,
        )
    try:
        return (session.project.root / settings.environments.sanitise).read_bytes()
    except OSError as error:
        raise OperationError(
            f"the script {settings.environments.sanitise} cannot be read: {error.strerror}",
            "Correct environments.sanitise.",
            ExitCode.REFUSED,
        ) from error


def run_seed(session: Session, name: str, command: list[str], api: APIClient) -> dict[str, Any]:
    """Run the command in the backend's container: it has the secrets, the networks and the volumes.

    Raises OperationError with the end of what it said.
    """
    from ops.container_commands import run

    backend = session.deployed(name).outputs["containers"]["backend"][0]
    out, _ = run(api, backend, command, f"the demo data of {name}: {' '.join(command)}")
    lines = out.decode(errors="replace").strip().splitlines()
    return {"kind": SEED, "said": lines[-1] if lines else ""}


def copy_from(session: Session, name: str, source: str, script: bytes, _: APIClient) -> dict[str, Any]:
    """Copy a database and sanitise it, beside the one that is there, and only then put it in its place.

    So no backend ever sees it as it was. Files of volumes are not copied, secrets are the environment's
    own. Raises OperationError, and what was there is there.
    """
    from ops.backup.meter import Meter
    from ops.backup.restore import replace_data
    from ops.backup.target import open_target
    from ops.environment import private_directory
    from ops.paths import state_directory

    origin, target, meter = open_target(session, source), open_target(session, name), Meter()
    # It has no name: whatever ends this process frees it. Not in /tmp, which may be small, or memory.
    with tempfile.TemporaryFile(dir=private_directory(state_directory())) as file:
        downtime = replace_data(
            target, Path(f"copy:{source}"), meter, lambda: _put_beside(origin, target, script, file, meter)
        )
    return {"kind": "copy", "source": source, "downtime_seconds": round(downtime, 2)}


def _put_beside(origin: Target, target: Target, script: bytes, file: IO[bytes], meter: Meter) -> None:
    from ops.backup.manifest import Database

    found: list[Database] = []
    meter.phase(f"Dumping the database of {origin.stack}")
    for part in meter.through(origin.server.dump(found.append)):
        file.write(part)
    size = file.tell()
    file.seek(0)
    meter.phase("Restoring it beside what is there")
    target.server.stage(meter.through(_chunks(file)), size, found[0].roles)
    meter.phase("Sanitising it")
    target.server.change_staged(script)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while part := file.read(CHUNK_BYTES):
        yield part
