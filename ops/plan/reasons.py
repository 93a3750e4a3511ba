"""Why a resource changes: which setting, which file, which secret, which other change it follows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ops.names import CONTAINER, IMAGE
from ops.plan.differences import compare, readable_name, tops
from ops.plan.model import Action, Difference
from ops.plan.operations import Operation
from ops.plan.setting_changes import SettingChange
from ops.plan.words import first_few

# Settings that a container is not made of, though they are those of its component.
NOT_OF_THE_CONTAINER = ("backend.replicas", "backend.build.", "backend.health.live", "backend.health.report")
OF_THE_GATEWAYS_CONTAINER = ("gateway.address", "gateway.port", "gateway.limits.")
OF_THE_GATEWAYS_CONFIGURATION = ("gateway.", "backend.replicas", "backend.port", "backend.health.ready")
# Who reads the secrets of the services themselves.
READERS = {"postgres_password": ("postgres", "backend"), "redis_password": ("redis", "backend")}


@dataclass(frozen=True)
class ChangedFiles:
    """The files that differ from the base: by image, and of the program itself.

    `base` says what they were compared with; empty where nothing could be.
    """

    base: str = ""
    images: Mapping[str, Sequence[str]] = field(default_factory=dict)
    program: Sequence[str] = ()


@dataclass(frozen=True)
class Background:
    """What the reasons are looked for in."""

    settings: Sequence[SettingChange] = ()
    files: ChangedFiles = ChangedFiles()
    new: bool = False
    """Nothing of the stack is there yet: everything is made, for that reason alone."""


def reasons(operation: Operation, operations: Sequence[Operation], background: Background) -> tuple[str, ...]:
    """The reasons, one sentence each. `operations` are all of the preview."""
    if background.new:
        return ()
    found = [
        *(f"setting {change}" for change in background.settings if concerns(operation, change.path)),
        *(image_reasons(operation, background.files) if operation.type == IMAGE else ()),
        *(base_reasons(operation, background.files) if operation.is_loader else ()),
        *followed(operation, operations),
    ]
    if not found and background.files.program:
        found.append(f"the program: {first_few(background.files.program)} {against(background.files)}")
    return tuple(found or otherwise(operation))


def concerns(operation: Operation, setting: str) -> bool:
    """Whether a resource is declared by a setting."""
    component = operation.component
    if operation.type == IMAGE:
        service = operation.name.removesuffix("-image")
        return setting.startswith("backend.build.") if service == "backend" else setting == f"{service}.image"
    if operation.is_secret:
        name = readable_name(operation)
        return setting == f"generations.{name}" or setting.startswith(f"backend.secrets.{name}.")
    if operation.is_process_limit:
        return setting == f"{component}.limits.pids"
    if operation.is_loader:
        return component == "gateway" and setting.startswith(OF_THE_GATEWAYS_CONFIGURATION)
    if operation.type == CONTAINER:
        return concerns_container(operation, setting)
    return setting.startswith(f"{operation.name.replace('backend-', 'backend.volumes.')}.")


def concerns_container(operation: Operation, setting: str) -> bool:
    component = operation.component
    if operation.action in (Action.CREATE, Action.DELETE):
        return setting == f"{component}.replicas"
    if component == "gateway":
        return setting.startswith(OF_THE_GATEWAYS_CONTAINER)
    return setting.startswith(f"{component}.") and not setting.startswith(
        (*NOT_OF_THE_CONTAINER, f"{component}.image", f"{component}.limits.pids")
    )


def image_reasons(operation: Operation, files: ChangedFiles) -> list[str]:
    """What of an image's inputs is another."""
    service = operation.name.removesuffix("-image")
    own = files.images.get(service, ())
    found = [f"files of the image: {first_few(own)} {against(files)}"] if own else []
    for difference in compare(operation.old, operation.new):
        if difference.path == "argument BASE_IMAGE":
            found.append(of_the_base(difference, files))
        elif difference.path.startswith("argument ") or difference.path in ("target", "dockerfile"):
            found.append(f"build {difference.path}: {difference.old} → {difference.new}")
    if not found and operation.action is Action.REPLACE:
        tags = [str(side.get("name", "")).rpartition(":")[2] for side in (operation.old, operation.new)]
        found = [f"content hash: {' → '.join(tag.rpartition('-')[2] for tag in tags)}"]
    return found


def base_reasons(operation: Operation, files: ChangedFiles) -> list[str]:
    """Of a loader, which is made from the base image."""
    found = compare(operation.old, operation.new)
    return [of_the_base(difference, files) for difference in found if difference.path == "image"]


def of_the_base(difference: Difference, files: ChangedFiles) -> str:
    changed = files.images.get("base", ())
    because = f": {first_few(changed)} {against(files)}" if changed else ""
    return f"base image {difference.old} → {difference.new}{because}"


def followed(operation: Operation, operations: Collection[Operation]) -> list[str]:
    """The other changes that this one follows."""
    component = operation.component
    others = [other for other in operations if other.urn != operation.urn]
    containers = [
        f"container {other.name} is another"
        for other in others
        if is_container_of(other, component) and other.action is not Action.UPDATE
    ]
    if "account" in operation.inputs:
        return [*secret_reasons(component, others), *containers]
    if operation.is_process_limit:
        return containers
    images = [
        f"image {other.name} is another"
        for other in others
        if other.type == IMAGE and other.name == f"{component}-image" and other.action is Action.REPLACE
    ]
    return [
        *(images if operation.is_service and operation.action is Action.REPLACE else []),
        *(secret_reasons(component, others) if carries_secrets(operation) else []),
    ]


def carries_secrets(operation: Operation) -> bool:
    """Whether it is replaced for the files of secrets: those of another version lie in a new volume."""
    touched = {"mounts", "labels", "uploads"} & set(tops(operation.paths))
    return operation.action is Action.REPLACE and bool(touched)


def is_container_of(operation: Operation, component: str) -> bool:
    return operation.is_service and operation.component == component


def secret_reasons(component: str, changed: Collection[Operation]) -> list[str]:
    """The secrets of a component that get another value."""
    return [
        f"secret {name} gets another value"
        for other in changed
        if other.is_secret and other.action is not Action.DELETE
        if component in READERS.get(name := readable_name(other), (other.component,))
    ]


def otherwise(operation: Operation) -> list[str]:
    """Where no reason was found: which properties it is."""
    if operation.action is Action.DELETE:
        return ["it is not declared any more"]
    if operation.action is Action.CREATE:
        return ["it was not declared before"]
    return [f"declared differently: {', '.join(tops(operation.paths))}"] if operation.paths else []


def against(files: ChangedFiles) -> str:
    return f"(against {files.base})"
