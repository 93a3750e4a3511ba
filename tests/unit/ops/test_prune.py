"""Which images may go: by label, never one that somebody needs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from ops.releases.deploys import Facts
from ops.releases.entries import Release
from ops.releases.prune import Kept, Pruned, kept_images, own_names, superfluous
from ops.releases.records import FAILED, VERIFIED

OWN = {
    "medianest.project": "medianest",
    "medianest.stack": "s",
    "medianest.owner": "0123456789ab",
    "medianest.component": "backend",
}
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def release(image: str, verdict: str = VERIFIED, *, current: bool = False, pinned: bool = False) -> Release:
    facts = Facts(image, image, "")
    return Release(image, NOW, NOW, facts, verdict=verdict, current=current, pinned=pinned)


def image(identifier: str, **changed: str) -> Mapping[str, Any]:
    labels = OWN | {f"medianest.{key}": value for key, value in changed.items()}
    return {"Id": identifier, "Labels": labels, "RepoTags": None}


@pytest.mark.parametrize(
    ("releases", "keep", "pinned", "kept"),
    [
        ([release("c", current=True), release("b"), release("a")], 2, "", {"c", "b"}),
        ([release("c", current=True), release("b"), release("a")], 5, "", {"a", "b", "c"}),
        ([release("d", FAILED), release("c", current=True), release("b")], 2, "", {"b", "c"}),
        ([release("d", FAILED), release("c", FAILED), release("a", current=True)], 1, "", {"a"}),
        ([release("b"), release("a", current=True)], 1, "", {"a", "b"}),
        ([release("c", current=True), release("b"), release("a", pinned=True)], 1, "", {"a", "c"}),
        ([release("c", current=True)], 1, "of a pin", {"c", "of a pin"}),
        ([], 5, "", set()),
        ([release("a", current=True), release("a"), release("b"), release("")], 3, "", {"a", "b"}),
    ],
    ids=[
        "the last two",
        "more than there are",
        "what failed does not count",
        "what failed is not kept",
        "the current one in any case",
        "the pinned one in any case",
        "the pin's image, whatever the list says",
        "no releases",
        "two releases of one image",
    ],
)
def test_images_of_the_last_releases_are_kept(
    releases: list[Release], keep: int, pinned: str, kept: set[str]
) -> None:
    assert kept_images(releases, keep, pinned) == kept


@pytest.mark.parametrize(
    ("candidate", "goes"),
    [
        (image("old"), True),
        (image("kept"), False),
        (image("used"), False),
        (image("old", project="theirs"), False),
        (image("old", stack="s2"), False),
        (image("old", owner="ffffffffffff"), False),
        (image("old", component="postgres"), False),
        (image("old", extra="label"), True),
        ({"Id": "old", "Labels": None}, False),
        ({"Id": "old", "Labels": {}}, False),
        ({"Id": "old", "Labels": {key: OWN[key] for key in list(OWN)[:-1]}}, False),
    ],
)
def test_only_what_carries_every_own_label_and_is_not_needed_goes(
    candidate: Mapping[str, Any], goes: bool
) -> None:
    assert superfluous([candidate], OWN, Kept({"kept"}, {"used"})) == ([candidate] if goes else [])


def test_names_that_somebody_else_gave_are_not_ours() -> None:
    tags = [
        "medianest/backend:s-0123456789ab",
        "medianest/backend:s",
        "medianest/backend:s2",
        "medianest/backend:s2-0123456789ab",
        "medianest/backend:s-2",
        "medianest/backend:s-2-0123456789ab",
        "registry/kept:1",
    ]
    assert own_names({"RepoTags": tags}, "medianest", "s") == tags[:2]
    assert own_names({"RepoTags": None}, "medianest", "s") == []


def test_what_was_removed_reads_as_a_line() -> None:
    assert str(Pruned(("a",), 2_000_000)) == "1 image of former releases, 2 MB: a"
    assert str(Pruned(("a", "b"), 0)).startswith("2 images of former releases, 0 MB: a, b")
