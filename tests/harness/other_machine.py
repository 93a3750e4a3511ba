"""A machine of its own for what would hit every other stack: an engine that is restarted or killed.

Namespaces of the kernel stand for it: a network, a process table and a mount table of its own, and a
second engine in them. Killing the first process of a process table kills all others at once, with no
chance to clean up, and its mounts are gone with it: as when the power fails.
Source: https://man7.org/linux/man-pages/man7/pid_namespaces.7.html
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.harness.processes import arguments
from tests.harness.waiting import until

CLONE_NEWNET = 0x40000000
START_SECONDS = 60
# In order, which takes as long as its containers do.
STOP_SECONDS = 120
# The pause is that of a service that systemd starts again.
SERVICE = """
while :; do
  dockerd --data-root {0}/data --exec-root {0}/run --pidfile {0}/run.pid --host {1}
  sleep 1
done
"""


class OtherMachine:
    """One that is off at first. The thread that calls `in_its_network` reaches its loopback."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        # A socket's path may have 108 characters.
        self.engine_url = f"unix://{directory}/engine"
        self._machine: subprocess.Popen[bytes] | None = None

    @contextmanager
    def in_its_network(self) -> Iterator[None]:
        """This thread, and every process that it starts meanwhile, in a network of its own."""
        with open("/proc/thread-self/ns/net") as home:
            _call("unshare", CLONE_NEWNET)
            try:
                subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
                yield
            finally:
                _call("setns", home.fileno(), CLONE_NEWNET)

    def boot(self) -> None:
        """Start it, and wait for its engine."""
        service = SERVICE.format(self._directory, self.engine_url)
        with open(self._directory / "engine.log", "ab") as log:
            self._machine = subprocess.Popen(
                [
                    *("unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"),
                    *("sh", "-c", service),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.wait_for_engine()

    def wait_for_engine(self) -> None:
        question = ["docker", "--host", self.engine_url, "version"]

        def answers() -> bool:
            return subprocess.run(question, capture_output=True, check=False).returncode == 0

        try:
            until(answers, "the engine answers", START_SECONDS)
        except AssertionError:
            print((self._directory / "engine.log").read_text()[-2000:])
            raise

    def restart_engine(self) -> None:
        """Stop the engine in order, which stops its containers, and wait until it is back."""
        (process,) = self._engine_processes()
        os.kill(process, signal.SIGTERM)
        until(lambda: not Path(f"/proc/{process}").exists(), "the engine stops", STOP_SECONDS)
        self.wait_for_engine()

    def crash(self) -> None:
        """Kill everything that runs on it, and take away what does not outlive a reboot."""
        assert self._machine is not None
        self._machine.kill()
        self._machine.wait(timeout=START_SECONDS)
        until(lambda: not self._engine_processes(), "the engine is dead", START_SECONDS)
        shutil.rmtree(self._directory / "run", ignore_errors=True)
        (self._directory / "run.pid").unlink(missing_ok=True)
        listed = subprocess.run(
            ["ip", "-o", "link"], check=True, capture_output=True, text=True
        ).stdout.splitlines()
        for line in listed:
            name = line.split(": ")[1].split("@")[0]
            if name != "lo":
                subprocess.run(["ip", "link", "delete", name], check=False, capture_output=True)
        for table in ("nat", "filter"):
            subprocess.run(["iptables", "-w", "-t", table, "-F"], check=True)

    def load_images(self, images: Sequence[str]) -> None:
        """Copy images, by name or id, from the engine of this machine."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saved:
            subprocess.run(
                ["docker", "--host", self.engine_url, "load", "--quiet"],
                stdin=saved.stdout,
                stdout=subprocess.DEVNULL,
                check=True,
            )

    def _engine_processes(self) -> list[int]:
        beginning = ["dockerd", "--data-root", str(self._directory / "data")]
        processes = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
        return [pid for pid in processes if arguments(pid)[:3] == beginning]


def _call(name: str, *arguments: int) -> None:
    # Python has both from 3.12 on.
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments):
        raise OSError(ctypes.get_errno(), name)
