"""A container as Pulumi's program declares it, in the words of the engine's documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from components.hardening.rule import Document

# A container's properties, as `docker.Container` takes them.
Properties = Mapping[str, Any]
MEGABYTE = 1024 * 1024


def document_of(properties: Properties) -> Document:
    """The engine's document that a declaration leads to. Values that are not known yet are left out."""
    networks = [_get(network, "name") for network in _list(properties, "networks_advanced")]
    never_started = _get(properties, "start") is False and _get(properties, "must_run") is False
    return {
        "Config": {
            "User": _get(properties, "user"),
            "Labels": {_get(label, "label"): _get(label, "value") for label in _list(properties, "labels")},
            "Healthcheck": {"Test": _list(_get(properties, "healthcheck"), "tests")},
        },
        "HostConfig": {
            "ReadonlyRootfs": _get(properties, "read_only"),
            "CapDrop": _list(_get(properties, "capabilities"), "drops"),
            "CapAdd": _list(_get(properties, "capabilities"), "adds"),
            "SecurityOpt": _list(properties, "security_opts"),
            "Privileged": _get(properties, "privileged"),
            "Memory": _bytes(_get(properties, "memory")),
            "MemorySwap": _bytes(_get(properties, "memory_swap")),
            "NanoCpus": float(_get(properties, "cpus") or 0) * 1e9,
            "Ulimits": _list(properties, "ulimits"),
            "CgroupParent": _get(properties, "cgroup_parent"),
            "LogConfig": {"Type": _get(properties, "log_driver"), "Config": _get(properties, "log_opts")},
            "Init": _get(properties, "init"),
            "RestartPolicy": {"Name": _get(properties, "restart")},
            "PortBindings": {
                f"{int(_get(port, 'internal'))}/tcp": [{"HostIp": _get(port, "ip")}]
                for port in _list(properties, "ports")
            },
            "PublishAllPorts": _get(properties, "publish_all_ports"),
            # With networks of its own it is taken off the default one.
            "NetworkMode": _get(properties, "network_mode") or ("named" if networks else "default"),
            "PidMode": _get(properties, "pid_mode"),
            "IpcMode": _get(properties, "ipc_mode"),
            "UTSMode": _get(properties, "uts_mode"),
            "UsernsMode": _get(properties, "userns_mode"),
            "Binds": [*_list(properties, "volumes")],
            "Mounts": [_mount(mount) for mount in _list(properties, "mounts")],
            "Devices": _list(properties, "devices"),
            "DeviceRequests": _get(properties, "gpus"),
        },
        "State": {"Status": "created" if never_started else "running"},
        "Declared": {"wait": _get(properties, "wait") is True},
    }


def _get(value: Any, key: str) -> Any:
    """A property of a mapping, or of an argument class of the provider's."""
    return value.get(key) if isinstance(value, Mapping) else getattr(value, key, None)


def _list(value: Any, key: str) -> list[Any]:
    found = _get(value, key)
    return list(found) if isinstance(found, Iterable) and not isinstance(found, str) else []


def _bytes(megabytes: Any) -> int:
    return int(megabytes or 0) * MEGABYTE


def _mount(mount: Any) -> dict[str, Any]:
    options = _get(_get(mount, "volume_options"), "driver_options")
    driver = {"VolumeOptions": {"DriverConfig": {"Options": options}}} if options else {}
    place = {"Target": _get(mount, "target"), "ReadOnly": _get(mount, "read_only")}
    return {"Type": _get(mount, "type"), **place, **driver}
