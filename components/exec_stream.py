"""What a command in a container says and is told, over the connection that the engine hands over for it.

The SDK's own readers lose output: the HTTP library reads ahead into a buffer of its own, and they read
past it, from the socket. What the command said at once, together with the engine's answer, is gone then.
Source: https://github.com/docker/docker-py/issues/3332
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import APIClient

OUTPUT, ERROR_OUTPUT = 1, 2
HEADER_BYTES = 8
PART_BYTES = 64 * 1024
# The engine hears of an exit apart from the end of the output, and usually a moment later.
EXIT_SECONDS, LOOK_SECONDS = 10.0, 0.02


class ExecStream:
    """The connection to a command that was made with `exec_create`, which it starts. To be closed.

    Raises docker.errors.APIError where the engine does not start it.
    """

    def __init__(self, api: APIClient, identifier: str) -> None:
        self._api, self._identifier = api, identifier
        engine: Any = api
        self._response = engine._post_json(
            engine._url("/exec/{0}/start", identifier),
            headers={"Connection": "Upgrade", "Upgrade": "tcp"},
            data={"Tty": False, "Detach": False},
            stream=True,
        )
        stream = engine._get_raw_response_socket(self._response)
        # A command may be silent for longer than an answer of the engine may take.
        engine._disable_socket_timeout(stream)
        # The SDK hands out different things for a socket file, TCP and SSH.
        self._connection: Any = getattr(stream, "_sock", stream)

    def parts(self) -> Iterator[tuple[int, bytes]]:
        """What it says, as it comes: OUTPUT or ERROR_OUTPUT, and bytes. Ends when the command has ended.

        Source of the frames: https://docs.docker.com/reference/api/engine/ ("attach", "Stream format").
        """
        reader = self._response.raw._fp.fp
        # `read` waits for all that it is asked for; what has come is to be had at once.
        read = getattr(reader, "read1", reader.read)
        while len(header := reader.read(HEADER_BYTES)) == HEADER_BYTES:
            left = int.from_bytes(header[4:])
            while left and (part := read(min(left, PART_BYTES))):
                left -= len(part)
                yield header[0], part

    def send(self, part: bytes) -> None:
        """Write to its input. Raises ConnectionError when the command has ended."""
        self._connection.sendall(part)

    def cut(self) -> None:
        """End the connection: whoever reads `parts` sees their end."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._response.close()
        # Closing the answer of a socket file leaves the socket itself open.
        self._connection.close()

    def exit_code(self) -> int:
        """How the command ended, which it has when `parts` are at their end.

        Raises TimeoutError where the engine does not come to know it: the command closed its output alone.
        """
        latest = time.monotonic() + EXIT_SECONDS
        while (told := self._api.exec_inspect(self._identifier))["ExitCode"] is None or told.get("Running"):
            if time.monotonic() > latest:
                raise TimeoutError(f"the command has not ended {EXIT_SECONDS:.0f} s after its output")
            time.sleep(LOOK_SECONDS)
        return int(told["ExitCode"])
