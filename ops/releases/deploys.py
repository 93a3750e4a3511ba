"""What Pulumi's own history has of a stack: one record for each update, with the release that it was of.

A file back end keeps each update's whole state beside it, which has everything. Other back ends give an
update's settings only: the release comes from the record that `up` leaves (see ops.releases.records).
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import labels
from ops.errors import OperationError
from ops.events import cause
from ops.names import CONTAINER, label_map

if TYPE_CHECKING:
    from ops.session import Session
    from ops.state import FileBackend

# So many of the last updates are looked at: reading one takes about 3 ms.
LIMIT = 100
DEPLOYED_BY = "Deployed-by"
STACK = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class Facts:
    """A release as an update left it in the state. `secrets` maps names to their versions' tags."""

    release: str
    image_id: str
    image_name: str
    secrets: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def content(self) -> str:
        """The hash of what its image was built from."""
        return self.image_name.rpartition("-")[2]


@dataclass(frozen=True)
class Deploy:
    """One update of a stack. `backend` and `pin` are the settings as they stood in the file, and `settings`
    has all of them, by component."""

    started: datetime
    kind: str
    succeeded: bool
    by: str = ""
    commit: str = ""
    dirty: bool = False
    backend: Mapping[str, Any] | None = None
    pin: Mapping[str, Any] | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    facts: Facts | None = None


def read_deploys(session: Session, stack: str, limit: int = LIMIT) -> list[Deploy]:
    """The last updates of a stack, the oldest first. Raises OperationError."""
    project = session.project.name
    if session.files is not None:
        return [
            _read(project, history, checkpoint)
            for history, checkpoint in history_files(session.files, project, stack)[-limit:]
        ]
    from ops.pulumi import Pulumi

    with Pulumi(session.project, stack, session.environment) as pulumi:
        listed = pulumi.history(limit)
    return [deploy(project, update) for update in reversed(listed)]


def history_files(files: FileBackend, project: str, stack: str) -> list[tuple[Path, Path]]:
    """Each update's record and its state, the oldest first.

    Names of the file back end: `.pulumi/history/<project>/<stack>/<stack>-<nanoseconds>.history.json`.
    """
    found = (files.directory / "history" / project / stack).glob(f"{stack}-*.history.json*")
    return [
        (path, path.with_name(path.name.replace(".history.", ".checkpoint.")))
        for path in sorted(found)
        if path.name.endswith((".json", ".json.gz"))
    ]


def _read(project: str, history: Path, checkpoint: Path) -> Deploy:
    try:
        state = _json(checkpoint)["checkpoint"]["latest"] if checkpoint.exists() else None
        return deploy(project, _json(history), (state or {}).get("resources") or ())
    except (OSError, ValueError, KeyError) as error:
        raise OperationError(
            f"Pulumi's history cannot be read: {type(error).__name__} in {history}",
            "Remove that file and the checkpoint beside it: only the list of releases needs them.",
        ) from error


def _json(path: Path) -> Any:
    content = path.read_bytes()
    return json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)


def deploy(project: str, update: Mapping[str, Any], resources: Iterable[Mapping[str, Any]] = ()) -> Deploy:
    """One update, out of a file of the history or of `pulumi stack history --json`."""
    environment, configuration = update.get("environment") or {}, update.get("config") or {}
    return Deploy(
        started=_time(update["startTime"]),
        kind=update["kind"],
        succeeded=update.get("result") == "succeeded",
        by=deployed_by(update.get("message", "")),
        commit=environment.get("git.head", ""),
        dirty=environment.get("git.dirty") == "true",
        backend=_object(configuration.get(f"{project}:backend")) or {},
        pin=_object(configuration.get(f"{project}:pin")),
        settings={
            key.removeprefix(f"{project}:"): found
            for key, value in configuration.items()
            if key.startswith(f"{project}:") and (found := _object(value)) is not None
        },
        facts=facts(resources),
    )


def deployed_by(message: str) -> str:
    """Who ran it, as `up` puts it into the update's message; empty for plain Pulumi, which does not say."""
    found = re.search(rf"^{DEPLOYED_BY}: (.+)$", message, re.M)
    return found[1] if found else ""


def facts(resources: Iterable[Mapping[str, Any]]) -> Facts | None:
    """The release that an update was of: that of the newest backend, also where it failed.

    The outputs are those of the last update that succeeded: its release serves.
    """
    outputs: Mapping[str, Any] = {}
    secrets: dict[str, str] = {}
    newest: Mapping[str, Any] | None = None
    for resource in resources:
        own = resource.get("outputs") or {}
        if resource["type"] == STACK:
            outputs = own
        elif resource["type"] == CONTAINER and not resource.get("delete") and _release(resource):
            if newest is None or resource.get("initErrors"):
                newest = resource
        elif {"current", "previous", "version"} <= own.keys():
            secrets[str(own.get("name") or resource["urn"].rpartition("::")[2])] = str(own["version"])
    image = outputs.get("image") or {}
    served = str(outputs.get("release", ""))
    release = _release(newest) if newest else served
    if not release:
        return None
    if newest is None or release == served:
        return Facts(release, str(image.get("id", "")), str(image.get("name", "")), secrets)
    problem = " ".join(plain(str(text)) for text in newest.get("initErrors") or ())
    return Facts(release, str((newest.get("inputs") or {}).get("image", "")), "", secrets, problem)


def plain(error: str) -> str:
    """An error of the provider's as the state keeps it, without its wrapping."""
    return cause(re.sub(r"^creating urn:\S+: \d+ errors? occurred:\s*\* ", "", error))


def _release(container: Mapping[str, Any]) -> str:
    return label_map(container.get("inputs") or {}).get(labels.RELEASE, "")


def _object(setting: Any) -> Mapping[str, Any] | None:
    """A setting's object: as it is in a file, wrapped by the command, as text where it was given so."""
    if isinstance(setting, dict) and setting.keys() <= {"value", "objectValue", "secret"}:
        setting = setting.get("objectValue", setting.get("value"))
    if isinstance(setting, str):
        try:
            setting = json.loads(setting)
        except ValueError:
            return None
    return setting if isinstance(setting, dict) else None


def _time(value: Any) -> datetime:
    """Seconds in a file, ISO 8601 from the command."""
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int) else datetime.fromisoformat(value)
