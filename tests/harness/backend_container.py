"""The default backend in a container beside real services, with what it tells of itself."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import docker
import requests
from docker.models.containers import Container

from tests.harness.built_images import BuiltImages
from tests.harness.checkout import free_port
from tests.harness.service_containers import LABELS, Services

USER = "demo"
START_SECONDS = 60
_SAMPLE = re.compile(r"^(\w+)(?:\{([^}]*)\})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class BackendContainer:
    """One backend, published on a port of loopback."""

    container: Container
    url: str
    password: str = field(repr=False)

    def token(self) -> str:
        answer = requests.post(f"{self.url}/api/auth/login", json=self.credentials, timeout=10)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    @property
    def credentials(self) -> dict[str, str]:
        return {"username": USER, "password": self.password}

    def report(self) -> Mapping[str, object]:
        """The health document as a stranger sees it."""
        document = requests.get(f"{self.url}/api/health", timeout=5).json()
        assert isinstance(document, dict)
        return document

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that carry the labels. Raises KeyError when there is none."""
        text = requests.get(f"{self.url}/metrics", timeout=5).text
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        found = [
            float(value)
            for sample, written, value in _SAMPLE.findall(text)
            if sample == name and wanted <= set(written.split(","))
        ]
        if not found:
            raise KeyError(name)
        return sum(found)

    def wait_until_healthy(self, seconds: float = START_SECONDS) -> float:
        """Wait for every service to be well. Returns how long it took, in seconds."""
        began = time.monotonic()
        document: object = None
        while time.monotonic() - began < seconds:
            try:
                document = self.report()
                if document["status"] == "healthy":
                    return time.monotonic() - began
            except (requests.RequestException, KeyError):
                pass
            time.sleep(0.05)
        logs = self.container.logs(tail=20).decode(errors="replace")
        raise AssertionError(f"not healthy within {seconds} s, last: {document}\n{logs}")

    def worker_pids(self) -> list[int]:
        """The worker processes, as the host counts them."""
        return self._pids("medianest.workers.child")

    def threads(self) -> int:
        """Of the process that serves."""
        (server,) = self._pids("python -m medianest", but="docker-init")
        (line,) = re.findall(r"^Threads:\s+(\d+)$", Path(f"/proc/{server}/status").read_text(), re.MULTILINE)
        return int(line)

    def _pids(self, words: str, but: str = "\0") -> list[int]:
        rows = self.container.top(ps_args="-eo pid,args")["Processes"]
        return [int(pid) for pid, arguments in rows if words in arguments and but not in arguments]


@contextmanager
def backend(
    engine: docker.DockerClient, images: BuiltImages, beside: Services, **environment: str
) -> Iterator[BackendContainer]:
    """Run a backend, as it is deployed, until the block ends."""
    front = engine.networks.create(f"{beside.network}-front", labels=LABELS)
    media = engine.volumes.create(labels=LABELS)
    password, port = secrets.token_urlsafe(18), free_port()
    variables = {
        "DATABASE_URL": beside.database_url,
        "REDIS_URL": beside.redis_url,
        "JWT_SECRET": secrets.token_urlsafe(48),
        "DEMO_USER": USER,
        "DEMO_PASSWORD": password,
        "DRAIN_SECONDS": "5",
    }
    container = engine.containers.create(
        images.app,
        ["python", "-m", "medianest"],
        environment=variables | environment,
        network=front.name,
        ports={"3000/tcp": ("127.0.0.1", port)},
        volumes={media.name: {"bind": "/var/lib/medianest/media", "mode": "rw"}},
        labels=LABELS,
        read_only=True,
        tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=64m,mode=1777"},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        init=True,
        mem_limit="512m",
        memswap_limit="512m",
        pids_limit=200,
    )
    try:
        engine.networks.get(beside.network).connect(container)
        container.start()
        running = BackendContainer(container, f"http://127.0.0.1:{port}", password)
        running.wait_until_healthy()
        yield running
    finally:
        container.remove(force=True, v=True)
        media.remove(force=True)
        front.remove()
