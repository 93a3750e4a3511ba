"""A stack whose state is cut off, changed, emptied, lost or too old: told, put back, nothing lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
import requests

from tests.harness.checkout import MINIMAL, Checkout, Run, containers_of, new_name, of_stack, swept

REFUSED = 3


@dataclass(frozen=True)
class Stack:
    """A deployed stack and the file of its state."""

    checkout: Checkout
    engine: docker.DockerClient
    name: str
    port: int

    @property
    def state(self) -> Path:
        stacks = self.checkout.state / "medianest/pulumi/.pulumi/stacks/medianest"
        return stacks / f"{self.name}.json"

    def up(self, *arguments: str) -> dict[str, Any]:
        return self.checkout.expect(
            "up", self.name, "--no-verify", "--no-fast", "--json", *arguments
        ).document()

    def serves(self) -> bool:
        return requests.get(f"http://127.0.0.1:{self.port}/api/health/live", timeout=5).status_code == 200

    def known(self) -> dict[str, str]:
        """What of the stack is on the engine, with what the engine calls it."""
        found = [
            item
            for component in ("gateway", "backend", "postgres", "redis")
            for item in containers_of(self.engine, self.name, component)
        ]
        return {str(item.name): str(item.id) for item in found}


@pytest.fixture(scope="module")
def stack(checkout: Checkout, engine: docker.DockerClient) -> Iterator[Stack]:
    name = new_name("damage")
    port = checkout.declare(name, MINIMAL)
    with swept(engine, name):
        deployed = Stack(checkout, engine, name, port)
        deployed.up()
        yield deployed


def problem(run: Run) -> str:
    return run.err[run.err.index("error: ") :]


def unchanged(report: dict[str, Any]) -> bool:
    return {kind for kind, count in report["changes"].items() if count} == {"same"}


def cut(state: Path) -> None:
    state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])


def flip(state: Path) -> None:
    content = bytearray(state.read_bytes())
    content[content.index(b'"ciphertext":"') + 30] ^= 1
    state.write_bytes(content)


def empty(state: Path) -> None:
    state.write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "words"),
    [(cut, "cut off or changed"), (flip, "is not what Pulumi wrote"), (empty, "is empty")],
)
@pytest.mark.fault(
    "the state is cut off, changed by a bit, empty", "told by every command; `state restore` puts a copy back"
)
def test_a_damaged_state_is_told_and_put_back(
    stack: Stack, damage: Callable[[Path], None], words: str
) -> None:
    before = stack.known()
    damage(stack.state)
    damaged = stack.state.read_bytes()
    for command in (["up"], ["status"], ["down", "--yes", "--delete-data"], ["backup"], ["verify"]):
        run = stack.checkout.medianest(command[0], stack.name, *command[1:])
        assert run.code == REFUSED, run.said
        assert words in problem(run)
        assert f"./medianest state restore {stack.name}" in run.err
    assert stack.state.read_bytes() == damaged
    listed = stack.checkout.expect("list", "--json").document()["stacks"]
    assert any(entry["stack"] == stack.name and "damaged" in entry["problem"] for entry in listed)
    report = stack.checkout.expect("state", "restore", stack.name, "--json").document()
    assert report["unknown"] == report["removed"] == []
    assert unchanged(stack.up())
    assert stack.known() == before
    assert stack.serves()


def test_a_whole_state_is_not_replaced_by_mistake(stack: Stack) -> None:
    before = stack.state.read_bytes()
    run = stack.checkout.medianest("state", "restore", stack.name)
    assert run.code == REFUSED
    assert "is whole" in problem(run)
    assert stack.state.read_bytes() == before


@pytest.mark.fault("the state is lost", "told; `state restore` puts a copy back, and nothing is made anew")
def test_a_lost_state_is_put_back(stack: Stack) -> None:
    before = sorted(of_stack(stack.engine, stack.name))
    for path in stack.state.parent.glob(f"{stack.name}.*"):
        path.unlink()
    for command in (["up"], ["down", "--yes"]):
        run = stack.checkout.medianest(command[0], stack.name, *command[1:])
        assert run.code == REFUSED
        assert f"./medianest state restore {stack.name}" in run.err
    assert sorted(of_stack(stack.engine, stack.name)) == before
    stack.checkout.expect("state", "restore", stack.name)
    assert unchanged(stack.up())
    assert sorted(of_stack(stack.engine, stack.name)) == before


@pytest.mark.fault("the state goes back to an old copy", "what came after it is found by its labels")
def test_what_came_after_an_old_copy_is_found_and_cleared(stack: Stack) -> None:
    """A release, and a Postgres with other settings, that the copy does not know."""
    copied = stack.checkout.expect("state", "list", stack.name, "--json").document()["copies"][0]
    declared = stack.checkout.settings_file(stack.name).read_text()
    changed = {
        **MINIMAL,
        "medianest:backend": {"environment": {"LATER": "1"}},
        "medianest:postgres": {"max_connections": 60},
    }
    stack.checkout.declare(stack.name, changed, stack.port)
    (postgres,) = containers_of(stack.engine, stack.name, "postgres")
    postgres.exec_run(["psql", "-U", "medianest", "-c", "CREATE TABLE kept (a int)", "medianest"])
    stack.up("--allow-interruption")
    later = stack.known()
    copies = stack.checkout.expect("state", "list", stack.name, "--json").document()["copies"]
    number = next(entry["number"] for entry in copies if entry["updated"] == copied["updated"])
    cut(stack.state)
    report = stack.checkout.expect("state", "restore", stack.name, "--copy", str(number), "--json").document()
    assert any("-postgres-" in name for name in report["removed"])
    assert any("-backend-" in name for name in report["unknown"])
    stack.checkout.settings_file(stack.name).write_text(declared)
    stack.up("--allow-interruption")
    assert stack.serves()
    assert not set(later.values()) & set(stack.known().values()) - {
        identity for name, identity in later.items() if "-redis-" in name or "-gateway-" in name
    }
    (postgres,) = containers_of(stack.engine, stack.name, "postgres")
    code, _ = postgres.exec_run(["psql", "-U", "medianest", "-c", "TABLE kept", "medianest"])
    assert code == 0
    preview = stack.checkout.pulumi("preview", "--expect-no-changes", "--refresh", "-s", stack.name)
    assert preview.code == 0, preview.said
    stack.checkout.expect("down", stack.name, "--yes")
    assert of_stack(stack.engine, stack.name) == []
