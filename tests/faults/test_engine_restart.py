"""An engine that is restarted, and a machine that loses its power, under load: all comes back by itself."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
import requests

from components.build_context import base_image
from tests.harness.built_images import BuiltImages
from tests.harness.checkout import ROOT, STAGING, Checkout, new_name
from tests.harness.fault_results import measured
from tests.harness.load.account import Account, demo_account
from tests.harness.other_machine import OtherMachine
from tests.harness.waiting import until

BACK_SECONDS = 90
# Of the look that finds all well again, on a machine that is busy.
MARGIN_SECONDS = 1.0


@dataclass(frozen=True)
class Deployed:
    """A stack with two replicas on a machine of its own."""

    machine: OtherMachine
    checkout: Checkout
    name: str
    user: Account

    def is_well(self) -> bool:
        try:
            answer = requests.get(f"{self.user.url}/api/health", timeout=2)
        except requests.RequestException:
            return False
        return answer.status_code == 200 and answer.json()["status"] == "healthy"


@pytest.fixture(scope="module")
def stack(
    engine: docker.DockerClient, images: BuiltImages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    directory = tmp_path_factory.mktemp("checkout")
    checkout = Checkout.of_this_tree(directory / "medianest", directory / "state")
    names = {
        part: str(engine.images.get(getattr(images, part)).tags[0])
        for part in ("gateway", "postgres", "redis", "app")
    }
    # There is no network there to build over: each image is the one that was built here.
    for part, image in names.items():
        context = checkout.root / ("app" if part == "app" else f"images/{part}")
        (context / "Dockerfile").write_text(f"FROM {image} AS production\n")
    with tempfile.TemporaryDirectory(prefix="machine-") as place:
        machine = OtherMachine(Path(place))
        with machine.in_its_network():
            machine.boot()
            try:
                machine.load_images([base_image(ROOT), *names.values()])
                checkout = checkout.with_variables(DOCKER_HOST=machine.engine_url)
                name = new_name("restart")
                # The stage of the tests has a command of its own.
                backend = {**STAGING["medianest:backend"], "command": ["python", "-m", "medianest"]}
                port = checkout.declare(name, {**STAGING, "medianest:backend": backend})
                checkout.expect("up", name, "--no-verify")
                other = docker.DockerClient(machine.engine_url)
                user = demo_account(other, name, f"http://127.0.0.1:{port}")
                other.close()
                yield Deployed(machine, checkout, name, user)
            finally:
                machine.crash()


def restarted(machine: OtherMachine) -> None:
    machine.restart_engine()


def without_power(machine: OtherMachine) -> None:
    machine.crash()
    machine.boot()


@pytest.mark.parametrize("happens", [restarted, without_power])
@pytest.mark.fault(
    "the engine is restarted; the machine loses its power",
    "all comes back by itself, with every acknowledged write",
)
def test_all_comes_back_by_itself(stack: Deployed, happens: Callable[[OtherMachine], None]) -> None:
    with stack.user.loading(happens.__name__) as load:
        began = time.monotonic()
        time.sleep(2)
        gone = time.monotonic() - began
        happens(stack.machine)
        engine_back = time.monotonic() - began
        until(stack.is_well, "it comes back", gone + BACK_SECONDS - engine_back)
        back = time.monotonic() - began
        time.sleep(4)
    measured(f"the engine is back after {engine_back - gone:.1f} s, all after {back - gone:.1f} s")
    failures = [failure for seen in load.failures.values() for failure in seen]
    assert failures, "the load did not notice"
    before_or_after = [one for one in failures if one[1] < gone or one[0] > back + MARGIN_SECONDS]
    assert before_or_after == []
    stack.user.assert_nothing_is_lost()


@pytest.mark.fault("what both have left", "`up` has nothing to do")
def test_nothing_is_left_to_mend(stack: Deployed) -> None:
    run = stack.checkout.expect("up", stack.name, "--no-fast", "--no-verify", "--json")
    changes = {kind: count for kind, count in run.document()["changes"].items() if count}
    assert changes.keys() == {"same"}
    assert "Behind Pulumi's back" not in run.err
    preview = stack.checkout.pulumi("preview", "--refresh", "--expect-no-changes", "-s", stack.name)
    assert preview.code == 0, preview.said
