"""Runs the backend's tests in a stage of its own image, with the Python that is deployed.

    python -m tests.harness.app_suite

Real Postgres and Redis run beside it. Prints what the tests print and ends with their exit code.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import docker

from tests.harness.built_images import build_images
from tests.harness.service_containers import LABELS, Services, services
from tests.harness.volume_files import packed_directory, write

TESTS = Path(__file__).parents[1] / "app"


def run(arguments: Sequence[str]) -> int:
    """Build the images, start the services and run the tests. Returns their exit code."""
    print("Building the images", flush=True)
    images = build_images()
    engine = docker.from_env()
    try:
        with services(engine, images) as beside:
            return _run_beside(engine, images.app, beside, arguments)
    finally:
        engine.close()


def _run_beside(engine: docker.DockerClient, image: str, beside: Services, arguments: Sequence[str]) -> int:
    tests = engine.volumes.create(labels=LABELS)
    container = engine.containers.create(
        image,
        ["/tests/run", *arguments],
        environment={"DATABASE_URL": beside.database_url, "REDIS_URL": beside.redis_url},
        volumes={tests.name: {"bind": "/tests", "mode": "rw"}},
        network=beside.network,
        labels=LABELS,
        # As it is deployed, but for the space that type checks need.
        read_only=True,
        tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=256m,mode=1777"},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        init=True,
    )
    try:
        write(engine, image, str(tests.name), "/tests", packed_directory(TESTS), LABELS)
        container.start()
        for part in container.logs(stream=True, follow=True):
            sys.stdout.write(part.decode(errors="replace"))
            sys.stdout.flush()
        return int(container.wait()["StatusCode"])
    finally:
        container.remove(force=True, v=True)
        tests.remove()


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
