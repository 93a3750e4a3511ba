"""The yardstick: uvicorn that answers the same bytes and does nothing else.

It runs in a container of the backend's own image, under the same limits and settings of uvicorn.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from components import labels
from ops.errors import OperationError

if TYPE_CHECKING:
    from docker import APIClient

PORT = 3000
_START_SECONDS = 30
_PROGRAM = f"""
import json, os, uvicorn
answers = {{}}
for path, (headers, body) in json.loads(os.environ["ANSWERS"]).items():
    head = [(name.encode(), value.encode()) for name, value in headers]
    answers[path] = (
        {{"type": "http.response.start", "status": 200, "headers": head}},
        {{"type": "http.response.body", "body": body.encode()}},
    )
async def bare(scope, receive, send):
    start, body = answers[scope["path"]]
    await send(start)
    await send(body)
uvicorn.run(bare, host="0.0.0.0", port={PORT}, loop="uvloop", http="httptools", lifespan="off", ws="none",
    log_config=None, access_log=False, server_header=False, proxy_headers=False, timeout_keep_alive=75)
"""


@contextmanager
def bare_server(
    api: APIClient,
    backend: Mapping[str, Any],
    answers: Mapping[str, tuple[Sequence[tuple[str, str]], str]],
) -> Iterator[Mapping[str, Any]]:
    """Yields its container as the engine describes it; its network has loopback only. `backend` is the
    backend's container; `answers` maps paths to headers and body."""
    limits = backend["HostConfig"]
    container = api.create_container(
        backend["Image"],
        ["python", "-c", _PROGRAM],
        environment={"ANSWERS": json.dumps(answers)},
        # Not the stack's labels: it is no part of it.
        labels={f"{labels.PROJECT}.benchmark": "bare"},
        healthcheck={"Test": ["NONE"]},
        host_config=api.create_host_config(
            network_mode="none",
            mem_limit=limits["Memory"],
            nano_cpus=limits["NanoCpus"] or None,
            cpu_period=limits["CpuPeriod"] or None,
            cpu_quota=limits["CpuQuota"] or None,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            read_only=True,
            init=True,
        ),
    )
    try:
        api.start(container)
        _wait(api, container["Id"])
        yield api.inspect_container(container)
    finally:
        api.remove_container(container, force=True, v=True)


def _wait(api: APIClient, container: str) -> None:
    probe = f"import socket; socket.create_connection(('127.0.0.1', {PORT}), 1)"
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        tried = api.exec_create(container, ["python", "-c", probe])["Id"]
        api.exec_start(tried)
        if api.exec_inspect(tried)["ExitCode"] == 0:
            return
        time.sleep(0.1)
    raise OperationError(f"the bare server does not start: {api.logs(container).decode(errors='replace')}")
