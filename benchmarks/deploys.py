"""What a deploy costs: how long until the new release serves, and how many requests it drops.

    python -m benchmarks.deploys [--runs N] [--json FILE]

On a stack of its own, with two replicas and a steady load of 200 requests a second, in a copy of this
checkout with a state of its own. Everything is swept at the end. Exits with 1 when a request failed; a
goal that is missed is shown, and fails nothing. Needs Pulumi on PATH: `eval "$(./medianest activate)"`.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import docker
import requests
import typer
from rich.console import Console
from rich.table import Table

from components import labels
from ops.output import FILE_WIDTH
from tests.harness.checkout import STAGING, Checkout, Run, new_name, swept
from tests.harness.engine_events import events_from_now
from tests.harness.load.account import Account, demo_account
from tests.harness.processes import kill_with_all_that_it_started

LOOK_SECONDS = 0.02
DEPLOY_SECONDS = 600
# How long the release that never gets healthy may take.
START_SECONDS = 5
BACKEND = STAGING["medianest:backend"]
Document = Mapping[str, Any]


@dataclass
class Measure:
    """One figure over all runs, in seconds unless its name says something else."""

    name: str
    goal: float
    samples: list[float] = field(default_factory=list)

    @property
    def middle(self) -> float:
        return median(self.samples)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "goal": self.goal,
            "median": round(self.middle, 3),
            "goal_met": self.middle <= self.goal,
            "samples": [round(sample, 3) for sample in self.samples],
        }


@dataclass
class Measures:
    """All that is measured, with the goals of the project."""

    failed: Measure = field(default_factory=lambda: Measure("failed requests while it is deployed", 0))
    serving: Measure = field(default_factory=lambda: Measure("changed file: the new release serves", 6))
    whole: Measure = field(default_factory=lambda: Measure("changed file: the whole command", 15))
    back: Measure = field(default_factory=lambda: Measure("roll-back: the earlier release serves", 4))
    exits: Measure = field(default_factory=lambda: Measure("a release that exits: found out after", 3))
    silent: Measure = field(
        default_factory=lambda: Measure("a release that is never healthy: beyond its time-out", 1)
    )
    recovery: Measure = field(default_factory=lambda: Measure("killed: mended by the next command", 10))
    phases: dict[str, list[float]] = field(default_factory=dict)

    def all(self) -> Sequence[Measure]:
        return (
            *(self.failed, self.serving, self.whole, self.back),
            *(self.exits, self.silent, self.recovery),
        )


@dataclass(frozen=True)
class Bench:
    """The stack that everything is done to."""

    checkout: Checkout
    engine: docker.DockerClient
    name: str
    port: int
    user: Account
    measures: Measures = field(default_factory=Measures)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def redeploy(self) -> None:
        """Change one file, and deploy it."""
        with (self.checkout.root / "app/medianest/__init__.py").open("a") as module:
            module.write(f"\n# change {next(self.numbers)}\n")
        began = time.monotonic()
        with self.user.loading() as load, self.switch() as switched:
            report = self.checkout.expect("up", self.name, "--json").document()
            took = time.monotonic() - began
        self.measures.failed.samples.append(load.failed)
        self.measures.serving.samples.append(switched[0] - began)
        self.measures.whole.samples.append(took)
        for phase, seconds in report["phases"].items():
            self.measures.phases.setdefault(phase, []).append(seconds)

    def go_back(self) -> None:
        """Roll back, and lift the pin again."""
        began = time.monotonic()
        with self.user.loading() as load, self.switch() as switched:
            self.checkout.expect("rollback", self.name)
        self.measures.failed.samples.append(load.failed)
        self.measures.back.samples.append(switched[0] - began)
        self.checkout.expect("up", self.name, "--unpin", "--no-verify")

    def deploy_bad(self, backend: Document, patience: float, measure: Measure) -> None:
        """Deploy what does not work: how long its container is there, beyond `patience`."""
        self.checkout.declare(self.name, settings(backend), self.port)
        with self.user.loading() as load:
            took = self.life_of_the_bad(lambda: self.checkout.medianest("up", self.name))
        self.measures.failed.samples.append(load.failed)
        measure.samples.append(took - patience)
        self.checkout.declare(self.name, settings({}), self.port)
        self.checkout.expect("up", self.name, "--no-verify")

    def recover(self) -> None:
        """Kill a deploy in the middle, and have the next command mend it."""
        change = {"environment": {**BACKEND["environment"], "CHANGE": str(next(self.numbers))}}
        self.checkout.declare(self.name, settings(change), self.port)
        events = self.events("start")
        process = self.checkout.start("./medianest", "up", self.name, "--no-verify")
        started = next(events, None)
        kill_with_all_that_it_started(process)
        events.close()
        assert started is not None, "no container was started"
        began = time.monotonic()
        self.checkout.expect("up", self.name, "--no-verify")
        self.measures.recovery.samples.append(time.monotonic() - began)

    def life_of_the_bad(self, deploy: Callable[[], Run]) -> float:
        """Seconds from the start of the first new container to its removal."""
        seen: list[tuple[str, str, float]] = []
        events = self.events("start", "destroy")

        def follow() -> None:
            for event in events:
                seen.append((event["Action"], event["Actor"]["ID"], event["timeNano"] / 1e9))

        with ThreadPoolExecutor(1) as threads:
            following = threads.submit(follow)
            try:
                run = deploy()
            finally:
                events.close()
            following.result()
        assert run.code == 1, run.said
        bad = next((identifier for action, identifier, _ in seen if action == "start"), None)
        assert bad is not None, "no container was started"
        times = {action: at for action, identifier, at in reversed(seen) if identifier == bad}
        return times["destroy"] - times["start"]

    def events(self, *actions: str) -> Any:
        """Of the backends, from now on and no longer than a deploy takes."""
        marks = [f"{labels.STACK}={self.name}", f"{labels.COMPONENT}=backend"]
        wanted = {"type": "container", "label": marks, "event": list(actions)}
        return events_from_now(self.engine, wanted, DEPLOY_SECONDS)

    @contextmanager
    def switch(self) -> Iterator[list[float]]:
        """Look who answers until the block ends: the time at which another release first does."""
        before, switched, over = self.release(), list[float](), threading.Event()

        def look() -> None:
            while not switched:
                last = over.wait(LOOK_SECONDS)
                if self.release() != before:
                    switched.append(time.monotonic())
                elif last:
                    break

        with ThreadPoolExecutor(1) as threads:
            looking = threads.submit(look)
            try:
                yield switched
            finally:
                over.set()
            looking.result()
        assert switched, "the other release never answered"

    def release(self) -> str:
        """The release that answers: its description of the API says so."""
        answer = requests.get(f"{self.user.url}/api/openapi.json", timeout=10)
        return str(answer.json()["info"]["version"])


def settings(backend: Document) -> dict[str, Any]:
    # The watch is as long as somebody sets it.
    return {
        **STAGING,
        "medianest:backend": {**BACKEND, **backend},
        "medianest:deploy": {"watch": {"seconds": 0}},
    }


@contextmanager
def bench() -> Iterator[Bench]:
    """A stack in a checkout of its own, as long as the block runs."""
    engine, name = docker.from_env(), new_name("bench")
    with tempfile.TemporaryDirectory(prefix="medianest-") as directory, swept(engine, name):
        checkout = Checkout.of_this_tree(Path(directory, "medianest"), Path(directory, "state"))
        port = checkout.declare(name, settings({}))
        tell("first deploy")
        checkout.expect("up", name, "--no-verify")
        user = demo_account(engine, name, f"http://127.0.0.1:{port}")
        yield Bench(checkout, engine, name, port, user)
        user.assert_nothing_is_lost()
    engine.close()


def measure(runs: int) -> Measures:
    """Run everything so many times."""
    with bench() as stack:
        measures = stack.measures
        exits = {"command": ["python", "-c", "raise SystemExit('nothing works')"]}
        silent = {"command": ["sleep", "600"], "health": {"start_seconds": START_SECONDS}}
        for number in range(1, runs + 1):
            for title, act in (
                ("a changed file", stack.redeploy),
                ("a roll-back", stack.go_back),
                ("a release that exits", lambda: stack.deploy_bad(exits, 0, measures.exits)),
                ("one never healthy", lambda: stack.deploy_bad(silent, START_SECONDS, measures.silent)),
                ("a kill", stack.recover),
            ):
                tell(f"run {number} of {runs}: {title}")
                act()
    return measures


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(
    runs: Annotated[int, typer.Option(min=1, max=50, help="Of everything.")] = 5,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here too.")] = None,
) -> None:
    """Measure what deploys cost."""
    measures = measure(runs)
    report = {
        "runs": runs,
        "measures": [found.as_json() for found in measures.all()],
        "phases": {name: round(median(samples), 2) for name, samples in measures.phases.items()},
    }
    if json_file is not None:
        json_file.write_text(json.dumps(report, indent=2) + "\n")
    show(measures)
    if any(measures.failed.samples):
        raise typer.Exit(1)


def show(measures: Measures) -> None:
    """The figures for people."""
    table = Table("measure", "median", "of", "goal")
    for one in measures.all():
        spread = f"{min(one.samples):.2f} to {max(one.samples):.2f}"
        colour, word = ("green", "met") if one.middle <= one.goal else ("red", "missed")
        table.add_row(one.name, f"{one.middle:.2f}", spread, f"[{colour}]≤ {one.goal:g} {word}[/]")
    # Into a file or a pipe nothing is cut off.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else FILE_WIDTH)
    console.print(table)
    phases = ", ".join(f"{name} {median(samples):.2f} s" for name, samples in measures.phases.items())
    console.print(f"the whole command: {phases}")


if __name__ == "__main__":
    typer.run(main)
