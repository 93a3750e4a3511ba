"""What the pool and its workers say to each other: JSON documents, each after its length.

The standard library's `json` on both sides: in a worker orjson would cost 2 MB and a third of the
start-up time, since it imports dataclasses and uuid, and both sides should read numbers alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"

LARGEST = 1024 * 1024
"""Bytes of one document. Tasks are told where files are, they are not sent them."""

READY = 0
"""The id of the first answer, which nobody asked for: the names of the tasks, or why there are none."""

PING = "ping"
"""A task that every worker has."""

_LENGTH = 4


class FrameError(ValueError):
    """What arrived is not a document, or one to be sent is too large."""


def encode(document: Mapping[str, JsonValue]) -> bytes:
    """A document as it is sent. Raises FrameError when it is too large, TypeError and ValueError when
    JSON cannot express it (not-a-number and lone surrogates included)."""
    body = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    if len(body) > LARGEST:
        raise FrameError(f"{len(body)} bytes are too many for one message, at most {LARGEST} are sent")
    return len(body).to_bytes(_LENGTH, "big") + body


class Decoder:
    """Puts documents together from whatever pieces arrive."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[dict[str, JsonValue]]:
        """The documents that are complete now. Raises FrameError."""
        self._buffer += data
        found: list[dict[str, JsonValue]] = []
        while len(self._buffer) >= _LENGTH:
            end = _LENGTH + int.from_bytes(self._buffer[:_LENGTH], "big")
            if end > _LENGTH + LARGEST:
                raise FrameError(f"a message of {end - _LENGTH} bytes")
            if len(self._buffer) < end:
                break
            found.append(_parse(bytes(self._buffer[_LENGTH:end])))
            del self._buffer[:end]
        return found


def _parse(body: bytes) -> dict[str, JsonValue]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FrameError("a message that is not JSON") from error
    if not isinstance(document, dict):
        raise FrameError("a message that is not a JSON object")
    return cast("dict[str, JsonValue]", document)
