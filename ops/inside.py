"""Questions over HTTP to what a stack does not publish, asked from inside one of its own containers.

So that they reach it wherever the engine is, without a port of the host. All images of ours have bash,
which can do that alone; nothing is installed, and nothing stays running.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.errors import OperationError

if TYPE_CHECKING:
    from docker import APIClient

SECONDS = 5.0
# HTTP/1.0, so that the answer is not cut into chunks and ends with the connection.
SCRIPT = (
    'exec 3<>"/dev/tcp/$0/$1" || exit 1; '
    'printf \'GET %s HTTP/1.0\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n\' "$2" "$0" >&3; cat <&3'
)


class AskingError(Exception):
    """There is no answer, or none that can be read. The message says why."""


@dataclass(frozen=True)
class Answer:
    """An answer: its HTTP status, and its text."""

    status: int
    text: str


def ask(api: APIClient, container: str, host: str, port: int, path: str, seconds: float = SECONDS) -> Answer:
    """GET `path` at a host of the stack's networks, from inside a container. Raises AskingError."""
    from docker.errors import APIError

    from ops.container_commands import CommandError, run

    command = ["timeout", f"{seconds:g}", "bash", "-c", SCRIPT, host, str(port), path]
    try:
        out, _ = run(api, container, command, f"asking {host} for {path}")
    except CommandError as error:
        late = error.code_of_command == TIMED_OUT
        raise AskingError(f"no answer within {seconds:g} s" if late else "no connection") from error
    except (APIError, OSError, OperationError) as error:
        raise AskingError("the container that was to ask does not run") from error
    return read_answer(out)


# Of coreutils' timeout.
TIMED_OUT = 124


def read_answer(content: bytes) -> Answer:
    """An answer out of what came over the connection. Raises AskingError."""
    head, separator, body = content.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split()
    if not separator or len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise AskingError("an answer that is not HTTP, or cut off")
    return Answer(int(words[1]), body.decode(errors="replace"))
