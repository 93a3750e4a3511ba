"""A container's properties as text: what the record asks for, and what the engine's document tells.

Both sides are written alike, so that what is equal is the same text. What the record leaves open is the
image's own: see https://docs.docker.com/reference/api/engine/ ("ContainerInspect", "ImageInspect").
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ops.drift.durations import nanoseconds
from ops.drift.record import Inputs
from ops.engine import Document
from ops.names import label_map
from ops.plan.model import MASKED

Properties = dict[str, str]

MEGABYTE = 1024 * 1024
UNLIMITED = "unlimited"
# Weight and bandwidth that the engine gives where nobody asks.
DEFAULT_CPU_SHARES = 1024


def recorded_properties(inputs: Inputs, image: Document, processes: int | None) -> Properties:
    """What a container is to be. `image` is the engine's document of its image, `processes` its limit."""
    config = image.get("Config") or {}
    capabilities = inputs.get("capabilities") or {}
    found = {
        "image": str(image.get("Id", inputs.get("image", ""))),
        "name": str(inputs.get("name", "")),
        "command": _words(inputs.get("command") or config.get("Cmd")),
        "entrypoint": _words(inputs.get("entrypoints") or config.get("Entrypoint")),
        "user": str(inputs.get("user") or config.get("User") or ""),
        "memory": _megabytes(inputs.get("memory")),
        "memorySwap": _megabytes(inputs.get("memorySwap")),
        "cpus": _cores(float(inputs.get("cpus") or 0)),
        "cpuSet": str(inputs.get("cpuSet") or ""),
        "cpuShares": str(int(inputs.get("cpuShares") or 0)),
        "restart": str(inputs.get("restart") or "no"),
        "capabilities.adds": _set(capabilities.get("adds")),
        "capabilities.drops": _set(capabilities.get("drops")),
        "privileged": _yes(inputs.get("privileged")),
        "securityOpts": _set(inputs.get("securityOpts")),
        "readOnly": _yes(inputs.get("readOnly")),
        "init": _yes(inputs.get("init")),
        "healthcheck": _recorded_check(inputs.get("healthcheck"), config),
        "stopTimeout": _seconds(inputs.get("stopTimeout")),
        "log": _log(inputs.get("logDriver"), inputs.get("logOpts")),
    }
    if processes is not None:
        found["processes"] = str(processes)
    found |= _variables([*(config.get("Env") or ()), *_list(inputs.get("envs"))])
    found |= {f"labels.{key}": str(value) for key, value in (config.get("Labels") or {}).items()}
    found |= {f"labels.{key}": value for key, value in label_map(inputs).items()}
    for mount in _list(inputs.get("mounts")):
        found[f"mounts.{mount['target']}"] = _mount(mount["type"], mount.get("source"), mount.get("readOnly"))
    found |= {f"tmpfs.{path}": str(options) for path, options in (inputs.get("tmpfs") or {}).items()}
    for port in _list(inputs.get("ports")):
        found[f"ports.{int(port['internal'])}/{port.get('protocol', 'tcp')}"] = (
            f"{port.get('ip', '0.0.0.0')}:{int(port['external'])}"  # noqa: S104 - the engine's default
        )
    for network in _list(inputs.get("networksAdvanced")):
        found[f"networks.{network['name']}"] = _aliases(network.get("aliases"))
    if not _list(inputs.get("networksAdvanced")):
        found[f"networks.{inputs.get('networkMode') or 'bridge'}"] = _aliases(())
    return found


