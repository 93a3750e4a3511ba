"""Logs: one JSON object a line on standard output, without a secret in it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

import structlog

_SHORTEST_HIDDEN = 6


class Redactor:
    """Takes known secrets out of finished lines, wherever they came from (an exception's text)."""

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
        long_enough = (value.encode() for value in values if len(value) >= _SHORTEST_HIDDEN)
        self._hidden = sorted(long_enough, key=len, reverse=True)

    def __call__(self, line: bytes) -> bytes:
        for secret in self._hidden:
            if secret in line:
                line = line.replace(secret, b"[secret]")
        return line


class _Forward(logging.Handler):
    """Hands what libraries log over to structlog, so that there is one format."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(component=record.name)
        log.log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def configure(redactor: Redactor) -> None:
    """Set structlog and the standard library's logging up for this process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(serializer=lambda document, **_: redactor(_to_json(document))),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Forward()], force=True)


def _to_json(document: object) -> bytes:
    return json.dumps(document, default=str, ensure_ascii=False).encode(errors="replace")
