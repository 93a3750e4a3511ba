"""The preflight's judgements: pure functions from facts to problems."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from components import labels
from components.settings import PinSettings, StackSettings
from ops.engine import Resource
from ops.lock import Holder, Lock
from ops.names import VOLUME, resource_name
from ops.preflight.facts import EngineFacts, PortFacts
from ops.state import StackState

MINIMUM_API = (1, 41)
MINIMUM_DISK_BYTES = 2_000_000_000
MINIMUM_STATE_BYTES = 20_000_000
MEGABYTE = 1_000_000
SHOWN = 5


@dataclass(frozen=True)
class Problem:
    """Why a stack must not be changed now, and what to do about it."""

    message: str
    hint: str


def judge_engine(facts: EngineFacts) -> list[Problem]:
    """The engine's API must be one that the toolkit is made for."""
    if tuple(int(part) for part in facts.api_version.split(".")) >= MINIMUM_API:
        return []
    return [
        Problem(
            f"the Docker engine is too old: version {facts.version} has API {facts.api_version}, "
            f"{'.'.join(map(str, MINIMUM_API))} is needed",
            "Install Docker Engine 20.10 or newer.",
        )
    ]


def judge_disk(facts: EngineFacts) -> list[Problem]:
    """Images and volumes need room. Nothing is said of a disk that cannot be seen."""
    if facts.free_disk is None or facts.free_disk >= MINIMUM_DISK_BYTES:
        return []
    return [
        Problem(
            f"the disk is nearly full: {facts.free_disk / MEGABYTE:.0f} MB free at {facts.data_root}, "
            f"{MINIMUM_DISK_BYTES / MEGABYTE:.0f} MB are needed",
            "Free some: `docker system df` shows what images and volumes take, `docker builder prune` "
            "empties the build cache.",
        )
    ]


def judge_state_disk(directory: Path, free: int | None) -> list[Problem]:
    """Pulumi must be able to write down what it does, or it loses track in the middle."""
    if free is None or free >= MINIMUM_STATE_BYTES:
        return []
    return [
        Problem(
            f"the disk of the state is nearly full: {free / MEGABYTE:.1f} MB free at {directory}, "
            f"{MINIMUM_STATE_BYTES / MEGABYTE:.0f} MB are needed",
            "Free some, or choose another place with XDG_STATE_HOME or PULUMI_BACKEND_URL.",
        )
    ]


def judge_memory(facts: EngineFacts, settings: StackSettings) -> list[Problem]:
    """The machine must have what the limits of the stack's largest container allow it.

    The sum of the limits may well be more: they are limits, not reservations.
    """
    wanted = {
        "backend": settings.backend.limits.memory_mb,
        "postgres": settings.postgres.limits.memory_mb,
        "redis": settings.redis.limits.memory_mb,
        "gateway": settings.gateway.limits.memory_mb,
    }
    return [
        Problem(
            f"{component}.limits.memory_mb is {limit}, but the engine's machine has "
            f"{facts.memory / MEGABYTE:.0f} MB in all",
            f"Lower {component}.limits.memory_mb in the stack's settings.",
        )
        for component, limit in wanted.items()
        if limit * MEGABYTE > facts.memory
    ]


def judge_port(
    facts: PortFacts, project: str, stack: str, setting: str = "medianest:gateway: {port: …}"
) -> list[Problem]:
    """A published port must be free, or held by a container of this stack. `setting` says where.

    Whether that container is another owner's is for `judge_owner` to say.
    """
    holder = facts.holder
    own = {labels.PROJECT: project, labels.STACK: stack}
    if holder is None or own.items() <= holder.labels.items():
        return []
    return [
        Problem(
            f"port {facts.port} of {facts.address} is taken by {holder.description}",
            f"Stop it, or set another port in the stack's settings: {setting}",
        )
    ]


def judge_pin(pin: PinSettings | None, images: Collection[str], stack: str) -> list[Problem]:
    """The image of a pinned release must be on the engine: it cannot be pulled, nor is it built.

    `images` has the ids of the stack's images.
    """
    if pin is None or pin.image.id in images:
        return []
    return [
        Problem(
            f"stack {stack} is pinned to release {pin.release}, whose image is not on this engine",
            f"Deploy what is in the tree: ./medianest up {stack} --unpin. Or choose another release: "
            f"./medianest releases {stack}",
        )
    ]


