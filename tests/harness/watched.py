"""A deployed stack that is watched and healed, under load, for faults that are made real."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from components import labels
from tests.harness.at_fault import healthy, journal
from tests.harness.checkout import STAGING, Checkout, containers_of, new_name, swept
from tests.harness.fault_results import measured
from tests.harness.load.load import Load, steady_load
from tests.harness.load.plan import reads
from tests.harness.waiting import until

SETTINGS: dict[str, Any] = {
    **STAGING,
    "medianest:monitoring": {"enabled": True, "scrape_seconds": 2.0, "time_scale": 0.2},
    "medianest:verification": {"paths": [], "soak": {}},
    # So many faults one after the other would use up the budget of the services.
    "medianest:guardian": {"budget": {"actions": 20, "minutes": 50}, "backoff": {"first_seconds": 2.5}},
    "medianest:deploy": {"watch": {"seconds": 0}},
}
PATH, PER_SECOND = "/api/health/live", 50.0


@dataclass
class Outcome:
    """A row of the table: times in seconds, `failed` of `sent` requests."""

    fault: str
    detected: float | None = None
    recovered: float | None = None
    actions: list[str] = field(default_factory=list)
    sent: int = 0
    failed: int = 0

    @property
    def in_words(self) -> str:
        """The same in a sentence."""
        times = "" if self.detected is None else f"acted on after {self.detected:.1f} s"
        well = "" if self.recovered is None else f"well {self.recovered:.1f} s later"
        failed = f"{self.failed} of {self.sent} requests failed"
        return ", ".join(part for part in (times, well, failed) if part)

    def __str__(self) -> str:
        def shown(seconds: float | None) -> str:
            return "-" if seconds is None else f"{seconds:.1f} s"

        did = ", ".join(self.actions) or "nothing"
        times = f"{shown(self.detected)} | {shown(self.recovered)}"
        return f"| {self.fault} | {times} | {did} | {self.failed} of {self.sent} |"


@dataclass
class Watched:
    """The stack, and what came of its faults so far."""

    client: docker.DockerClient
    checkout: Checkout
    name: str
    url: str
    owner: str
    table: list[Outcome] = field(default_factory=list)

    def of(self, component: str) -> list[Container]:
        """Its containers, without those of others that are made to look alike."""
        found = containers_of(self.client, self.name, component)
        own = [item for item in found if item.labels[labels.OWNER] == self.owner]
        return sorted(own, key=lambda item: str(item.name))

    def one(self, component: str) -> Container:
        (found,) = self.of(component)
        return found

    def journal(self, **wanted: str | None) -> list[dict[str, Any]]:
        return journal(self.one("guardian"), **wanted)

    def well(self) -> bool:
        """Whether every service is healthy."""
        services = ("gateway", "backend", "postgres", "redis", "guardian", "prometheus", "alertmanager")
        return all(healthy(item) for component in services for item in self.of(component))

    @contextmanager
    def fault(self, name: str) -> Iterator[Outcome]:
        """Make a fault in the block, under load, and see how it ends: back to where all is well.

        `detected` is when the guardian began to act, its evidence kept, and `recovered` how long after that
        all was well.
        """
        until(self.well, "all is well before", 60)
        outcome, began = Outcome(name), time.time()
        with steady_load(self.url, reads(PATH, PER_SECOND)) as load:
            time.sleep(1)
            began = time.time()
            yield outcome
            until(self.well, f"all is well after: {name}", 90)
            ended = time.time()
            time.sleep(1)
        self._note(outcome, load, began, ended)

    def _note(self, outcome: Outcome, load: Load, began: float, ended: float) -> None:
        acted = [entry for entry in self.journal(kind="action", outcome="begun") if entry["at"] >= began]
        outcome.actions = [f"{entry['what']} {entry['component']}" for entry in acted]
        if acted:
            outcome.detected = acted[0]["at"] - began
            outcome.recovered = ended - acted[0]["at"]
        outcome.sent, outcome.failed = load.sent, load.failed
        self.table.append(outcome)
        measured(outcome.in_words)
        print(outcome, flush=True)


@contextmanager
def watched(client: docker.DockerClient, directory: Path) -> Iterator[Watched]:
    """Deploy the stack, and remove it at the end; the table is printed before."""
    root, state = directory / "checkout", directory / "state"
    root.mkdir()
    state.mkdir()
    checkout, name = Checkout.of_this_tree(root, state), new_name("healing")
    port = checkout.declare(name, SETTINGS)
    with swept(client, name):
        try:
            checkout.expect("up", name, "--no-verify", timeout=600)
            (gateway,) = containers_of(client, name, "gateway")
            url = f"http://127.0.0.1:{port}"
            stack = Watched(client, checkout, name, url, gateway.labels[labels.OWNER])
            yield stack
            print("\n| fault | detected | well again after | done | requests failed |\n|---|---|---|---|---|")
            print("\n".join(map(str, stack.table)), flush=True)
        finally:
            checkout.medianest("down", name, "--delete-data", "--yes", timeout=300)
