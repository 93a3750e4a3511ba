"""Releases of one stack, and back to earlier ones: each test goes on where the one before it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import docker
import pytest
import requests

from components import labels
from components.build_context import base_image
from tests.harness.checkout import ROOT, Checkout, containers_of, new_name, of_stack, swept
from tests.harness.inside import secret
from tests.harness.load.load import Load
from tests.harness.load.notes import keeping_notes

BACKEND: Mapping[str, Any] = {
    "build": {"context": "examples/node-backend", "target": None},
    "port": 8080,
    "user": "1234",
    "health": {"live": "/live", "ready": "/ready", "report": "/ready"},
    "environment": {"NOTES_DIRECTORY": "/notes"},
    "secrets": {"api_key": {"length": 40}},
    "volumes": [{"name": "notes", "path": "/notes"}],
    "limits": {"memory_mb": 256},
}
# What the second release brings beside its image: a variable, a secret and a volume of its own.
SECOND: Mapping[str, Any] = {
    **BACKEND,
    "environment": {**BACKEND["environment"], "GREETING": "hello"},
    "secrets": {**BACKEND["secrets"], "signing_key": {"length": 32}},
    "volumes": [*BACKEND["volumes"], {"name": "media", "path": "/media"}],
}
OF_THE_TEAM = "# The team's own words: they must outlive every pin.\n"
KEPT_BY_SOMEBODY = "medianest-tests/kept-by-somebody"


@dataclass
class Deployed:
    """A stack whose backend says which release it is. `releases` has the ids by that word."""

    checkout: Checkout
    engine: docker.DockerClient
    name: str
    port: int = 0
    releases: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/live"

    @property
    def serves(self) -> str:
        return requests.get(self.url, timeout=10).text.strip()

    @property
    def backends(self) -> set[str | None]:
        return {container.id for container in containers_of(self.engine, self.name, "backend")}

    @property
    def settings(self) -> str:
        return self.checkout.settings_file(self.name).read_text()

    def write(
        self,
        word: str,
        settings: Mapping[str, Any],
        *,
        schema: int = 1,
        first_lines: str = "",
        keep_releases: int = 5,
    ) -> None:
        """Put a release into the tree, with labels of its schema on its image."""
        example, here = ROOT / "examples/node-backend", self.checkout.root / "examples/node-backend"
        server = (example / "server.js").read_text().replace("send(200, 'live')", f"send(200, '{word}')")
        (here / "server.js").write_text(f"{first_lines}{server}")
        schemas = f'LABEL medianest.schema="{schema}" medianest.schema.serves="{schema}"\n'
        (here / "Dockerfile").write_text((example / "Dockerfile").read_text() + schemas)
        configuration = {
            "medianest:backend": settings,
            "medianest:verification": {"paths": []},
            "medianest:deploy": {"keep_releases": keep_releases},
        }
        self.port = self.checkout.declare(self.name, configuration, self.port or None)
        path = self.checkout.settings_file(self.name)
        path.write_text(OF_THE_TEAM + path.read_text())

    def up(self, word: str, *arguments: str) -> None:
        document = self.checkout.expect("up", self.name, "--json", *arguments).document()
        self.releases[word] = document["release"]
        assert self.serves == word

    def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.checkout.expect("releases", self.name, "--json").document()[
            "releases"
        ]
        return found

    def under_load(self, title: str) -> AbstractContextManager[Load]:
        key = self.secret("api_key")
        return keeping_notes(self.url.removesuffix("/live"), key, title)

    def secret(self, name: str) -> str:
        (backend,) = containers_of(self.engine, self.name, "backend")
        return secret(backend, name)


# The first release stops working where its volume holds a file of that name.
FRAGILE = "if (require('node:fs').existsSync('/notes/broken')) throw new Error('the notes are broken');\n"


@pytest.fixture(scope="module")
def stack(engine: docker.DockerClient, checkout: Checkout) -> Iterator[Deployed]:
    stack = Deployed(checkout, engine, new_name("back"))
    with swept(engine, stack.name):
        yield stack


@pytest.fixture(scope="module")
def secrets() -> dict[str, str]:
    """Values that the releases had, by name."""
    return {}


def test_two_releases_are_listed_with_what_changed(stack: Deployed, secrets: dict[str, str]) -> None:
    stack.write("first", BACKEND, first_lines=FRAGILE)
    stack.up("first", "--no-verify")
    stack.write("second", SECOND)
    stack.up("second")
    secrets.update({name: stack.secret(name) for name in ("api_key", "signing_key")})
    second, first = stack.listed()
    assert (first["release"], second["release"]) == (stack.releases["first"], stack.releases["second"])
    assert (first["verdict"], second["verdict"]) == ("unverified", "verified")
    assert second["current"]
    assert second["by"]
    assert second["image"]["present"]
    assert second["image"]["schema"] == 1
    assert second["changes"]["image"] is True
    assert {"environment.GREETING", "volumes"} <= set(second["changes"]["settings"])
    status = stack.checkout.expect("status", stack.name, "--json").document()
    assert status["release"] == second["release"]
    assert status["pin"] is None


def test_a_roll_back_that_fails_leaves_what_serves(stack: Deployed) -> None:
    (backend,) = containers_of(stack.engine, stack.name, "backend")
    backend.exec_run(["touch", "/notes/broken"])
    settings, backends = stack.settings, stack.backends
    with stack.under_load("a roll-back that fails"):
        run = stack.checkout.medianest("rollback", stack.name)
    backend.exec_run(["rm", "/notes/broken"])
    assert run.code == 1, run.said
    assert "the notes are broken" in run.err
    assert "what served before serves on" in run.err
    assert (stack.settings, stack.backends, stack.serves) == (settings, backends, "second")


def test_a_roll_back_drops_no_request_and_builds_nothing(stack: Deployed, secrets: dict[str, str]) -> None:
    # Whatever is in the tree now: the earlier release must not need it.
    dockerfile = stack.checkout.root / "examples/node-backend/Dockerfile"
    written = dockerfile.read_text()
    dockerfile.unlink()
    with stack.under_load("a roll-back"):
        run = stack.checkout.expect("rollback", stack.name, "--json")
    dockerfile.write_text(written)
    assert f"Rolling back to release {stack.releases['first']}" in run.err
    report = run.document()
    assert stack.serves == "first"
    assert report["release"] == report["pin"]["release"] == stack.releases["first"]
    assert report["verification"]["passed"] is True
    assert report["build_seconds"] == {}
    assert stack.secret("api_key") == secrets["api_key"]


def test_the_pin_stands_in_the_settings_beside_what_the_team_wrote(stack: Deployed) -> None:
    assert stack.settings.startswith(OF_THE_TEAM)
    assert "./medianest up STACK --unpin" in stack.settings
    first, second = stack.listed()
    assert (first["release"], first["current"], first["pinned"]) == (stack.releases["first"], True, True)
    assert (second["release"], second["rolled_back"]) == (stack.releases["second"], True)


def test_neither_up_nor_plain_pulumi_brings_the_later_release_back(stack: Deployed) -> None:
    backends = stack.backends
    pinned = f"pinned to release {stack.releases['first']} since"
    again = stack.checkout.expect("up", stack.name)
    assert pinned in again.err
    assert f"./medianest up {stack.name} --unpin" in again.err
    preview = stack.checkout.pulumi("preview", "--expect-no-changes", "-s", stack.name)
    assert preview.code == 0, preview.said
    assert pinned in preview.out
    plain = stack.checkout.pulumi("up", "--yes", "--skip-preview", "-s", stack.name)
    assert plain.code == 0, plain.said
    assert stack.serves == "first"
    assert stack.backends == backends
    status = stack.checkout.expect("status", stack.name)
    assert f"Pinned to release {stack.releases['first']} since" in status.out


def test_what_cannot_be_gone_back_to_is_refused_and_nothing_is_touched(stack: Deployed) -> None:
    settings, backends = stack.settings, stack.backends
    for arguments, code, says in (
        ((stack.name, stack.releases["first"]), 3, "already"),
        ((stack.name,), 3, "has no good release before"),
        ((stack.name, "ffffffffffff"), 2, stack.releases["second"]),
        (("nothing-of-that-name",), 2, "is not known"),
    ):
        run = stack.checkout.medianest("rollback", *arguments)
        assert run.code == code, run.said
        assert says in run.err
    assert (stack.settings, stack.backends, stack.serves) == (settings, backends, "first")


def test_a_bad_release_in_the_tree_leaves_the_pin(stack: Deployed) -> None:
    server = stack.checkout.root / "examples/node-backend/server.js"
    good, settings = server.read_text(), stack.settings
    server.write_text("throw new Error('the third is bad');\n")
    run = stack.checkout.medianest("up", stack.name, "--unpin")
    server.write_text(good)
    assert run.code == 1, run.said
    assert "the third is bad" in run.err
    assert (stack.settings, stack.serves) == (settings, "first")


def test_lifting_the_pin_deploys_what_is_in_the_tree(stack: Deployed, secrets: dict[str, str]) -> None:
    with stack.under_load("the pin is lifted"):
        report = stack.checkout.expect("up", stack.name, "--unpin", "--json").document()
    assert stack.serves == "second"
    assert report["release"] == stack.releases["second"]
    assert report["verification"]["passed"] is True
    assert "pin" not in report
    assert "medianest:pin" not in stack.settings
    assert stack.settings.startswith(OF_THE_TEAM)
    # What the earlier release did not know was kept for this one.
    assert stack.secret("signing_key") == secrets["signing_key"]
    again = stack.checkout.pulumi("preview", "--expect-no-changes", "--refresh", "-s", stack.name)
    assert again.code == 0, again.said


def test_after_a_bad_release_there_is_nothing_to_roll_back(stack: Deployed) -> None:
    stack.write("third", SECOND, first_lines="throw new Error('the third is bad');\n")
    assert stack.checkout.medianest("up", stack.name).code == 1
    settings = stack.settings
    third, second, *_ = stack.listed()
    assert (third["verdict"], third["reason"]) == ("failed", "backend-0 exits as soon as it starts")
    assert second["current"]
    run = stack.checkout.medianest("rollback", stack.name)
    assert run.code == 3, run.said
    assert f"{stack.releases['second']} serves on" in run.err
    assert (stack.settings, stack.serves) == (settings, "second")


def test_no_way_leads_back_across_a_contracted_schema(stack: Deployed) -> None:
    stack.write("contracted", SECOND, schema=2)
    stack.up("contracted", "--no-verify")
    settings = stack.settings
    run = stack.checkout.medianest("rollback", stack.name)
    assert run.code == 3, run.said
    assert f"release {stack.releases['contracted']} has contracted it" in run.err
    assert (stack.settings, stack.serves) == (settings, "contracted")


@pytest.fixture
def foreign(stack: Deployed) -> Iterator[list[str]]:
    """Images that look much like those of the stack's former releases, and are somebody else's."""
    (backend,) = containers_of(stack.engine, stack.name, "backend")
    own = {key: value for key, value in backend.labels.items() if key != labels.RELEASE}
    variants: list[tuple[str, dict[str, str]]] = [
        (f"medianest/backend:{stack.name}-000000000000", {}),
        ("medianest-tests/foreign:owner", {**own, labels.OWNER: "ffffffffffff"}),
        ("medianest-tests/foreign:stack", {**own, labels.STACK: f"{stack.name}-2"}),
        ("medianest-tests/foreign:project", {**own, labels.PROJECT: "another"}),
        ("medianest-tests/foreign:component", {**own, labels.COMPONENT: "worker"}),
    ]
    names = []
    for name, carried in variants:
        dockerfile = BytesIO(f"FROM {base_image(ROOT)}\nENV NAME={name}\n".encode())
        stack.engine.images.build(fileobj=dockerfile, tag=name, labels=carried, rm=True)
        names.append(name)
    yield names
    for name in names:
        stack.engine.images.remove(name, force=True)


def test_old_images_go_and_those_of_others_stay(stack: Deployed, foreign: list[str]) -> None:
    images = {item["release"]: item["image"] for item in stack.listed()}
    first, second = images[stack.releases["first"]], images[stack.releases["second"]]
    assert first["present"]
    assert second["present"]
    stack.engine.images.get(second["id"]).tag(KEPT_BY_SOMEBODY, "1")
    stack.write("contracted", SECOND, schema=2, keep_releases=1)
    document = stack.checkout.expect("releases", stack.name, "--prune", "--json").document()
    assert document["pruned"]["images"] == [first["name"]]
    present = {name for image in stack.engine.images.list() for name in image.tags}
    assert first["name"] not in present
    assert second["name"] not in present
    assert {*foreign, f"{KEPT_BY_SOMEBODY}:1"} <= present
    assert {images[stack.releases["contracted"]]["name"], f"medianest/backend:{stack.name}"} <= present
    stack.engine.images.remove(f"{KEPT_BY_SOMEBODY}:1")
    assert stack.serves == "contracted"


def test_a_release_whose_image_is_gone_is_refused(stack: Deployed) -> None:
    settings = stack.settings
    run = stack.checkout.medianest("rollback", stack.name, stack.releases["first"])
    assert run.code == 3, run.said
    assert f"the image of release {stack.releases['first']}" in run.err
    assert "none to go back to" in run.err
    assert (stack.settings, stack.serves) == (settings, "contracted")


def test_the_number_of_images_kept_is_no_part_of_a_release(stack: Deployed) -> None:
    stack.up("contracted", "--no-verify")
    assert stack.listed()[0]["release"] == stack.releases["contracted"]
    assert [item["current"] for item in stack.listed()].count(True) == 1


def test_it_leaves_nothing(stack: Deployed) -> None:
    stack.checkout.expect("down", stack.name, "--yes")
    assert of_stack(stack.engine, stack.name) == []
