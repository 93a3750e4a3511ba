"""What Pulumi's state knows of a stack, read without starting Pulumi where it lies in files.

The layout is that of Pulumi's file back end: `.pulumi/stacks/<project>/<stack>.json`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import labels
from ops.errors import ExitCode, OperationError
from ops.names import label_map
from ops.state_check import SECRET_SIGNATURE as SECRET_SIGNATURE
from ops.state_check import DamagedStateError, read_state

# A run at work writes a checksum and then its file: a look in between sees no damage.
LOOKS = 4
PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class StackState:
    """A stack's deployment as the state has it."""

    resources: tuple[Mapping[str, Any], ...] = ()
    updated: str | None = None
    operations: tuple[Mapping[str, Any], ...] = ()
    """Operations that were cut off: `{type, resource}`. What became of them is unknown."""

    @property
    def outputs(self) -> dict[str, Any]:
        """The stack's outputs; secret ones read "[secret]"."""
        for resource in self.resources:
            if resource["type"] == "pulumi:pulumi:Stack":
                return plain_outputs(resource.get("outputs") or {})
        return {}

    @property
    def owner(self) -> str | None:
        """Id of this state's stack: the label `medianest.owner` of what it made.

        Also known while the first update has not got as far as the outputs.
        """
        owner = self.outputs.get("owner")
        if isinstance(owner, str):
            return owner
        for resource in self.resources:
            if (owner := label_map(resource.get("inputs") or {}).get(labels.OWNER)) is not None:
                return owner
        return None

    def pending(self, kind: str) -> list[Mapping[str, Any]]:
        """The resources of the operations of one kind ("creating", "deleting", …) that were cut off."""
        return [operation["resource"] for operation in self.operations if operation["type"] == kind]


@dataclass(frozen=True)
class FileBackend:
    """Pulumi's state in a directory."""

    directory: Path

    @classmethod
    def from_url(cls, url: str) -> FileBackend | None:
        """The file back end that a URL means, or None for any other."""
        if not url.startswith("file://"):
            return None
        path = url.removeprefix("file://").split("?")[0]
        return cls(Path(path).expanduser() / ".pulumi")

    def stacks(self, project: str) -> list[str]:
        names = (path.name for path in (self.directory / "stacks" / project).glob("*.json*"))
        return sorted({name.split(".json")[0] for name in names if name.endswith((".json", ".json.gz"))})

    def path(self, project: str, stack: str) -> Path:
        """The file of a stack's state, where it is not compressed."""
        return self.directory / "stacks" / project / f"{stack}.json"

    def existing(self, project: str, stack: str) -> Path | None:
        """The file of a stack's state, compressed or not; None where there is none."""
        plain = self.path(project, stack)
        return next((path for path in (plain, plain.with_suffix(".json.gz")) if path.exists()), None)

    def read(self, project: str, stack: str) -> StackState | None:
        """The stack's state, or None where the back end has no such stack."""
        path = self.existing(project, stack)
        if path is None:
            return None
        for look in range(LOOKS):
            try:
                return read_checkpoint(read_state(path.read_bytes(), checksums(path)))
            except OSError as error:
                raise OperationError(
                    f"the state of stack {stack} cannot be read: {error.strerror}: {path}"
                ) from error
            except DamagedStateError as error:
                if look == LOOKS - 1:
                    raise OperationError(
                        f"the state of stack {stack} is damaged: {path} {error}",
                        f"Bring back the newest good copy: ./medianest state restore {stack}\n"
                        f"What there is: ./medianest state list {stack}. Pulumi's own version before it is "
                        f"{path.name}.bak.",
                        ExitCode.REFUSED,
                    ) from error
            time.sleep(PAUSE_SECONDS)
        raise AssertionError("the last look returns or raises")

    def tags(self, project: str, stack: str) -> dict[str, str]:
        """The stack's tags, as `pulumi stack tag set` puts them beside its state."""
        try:
            text = (self.directory / "stacks" / project / f"{stack}.pulumi-tags").read_text()
            return dict(json.loads(text).get("tags") or {})
        except (OSError, ValueError):
            return {}

    def locks(self, project: str, stack: str) -> Path:
        return self.directory / "locks" / "organization" / project / stack


def checksums(path: Path) -> list[str]:
    """What the back end has noted of a file's content, and of that of the version before it.

    The latter, since a run that is killed between both leaves the new note beside the old file.
    """
    found = []
    for name in (f"{path.name}.attrs", f"{path.name}.bak.attrs"):
        try:
            noted = json.loads((path.parent / name).read_text()).get("md5")
        except (OSError, ValueError, AttributeError):
            continue
        if noted:
            found.append(str(noted))
    # The note of the version before alone says nothing.
    return found if (path.parent / f"{path.name}.attrs").exists() else []


def read_checkpoint(deployment: Mapping[str, Any]) -> StackState:
    """The state out of a deployment, as in the file back end or from `pulumi stack export`."""
    return StackState(
        resources=tuple(deployment.get("resources") or ()),
        updated=(deployment.get("manifest") or {}).get("time"),
        operations=tuple(deployment.get("pending_operations") or ()),
    )


def plain_outputs(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs with secrets masked, at any depth."""
    return {key: _masked(value) for key, value in outputs.items()}


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return "[secret]" if SECRET_SIGNATURE in value else plain_outputs(value)
    return [_masked(part) for part in value] if isinstance(value, list) else value
