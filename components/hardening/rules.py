"""The rules, as one table."""

from __future__ import annotations

import re
from collections.abc import Callable

from components.hardening.rule import Document, Observed, Process, Rule, field

FIRST_UNPRIVILEGED_PORT = 1024
EVERY_ADDRESS = frozenset({"", "0.0.0.0", "::", "[::]"})  # noqa: S104 - they are what is refused
# Named by an id, a digest, or the hash of what went into it.
BY_CONTENT = re.compile(r"(.+@)?sha256:[0-9a-f]{64}|medianest/[\w-]+:[0-9a-f]{12}")
CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
NAMESPACES = ("NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode")
ENGINE_SOCKETS = ("docker.sock", "containerd.sock", "podman.sock")


def _host(document: Document, key: str) -> object:
    return field(document, "HostConfig", key)


def _options(document: Document) -> list[str]:
    return [str(option).replace("=", ":", 1) for option in field(document, "HostConfig", "SecurityOpt") or ()]


def _without(*options: str) -> Callable[[Document], bool]:
    return lambda document: not set(options) & set(_options(document))


def _every_process(holds: Callable[[Process], bool]) -> Callable[[Observed], bool]:
    return lambda container: all(holds(process) for process in container.processes)


def _numeric_non_root(document: Document) -> bool:
    user = str(field(document, "Config", "User") or "").split(":")[0]
    return user.isdigit() and int(user) != 0


def _root_is_read_only(process: Process) -> bool:
    roots = [line.split() for line in process.mounts.splitlines() if line.split()[4:5] == ["/"]]
    return bool(roots) and all("ro" in root[5].split(",") for root in roots)


def _has_access_control(container: Observed) -> bool:
    """Where the engine has AppArmor or SELinux, the container has a profile or a label."""
    features = " ".join(container.engine_security)
    profile = str(container.inspected.get("AppArmorProfile") or "")
    apparmor = "name=apparmor" not in features or profile not in ("", "unconfined")
    selinux = "name=selinux" not in features or bool(container.inspected.get("ProcessLabel"))
    # One in which no process has run yet has no profile in force.
    return not container.processes or (apparmor and selinux)


def _logs_are_bounded(document: Document) -> bool:
    log = field(document, "HostConfig", "LogConfig") or {}
    options = log.get("Config") or {}
    return log.get("Type") == "none" or ("max-size" in options and "max-file" in options)


def _health_is_checked(document: Document) -> bool:
    test = field(document, "Config", "Healthcheck", "Test") or []
    return test not in ([], ["NONE"]) and field(document, "Declared", "wait") is not False


def _addresses_are_named(document: Document) -> bool:
    published = field(document, "HostConfig", "PortBindings") or {}
    return not any(
        (binding.get("HostIp") or "") in EVERY_ADDRESS
        for bindings in published.values()
        for binding in bindings or ()
    )


def _no_privileged_port(document: Document) -> bool:
    ports = field(document, "HostConfig", "PortBindings") or {}
    return all(int(port.split("/")[0]) >= FIRST_UNPRIVILEGED_PORT for port in ports)


def networks(document: Document) -> set[str]:
    """The names of a container's networks; `default` for the engine's own bridge."""
    named = field(document, "NetworkSettings", "Networks")
    return set(named) if named else {str(_host(document, "NetworkMode") or "default")}


def _only_volumes(document: Document) -> bool:
    """Neither paths of the host nor volumes that hide one behind the options of their driver."""
    asked = field(document, "HostConfig", "Mounts") or ()
    there = document.get("Mounts") or ()
    return (
        not _host(document, "Binds")
        and not _host(document, "VolumesFrom")
        and all(mount.get("Type") == "volume" for mount in [*asked, *there])
        and not any(field(mount, "VolumeOptions", "DriverConfig", "Options") for mount in asked)
        and not any("shared" in str(mount.get("Propagation") or "") for mount in there)
    )


def _is_plain(command: Document) -> bool:
    config = command.get("ProcessConfig") or {}
    return not config.get("privileged") and str(config.get("user") or "").split(":")[0] not in ("0", "root")


