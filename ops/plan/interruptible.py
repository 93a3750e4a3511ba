"""Tells that an update interrupts nobody, without asking Pulumi, which takes seconds to find out.

What can interrupt, or delete data, is declared by a part of the settings and by a part of the tree. A
fingerprint of those, together with the state as it was left, is kept after each update, in the cache:
where it is the same, the update only changes the rest. In any doubt Pulumi is asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.settings import StackSettings
    from ops.session import Session
    from ops.unchanged import Inputs

# What the gateway's container is made of; the rest of its settings is its configuration, which it reloads.
OF_THE_GATEWAY = {"address", "port", "limits"}
# The program, the images of the services, and the tools: of the backend nothing, since it is replaced
# create-first.
FILES = ("__main__.py", "Pulumi.yaml", "components", "images", "requirements", "toolchain/versions.toml")


def gather(session: Session, stack: str, settings: StackSettings) -> Inputs | None:
    """Everything that can interrupt; None where that cannot be told."""
    from ops.unchanged import Inputs, ambience, records

    if session.files is None:
        return None
    root = session.project.root
    digest = hashlib.sha256(json.dumps(declared(settings), sort_keys=True).encode())
    for path in files(root):
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        digest.update(f"{path.relative_to(root)}\0{path.lstat().st_mode}\0{len(content)}\0".encode())
        digest.update(content)
    digest.update(repr(ambience(session.environment)).encode())
    name = hashlib.sha256(f"{root}\0{session.files.directory}".encode()).hexdigest()[:16]
    return Inputs(digest.hexdigest(), records(session.project.name, stack) / f"{name}-interruptible")


def declared(settings: StackSettings) -> dict[str, object]:
    """The settings that can interrupt or delete data."""
    return {
        "gateway": settings.gateway.model_dump(mode="json", include=OF_THE_GATEWAY),
        "postgres": settings.postgres.model_dump(mode="json"),
        "redis": settings.redis.model_dump(mode="json"),
        "volumes": sorted(volume.name for volume in [*settings.backend.volumes, *settings.idle.volumes]),
    }


def files(root: Path) -> Iterator[Path]:
    """The files that can interrupt, in a steady order."""
    from ops.unchanged import tree

    for name in FILES:
        path = root / name
        if path.is_dir() and not path.is_symlink():
            yield from tree(path)
        elif path.exists():
            yield path


def same(session: Session, stack: str, found: Inputs | None) -> bool:
    """Whether nothing that can interrupt has changed since the last update from here."""
    if found is None or session.files is None or not found.record.is_file():
        return False
    state = session.files.path(session.project.name, stack)
    return state.is_file() and found.record.read_text() == found.fingerprint(state)


def remember(session: Session, stack: str, found: Inputs | None) -> None:
    """Note that what can interrupt is now as it was gathered."""
    if found is None or session.files is None:
        return
    state = session.files.path(session.project.name, stack)
    if state.is_file():
        found.record.parent.mkdir(parents=True, exist_ok=True)
        found.record.write_text(found.fingerprint(state))
