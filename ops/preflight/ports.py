"""Who holds a port of the host: a container that publishes it, or a process that listens on it."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LISTEN = "0A"


@dataclass(frozen=True)
class PortHolder:
    """Who holds a port. `labels` are those of a container."""

    description: str
    labels: Mapping[str, str]


def overlaps(one: str, other: str) -> bool:
    """Whether a server on one address is in the way of one on the other: equal, or one means all."""
    addresses = [ipaddress.ip_address(address) for address in (one, other)]
    if any(address.is_unspecified for address in addresses):
        versions = {address.version for address in addresses}
        # The engine listens on IPv6 too when it listens on all of IPv4, but in sockets of their own.
        return len(versions) == 1
    return addresses[0] == addresses[1]


def publishing_container(
    containers: Sequence[Mapping[str, Any]], address: str, port: int
) -> PortHolder | None:
    """The running container that publishes the port, out of the engine's list."""
    for container in containers:
        for published in container.get("Ports") or ():
            # Without an address the engine means all of them.
            listens_on = published.get("IP") or str(ipaddress.IPv4Address(0))
            if published.get("PublicPort") == port and overlaps(listens_on, address):
                name = container["Names"][0].lstrip("/")
                return PortHolder(f"container {name}", container.get("Labels") or {})
    return None


def find_listener(address: str, port: int) -> PortHolder | None:
    """The process of this machine that listens there, as far as /proc lets us see.

    None where nothing listens: an outgoing connection may hold a high port for a moment.
    """
    unseen = PortHolder("a process that cannot be seen from here", {})
    if not Path("/proc/net/tcp").exists():
        return unseen
    inodes = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        inodes += listening_inodes(lines, address, port)
    for inode in inodes:
        for process in _processes_with(f"socket:[{inode}]"):
            return PortHolder(process, {})
    return unseen if inodes else None


def listening_inodes(lines: Sequence[str], address: str, port: int) -> list[str]:
    """Inodes of the sockets that listen on a port, out of /proc/net/tcp or tcp6.

    Source of the form: proc_net_tcp(5); addresses are in the machine's byte order, word by word.
    """
    found = []
    for line in lines:
        fields = line.split()
        local, number = fields[1].rsplit(":", 1)
        if fields[3] == LISTEN and int(number, 16) == port and _in_the_way(decode_address(local), address):
            found.append(fields[9])
    return found


def decode_address(text: str) -> str:
    """An address as /proc/net/tcp writes it: 0100007F is 127.0.0.1."""
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    decoded = ipaddress.ip_address(b"".join(words))
    mapped = decoded.ipv4_mapped if isinstance(decoded, ipaddress.IPv6Address) else None
    return str(mapped or decoded)


def _in_the_way(listening: str, address: str) -> bool:
    # A socket on :: usually takes IPv4 too.
    return listening == "::" or overlaps(listening, address)


def _processes_with(link: str) -> Iterator[str]:
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        try:
            descriptors = list((directory / "fd").iterdir())
            if any(_target(descriptor) == link for descriptor in descriptors):
                yield f"process {directory.name} ({(directory / 'comm').read_text().strip()})"
        except OSError:
            continue


def _target(descriptor: Path) -> str:
    try:
        return os.readlink(descriptor)
    except OSError:
        return ""
