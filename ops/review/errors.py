"""How posting can go wrong."""

from __future__ import annotations

from ops.errors import ExitCode, OperationError


class PostError(OperationError):
    """The plan was made and could not be posted: a code of its own tells this from a failed preview."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint, ExitCode.NOT_POSTED)


class AnswerError(Exception):
    """The host has answered with an error that another try would not change.

    `message` is the host's own, cleared of control characters and of the token.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}".strip())
        self.status = status
        self.message = message

    @property
    def forbids(self) -> bool:
        """Whether rights are missing. A host hides with 404 what a token must not see."""
        return self.status in (401, 403, 404)


class UnknownOutcomeError(Exception):
    """A request that must not simply be made again was cut off or put off: it may have been carried out.

    Look before trying again, in `wait` seconds.
    """

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message)
        self.wait = wait
