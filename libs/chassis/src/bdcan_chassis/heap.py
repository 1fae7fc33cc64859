"""Python's garbage collector, set for a process that lives long and allocates in batches."""

from __future__ import annotations

import gc

_YOUNG = 50_000


def settle_heap() -> None:
    """Freeze what exists, and collect less often. Call once, when everything that stays has been imported and built.

    By default every 700 new objects start a collection, and a batch of 500 events makes several thousand objects. Some
    collections walk over all modules and models: that took a quarter of a planner's time. The collector now never looks
    at what exists, and waits for more objects.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 10, 10)
