from __future__ import annotations

from typing import Any, cast

import pytest
from docker import APIClient
from docker.errors import ImageNotFound

from ops.drift.images import hold_names
from ops.names import IMAGE

NAME = "medianest/redis:abc"


class Names:
    """An engine that knows images by name and id, and takes new names: real ones are everybody's here."""

    def __init__(self, **images: str) -> None:
        self.images = images
        self.named: list[tuple[str, str, str]] = []

    def inspect_image(self, reference: str) -> dict[str, str]:
        key = "name" if reference == NAME else reference
        if key not in self.images:
            raise ImageNotFound(reference)
        return {"Id": self.images[key]}

    def tag(self, identity: str, repository: str, tag: str, *, force: bool) -> None:
        assert force
        self.named.append((identity, repository, tag))


def image(**inputs: Any) -> dict[str, Any]:
    return {"type": IMAGE, "inputs": {"name": NAME, **inputs}, "outputs": {"imageId": "old"}}


@pytest.mark.parametrize(
    ("images", "inputs", "named"),
    [
        ({"name": "old", "old": "old"}, {"build": {"context": "."}}, []),
        ({"name": "new", "old": "old"}, {"build": {"context": "."}}, [("old", "medianest/redis", "abc")]),
        ({"name": "new"}, {"build": {"context": "."}}, []),
        ({}, {"build": {"context": "."}}, []),
        ({"name": "new", "old": "old"}, {}, []),
    ],
)
def test_a_name_goes_back_to_what_was_built_here(
    images: dict[str, str], inputs: dict[str, Any], named: list[tuple[str, str, str]]
) -> None:
    engine = Names(**images)
    hold_names(cast("APIClient", engine), [image(**inputs), {"type": "other"}])
    assert engine.named == named
