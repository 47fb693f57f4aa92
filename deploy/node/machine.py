"""What this machine, or this container of it, has."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup/memory.max")


def memory() -> int:
    """Bytes that the processes of this container may use together."""
    present = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = CGROUP.read_text().strip()
    except OSError:
        return present
    return min(present, int(limit)) if limit.isdigit() else present
