"""Removes the images of releases that nobody goes back to any more.

By label only: project, stack, component and owner must be the stack's own. An image that is in use,
pinned, current, of one of the last releases, or that somebody has given a name of their own, stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components import labels
from ops.releases.entries import Release

if TYPE_CHECKING:
    from docker import APIClient

    from components.settings import StackSettings
    from ops.session import Session

BACKEND = "backend"


@dataclass(frozen=True)
class Kept:
    """Why images stay: ids of those to keep, and of those that containers, running or not, use."""

    releases: Collection[str]
    used: Collection[str]


@dataclass(frozen=True)
class Pruned:
    """What was removed: names, and the bytes that no other image shares."""

    images: Sequence[str] = ()
    bytes: int = 0

    def as_json(self) -> dict[str, Any]:
        return {"images": list(self.images), "bytes": self.bytes}

    def __str__(self) -> str:
        from ops.output import megabytes

        count = f"{len(self.images)} image{'s' if len(self.images) > 1 else ''}"
        return f"{count} of former releases, {megabytes(self.bytes)}: {', '.join(self.images)}"


def kept_images(releases: Sequence[Release], keep: int, pinned_image: str) -> set[str]:
    """Ids of the images of the last `keep` releases that worked, of the current and of the pinned one."""
    worked = [release for release in releases if not release.failed]
    wanted = {release.facts.image_id for release in worked[:keep]}
    wanted |= {release.facts.image_id for release in releases if release.current or release.pinned}
    return {image for image in (*wanted, pinned_image) if image}


def superfluous(
    images: Sequence[Mapping[str, Any]], own: Mapping[str, str], kept: Kept
) -> list[Mapping[str, Any]]:
    """The images that may go. `own` has the labels that an image must carry, each with this very value."""
    return [
        image
        for image in images
        if own.items() <= (image.get("Labels") or {}).items()
        and image["Id"] not in kept.releases
        and image["Id"] not in kept.used
    ]


def own_names(image: Mapping[str, Any], project: str, stack: str) -> list[str]:
    """Those of an image's names that the toolkit gave it: by its content, and the stack's alias."""
    alias = f"{project}/{BACKEND}:{stack}"
    names = image.get("RepoTags") or ()
    # Not that of a stack whose name goes on: s-2 beside s.
    return [name for name in names if re.fullmatch(rf"{re.escape(alias)}(-[0-9a-f]{{12}})?", name)]


def prune(
    session: Session, stack: str, releases: Sequence[Release], keep: int, pinned_image: str, api: APIClient
) -> Pruned:
    """Remove what may go. Does nothing without a current release, whose image must never be doubted."""
    from docker.errors import APIError

    from ops.releases.known import backend_images

    project, state = session.project.name, session.state(stack)
    current = next((release for release in releases if release.current), None)
    if state is None or state.owner is None or current is None or not current.facts.image_id:
        return Pruned()
    own = {
        labels.PROJECT: project,
        labels.STACK: stack,
        labels.OWNER: state.owner,
        labels.COMPONENT: BACKEND,
    }
    images = backend_images(api, project, stack)
    wanted = kept_images(releases, keep, pinned_image)
    if session.files is None:
        # The history of other back ends may not know of every release: so many of the newest stay too.
        wanted |= {image["Id"] for image in sorted(images, key=lambda image: -image["Created"])[:keep]}
    used = {str(container["ImageID"]) for container in api.containers(all=True)}
    candidates = superfluous(images, own, Kept(wanted, used))
    if not candidates:
        return Pruned()
    sizes = unshared_bytes(api)
    removed: list[str] = []
    freed = 0
    for image in candidates:
        names = own_names(image, project, stack)
        foreign = set(image.get("RepoTags") or ()) - {*names, "<none>:<none>"}
        try:
            # Without force: what a container has begun to use meanwhile stays.
            for name in names if names or foreign else [str(image["Id"])]:
                api.remove_image(name)
        except APIError:
            continue
        if not foreign:
            removed.append(next((name for name in names if "-" in name), str(image["Id"])[7:19]))
            freed += sizes.get(str(image["Id"]), 0)
        if f"{project}/{BACKEND}:{stack}" in names:
            # The alias was that of a release that is gone: it is the current one's from now on.
            api.tag(current.facts.image_id, f"{project}/{BACKEND}", stack)
    return Pruned(removed, freed)


def prune_after_update(
    session: Session, stack: str, settings: StackSettings, say: Callable[[str], None]
) -> Pruned:
    """Remove what is superfluous now that an update has succeeded, and say what went."""
    from ops.engine import connect
    from ops.releases.known import read_releases

    pin = settings.pin
    api = connect(session.environment)
    releases = read_releases(session, stack, api, pin.release if pin else "")
    pruned = prune(session, stack, releases, settings.deploy.keep_releases, pin.image.id if pin else "", api)
    api.close()
    if pruned.images:
        say(f"Removed {pruned}")
    return pruned


def unshared_bytes(api: APIClient) -> dict[str, int]:
    """Bytes by image id that no other image shares, as `docker system df -v` has them."""
    return {
        str(image["Id"]): max(0, int(image["Size"]) - max(0, int(image.get("SharedSize", 0))))
        for image in api.df()["Images"] or ()
    }
