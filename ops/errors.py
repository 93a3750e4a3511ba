"""Errors that end a command: what is wrong, what to do, and the exit code."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """Exit codes of the command line."""

    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_VERIFIED = 4
    NOT_POSTED = 5
    INTERRUPTED = 130


class OperationError(Exception):
    """Ends a command with one clear message.

    `message` says what is wrong, `hint` what to do about it, `details` go into the document of
    `--json`. None of them ever holds a secret.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        code: ExitCode = ExitCode.FAILED,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
        self.details = dict(details or {})
