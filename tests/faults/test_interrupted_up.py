"""A deploy that is killed at any moment: one command finds out, mends it, and ends in a healthy stack.

The moments are the engine's events of the stack: a kill comes right behind each of them, before Pulumi
has taken note of what the engine has done.
"""

from __future__ import annotations

import itertools
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import pytest
import requests

from components import labels
from ops.child import session_members
from ops.lock import Lock, is_pulumi, read_locks
from tests.harness.checkout import STAGING, Checkout, new_name, of_stack, swept
from tests.harness.disk import fill, small_disk
from tests.harness.engine_events import events_from_now
from tests.harness.fault_results import measured
from tests.harness.processes import arguments, kill_with_all_that_it_started, tree, with_command_line
from tests.harness.waiting import until

BACKEND = STAGING["medianest:backend"]
# Of a container's events those that an update causes; health checks and execs go on by themselves.
STRIDE = 3
DEPLOY_SECONDS = 240
ACTIONS = ["create", "start", "kill", "die", "destroy", "connect", "disconnect", "mount"]


@dataclass(frozen=True)
class Deployed:
    """A stack with one replica, and a setting whose change makes a new release."""

    checkout: Checkout
    engine: docker.DockerClient
    name: str
    port: int
    _numbers: Iterator[int]

    def change(self, **settings: Any) -> None:
        number = next(self._numbers)
        environment = {**BACKEND["environment"], "CHANGE": str(number)}
        backend = {**BACKEND, "replicas": 1, "environment": environment, **settings}
        # New secrets too, so that volumes and their loaders take part.
        generations = dict.fromkeys(("jwt_secret", "postgres_password", "redis_password"), number + 1)
        configuration = {**STAGING, "medianest:backend": backend, "medianest:generations": generations}
        self.checkout.declare(self.name, configuration, self.port)

    def events(self) -> Any:
        """From now on, and no longer than a deploy takes on a machine that is busy."""
        wanted = {"label": f"{labels.STACK}={self.name}", "event": ACTIONS}
        return events_from_now(self.engine, wanted, DEPLOY_SECONDS)

    @property
    def locks(self) -> list[Lock]:
        return read_locks(
            self.checkout.state / "medianest/pulumi/.pulumi/locks/organization/medianest" / self.name
        )

    def assert_serves(self) -> None:
        """At any moment; and all is well within seconds: a rotation has the backends log in anew."""

        def healthy() -> bool:
            answer = requests.get(f"http://127.0.0.1:{self.port}/api/health", timeout=5)
            assert answer.status_code == 200, answer.text
            return bool(answer.json()["status"] == "healthy")

        until(healthy, "all is well", 15)


