"""How much memory a process holds."""

from __future__ import annotations

import os
from pathlib import Path


def resident_bytes() -> int:
    """Of this process, as the kernel counts it (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