def judge_lock(lock: Lock, holder: Holder, stack: str) -> list[Problem]:
    """Two runs must not change a stack at once. The lock of a dead run is no problem: it is cleared."""
    who = f"{lock.user}, process {lock.pid}, since {lock.since[:19].replace('T', ' ')}"
    if holder is Holder.RUNNING:
        return [
            Problem(
                f"stack {stack} is being changed by another run: {who}",
                "Wait for it to end.",
            )
        ]
    if holder is Holder.ELSEWHERE:
        return [
            Problem(
                f"stack {stack} is locked by a run on host {lock.host}: {who}",
                f"Wait for it to end. If that run is no more: pulumi cancel --yes --stack {stack}",
            )
        ]
    return []


def judge_owner(
    found: Sequence[Resource], owner: str | None, stack: str, copied: Collection[str] = ()
) -> list[Problem]:
    """What carries the stack's labels must have been made by the state at hand.

    `owner` is the state's id of the stack, None where the state does not know the stack; `copied` are
    the ids in copies of the state.
    """
    foreign = [resource for resource in found if resource.owner != owner]
    if not foreign:
        return []
    # What holds data comes first.
    foreign.sort(key=lambda resource: (resource.kind != "volume", str(resource)))
    names = ", ".join(str(resource) for resource in foreign[:SHOWN])
    more = f" and {len(foreign) - SHOWN} more" if len(foreign) > SHOWN else ""
    if owner is None and any(resource.owner in copied for resource in foreign):
        return [
            Problem(
                f"the state does not know stack {stack}, which is on this engine, but there is a copy of the "
                f"state that does: {names}{more}",
                f"Nothing was touched. Put the copy back: ./medianest state restore {stack}",
            )
        ]
    if owner is None and any(resource.kind == "volume" for resource in foreign):
        return [
            Problem(
                f"the state does not know stack {stack}, but the engine holds its data: {names}{more}",
                "Nothing was touched. If the state was lost, put it back from a backup "
                "(PULUMI_BACKEND_URL says where it is looked for); if somebody else's state made the "
                "stack, choose another stack name. If the data is not needed, remove what carries the "
                f"labels: {removal_command(foreign)}",
            )
        ]
    return [
        Problem(
            f"stack {stack} of this engine was made by another state: {names}{more}",
            "Nothing was touched. Use the state that made it (PULUMI_BACKEND_URL), or choose another "
            f"stack name. If it is left over and not needed: {removal_command(foreign)}",
        )
    ]


def judge_data(
    state: StackState | None, found: Sequence[Resource], settings: StackSettings, stack: str
) -> list[Problem]:
    """No update may delete a protected volume, nor put an empty one in the place of one that is gone."""
    kept = [
        resource
        for resource in (state.resources if state else ())
        if resource["type"] == VOLUME and resource.get("protect") and "id" in resource
    ]
    declared = {f"backend-{volume.name}" for volume in settings.backend.volumes}
    names = {resource["urn"]: resource_name(resource["urn"]) for resource in kept}
    present = {resource.id for resource in found if resource.kind == "volume"}
    dropped = [name for name in names.values() if name.startswith("backend-") and name not in declared]
    gone = [names[resource["urn"]] for resource in kept if resource["id"] not in present]
    return [
        *(
            Problem(
                f"the settings no longer have volume {name.removeprefix('backend-')} in backend.volumes, and "
                "its data is protected",
                "Put it back. If its data may go: save it first (./medianest backup "
                f"{stack}), then deploy it once more with medianest:data: {{protected: false}}, and only "
                "then without the volume.",
            )
            for name in dropped
        ),
        *(
            Problem(
                f"volume {name}, which holds data of stack {stack}, is not on this engine",
                "If this is the wrong engine, choose the right one (DOCKER_HOST, `docker context`). If the "
                f"volume was deleted: ./medianest down {stack} --delete-data, ./medianest up {stack}, and "
                f"bring back the newest backup: ./medianest backup list {stack}",
            )
            for name in gone
        ),
    ]


def removal_command(found: Sequence[Resource]) -> str:
    """The exact command that removes resources by their owner's label, for a person to run."""
    parts = []
    for owner in sorted({str(resource.owner) for resource in found}):
        only = f"--filter label={labels.OWNER}={owner}"
        kinds = {resource.kind for resource in found if str(resource.owner) == owner}
        for kind, remove, listing in REMOVALS:
            if kind in kinds:
                parts.append(f"docker {remove} $(docker {listing} {only})")
    return " && ".join(parts)


# In the order in which the engine lets go of them.
REMOVALS = (
    ("container", "rm -f", "ps -aq"),
    ("network", "network rm", "network ls -q"),
    ("volume", "volume rm", "volume ls -q"),
)
