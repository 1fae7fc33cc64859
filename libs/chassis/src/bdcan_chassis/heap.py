"""Python's cycle collector, set for a process that lives long and allocates in batches."""

from __future__ import annotations

import gc

_YOUNG = 50_000


def settle_heap() -> None:
    """Call once, when everything that stays has been imported and built.

    By default each 700 new objects start a collection, a batch of 500 events makes several thousand, and now and then
    the whole heap of modules and models is walked through: a quarter of a planner's time was that. What is there
    now is never looked at again, and a collection waits until it is worth it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 10, 10)
