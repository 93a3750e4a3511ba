"""How many cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def usable_cores(root: Path = CGROUPS) -> int:
    """At least 1: the cores of the affinity mask, or fewer when the container's limit allows less.

    cpu.max: kernel documentation, Control Group v2; cpu.cfs_quota_us: CFS Bandwidth Control.
    """
    cores = len(os.sched_getaffinity(0))
    limit = _unified_limit(root) or _legacy_limit(root)
    return cores if limit is None else max(1, min(cores, int(limit)))


def default_size(cores: int) -> int:
    """How many workers: one core is left to the server."""
    return max(2, cores - 1)


def _unified_limit(root: Path) -> float | None:
    text = _read(root / "cpu.max").split()
    return int(text[0]) / int(text[1]) if len(text) == 2 and text[0] != "max" else None


def _legacy_limit(root: Path) -> float | None:
    quota, period = _read(root / "cpu/cpu.cfs_quota_us"), _read(root / "cpu/cpu.cfs_period_us")
    return int(quota) / int(period) if quota and period and int(quota) > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
