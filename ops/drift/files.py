"""Files that loaders have written into volumes, held against those that are there. No content is shown."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ops.drift.interruptions import consumer, of_replacing
from ops.drift.model import ABSENT, OTHER, UNKNOWN, Finding, Mending
from ops.drift.record import Inputs, Recorded
from ops.plan.model import MASKED

# More than that is in no volume of files: somebody has filled it with something else.
LARGEST_BYTES = 32 * 1024 * 1024
TEXT = "a text"
_READERS = {
    "gateway": "The gateway goes by another configuration",
    "backend": "Backends that start now read another value, or cannot read it",
}
_READER = "What reads it at its next start reads another value, or cannot read it"


class TooLargeError(Exception):
    """A volume of files holds more than any of ours."""


@dataclass(frozen=True)
class LiveFile:
    """A file in a volume. `content` is None for what is no plain file."""

    content: bytes | None = field(repr=False)
    owner: str = "0"
    group: str = "0"
    mode: str = "0444"


def unpacked(archive: Iterable[bytes], directory: str) -> dict[str, LiveFile]:
    """The files of an archive of `directory`, as the engine gives it, by path. Raises TooLargeError."""
    content = bytearray()
    for part in archive:
        content += part
        if len(content) > LARGEST_BYTES:
            raise TooLargeError
    found = {}
    with tarfile.open(fileobj=io.BytesIO(bytes(content))) as tar:
        for entry in tar:
            # The first part of each name is the directory's own.
            path = entry.name.partition("/")[2]
            if entry.isdir() or not path:
                continue
            stream = tar.extractfile(entry) if entry.isreg() else None
            found[f"{directory}/{path}"] = LiveFile(
                stream.read() if stream else None,
                str(entry.uid),
                str(entry.gid),
                f"{entry.mode & 0o7777:04o}",
            )
    return found


def uploads(inputs: Inputs) -> list[Mapping[str, Any]] | None:
    """The files that a loader writes; None where they are masked."""
    given = inputs.get("uploads") or []
    return list(given) if isinstance(given, list) and all(isinstance(item, dict) for item in given) else None


def compare_files(
    loader: Recorded,
    found: Mapping[str, LiveFile],
    declared: Inputs | None,
    volume: Recorded | None,
    readers: Sequence[Recorded],
    *,
    serves: bool,
) -> list[Finding]:
    """`volume` is the one that the loader fills, `readers` are the containers that read it."""
    secret = "uploads" in loader.secret
    part = consumer(loader.component)
    meaning = _READERS.get(part, _READER)
    wanted = {str(item["file"]): item for item in uploads(loader.inputs) or ()}
    asked_now = (
        {str(item["file"]): item for item in (uploads(declared) or ()) if declared} if declared else {}
    )
    masked_now = declared is not None and uploads(declared) is None
    told: list[Finding] = []

    def tell(path: str, what: str, now: str, then: str, live: str) -> None:
        told.append(
            Finding(
                resource=path,
                kind="file",
                component=part,
                property=what,
                declared=UNKNOWN if declared is None else MASKED if masked_now else now,
                recorded=then,
                live=live,
                meaning=meaning,
                mending=Mending.WRITE_FILES,
                urn=loader.urn,
            )
        )

    for path, item in wanted.items():
        live, now = found.get(path), asked_now.get(path)
        if live is None:
            tell(path, "existence", "there" if now else ABSENT, "there", "gone")
            continue
        hidden = MASKED if secret else TEXT
        if live.content != str(item.get("content", "")).encode():
            tell(path, "content", hidden if now else ABSENT, hidden, OTHER)
        for what, key, value in (
            ("owner", "owner", live.owner),
            ("group", "group", live.group),
            ("mode", "permissions", live.mode),
        ):
            then = str(item.get(key, ""))
            if then and value != then:
                tell(path, what, str((now or {}).get(key, ABSENT)), then, value)
    gap = next((gap for reader in readers if (gap := of_replacing(reader, serves=serves))), None)
    for path in sorted(found.keys() - wanted.keys()):
        told.append(
            Finding(
                resource=path,
                kind="file",
                component=part,
                property="existence",
                declared=ABSENT,
                recorded=ABSENT,
                live="there",
                meaning="Nobody declared this file. The volume is made anew without it",
                mending=Mending.REPLACE if volume else Mending.NONE,
                urn=volume.urn if volume else "",
                interruption=gap if volume else None,
            )
        )
    return told
