"""A Postgres to throw away, in which a backup is restored to see that it can be."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from components.hardening.kinds import SCRATCH_DATABASE
from ops.backup.postgres import Server
from ops.container_commands import run
from ops.engine import log_tail, remove_container
from ops.errors import OperationError
from ops.hardened import create, rotated_log

if TYPE_CHECKING:
    from docker import APIClient

START_SECONDS = 120
# The password is drawn inside and never leaves: nobody needs it, since nothing can connect from outside.
_START = (
    "umask 077; head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n' >/tmp/password; "
    'export POSTGRES_PASSWORD_FILE=/tmp/password; exec "$@"'
)
USER = "scratch"


@contextmanager
def scratch_server(
    api: APIClient, like: str, labels: Mapping[str, str], memory_mb: int, cpus: float
) -> Iterator[Server]:
    """A server of the image of the container `like`: no network, limits, gone at the end with its data."""
    original = api.inspect_container(like)
    image = api.inspect_image(original["Image"])["Config"]  # type: ignore[no-untyped-call]
    user = str(original["Config"]["User"])
    mine = f"uid={user.split(':')[0]},gid={user.split(':')[0]}"
    host = api.create_host_config(
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        mem_limit=f"{memory_mb}m",
        memswap_limit=f"{memory_mb}m",
        nano_cpus=int(cpus * 1e9),
        pids_limit=100,
        init=True,
        log_config=rotated_log(),
        tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=64m", "/var/run/postgresql": f"rw,size=1m,{mine}"},  # noqa: S108
    )
    made = create(
        api,
        SCRATCH_DATABASE,
        image=original["Image"],
        command=["sh", "-c", _START, "sh", *(image["Entrypoint"] or ()), "postgres", "-c", "fsync=off"],
        entrypoint=[],
        user=user,
        environment={"POSTGRES_USER": USER, "POSTGRES_DB": USER},
        labels=dict(labels),
        healthcheck={"test": ["NONE"]},
        host_config=host,
    )
    try:
        api.start(made)
        _wait(api, made)
        yield Server(api, made, USER, USER)
    finally:
        # With the anonymous volume that holds its database.
        remove_container(api, made)


def _wait(api: APIClient, container: str) -> None:
    # Over TCP: the server of the initialisation listens on its local socket alone.
    ready = ["pg_isready", "--quiet", "--host=127.0.0.1"]
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            run(api, container, ready, "pg_isready")
            return
        except OperationError as error:
            gone = not api.inspect_container(container)["State"]["Running"]
            if gone or time.monotonic() > deadline:
                log = "\n".join(f"    {line}" for line in log_tail(api, container, 8))
                raise OperationError(f"the scratch database did not start:\n{log}") from error
        time.sleep(0.2)
