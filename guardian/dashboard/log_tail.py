"""The newest lines that a component's containers wrote, with whatever looks like a secret taken out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from guardian.engine.client import EngineClient, EngineError
from guardian.engine.containers import Container

LINES = 80
_LONGEST_LINE = 600
_MASK = "…"
_STAMPED = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z (.*)", re.DOTALL)
# Nothing in a stack logs a secret. What a backend of the team's may do all the same is caught here.
_SECRETS = (
    # What a word for a secret is followed by, in JSON, in a URL's query, in a header.
    re.compile(
        r"""(?i)((?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|authorization|cookie)["']?\s*[:=]\s*)"""
        r"""("(?:[^"\\]|\\.)*"|'[^']*'|(?:bearer\s+|basic\s+)?[^\s,;&}"']+)"""
    ),
    re.compile(r"(?i)(\b(?:bearer|basic)\s+)([A-Za-z0-9._~+/=-]{8,})"),
    # A password in a URL (RFC 3986, 3.2.1).
    re.compile(r"([a-z][a-z0-9+.-]*://[^\s/:@]*:)([^\s/@]+)(?=@)"),
    # A signed token (RFC 7519).
    re.compile(r"()(eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)"),
)


@dataclass(frozen=True)
class Line:
    """`at` is the engine's moment, UTC, to the second."""

    at: str
    container: str
    text: str


async def tail(engine: EngineClient, containers: Sequence[Container], known: Iterable[str]) -> list[Line]:
    """The newest lines of all of them, in the order in which they were written. `known` are secrets that
    are taken out wherever they stand. Raises EngineError where no container's log can be had."""
    answers = await asyncio.gather(
        *(engine.log(item.id, LINES) for item in containers), return_exceptions=True
    )
    texts = [
        (item.name, text) for item, text in zip(containers, answers, strict=True) if isinstance(text, str)
    ]
    failed = [answer for answer in answers if isinstance(answer, BaseException)]
    if failed and not texts:
        raise EngineError(str(failed[0]))
    known = [value for value in known if value]
    lines = [line for name, text in texts for line in read(name, text, known)]
    return sorted(lines, key=lambda line: line.at)[-LINES:]


def read(container: str, text: str, known: Iterable[str] = ()) -> list[Line]:
    """The lines of one container's log, as the engine gives it with its time stamps."""
    found = []
    for line in text.splitlines():
        stamped = _STAMPED.fullmatch(line)
        if stamped:
            found.append(Line(stamped[1], container, masked(stamped[2], known)[:_LONGEST_LINE]))
    return found


def masked(text: str, known: Iterable[str] = ()) -> str:
    """A line without secrets."""
    for value in known:
        text = text.replace(value, _MASK)
    for pattern in _SECRETS:
        text = pattern.sub(lambda found: f"{found[1]}{_MASK}", text)
    return text
