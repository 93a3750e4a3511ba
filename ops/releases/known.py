"""Gathers what there is to know of a stack's releases: Pulumi's history, its tags, the engine's images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from components import labels
from ops.engine import label_filter
from ops.releases.deploys import Deploy, facts, read_deploys
from ops.releases.entries import Known, Release, fold
from ops.releases.records import read_records

if TYPE_CHECKING:
    from docker import APIClient

    from ops.session import Session
    from ops.state import StackState


def read_releases(session: Session, stack: str, api: APIClient, pinned: str) -> list[Release]:
    """The releases, the newest first. `pinned` is the release that the settings pin, or empty."""
    project, state = session.project.name, session.state(stack)
    deploys = read_deploys(session, stack)
    if deploys and state and deploys[-1].facts is None:
        # A history without states: what the last update left is the state of now.
        deploys[-1] = replace(deploys[-1], facts=facts(state.resources))
    known = Known(
        records=read_records(session, stack),
        images=images_of(api, project, stack),
        pinned=pinned,
        named=f"{project}/backend:{stack}-",
    )
    releases = fold(deploys, known)
    serving = str(state.outputs.get("release", "")) if state else ""
    if state and serving and not any(release.current and release.id == serving for release in releases):
        # An update that was killed, or whose history was lost, is in the state alone.
        releases = fold([*deploys, from_state(state)], known)
    return releases


def from_state(state: StackState) -> Deploy:
    """What is deployed now, as if by an update of which nothing else is known."""
    updated = datetime.fromisoformat(state.updated) if state.updated else datetime.now(UTC)
    return Deploy(updated, "update", succeeded=True, facts=facts(state.resources))


def backend_images(api: APIClient, project: str, stack: str) -> list[Mapping[str, Any]]:
    """The engine's list of images that are labelled as backends of the stack, of any owner."""
    wanted = label_filter(project, stack)
    wanted["label"].append(f"{labels.COMPONENT}=backend")
    found: list[Mapping[str, Any]] = api.images(filters=wanted)
    return found


def images_of(api: APIClient, project: str, stack: str) -> dict[str, Mapping[str, str]]:
    """Labels by image id."""
    return {str(item["Id"]): item["Labels"] or {} for item in backend_images(api, project, stack)}