@pytest.fixture(scope="module")
def stack(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    directory = tmp_path_factory.mktemp("checkout")
    name = new_name("killed")
    with small_disk(directory / "state", "64m") as state, swept(engine, name):
        checkout = Checkout.of_this_tree(directory / "medianest", state)
        deployed = Deployed(checkout, engine, name, checkout.declare(name, STAGING), itertools.count())
        deployed.change()
        checkout.expect("up", name, "--no-verify")
        yield deployed


@pytest.mark.parametrize("first", [0, *(pytest.param(later, marks=pytest.mark.slow) for later in (1, 2))])
@pytest.mark.fault(
    "`up` and all below it killed behind an event of the engine",
    "what served serves on, and the next `up` mends it",
)
def test_one_command_mends_it(stack: Deployed, first: int) -> None:
    """Killed behind every third event of a deploy; all three together: behind every one."""
    for moment in itertools.count(first, STRIDE):
        killed_behind = kill_a_deploy(stack, moment)
        if killed_behind is None:
            assert moment > 6, "a deploy has more events than that"
            return
        stack.assert_serves()
        began = time.monotonic()
        run = stack.checkout.expect("up", stack.name, "--no-verify")
        measured(f"{time.monotonic() - began:.1f} s until it is mended")
        print(f"killed behind {killed_behind}\n{run.err}")
        assert_all_is_well(stack, killed_behind)


@pytest.mark.parametrize("at_once", [True, False], ids=["the next at once", "the next later"])
@pytest.mark.fault("`medianest` killed alone", "its Pulumi ends in order, and the next command waits for it")
def test_killed_alone_it_leaves_no_pulumi_at_work(stack: Deployed, at_once: bool) -> None:
    """Pulumi lets what it has begun end, saves the state and gives the lock back."""
    stack.change()
    process = stack.checkout.start("./medianest", "up", stack.name, "--no-verify")
    events = stack.events()
    next(event for event in events if event["Action"] == "create")
    events.close()
    (pulumi,) = [pid for pid in tree(process.pid) if is_pulumi(pid) and "--event-log" in arguments(pid)]
    process.kill()
    process.communicate()
    if not at_once:
        until(lambda: session_members(pulumi) == [], "what was left alone ends", 60)
        assert stack.locks == []
    stack.assert_serves()
    run = stack.checkout.expect("up", stack.name, "--no-verify")
    # Nothing of it was lost, so there is no lock to clear.
    assert "Clearing the lock" not in run.err
    assert session_members(pulumi) == []
    assert_all_is_well(stack, "medianest alone")


@pytest.mark.fault("`up` killed during a build", "the engine gives the build up; the next `up` deploys")
def test_killed_during_a_build(stack: Deployed) -> None:
    dockerfile = stack.checkout.root / "app" / "Dockerfile"
    written, pause = dockerfile.read_text(), f"sleep 60.{uuid.uuid4().int % 10**6}"
    dockerfile.write_text(f"{written}\nFROM production AS slow\nRUN {pause}\n")
    stack.change(build={"target": "slow"})
    process = stack.checkout.start("./medianest", "up", stack.name, "--no-verify")
    until(lambda: with_command_line(pause) != [], "the build gets there", 60)
    kill_with_all_that_it_started(process)
    until(lambda: with_command_line(pause) == [], "the engine gives the build up", 60)
    stack.assert_serves()
    dockerfile.write_text(written)
    stack.change()
    stack.checkout.expect("up", stack.name, "--no-verify")
    assert_all_is_well(stack, "a build")


@pytest.mark.fault(
    "the disk of the state gets full during an update", "told; what served serves on; the next `up` mends it"
)
def test_the_disk_of_the_state_gets_full_meanwhile(stack: Deployed) -> None:
    stack.change()
    events = stack.events()
    process = stack.checkout.start("./medianest", "up", stack.name, "--no-verify")
    next(event for event in events if event["Action"] == "create")
    events.close()
    filler = stack.checkout.state / "filler"
    fill(filler)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, out + err
    assert "the disk that holds Pulumi's state is full" in err
    assert str(stack.checkout.state) in err
    assert "Traceback" not in err
    stack.assert_serves()
    refused = stack.checkout.medianest("up", stack.name, "--no-verify")
    assert refused.code == 3, refused.said
    assert str(stack.checkout.state) in refused.err
    filler.unlink()
    stack.checkout.expect("up", stack.name, "--no-verify")
    assert_all_is_well(stack, "a full disk")


def kill_a_deploy(stack: Deployed, moment: int) -> str | None:
    """Kill an update right behind one of its events. Returns which, or None when it had fewer."""
    stack.change()
    events = stack.events()
    process = stack.checkout.start("./medianest", "up", stack.name, "--no-verify")
    # An update that ends before the moment comes has no more events.
    threading.Thread(target=_close_at_the_end, args=(process, events), daemon=True).start()
    event = next(itertools.islice(events, moment, None), None)
    kill_with_all_that_it_started(process)
    if event is None:
        assert process.returncode == 0
        return None
    return f"{event['Type']} {event['Action']} {event['Actor']['Attributes'].get('name', '')}"


def _close_at_the_end(process: subprocess.Popen[str], events: Any) -> None:
    process.wait()
    events.close()


def assert_all_is_well(stack: Deployed, killed_behind: str) -> None:
    """It serves, Pulumi has nothing to do, and the engine has nothing that the state does not know."""
    stack.assert_serves()
    report = stack.checkout.expect("up", stack.name, "--no-fast", "--no-verify", "--json").document()
    changes = {kind: count for kind, count in report["changes"].items() if count}
    assert changes.keys() == {"same"}, (killed_behind, changes)
    known = stack.checkout.pulumi("stack", "export", "-s", stack.name).out
    unknown = [
        found
        for found in of_stack(stack.engine, stack.name)
        if not found.startswith("image ") and found.split()[1] not in known
    ]
    assert unknown == [], killed_behind
