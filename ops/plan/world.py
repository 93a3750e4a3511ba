"""What a plan was made of: files, settings, state, and what runs. As hashes: they tell what has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.plan.words import first_few

if TYPE_CHECKING:
    from components.settings import StackSettings
    from ops.session import Session

# Of an inspected container: what it was made with. The rest changes by itself.
MADE_WITH = ("Image", "Config", "HostConfig")


@dataclass(frozen=True)
class World:
    """Hashes: of each file that counts, each setting, the state, the surroundings, each container."""

    files: Mapping[str, str]
    settings: Mapping[str, str]
    state: str
    surroundings: str
    live: Mapping[str, str]

    @classmethod
    def seen_now(cls, session: Session, stack: str, settings: StackSettings, besides: Path) -> World:
        """The world as it is. `besides` is a file that does not count: that of the plan itself."""
        from ops.plan.setting_changes import flatten
        from ops.unchanged import ambience

        root = session.project.root
        return cls(
            files={
                str(path.relative_to(root)): digest(content(path))
                for path in counting(session, stack, settings)
                if path.resolve() != besides.resolve()
            },
            settings={path: digest(value) for path, value in flatten(settings.model_dump(mode="json"))},
            state=state_digest(session, stack),
            surroundings=digest(ambience(session.environment)),
            live=live(session, stack),
        )


def differences(before: World, now: World, stack: str) -> list[str]:
    """What is another, one sentence each."""
    settings_file = f"Pulumi.{stack}.yaml"
    files = [path for path in changed(before.files, now.files) if path != settings_file]
    settings = changed(before.settings, now.settings)
    containers = changed(before.live, now.live)
    return [
        *([f"files have changed: {first_few(files)}"] if files else []),
        *([f"settings have changed: {first_few(settings)}"] if settings else []),
        *(["the state was changed by another update"] if before.state != now.state else []),
        *(["the tools or their variables are others"] if before.surroundings != now.surroundings else []),
        # What another update has changed it has changed on the engine too.
        *(
            [f"what runs has changed: {first_few(containers)}"]
            if containers and before.state == now.state
            else []
        ),
    ]


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))


def counting(session: Session, stack: str, settings: StackSettings) -> Iterator[Path]:
    """The files that an update is made of."""
    from ops.plan.interruptible import files
    from ops.unchanged import tree

    root = session.project.root
    yield from files(root)
    # Interrupts nobody, but is a part of the update all the same.
    yield from tree(root / "guardian")
    if (own := session.project.settings_file(stack)).exists():
        yield own
    yield from tree(root / settings.backend.build.context)


def state_digest(session: Session, stack: str) -> str:
    """The state, byte by byte where it lies in a file, as it is exported elsewhere."""
    if session.files is not None:
        path = session.files.existing(session.project.name, stack)
        return hashlib.sha256(path.read_bytes()).hexdigest() if path else ""
    from ops.pulumi import Pulumi

    with Pulumi(session.project, stack, session.environment) as pulumi:
        return digest(pulumi.export())


def live(session: Session, stack: str) -> dict[str, str]:
    """By container: what it was made with, and whether it runs."""
    from ops.engine import connect, containers

    api = connect(session.environment)
    try:
        found = [api.inspect_container(item["Id"]) for item in containers(api, session.project.name, stack)]
    finally:
        api.close()
    return {
        str(item["Name"]).lstrip("/"): digest(
            [{key: item.get(key) for key in MADE_WITH}, item["State"]["Running"]]
        )
        for item in found
    }


def content(path: Path) -> str:
    """A file's content and mode, or where a link leads to."""
    if path.is_symlink():
        return f"link {path.readlink()}"
    return f"{path.stat().st_mode} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
