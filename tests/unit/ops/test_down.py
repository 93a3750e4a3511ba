"""`down`: what it may remove, and the proof that nothing is left, against an engine of dictionaries."""

from __future__ import annotations

from typing import Any, cast

import pytest

from components import labels
from ops import down
from ops.engine import resources
from ops.errors import ExitCode, OperationError


class Engine:
    """Holds resources by kind, answers as the engine's API does, and notes what is removed."""

    def __init__(self) -> None:
        self.held: dict[str, list[dict[str, Any]]] = {
            "container": [],
            "network": [],
            "volume": [],
            "image": [],
        }
        self.undead: set[str] = set()

    def add(self, kind: str, name: str, owner: str, stack: str = "s") -> None:
        own = {labels.PROJECT: "p", labels.STACK: stack, labels.OWNER: owner}
        document = {"Id": name, "Name": name, "Names": [f"/{name}"], "Labels": own, "RepoTags": [name]}
        self.held[kind].append(document)

    def _listed(self, kind: str, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        wanted = [label.split("=", 1) for label in filters["label"]]
        return [
            item
            for item in self.held[kind]
            if all(item["Labels"].get(label) == value for label, value in wanted)
        ]

    def containers(self, *, all: bool, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        assert all
        return self._listed("container", filters)

    def networks(self, *, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        return self._listed("network", filters)

    def volumes(self, *, filters: dict[str, list[str]]) -> dict[str, Any]:
        return {"Volumes": self._listed("volume", filters) or None}

    def images(self, *, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        return self._listed("image", filters)

    def _remove(self, kind: str, name: str) -> None:
        if name not in self.undead:
            self.held[kind] = [item for item in self.held[kind] if item["Id"] != name]

    def remove_container(self, name: str, *, force: bool, v: bool) -> None:
        assert force
        assert v
        self._remove("container", name)

    def remove_network(self, name: str) -> None:
        self._remove("network", name)

    def remove_volume(self, name: str) -> None:
        self._remove("volume", name)

    def remove_image(self, name: str, *, force: bool) -> None:
        assert force
        self._remove("image", name)

    def names(self) -> list[str]:
        return sorted(item["Id"] for kind in self.held.values() for item in kind)


@pytest.fixture
def engine() -> Engine:
    return Engine()


def test_everything_of_a_stack_is_found_by_its_labels(engine: Engine) -> None:
    for kind in engine.held:
        engine.add(kind, f"my-{kind}", "me")
        engine.add(kind, f"other-{kind}", "me", stack="other")
    api = cast(Any, engine)
    assert [str(item) for item in resources(api, "p", "s", images=True)] == [
        "container my-container",
        "network my-network",
        "volume my-volume",
        "image my-image",
    ]
    assert "image" not in {item.kind for item in resources(api, "p", "s")}


def test_only_what_is_this_owners_is_swept(engine: Engine) -> None:
    engine.add("image", "mine", "me")
    engine.add("container", "left-behind", "me")
    engine.add("image", "yours", "you")
    engine.add("volume", "elsewhere", "me", stack="other")
    assert down.sweep(cast(Any, engine), "p", "s", "me") == ["container left-behind", "image mine"]
    assert engine.names() == ["elsewhere", "yours"]


def test_without_an_owner_nothing_is_swept(engine: Engine) -> None:
    engine.add("volume", "data", "you")
    assert down.sweep(cast(Any, engine), "p", "s", None) == []
    assert engine.names() == ["data"]


def test_a_soak_is_removed_before_the_networks_that_it_is_on(engine: Engine) -> None:
    for owner in ("me", "you"):
        engine.add("container", f"soak-of-{owner}", owner)
    engine.add("container", "backend", "me")
    for item in engine.held["container"][:2]:
        item["Labels"][labels.COMPONENT] = "soak"
    down.remove_one_shots(cast(Any, engine), "p", "s", "me")
    assert engine.names() == ["backend", "soak-of-you"]
    down.remove_one_shots(cast(Any, engine), "p", "s", None)
    assert engine.names() == ["backend", "soak-of-you"]


def test_an_empty_engine_is_proof(engine: Engine) -> None:
    engine.add("volume", "elsewhere", "me", stack="other")
    down.prove_empty(cast(Any, engine), "p", "s")


def test_what_is_left_is_named(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(down, "PROOF_SECONDS", 0.0)
    engine.add("network", "stuck", "me")
    engine.undead.add("stuck")
    api = cast(Any, engine)
    down.sweep(api, "p", "s", "me")
    with pytest.raises(OperationError, match="network stuck") as caught:
        down.prove_empty(api, "p", "s")
    assert caught.value.details == {"left": ["network stuck"]}


def test_data_is_not_deleted_when_nobody_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(OperationError) as caught:
        down.ask("s", [])
    assert caught.value.code is ExitCode.USAGE
    assert "./medianest down s --yes" in caught.value.hint


@pytest.mark.parametrize("answer", [True, False])
def test_data_is_deleted_only_after_a_yes(monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: answer)
    if answer:
        down.ask("s", [])
        return
    with pytest.raises(OperationError, match="nothing was deleted") as caught:
        down.ask("s", [])
    assert caught.value.code is ExitCode.REFUSED
