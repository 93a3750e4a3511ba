"""Durations as Docker's API and Pulumi's inputs write them."""

from __future__ import annotations

import re

_UNITS = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1000,
    "ns": 1,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)")


def nanoseconds(duration: str) -> int:
    """A duration such as 1m30s. Source: https://pkg.go.dev/time#ParseDuration"""
    return round(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration)))
