"""The rules that every container keeps, as one table, and the refusal of what breaks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import labels

Properties = Mapping[str, Any]


class HardeningError(Exception):
    """A container that breaks a rule. The message names the container and every rule."""


@dataclass(frozen=True)
class Rule:
    """One rule. `holds` gets the container's properties, as `docker.Container` takes them."""

    name: str
    reason: str
    holds: Callable[[Properties], bool]


def _get(properties: Properties, *path: str) -> Any:
    value: Any = properties
    for key in path:
        if value is None:
            return None
        value = value.get(key) if isinstance(value, Mapping) else getattr(value, key, None)
    return value


def _present(properties: Properties, key: str) -> bool:
    return bool(_get(properties, key))


RULES: tuple[Rule, ...] = (
    Rule(
        "numeric non-root user",
        "a process that breaks out is nobody on the host",
        lambda p: (
            str(_get(p, "user") or "").split(":")[0].isdigit() and not str(_get(p, "user")).startswith("0")
        ),
    ),
    Rule(
        "read-only root file system",
        "an intruder cannot change the program",
        lambda p: _get(p, "read_only") is True,
    ),
    Rule(
        "all capabilities dropped",
        "no privilege of root's is left",
        lambda p: (
            list(_get(p, "capabilities", "drops") or []) == ["ALL"] and not _get(p, "capabilities", "adds")
        ),
    ),
    Rule(
        "no new privileges",
        "set-uid programs give nothing",
        lambda p: "no-new-privileges:true" in (_get(p, "security_opts") or []),
    ),
    Rule("not privileged", "the host's devices stay its own", lambda p: not _get(p, "privileged")),
    Rule(
        "memory limit without swap",
        "one container cannot starve the others",
        lambda p: _present(p, "memory") and _get(p, "memory_swap") == _get(p, "memory"),
    ),
    Rule("processor limit", "one container cannot starve the others", lambda p: _present(p, "cpus")),
    Rule(
        "log rotation",
        "logs cannot fill the disk",
        lambda p: bool(_get(p, "log_opts", "max-size")) and bool(_get(p, "log_opts", "max-file")),
    ),
    Rule(
        "health check that is waited for",
        "an update ends when what it made works",
        lambda p: bool(_get(p, "healthcheck", "tests")) and _get(p, "wait") is True,
    ),
    Rule("init process", "no zombies, signals arrive", lambda p: _get(p, "init") is True),
    Rule(
        "restart unless stopped",
        "it comes back after a crash and after a reboot",
        lambda p: _get(p, "restart") == "unless-stopped",
    ),
    Rule(
        "ports on a named address",
        "nothing is published to the world by accident",
        lambda p: all(_get(port, "ip") for port in _get(p, "ports") or []),
    ),
    Rule(
        "no namespaces of the host's",
        "the container sees only itself",
        lambda p: (
            not any(_get(p, key) == "host" for key in ("network_mode", "pid_mode", "ipc_mode", "userns_mode"))
        ),
    ),
    Rule(
        "no mounts of the host's",
        "only volumes: neither files of the host nor the engine's socket",
        lambda p: (
            not _get(p, "volumes")
            and all(_get(mount, "type") == "volume" for mount in _get(p, "mounts") or [])
        ),
    ),
    Rule("no devices", "the host's devices stay its own", lambda p: not _get(p, "devices")),
)


@dataclass(frozen=True)
class Exemption:
    """A rule that one component need not keep. `allows` is what it has to keep in its place."""

    component: str
    rule: str
    reason: str
    allows: Callable[[Properties], bool]


def _binds(properties: Properties) -> list[tuple[Any, Any]]:
    """The host's files and directories in a container: where they are there, and whether read-only."""
    mounts = _get(properties, "mounts") or []
    return [
        (_get(mount, "target"), _get(mount, "read_only") or _get(mount, "readOnly"))
        for mount in mounts
        if _get(mount, "type") != "volume"
    ]


EXEMPTIONS: tuple[Exemption, ...] = (
    Exemption(
        "engine-proxy",
        "no mounts of the host's",
        "it is what keeps the engine's socket from everybody else, and has nothing but that",
        lambda p: _binds(p) == [("/var/run/docker.sock", True)] and len(_get(p, "mounts")) == 1,
    ),
)


def is_loader(properties: Properties) -> bool:
    """Whether it is a container in which no process ever runs: it only takes files into a volume.

    This is the one exception to the rules, since the engine refuses uploads below a read-only root.
    """
    return (
        _get(properties, "start") is False
        and _get(properties, "must_run") is False
        and _get(properties, "network_mode") == "none"
    )


def broken_rules(properties: Properties) -> list[Rule]:
    """The rules that a container's properties break, in the table's order."""
    mounts_only = [rule for rule in RULES if rule.name in LOADER_RULES]
    rules = mounts_only if is_loader(properties) else RULES
    return [rule for rule in rules if not rule.holds(properties) and not _is_exempt(rule, properties)]


def _is_exempt(rule: Rule, properties: Properties) -> bool:
    component = _component(properties)
    return any(
        exemption.component == component and exemption.rule == rule.name and exemption.allows(properties)
        for exemption in EXEMPTIONS
    )


def _component(properties: Properties) -> Any:
    found = _get(properties, "labels") or []
    return next((_get(item, "value") for item in found if _get(item, "label") == labels.COMPONENT), None)


# What a container that never runs must keep all the same.
LOADER_RULES = frozenset({"no mounts of the host's", "not privileged", "no devices", "log rotation"})


def enforce() -> None:
    """Refuse, for the whole program, every container that breaks a rule."""
    pulumi.runtime.register_stack_transformation(_refuse_what_is_not_hardened)


def _refuse_what_is_not_hardened(
    arguments: pulumi.ResourceTransformationArgs,
) -> pulumi.ResourceTransformationResult | None:
    if arguments.type_ == "docker:index/container:Container":
        broken = broken_rules(arguments.props)
        if broken:
            rules = "; ".join(f"{rule.name} ({rule.reason})" for rule in broken)
            raise HardeningError(f"container {arguments.name} breaks: {rules}")
    return None
