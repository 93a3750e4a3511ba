"""What was declared of the containers is what runs: replicas, users, limits, health, labels, images."""

from __future__ import annotations

from components import labels
from ops.restart_loops import find_loops
from tests.harness.deployed_stack import WATCHING, DeployedStack

USERS = {"postgres": "999", "redis": "999", "gateway": "99", **WATCHING}


def test_every_component_runs_with_its_replicas(stack: DeployedStack) -> None:
    assert {name: len(found) for name, found in stack.outputs["containers"].items()} == {
        "gateway": 1,
        "backend": stack.settings.backend.replicas,
        "postgres": 1,
        "redis": 1,
        **(dict.fromkeys(WATCHING, 1) if stack.watched else {}),
    }


def test_containers_run_and_are_healthy(stack: DeployedStack) -> None:
    for running in stack.containers:
        state = running.inspected["State"]
        assert state["Status"] == "running", running.name
        assert state["Health"]["Status"] == "healthy", running.name


def test_no_container_is_in_a_restart_loop(stack: DeployedStack) -> None:
    loops = find_loops(stack.engine.api, [running.inspected for running in stack.containers])
    assert not loops, "\n".join(map(str, loops))


def test_processes_belong_to_the_declared_user(stack: DeployedStack) -> None:
    users = USERS | {"backend": stack.settings.backend.user}
    for running in stack.containers:
        assert running.inspected["Config"]["User"] == users[running.component], running.name
        processes = running.container.top(ps_args="-eo uid,pid")["Processes"]
        assert processes, running.name
        assert {process[0] for process in processes} == {users[running.component]}, running.name


def test_limits_are_the_declared_ones(stack: DeployedStack) -> None:
    for running in stack.containers:
        limits, host = stack.limits(running.component), running.inspected["HostConfig"]
        assert host["Memory"] == limits.memory_mb * 1024 * 1024, running.name
        assert host["MemorySwap"] == host["Memory"], running.name
        assert host["NanoCpus"] == round(limits.cpus * 1e9), running.name
        assert host["PidsLimit"] == limits.pids, running.name


def test_everything_carries_the_labels_of_its_stack(stack: DeployedStack) -> None:
    for running in stack.containers:
        found = running.inspected["Config"]["Labels"]
        assert found[labels.PROJECT] == "medianest" or found[labels.PROJECT], running.name
        assert found[labels.STACK] == stack.name, running.name
        assert found[labels.OWNER] == stack.outputs["owner"], running.name
        assert found[labels.COMPONENT] == running.component, running.name


def test_backends_carry_the_release_and_run_its_image(stack: DeployedStack) -> None:
    for running in stack.of("backend"):
        assert running.inspected["Config"]["Labels"][labels.RELEASE] == stack.outputs["release"]
        assert running.inspected["Image"] == stack.outputs["image"]["id"]


def test_the_images_tag_follows_the_stack(stack: DeployedStack) -> None:
    project = stack.outputs["image"]["name"].split("/")[0]
    image = stack.engine.images.get(f"{project}/backend:{stack.name}")
    assert image.id == stack.outputs["image"]["id"]
    assert image.labels[labels.STACK] == stack.name
    assert image.labels[labels.OWNER] == stack.outputs["owner"]


def test_loaders_never_ran(stack: DeployedStack) -> None:
    # Secrets of three services and the gateway's configuration; with the watch six more.
    assert len(stack.loaders) == (10 if stack.watched else 4)
    for loader in stack.loaders:
        assert loader.attrs["State"]["Status"] == "created", loader.name
        assert loader.attrs["State"]["StartedAt"].startswith("0001-"), loader.name
        assert loader.attrs["HostConfig"]["NetworkMode"] == "none", loader.name


def test_users_inside_are_the_declared_ones(stack: DeployedStack) -> None:
    users = USERS | {"backend": stack.settings.backend.user}
    for running in stack.containers:
        if running.inside:
            assert running.inside.user == users[running.component], running.name
            assert not running.inside.took_a_file, running.name
