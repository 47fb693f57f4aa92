"""How busy the machine is."""

from __future__ import annotations

from pathlib import Path

STAT = Path("/proc/stat")


class Busy:
    """The share of all processors' time that was used since this was made; None where nobody knows."""

    def __init__(self) -> None:
        self._before = _times()

    def share(self) -> float | None:
        """From 0 to 1."""
        before, after = self._before, _times()
        if before is None or after is None or after[1] <= before[1]:
            return None
        return round(1 - (after[0] - before[0]) / (after[1] - before[1]), 2)


def _times() -> tuple[int, int] | None:
    # Idle, waiting for a disk included, and everything.
    if not STAT.exists():
        return None
    numbers = [int(number) for number in STAT.read_text().splitlines()[0].split()[1:9]]
    return numbers[3] + numbers[4], sum(numbers)
