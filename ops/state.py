"""What Pulumi's state knows of a stack, read without starting Pulumi where it lies in files.

The layout is that of Pulumi's file back end: `.pulumi/stacks/<project>/<stack>.json`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import labels
from ops.errors import OperationError

# Marks a secret in Pulumi's state: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig
SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d"  # noqa: S105


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
            for label in (resource.get("inputs") or {}).get("labels") or ():
                if isinstance(label, dict) and label.get("label") == labels.OWNER:
                    return str(label["value"])
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

    def read(self, project: str, stack: str) -> StackState | None:
        """The stack's state, or None where the back end has no such stack."""
        path = self.path(project, stack)
        try:
            if path.exists():
                text = path.read_text()
            elif path.with_suffix(".json.gz").exists():
                text = gzip.decompress(path.with_suffix(".json.gz").read_bytes()).decode()
            else:
                return None
            return read_checkpoint(json.loads(text)["checkpoint"]["latest"] or {})
        except (OSError, ValueError, KeyError) as error:
            raise OperationError(
                f"the state of stack {stack} cannot be read: {type(error).__name__} in {path}",
                f"Pulumi keeps the version before it in {path.name}.bak.",
            ) from error

    def tags(self, project: str, stack: str) -> dict[str, str]:
        """The stack's tags, as `pulumi stack tag set` puts them beside its state."""
        try:
            text = (self.directory / "stacks" / project / f"{stack}.pulumi-tags").read_text()
            return dict(json.loads(text).get("tags") or {})
        except (OSError, ValueError):
            return {}

    def locks(self, project: str, stack: str) -> Path:
        return self.directory / "locks" / "organization" / project / stack


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
