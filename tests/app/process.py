"""The backend as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx


class Process:
    """`python -m medianest` with an environment of its own."""

    def __init__(self, environment: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "PYTHONPATH") or "COV" in k}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "medianest"],
            env=inherited | environment | {"PORT": str(self.port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.output.extend(self._process.stdout)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=5)

    def wait_for(self, path: str, status: int, seconds: float = 60) -> httpx.Response:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                answer = self.get(path)
                if answer.status_code == status:
                    return answer
            assert self._process.poll() is None, self.output
            time.sleep(0.02)
        raise AssertionError(f"{path} did not answer {status}: {self.output}")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def exit_code(self, seconds: float = 60) -> int:
        code = self._process.wait(seconds)
        self._reader.join(5)
        return code

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output]

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join(5)
        assert self._process.stdout is not None
        self._process.stdout.close()


Start = Callable[[dict[str, str]], Process]
