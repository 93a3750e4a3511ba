"""The releases of a stack, folded from its updates. Pure: what is known comes in, the list goes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ops.releases.deploys import Deploy, Facts
from ops.releases.records import FAILED, UNVERIFIED, VERIFIED, Record

# Of a backend's settings those that are no part of a release: see components.backend.release_id.
# `keep_releases` was one of them once.
NO_PART = frozenset({"replicas", "keep_releases"})


@dataclass(frozen=True)
class Changes:
    """What a release changed against the one that served before it: names only."""

    settings: tuple[str, ...] = ()
    image: bool = False
    secrets: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [
            *(["image"] if self.image else []),
            *([f"settings: {', '.join(self.settings)}"] if self.settings else []),
            *([f"secrets rotated: {', '.join(self.secrets)}"] if self.secrets else []),
        ]
        return "; ".join(parts)


@dataclass(frozen=True)
class Release:
    """One release that was deployed, or tried to be. `deployed` is when it last began to take over.

    `schema` and `serves` are the labels of its image, None without them or without the image.
    `settings` are the backend's, to go back to them.
    """

    id: str
    deployed: datetime
    first_deployed: datetime
    facts: Facts
    by: str = ""
    commit: str = ""
    dirty: bool = False
    settings: Mapping[str, Any] | None = None
    changes: Changes | None = None
    verdict: str = UNVERIFIED
    reason: str = ""
    image_present: bool = False
    schema: int | None = None
    serves: int | None = None
    current: bool = False
    pinned: bool = False
    rolled_back: bool = False

    @property
    def failed(self) -> bool:
        return self.verdict == FAILED

    @property
    def was_good(self) -> bool:
        """Whether going back to it by default makes sense."""
        return self.verdict in (VERIFIED, UNVERIFIED) and not self.rolled_back


@dataclass(frozen=True)
class Known:
    """What is known beside the updates.

    `images` maps the ids of the stack's images to their labels; `named` is how their names begin.
    """

    records: Mapping[str, Record] = field(default_factory=dict)
    images: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pinned: str = ""
    named: str = ""


def fold(deploys: Sequence[Deploy], known: Known) -> list[Release]:
    """One entry a release, the one that was deployed last at first."""
    found: dict[str, Release] = {}
    serving = ""
    for deploy in deploys:
        if deploy.kind == "destroy" and deploy.succeeded:
            serving = ""
        facts = deploy.facts or _recorded(deploy, known)
        # A refresh and the like deploy nothing; what failed early was of no release yet.
        if deploy.kind != "update" or facts is None:
            continue
        if deploy.succeeded:
            if facts.release != serving:
                earlier = found.pop(facts.release, None)
                if deploy.pin and serving in found and _goes_back(earlier, found[serving]):
                    found[serving] = replace(found[serving], rolled_back=True)
                found[facts.release] = _entry(earlier, found.get(serving), deploy, facts, known)
            elif serving in found:
                # Deployed once more: what failed meanwhile is behind it.
                found[serving] = replace(found.pop(serving), rolled_back=False)
            serving = facts.release
        elif facts.release != serving and (facts.release not in found or found[facts.release].failed):
            earlier = found.pop(facts.release, None)
            entry = _entry(earlier, found.get(serving), deploy, facts, known)
            record = known.records.get(facts.release)
            reason = record.reason if record and record.verdict == FAILED else facts.problem
            found[facts.release] = replace(entry, verdict=FAILED, reason=reason)
    if serving:
        found[serving] = replace(found[serving], current=True)
    if known.pinned in found:
        found[known.pinned] = replace(found[known.pinned], pinned=True)
    return [_with_image(release, known) for release in reversed(found.values())]


def _goes_back(earlier: Release | None, serving: Release) -> bool:
    """Whether a pin leads to an older release: from a pinned one it may lead forward again."""
    return earlier is None or earlier.first_deployed < serving.first_deployed


def _entry(
    earlier: Release | None, before: Release | None, deploy: Deploy, facts: Facts, known: Known
) -> Release:
    """A release that takes over from the one before; `earlier` is its own entry of a former time."""
    settings = effective(deploy)
    record = known.records.get(facts.release)
    good = record if record and record.verdict != FAILED else Record(UNVERIFIED)
    release = Release(
        id=facts.release,
        deployed=deploy.started,
        first_deployed=earlier.first_deployed if earlier else deploy.started,
        facts=facts,
        by=deploy.by,
        commit=deploy.commit,
        dirty=deploy.dirty,
        settings=settings,
        changes=compare(before, settings, facts)
        if before and None not in (settings, before.settings)
        else None,
        verdict=good.verdict,
        reason=good.reason,
    )
    # An earlier run of it knows where its image came from; a rollback only says where it stood.
    if earlier and deploy.pin:
        release = replace(release, commit=earlier.commit, dirty=earlier.dirty)
    return release


def _recorded(deploy: Deploy, known: Known) -> Facts | None:
    """The release of an update whose state the back end does not give: from the record of that update."""
    for release, record in known.records.items():
        if record.update == int(deploy.started.timestamp()):
            return Facts(release, record.image, f"{known.named}{record.content}")
    return None


def effective(deploy: Deploy) -> Mapping[str, Any] | None:
    """The backend's settings that were in force: those of the pin, where there was one."""
    return (deploy.pin.get("settings") if deploy.pin else None) or deploy.backend


def compare(before: Release, settings: Mapping[str, Any] | None, facts: Facts) -> Changes:
    """What is another than before."""
    old, new = dict(flatten(complete(before.settings))), dict(flatten(complete(settings)))
    return Changes(
        settings=tuple(sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))),
        image=facts.image_id != before.facts.image_id,
        secrets=tuple(
            name
            for name, version in sorted(facts.secrets.items())
            if before.facts.secrets.get(name, version) != version
        ),
    )


def complete(settings: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Settings with their defaults, so that one which is only written down is no change."""
    from pydantic import ValidationError

    from components.settings import BackendSettings

    # First: one of these need not be a backend's setting any more.
    part = {key: value for key, value in (settings or {}).items() if key not in NO_PART}
    try:
        whole = BackendSettings.model_validate(part).model_dump(mode="json")
    except ValidationError:
        # Of another version of the toolkit.
        return part
    return {key: value for key, value in whole.items() if key not in NO_PART}


def flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings as pairs of a dotted key and its value."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _with_image(release: Release, known: Known) -> Release:
    from components import labels

    carried = known.images.get(release.facts.image_id)
    if carried is None:
        return release
    return replace(
        release,
        image_present=True,
        schema=_number(carried.get(labels.SCHEMA)),
        serves=_number(carried.get(labels.SCHEMA_SERVES)),
    )


def _number(text: str | None) -> int | None:
    """A label's number; None where it is not there or is no number."""
    return int(text) if text and text.isdecimal() else None
