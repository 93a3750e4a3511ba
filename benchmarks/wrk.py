"""wrk, the load generator: a process of its own on a core of its own, and what it reports."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.errors import ExitCode, OperationError

CONNECTIONS = 32
TOOLS = {"wrk": "wrk", "nsenter": "util-linux", "taskset": "util-linux"}
# Latencies are in microseconds. `status` counts every status above 399.
# Source: https://github.com/wg/wrk/blob/master/SCRIPTING
_SCRIPT = """
wrk.method = %s
wrk.headers = { %s }
done = function(summary, latency, requests)
  local e = summary.errors
  io.stderr:write(string.format('{"requests":%%d,"microseconds":%%d,"p50":%%f,"p99":%%f,"errors":%%d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Request:
    """What is asked, over and over. Headers may hold a token."""

    name: str
    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Sample:
    """What one run of wrk has measured. Latencies in milliseconds."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int


def check_tools() -> None:
    """Raises OperationError that says what to install."""
    missing = {package for tool, package in TOOLS.items() if shutil.which(tool) is None}
    if missing:
        raise OperationError(
            f"missing: {', '.join(sorted(missing))}",
            f"On Debian: apt-get install {' '.join(sorted(missing))}",
            ExitCode.REFUSED,
        )
    if os.geteuid() != 0:
        raise OperationError("entering a container's network needs root", "Run it as root.", ExitCode.REFUSED)


def run(request: Request, address: str, seconds: int, network_of: int | None = None) -> Sample:
    """Load `address` for so many seconds, from inside the network of process `network_of` if given."""
    with tempfile.TemporaryDirectory(prefix="medianest-") as directory:
        # A file that nobody else reads: arguments are seen by everybody on this machine.
        script = Path(directory, "request.lua")
        script.touch(mode=0o600)
        headers = ", ".join(
            f"[{_quoted(name)}] = {_quoted(value)}" for name, value in request.headers.items()
        )
        script.write_text(_SCRIPT % (_quoted(request.method), headers))
        inside = [] if network_of is None else ["nsenter", f"--net=/proc/{network_of}/ns/net"]
        last_core = str(max(os.sched_getaffinity(0)))
        command = [
            *("taskset", "-c", last_core, *inside, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"),
            *("-s", str(script), f"{address}{request.path}"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    if done.returncode != 0:
        raise OperationError(f"wrk failed: {(done.stderr or done.stdout).strip()}")
    return read(done.stderr)


def read(report: str) -> Sample:
    """The script's report."""
    found = json.loads(report)
    return Sample(
        requests=found["requests"],
        per_second=found["requests"] / (found["microseconds"] / 1e6),
        p50_ms=found["p50"] / 1e3,
        p99_ms=found["p99"] / 1e3,
        errors=found["errors"],
    )


def _quoted(text: str) -> str:
    # JSON's escapes are Lua's for what stands in a header.
    return json.dumps(text)
