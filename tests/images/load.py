"""A constant load of new connections, to see whether a change drops a request."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from types import TracebackType

CLIENTS = 4


class Load:
    """Sends requests while the `with` block runs; `answers` counts status codes and exceptions."""

    def __init__(self, port: int, method: str = "GET", path: str = "/") -> None:
        self.answers: Counter[int | str] = Counter()
        self._port, self._method, self._path = port, method, path
        self._over = threading.Event()
        self._clients = [threading.Thread(target=self._send) for _ in range(CLIENTS)]

    def __enter__(self) -> Load:
        for client in self._clients:
            client.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for client in self._clients:
            client.join()

    def _send(self) -> None:
        while not self._over.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
            try:
                connection.request(self._method, self._path)
                with connection.getresponse() as response:
                    response.read()
                    self.answers[response.status] += 1
            except (OSError, http.client.HTTPException) as error:
                self.answers[repr(error)] += 1
            finally:
                connection.close()
            time.sleep(0.01)
