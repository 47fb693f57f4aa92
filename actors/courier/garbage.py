"""Python's garbage collector, as suits a process that does nothing but deliver."""

from __future__ import annotations

import gc

YOUNG = 50_000
"""Objects made and not freed between two collections.

Nearly everything in a delivery is freed by its count of references. With the default, 700, the collector
looks through the same living objects again for every few events: that took a quarter of a courier's time.
"""


def rarely() -> None:
    """Collect rarely, and never look at what is there already: the modules. For the whole process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
