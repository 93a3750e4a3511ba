"""How fast the deployed backend answers, beside a bare uvicorn that sends the same bytes.

    python -m benchmarks.backend STACK [--seconds N] [--json FILE]

Each round loads the bare server, the backend in its own network (loopback only), and the gateway's
published port, one after the other; a ratio compares what was measured within seconds of each other.
Containers stay as they are deployed; wrk is kept on the last core. Beside the clock stands the CPU time
that the answering container took for a request: other work on the machine changes that little. Exits
with 1 when a request failed; a goal that is missed is shown, and fails nothing.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import requests
import typer
from rich.console import Console
from rich.table import Table

from benchmarks import wrk
from benchmarks.bare_server import PORT as BARE_PORT
from benchmarks.bare_server import bare_server
from ops.engine import connect
from ops.errors import OperationError
from ops.measures import container_memory, parse_time
from ops.output import FILE_WIDTH, megabytes
from ops.session import open_session

if TYPE_CHECKING:
    from docker import APIClient

ROUNDS = 3
WARM_UP_SECONDS = 1
# Part of the bare server's requests a second that a route has to reach, in the backend's own network.
GOALS = {"live": 0.60, "test-jwt": 0.20, "cached read": 0.15, "database read": 0.08}
P99_TO_P50 = 5.0
IDLE_MEMORY_BYTES = 160_000_000
START_SECONDS = 1.5
# Of an answer, that uvicorn or every answer adds itself.
_OWN_HEADERS = frozenset({"date", "connection", "x-request-id"})


@dataclass
class Measured:
    """All rounds of one request at one place."""

    samples: list[wrk.Sample] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return median(sample.per_second for sample in self.samples)

    @property
    def p50_ms(self) -> float:
        return median(sample.p50_ms for sample in self.samples)

    @property
    def p99_ms(self) -> float:
        return median(sample.p99_ms for sample in self.samples)

    @property
    def errors(self) -> int:
        return sum(sample.errors for sample in self.samples)

    def ratio_to(self, bare: Measured) -> float:
        """The middle of the rounds' ratios."""
        pairs = zip(self.samples, bare.samples, strict=True)
        return median(mine.per_second / theirs.per_second for mine, theirs in pairs)


@dataclass
class Route:
    """One request at the three places."""

    request: wrk.Request
    bare: Measured = field(default_factory=Measured)
    backend: Measured = field(default_factory=Measured)
    gateway: Measured = field(default_factory=Measured)

    def as_json(self) -> dict[str, Any]:
        goal = GOALS[self.request.name]
        places = {"bare": self.bare, "backend": self.backend, "gateway": self.gateway}
        ratio, spread = self.backend.ratio_to(self.bare), self.backend.p99_ms / self.backend.p50_ms
        return {
            "name": self.request.name,
            **{
                place: {
                    "per_second": round(measured.per_second),
                    "p50_ms": round(measured.p50_ms, 3),
                    "p99_ms": round(measured.p99_ms, 3),
                    "ratio_to_bare": round(measured.ratio_to(self.bare), 4),
                    "cpu_us": round(median(measured.cpu_us), 1),
                    "errors": measured.errors,
                    "rounds": [asdict(sample) for sample in measured.samples],
                }
                for place, measured in places.items()
            },
            "goal": goal,
            "goal_met": ratio >= goal,
            "p99_to_p50": round(spread, 2),
            "p99_goal_met": spread < P99_TO_P50,
        }


def main(
    stack: Annotated[str, typer.Argument(help="A deployed stack of this machine.")],
    seconds: Annotated[int, typer.Option(min=3, max=60, help="Of load on each request and place.")] = 6,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here too.")] = None,
) -> None:
    """Measure the backend of a stack."""
    try:
        report = measure(stack, seconds)
    except OperationError as error:
        print(f"error: {error.message}\n{error.hint}", file=sys.stderr)
        raise typer.Exit(int(error.code)) from error
    if json_file is not None:
        json_file.write_text(json.dumps(report, indent=2) + "\n")
    show(report)
    if report["errors"]:
        raise typer.Exit(1)


