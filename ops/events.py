"""What an update does, folded from the events that Pulumi's engine writes.

The events' form: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/events.go
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ops.state import plain_outputs

STACK_TYPE = "pulumi:pulumi:Stack"
# Operations that change nothing on the engine: no progress worth a line.
QUIET = frozenset({"same", "read", "read-replacement", "replace", "discard", "discard-replaced"})
# What Pulumi counts under several names, as a person counts it.
COUNTED = {
    "create": "create",
    "update": "update",
    "replace": "replace",
    "create-replacement": "replace",
    "delete": "delete",
    "same": "same",
}


@dataclass
class Step:
    """One operation on one resource. Times are those at which its events arrived, in seconds."""

    urn: str
    operation: str
    started: float
    finished: float | None = None
    failed: bool = False
    build_log: str = ""
    """Where the build of an image wrote what it printed, relative to the project."""

    @property
    def name(self) -> str:
        return self.urn.rsplit("::", 1)[-1]

    @property
    def kind(self) -> str:
        """The last part of the type: Container, Volume, RemoteImage."""
        return self.urn.split("::")[2].rsplit("$", 1)[-1].rsplit(":", 1)[-1]

    @property
    def is_component(self) -> bool:
        """Components only group: what they contain does the work."""
        own = self.urn.split("::")[2].rsplit("$", 1)[-1]
        return own == STACK_TYPE or own.startswith(("medianest:", "pulumi:providers:"))

    @property
    def is_quiet(self) -> bool:
        return self.operation in QUIET or self.is_component

    @property
    def seconds(self) -> float:
        return 0.0 if self.finished is None else self.finished - self.started


@dataclass
class Update:
    """The course of an update, so far or to its end."""

    steps: dict[tuple[str, str, str], Step] = field(default_factory=dict)
    errors: list[tuple[str, str]] = field(default_factory=list)
    """(urn or "", message), each cause once."""
    outputs: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED.values(), 0))
    result: str = ""
    """As the engine says at the end: succeeded, failed, canceled; empty when it got to no end."""

    def apply(self, event: Mapping[str, Any], at: float) -> Step | None:
        """Take in one event. Returns the step that it began or ended, if any."""
        if "diagnosticEvent" in event:
            self._diagnose(event["diagnosticEvent"])
        elif "resourcePreEvent" in event:
            metadata = event["resourcePreEvent"]["metadata"]
            step = Step(metadata["urn"], metadata["op"], at)
            self.steps[_key(metadata)] = step
            return step
        elif "resOutputsEvent" in event:
            return self._end(event["resOutputsEvent"]["metadata"], at, failed=False)
        elif "resOpFailedEvent" in event:
            return self._end(event["resOpFailedEvent"]["metadata"], at, failed=True)
        elif "summaryEvent" in event:
            summary = event["summaryEvent"]
            self.result = summary.get("result", "")
            self._count(summary.get("resourceChanges") or {})
        return None

    @property
    def running(self) -> list[Step]:
        return [step for step in self.steps.values() if step.finished is None and not step.is_quiet]

    @property
    def failed(self) -> list[Step]:
        return [step for step in self.steps.values() if step.failed]

    @property
    def changed(self) -> bool:
        return any(count for name, count in self.changes.items() if name != "same")

    def build_seconds(self) -> dict[str, float]:
        """Seconds that each image's build took, by resource name."""
        return {
            step.name: round(step.seconds, 2)
            for step in self.steps.values()
            if step.kind == "RemoteImage"
            and step.finished is not None
            and step.operation.startswith("create")
        }

    def _end(self, metadata: Mapping[str, Any], at: float, failed: bool) -> Step | None:
        step = self.steps.setdefault(_key(metadata), Step(metadata["urn"], metadata["op"], at))
        step.finished, step.failed = at, failed
        new = metadata.get("new") or {}
        step.build_log = ((new.get("inputs") or {}).get("build") or {}).get("buildLogFile") or ""
        if metadata["type"] == STACK_TYPE and metadata["op"] != "delete":
            self.outputs = plain_outputs(new.get("outputs") or {})
        return step

    def _diagnose(self, diagnostic: Mapping[str, Any]) -> None:
        if diagnostic.get("severity") not in ("error", "info#err"):
            return
        found = diagnostic.get("urn", ""), cause(diagnostic["message"])
        if found[1] and found not in self.errors:
            self.errors.append(found)

    def _count(self, resource_changes: Mapping[str, int]) -> None:
        for name in self.changes:
            # A replacement is counted under two names, each once.
            self.changes[name] = max(
                (resource_changes.get(own, 0) for own, counted in COUNTED.items() if counted == name),
                default=0,
            )


def _key(metadata: Mapping[str, Any]) -> tuple[str, str, str]:
    # Several old ones of a resource may be deleted, each has an id.
    return metadata["urn"], metadata["op"], (metadata.get("old") or {}).get("id", "")


def cause(message: str) -> str:
    """An error message without the wrapping that Pulumi and the provider put around it."""
    text = re.sub(r"^\s*sdk-v2/\S+ sdk\.helper_schema: ", "", message)
    text = re.sub(r": provider=\S+\s*$", "", text)
    text = re.sub(r"^\d+ errors? occurred:\n", "", text.strip())
    text = re.sub(r"^\s*\* creating urn:\S+: \d+ errors? occurred:\n", "", text)
    text = re.sub(r"^\s*\* ", "", text)
    text = re.sub(r"^error: ", "", text)
    return "" if text.strip() in SUMMARIES else text.strip()


# Lines that only say that there was an error.
SUMMARIES = frozenset(
    {
        "",
        "update failed",
        "destroy failed",
        "update canceled",
        "an unhandled error occurred: program exited with non-zero exit code: 1",
    }
)