RULES: tuple[Rule, ...] = (
    Rule(
        "numeric non-root user",
        "a process that breaks out is nobody on the host",
        ("4.1",),
        _numeric_non_root,
        _every_process(lambda process: "0" not in process.status["Uid"].split()),
    ),
    Rule(
        "read-only root file system",
        "an intruder cannot change the program",
        ("5.13",),
        lambda c: _host(c, "ReadonlyRootfs") is True,
        _every_process(_root_is_read_only),
    ),
    Rule(
        "all capabilities dropped",
        "no privilege of root's is left",
        ("5.4",),
        lambda c: _host(c, "CapDrop") == ["ALL"] and not _host(c, "CapAdd"),
        _every_process(lambda process: not any(int(process.status[name], 16) for name in CAPABILITY_SETS)),
    ),
    Rule(
        "no new privileges",
        "set-uid programs give nothing",
        ("5.26",),
        lambda c: bool({"no-new-privileges", "no-new-privileges:true"} & set(_options(c))),
        _every_process(lambda process: process.status["NoNewPrivs"] == "1"),
    ),
    Rule(
        "filtered system calls",
        "what no program needs of the kernel is out of reach",
        ("5.22",),
        _without("seccomp:unconfined"),
        _every_process(lambda process: process.status["Seccomp"] == "2"),
    ),
    Rule(
        "mandatory access control",
        "where the kernel has AppArmor or SELinux, the container is under it",
        ("5.2", "5.3"),
        _without("apparmor:unconfined", "label:disable"),
        _has_access_control,
    ),
    Rule(
        "not privileged",
        "the host's devices stay its own",
        ("5.5",),
        lambda c: not _host(c, "Privileged"),
    ),
    Rule(
        "memory limit without swap",
        "one container cannot starve the others",
        ("5.11",),
        lambda c: bool(_host(c, "Memory")) and _host(c, "MemorySwap") == _host(c, "Memory"),
    ),
    Rule(
        "processor limit",
        "one container cannot starve the others",
        ("5.12",),
        lambda c: bool(_host(c, "NanoCpus")),
    ),
    Rule(
        "process limit",
        "a fork bomb stays in its container",
        ("5.29",),
        lambda c: int(str(_host(c, "PidsLimit") or 0)) > 0,
        undeclared="the provider has no property for it: a resource beside the container sets it",
    ),
    Rule(
        "the engine's own ulimits and control group",
        "no container is let out of what bounds all of them",
        ("5.19", "5.25"),
        lambda c: not _host(c, "Ulimits") and not _host(c, "CgroupParent"),
    ),
    Rule(
        "log rotation",
        "logs cannot fill the disk",
        (),
        _logs_are_bounded,
    ),
    Rule(
        "health check that is waited for",
        "an update ends when what it made works",
        ("4.6", "5.27"),
        _health_is_checked,
        lambda container: bool(field(container.inspected, "State", "Health")),
    ),
    Rule(
        "init process",
        "no zombies, signals arrive",
        (),
        lambda c: _host(c, "Init") is True,
    ),
    Rule(
        "restart unless stopped",
        "it comes back after a crash and after a reboot; a loop of restarts is told",
        ("5.15",),
        lambda c: field(c, "HostConfig", "RestartPolicy", "Name") == "unless-stopped",
    ),
    Rule(
        "ports on a named address",
        "nothing is published to the world by accident",
        ("5.9", "5.14"),
        lambda c: _addresses_are_named(c) and not _host(c, "PublishAllPorts"),
    ),
    Rule(
        "no privileged port inside",
        "a server needs no privilege to listen",
        ("5.8",),
        _no_privileged_port,
        _every_process(
            lambda process: min(process.listening_ports(), default=9999) >= FIRST_UNPRIVILEGED_PORT
        ),
    ),
    Rule(
        "no namespaces of the host's",
        "the container sees only itself",
        ("5.10", "5.16", "5.17", "5.21", "5.31"),
        lambda c: not any(_host(c, key) == "host" for key in NAMESPACES),
    ),
    Rule(
        "own networks",
        "on the engine's default bridge everybody reaches everybody",
        ("5.30",),
        lambda c: not networks(c) & {"default", "bridge"},
    ),
    Rule(
        "no mounts of the host's",
        "only volumes: neither files of the host nor the engine's socket",
        ("5.6", "5.20", "5.32"),
        _only_volumes,
        _every_process(lambda process: not any(name in process.mounts for name in ENGINE_SOCKETS)),
    ),
    Rule(
        "no devices",
        "the host's devices stay its own",
        ("5.18",),
        lambda c: not any(_host(c, key) for key in ("Devices", "DeviceRequests", "DeviceCgroupRules")),
    ),
    Rule(
        "image named by its content",
        "what was built or verified is what runs, and nothing older by the same name",
        ("5.28",),
        lambda c: bool(BY_CONTENT.fullmatch(str(field(c, "Config", "Image") or ""))),
        undeclared="its id is known when it is built",
    ),
    Rule(
        "no set-user-id files",
        "no program lends the rights of its owner",
        ("4.8",),
        observed=lambda container: not container.set_user_id_files,
        undeclared="it is a property of the image",
    ),
    Rule(
        "no SSH server",
        "the engine is the one way in",
        ("5.7",),
        observed=_every_process(lambda process: process.status["Name"] != "sshd"),
        undeclared="only what runs can tell",
    ),
    Rule(
        "plain commands beside the container's own",
        "nobody works in a container with more rights than its program",
        ("5.23", "5.24"),
        observed=lambda container: all(_is_plain(command) for command in container.commands),
        undeclared="they are run in a container that is there",
    ),
)