def measure(stack: str, seconds: int) -> dict[str, Any]:
    """Run everything. Raises OperationError."""
    wrk.check_tools()
    session = open_session()
    outputs = session.deployed(stack).outputs
    api = connect(session.environment)
    container = api.inspect_container(outputs["containers"]["backend"][0])
    identifier, url = container["Id"], outputs["url"].replace("localhost", "127.0.0.1")
    idle = container_memory(api, [identifier])[identifier]
    start = start_seconds(api, container)

    environment = dict(entry.split("=", 1) for entry in container["Config"]["Env"])
    inside = f"http://127.0.0.1:{environment['PORT']}"
    bearer = {"Authorization": f"Bearer {token(api, container, url, environment.get('DEMO_USER'))}"}
    routes = [
        Route(wrk.Request("live", "GET", "/api/health/live", {})),
        Route(wrk.Request("test-jwt", "POST", "/api/auth/test-jwt", {})),
        Route(wrk.Request("cached read", "GET", "/api/users/me", bearer)),
        Route(wrk.Request("database read", "GET", "/api/users/me", bearer | {"Cache-Control": "no-cache"})),
    ]
    answers = {f"/{number}": answer_of(route.request, url) for number, route in enumerate(routes)}
    busiest = 0
    with bare_server(api, container, answers) as bare:
        for turn in range(ROUNDS + 1):
            # The first one warms up and is not counted. wrk takes whole seconds.
            part = WARM_UP_SECONDS if turn == 0 else seconds // ROUNDS
            for number, route in enumerate(routes):
                print(f"{route.request.name}: {part} s at each place", file=sys.stderr)
                same = replace(route.request, method="GET", path=f"/{number}")
                for measured, request, address, answering, direct in (
                    (route.bare, same, f"http://127.0.0.1:{BARE_PORT}", bare, True),
                    (route.backend, route.request, inside, container, True),
                    (route.gateway, route.request, url, container, False),
                ):
                    before = cpu_seconds(api, answering)
                    network_of = answering["State"]["Pid"] if direct else None
                    sample = wrk.run(request, address, part, network_of)
                    took = cpu_seconds(api, answering) - before
                    if turn > 0:
                        measured.samples.append(sample)
                        measured.cpu_us.append(took / max(1, sample.requests) * 1e6)
                busiest = max(busiest, container_memory(api, [identifier])[identifier])
    documents = [route.as_json() for route in routes]
    return {
        "stack": stack,
        "release": outputs["release"],
        "connections": wrk.CONNECTIONS,
        "seconds": seconds,
        "routes": documents,
        "memory_idle_bytes": idle,
        "memory_loaded_bytes": busiest,
        "memory_goal_met": idle <= IDLE_MEMORY_BYTES,
        "start_seconds": start,
        "start_goal_met": start is not None and start <= START_SECONDS,
        "errors": sum(
            document[place]["errors"] for document in documents for place in ("bare", "backend", "gateway")
        ),
    }


def token(api: APIClient, container: Mapping[str, Any], url: str, user: str | None) -> str:
    """Log the demo user in. Raises OperationError."""
    if user is None:
        raise OperationError("this stack has no demo user", "Set DEMO_USER in its settings, as staging does.")
    parts, _ = api.get_archive(container["Id"], "/run/secrets/demo_password")
    with tarfile.open(fileobj=io.BytesIO(b"".join(parts))) as archive:
        file = archive.extractfile("demo_password")
        assert file is not None
        password = file.read().decode()
    answer = requests.post(f"{url}/api/auth/login", json={"username": user, "password": password}, timeout=10)
    if answer.status_code != 200:
        raise OperationError(f"the demo user cannot log in: status {answer.status_code}")
    return str(answer.json()["access_token"])


def answer_of(request: wrk.Request, url: str) -> tuple[list[tuple[str, str]], str]:
    """The headers and the body that a request gets, for the bare server to send. Raises OperationError."""
    answer = requests.request(request.method, f"{url}{request.path}", headers=request.headers, timeout=10)
    if answer.status_code != 200:
        raise OperationError(f"{request.name}: {request.path} answers {answer.status_code}")
    headers = [(name, value) for name, value in answer.headers.items() if name.lower() not in _OWN_HEADERS]
    # Random ids cost something to make, and nothing to send.
    return [*headers, ("x-request-id", "0" * 32)], answer.text


def cpu_seconds(api: APIClient, container: Mapping[str, Any]) -> float:
    """CPU time of a container's processes since its start."""
    stats = api.stats(container["Id"], stream=False, one_shot=True)
    return float(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


def start_seconds(api: APIClient, container: Mapping[str, Any]) -> float | None:
    """From the container's start to its line "Ready"; None where the log has been rotated away."""
    started = parse_time(container["State"]["StartedAt"])
    lines = api.logs(container["Id"], since=started).decode(errors="replace").splitlines()
    for line in lines:
        if started is not None and '"message":"Ready"' in line:
            ready = datetime.fromisoformat(json.loads(line)["timestamp"])
            return round((ready - started).total_seconds(), 2)
    return None


def show(report: Mapping[str, Any]) -> None:
    """The figures for people."""
    # Into a file or a pipe nothing is cut off.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else FILE_WIDTH)
    table = Table("request", "place", "requests/s", "p50 ms", "p99 ms", "CPU µs", "of bare", "goal", "errors")
    for route in report["routes"]:
        for place in ("bare", "backend", "gateway"):
            found = route[place]
            ratio, goals = f"{found['ratio_to_bare']:.1%}", ""
            if place == "backend":
                reached = verdict(f"≥ {route['goal']:.0%}", route["goal_met"])
                spread = verdict(f"p99 < {P99_TO_P50:g} p50", route["p99_goal_met"])
                goals = f"{reached}, {spread}"
            name = route["name"] if place == "bare" else ""
            figures = (f"{found['per_second']:,}", f"{found['p50_ms']:.2f}", f"{found['p99_ms']:.2f}")
            table.add_row(name, place, *figures, f"{found['cpu_us']:.0f}", ratio, goals, str(found["errors"]))
        table.add_section()
    console.print(table)
    idle = f"{megabytes(report['memory_idle_bytes'])} idle"
    limit = verdict(f"≤ {megabytes(IDLE_MEMORY_BYTES)}", report["memory_goal_met"])
    console.print(f"memory   {idle} ({limit}), {megabytes(report['memory_loaded_bytes'])} under load")
    start = "unknown" if report["start_seconds"] is None else f"{report['start_seconds']} s"
    console.print(f"start    {start} ({verdict(f'≤ {START_SECONDS} s', report['start_goal_met'])})")
    console.print(f"errors   {report['errors']}")


def verdict(goal: str, met: bool) -> str:
    return f"[green]{goal} met[/]" if met else f"[red]{goal} missed[/]"


if __name__ == "__main__":
    typer.run(main)