def live_properties(inspected: Document, image: Document, *, with_processes: bool = True) -> Properties:
    """What a container is, by the engine's document of it."""
    config, host = inspected["Config"], inspected["HostConfig"]
    found = {
        "image": str(inspected["Image"]),
        "name": inspected["Name"].lstrip("/"),
        "command": _words(config.get("Cmd")),
        "entrypoint": _words(config.get("Entrypoint")),
        "user": str(config.get("User") or ""),
        "memory": _megabytes((host.get("Memory") or 0) / MEGABYTE),
        "memorySwap": _megabytes((host.get("MemorySwap") or 0) / MEGABYTE),
        "cpus": _cores((host.get("NanoCpus") or 0) / 1e9),
        "cpuSet": str(host.get("CpusetCpus") or ""),
        "cpuShares": str(_shares(host.get("CpuShares"))),
        "restart": _restart(host.get("RestartPolicy") or {}),
        "capabilities.adds": _set(host.get("CapAdd")),
        "capabilities.drops": _set(host.get("CapDrop")),
        "privileged": _yes(host.get("Privileged")),
        "securityOpts": _set(host.get("SecurityOpt")),
        "readOnly": _yes(host.get("ReadonlyRootfs")),
        "init": _yes(host.get("Init")),
        "healthcheck": _check(config.get("Healthcheck")),
        "stopTimeout": _seconds(config.get("StopTimeout")),
        "log": _log((host.get("LogConfig") or {}).get("Type"), (host.get("LogConfig") or {}).get("Config")),
    }
    if with_processes:
        found["processes"] = str(host.get("PidsLimit") or UNLIMITED)
    found |= _variables(config.get("Env") or ())
    found |= {f"labels.{key}": str(value) for key, value in (config.get("Labels") or {}).items()}
    # Volumes that an image asks for, and nobody has named, are the engine's own.
    anonymous = set(((image.get("Config") or {}).get("Volumes") or {}).keys())
    named = {mount.get("Target") for mount in host.get("Mounts") or ()}
    for mount in inspected.get("Mounts") or ():
        path = mount["Destination"]
        if path in anonymous and path not in named:
            continue
        found[f"mounts.{path}"] = _mount(
            mount["Type"], mount.get("Name") or mount.get("Source"), not mount.get("RW", True)
        )
    found |= {f"tmpfs.{path}": str(options) for path, options in (host.get("Tmpfs") or {}).items()}
    for port, bindings in (host.get("PortBindings") or {}).items():
        found[f"ports.{port}"] = ", ".join(
            f"{binding.get('HostIp') or '0.0.0.0'}:{binding['HostPort']}"  # noqa: S104
            for binding in bindings or ()
        )
    own = {inspected["Id"][:12], found["name"]}
    for name, endpoint in ((inspected.get("NetworkSettings") or {}).get("Networks") or {}).items():
        found[f"networks.{name}"] = _aliases(set(endpoint.get("Aliases") or ()) - own)
    return found


def condition(inspected: Document) -> str:
    """running, unhealthy, paused, restarting, exited, …: what a container that runs is to be is running."""
    state = inspected["State"]
    status = str(state["Status"])
    health = (state.get("Health") or {}).get("Status")
    return "unhealthy" if status == "running" and health == "unhealthy" else status


def _list(value: Any) -> list[Any]:
    """A list; a masked one is none that could be read."""
    return list(value) if isinstance(value, list) else []


def _variables(lines: Iterable[str]) -> Properties:
    found = {}
    for line in lines:
        name, _, value = line.partition("=")
        found[f"environment.{name}"] = value
    return found


def _words(words: Sequence[str] | None) -> str:
    return json.dumps(list(words)) if words else ""


def _set(values: Iterable[str] | None) -> str:
    # Newer engines write CAP_NET_RAW where it was asked for as NET_RAW.
    return ", ".join(sorted(str(value).removeprefix("CAP_") for value in values or ()))


def _aliases(values: Iterable[str] | None) -> str:
    return f"as {names}" if (names := _set(values)) else "attached"


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _megabytes(value: float | None) -> str:
    return UNLIMITED if not value or value < 0 else f"{value:g} MB"


def _cores(value: float) -> str:
    return f"{value:g}" if value else UNLIMITED


def _shares(value: int | None) -> int:
    return 0 if not value or value == DEFAULT_CPU_SHARES else value


def _seconds(value: float | None) -> str:
    return f"{value:g} s" if value else "default"


def _mount(kind: str, source: object, read_only: object) -> str:
    return f"{kind} {source}, {'read-only' if read_only else 'writable'}"


def _restart(policy: Mapping[str, Any]) -> str:
    return str(policy.get("Name") or "no")


def _log(driver: str | None, options: Mapping[str, Any] | None) -> str:
    told = ", ".join(f"{key}={value}" for key, value in sorted((options or {}).items()))
    return f"{driver} ({told})" if told else str(driver or "")


def _recorded_check(declared: Mapping[str, Any] | None, image: Mapping[str, Any]) -> str:
    if not isinstance(declared, Mapping):
        return MASKED if declared else _check(image.get("Healthcheck"))
    return _check(
        {
            "Test": declared.get("tests"),
            "Interval": nanoseconds(declared.get("interval") or "0s"),
            "Timeout": nanoseconds(declared.get("timeout") or "0s"),
            "StartPeriod": nanoseconds(declared.get("startPeriod") or "0s"),
            "Retries": declared.get("retries"),
        }
    )


def _check(check: Mapping[str, Any] | None) -> str:
    if not check:
        return ""
    times = [(check.get(name) or 0) / 1e9 for name in ("Interval", "Timeout", "StartPeriod")]
    every, within, start = (f"{value:g} s" for value in times)
    retries = int(check.get("Retries") or 0)
    return f"{_words(check.get('Test'))} every {every}, within {within}, {retries} times, from {start}"
