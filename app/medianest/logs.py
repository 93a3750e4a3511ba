"""Logs: one JSON object a line on standard output, without a secret in it."""

from __future__ import annotations

import atexit
import logging
import re
import sys
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from urllib.parse import quote, unquote, urlsplit

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from medianest.log_pipe import LogPipe

REQUEST_ID: ContextVar[str] = ContextVar("request_id")
"""The id of the request that is being answered, which every line of it carries."""

_SHORTEST_HIDDEN = 6
# A signed token (JWT) in its compact form, whoever signed it: its header is a JSON object in base64.
_TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*){1,4}")


class Redactor:
    """Takes known secrets and everybody's tokens out of finished lines, wherever they came from (an
    exception's text)."""

    def __init__(self) -> None:
        self._hidden: list[bytes] = []

    def hide(self, secrets: Iterable[str]) -> None:
        """From now on. Of a URL its password is hidden too."""
        values = set()
        for secret in secrets:
            values.add(secret)
            password = urlsplit(secret).password if "://" in secret else None
            if password:
                values |= {password, unquote(password)}
        found = {
            written
            for value in values
            if len(value) >= _SHORTEST_HIDDEN
            # As it stands in JSON, where quotes and backslashes are escaped, and in a URL.
            for written in (value.encode(), orjson.dumps(value)[1:-1], quote(value, safe="").encode())
        }
        self._hidden = sorted(found, key=len, reverse=True)

    def __call__(self, line: bytes) -> bytes:
        # `in` is faster than one regular expression of all of them: 0.1 µs a secret.
        for secret in self._hidden:
            if secret in line:
                line = line.replace(secret, b"[secret]")
        return _TOKEN.sub(b"[token]", line) if b"eyJ" in line else line


class _Lines:
    """What structlog hands finished lines to. Its methods are named after the levels."""

    def __init__(self, pipe: LogPipe) -> None:
        self.debug = self.info = pipe.write_soon
        self.warning = self.error = self.critical = pipe.write


class _Forward(logging.Handler):
    """Hands what libraries log over to structlog, so that there is one format."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(component=record.name)
        log.log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def configure(redactor: Redactor) -> None:
    """Set structlog and the standard library's logging up for this process."""
    pipe = LogPipe(sys.stdout.fileno())
    atexit.register(pipe.flush)
    structlog.configure(
        processors=[
            _add_request,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(serializer=lambda document, **_: redactor(_to_json(document))),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: _Lines(pipe),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Forward()], force=True)


def _add_request(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["timestamp"] = datetime.now(UTC)
    request_id = REQUEST_ID.get(None)
    if request_id is not None:
        event["request_id"] = request_id
    return event


def _to_json(document: object) -> bytes:
    try:
        return orjson.dumps(document, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:
        # Half of a surrogate pair, which a client's JSON may hold, has no bytes in UTF-8.
        return orjson.dumps(_encodable(document), default=str, option=orjson.OPT_UTC_Z)


def _encodable(value: object) -> object:
    if isinstance(value, dict):
        return {str(_encodable(str(key))): _encodable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encodable(item) for item in value]
    if value is None or isinstance(value, (bool, float, datetime)):
        return value
    return str(value).encode(errors="replace").decode()
