"""What a fix has to do, decided from what was found. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ops.drift.model import Finding, Mending
from ops.drift.record import Recorded, mounts
from ops.names import CONTAINER, VOLUME
from ops.plan.model import Interruption

FORCED = frozenset({Mending.REPLACE, Mending.WRITE_FILES, Mending.SET_UP_AGAIN})
"""What Pulumi has to be told to do, since its provider sees no difference."""
SEEN = frozenset({Mending.START, Mending.CREATE})
"""What Pulumi does by itself when it looks at the engine."""


@dataclass(frozen=True)
class Plan:
    """`replace` are URNs that Pulumi is told to replace; `left` is what no fix touches."""

    in_place: tuple[Finding, ...]
    replace: tuple[str, ...]
    refresh: bool
    remove: bool
    waiting: bool
    """Whether Pulumi has to remove what an earlier update could not."""
    interruptions: tuple[Interruption, ...]
    left: tuple[Finding, ...]

    @property
    def update(self) -> bool:
        """Whether Pulumi has to run."""
        return self.refresh or self.waiting or bool(self.replace)

    @property
    def is_empty(self) -> bool:
        return not (self.update or self.in_place or self.remove)

    @property
    def options(self) -> list[str]:
        """Pulumi's options for it."""
        return [word for urn in self.replace for word in ("--replace", urn)]


def plan_of(findings: Sequence[Finding], record: Sequence[Recorded]) -> Plan:
    """What has to be done about `findings`."""
    by_hand = {finding.resource for finding in findings if finding.property == "id"}
    # What was made by hand holds the volumes of what it stands for: they cannot go before it has gone.
    held = {
        volume.urn
        for volume in record
        if volume.type == VOLUME and any(item.name in by_hand and mounts(item, volume.id) for item in record)
    }
    replaced = {finding.urn for finding in findings if finding.mending in FORCED and finding.urn} - held
    if any(found.mending is Mending.WRITE_FILES and found.component == "backend" for found in findings):
        # They read their secrets when they start: what has started since has read the wrong ones.
        replaced |= {item.urn for item in record if item.type == CONTAINER and item.component == "backend"}
    for volume in record:
        if volume.type == VOLUME and volume.urn in replaced:
            # The provider takes a mount of another volume for a change in place, and does nothing.
            replaced |= {item.urn for item in record if mounts(item, volume.id)}
    gone = {finding.resource for finding in findings if finding.mending is Mending.CREATE}
    replaced -= {item.urn for item in record if item.name in gone}
    gaps: dict[str, Interruption] = {}
    for finding in findings:
        gap = finding.interruption
        if gap is not None and (gap.part not in gaps or gap.seconds > gaps[gap.part].seconds):
            gaps[gap.part] = gap
    return Plan(
        in_place=tuple(finding for finding in findings if finding.mending is Mending.IN_PLACE),
        replace=tuple(sorted(replaced)),
        refresh=any(finding.mending in SEEN for finding in findings),
        waiting=any(finding.mending is Mending.REMOVE and finding.urn for finding in findings),
        remove=any(finding.mending is Mending.REMOVE for finding in findings),
        interruptions=tuple(gaps[part] for part in sorted(gaps)),
        left=tuple(finding for finding in findings if finding.mending is Mending.NONE),
    )
