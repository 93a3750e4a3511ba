"""What differs in a resource, as a person reads it. Only what is listed here is shown with its value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from components import labels
from ops.names import IMAGE
from ops.plan.model import MASKED, Action, Difference
from ops.plan.operations import Operation, Properties
from ops.plan.setting_changes import shorten, shown_variable, text_of

# The engine puts a random UUID in the place of what it will know only when the update runs.
UNKNOWN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# The end of a name that Pulumi makes: see `pulumi:autonaming` in Pulumi.yaml.
DRAWN = re.compile(r"(?<=[a-z0-9])-[0-9a-f]{6}$")
LATER = "known after the update"
NOT_SHOWN = "not shown"
PLAIN = (
    *("memory", "cpus", "user", "restart", "readOnly", "networkMode", "init", "driver", "internal"),
    *("stopTimeout", "destroyGraceSeconds", "waitTimeout", "logDriver", "generation", "account", "limit"),
)
HEALTH_CHECK = ("tests", "interval", "timeout", "retries", "startPeriod")


def differences(operation: Operation) -> tuple[Difference, ...]:
    """What an update or a replacement changes; nothing for what is made or deleted."""
    if operation.action in (Action.CREATE, Action.DELETE):
        return ()
    found = compare(operation.old, operation.new)
    if operation.is_secret and not found:
        # Set by the team, to another value: nothing but that differs.
        return (Difference("value", MASKED, MASKED),)
    if found or operation.is_loader:
        files = [Difference("files", NOT_SHOWN, NOT_SHOWN)] if "uploads" in tops(operation.paths) else []
        return (*found, *files)
    return tuple(Difference(name, NOT_SHOWN, NOT_SHOWN) for name in tops(operation.paths))


def compare(old: Properties, new: Properties) -> tuple[Difference, ...]:
    """The properties that differ, of those that may be shown."""
    before, after = dict(facets(old)), dict(facets(new))
    return tuple(
        difference(path, before.get(path, ""), after.get(path, ""))
        for path in [*before, *(path for path in after if path not in before)]
        if before.get(path, "") != after.get(path, "")
    )


def difference(path: str, old: str, new: str) -> Difference:
    """Two sides. A name that is drawn anew with each preview is told as what it stands for."""
    stem = DRAWN.sub("", old)
    if stem != old and stem == DRAWN.sub("", new):
        return Difference(path, stem, f"{stem}, made anew")
    return Difference(path, old, DRAWN.sub("", new))


def tops(paths: tuple[str, ...]) -> list[str]:
    """The names of the outermost properties, each once: `ports` of `ports[0].external`."""
    return list(dict.fromkeys(re.split(r"[.\[]", path)[0] for path in paths))


def facets(inputs: Properties) -> Iterator[tuple[str, str]]:
    """What a resource is declared with, under names that people use."""
    for name in PLAIN:
        if (value := inputs.get(name)) is not None:
            yield name, shown(value)
    if isinstance(image := inputs.get("image"), str):
        yield "image", shown(re.sub(r"^sha256:([0-9a-f]{12})[0-9a-f]+$", r"\1", image))
    for name in ("command", "capAdds"):
        if inputs.get(name):
            yield name, shown(inputs[name])
    for port in maps(inputs.get("ports")):
        yield f"port {shown(port.get('internal'))}", shown(f"{port.get('ip')}:{shown(port.get('external'))}")
    for mount in maps(inputs.get("mounts")):
        yield f"mount {shown(mount.get('target'))}", shown(mount.get("source"))
    for network in maps(inputs.get("networksAdvanced")):
        yield f"network {shown(network.get('name'))}", "attached"
    for label in maps(inputs.get("labels")):
        if label.get("label") == labels.RELEASE:
            yield "release", shown(label.get("value"))
    for variable in inputs.get("envs") or () if isinstance(inputs.get("envs"), list) else ():
        name, equals, value = str(variable).partition("=")
        # The release is told from its label; an unknown variable has no name.
        if equals and name != "RELEASE":
            yield f"environment {name}", shown_variable(name, value)
    check = mapping(inputs.get("healthcheck"))
    for name in HEALTH_CHECK:
        if (value := check.get(name)) is not None:
            yield f"health check {name}", shown(value)
    for path, options in sorted(mapping(inputs.get("tmpfs")).items()):
        yield f"tmpfs {path}", shown(options)
    yield from image_facets(inputs)


def image_facets(inputs: Properties) -> Iterator[tuple[str, str]]:
    """Of an image that is built, or pulled."""
    if inputs.get("keepLocally") is not None:
        yield "name", shown(inputs.get("name"))
    build = mapping(inputs.get("build"))
    for name in ("context", "dockerfile", "target"):
        if build.get(name):
            yield name, shown(build[name])
    for name, value in sorted(mapping(build.get("buildArgs")).items()):
        yield f"argument {name}", shown_variable(name, shown(value))


def shown(value: Any) -> str:
    """A value as text."""
    if isinstance(value, list):
        return shorten(" ".join(shown(part) for part in value))
    text = text_of(value)
    return LATER if UNKNOWN.fullmatch(text) else shorten(UNKNOWN.sub(f"({LATER})", text))


def maps(value: Any) -> list[Mapping[str, Any]]:
    """The mappings of a list; none where the whole of it is a secret."""
    return [part for part in value if isinstance(part, Mapping)] if isinstance(value, list) else []


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def kind(operation: Operation) -> str:
    """What a person calls a resource of this type."""
    if operation.is_secret:
        return "Secret"
    if operation.is_process_limit:
        return "ProcessLimit"
    if operation.is_loader:
        return "Files"
    last = operation.type.rsplit(":", 1)[-1]
    if last == "Resource":
        return "Accounts" if "account" in operation.inputs else operation.name.capitalize()
    return "Image" if operation.type == IMAGE else last


def readable_name(operation: Operation) -> str:
    """The resource's name, as a person knows it."""
    if operation.is_loader:
        files = operation.name.removesuffix("-loader")
        return files.replace("-", " ") if files != operation.name else operation.name
    if operation.is_secret:
        return str(operation.inputs.get("name") or operation.name)
    return operation.name
