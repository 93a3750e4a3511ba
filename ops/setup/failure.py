"""Turns the end of a failed command into one clear message."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ops.errors import OperationError

_NETWORK = re.compile(
    r"could not resolve|temporary failure (in name resolution|resolving)|no such host"
    r"|name or service not known|network is unreachable|no route to host"
    r"|connection (refused|reset|timed out)|i/o timeout"
    r"|tls handshake timeout|unable to connect|failed to connect|failed to fetch|error sending request"
    r"|proxyconnect|dns error|certificate verify failed|certificate signed by unknown authority",
    re.IGNORECASE,
)
_DISK = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A kind of host on the network, and what to look at when it cannot be reached"""

    name: str
    settings: str


DEBIAN_PACKAGES = Source("the Debian package archive", "the sources of apt and its proxy setting")
GO_MODULES = Source("the Go module proxy", "GOPROXY and HTTPS_PROXY")
PYTHON_PACKAGES = Source("the Python package index", "UV_INDEX_URL and HTTPS_PROXY")


def explain(doing: str, tail: str, source: Source) -> OperationError:
    """The error for a command that failed while `doing`; `tail` is the end of what it said."""
    if _DISK.search(tail):
        return OperationError(f"{doing} failed: the disk is full", "Make room, then run this again.")
    if _NETWORK.search(tail):
        return OperationError(
            f"{doing} failed: {source.name} cannot be reached",
            f"Check the network, {source.settings}; then run this again: it carries on where it stopped.",
        )
    lines = [line for line in tail.splitlines() if line.strip()]
    said = f": {lines[-1].strip()}" if lines else ""
    return OperationError(f"{doing} failed{said}", "Run this again; if it fails again, the log says more.")
