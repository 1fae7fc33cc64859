"""When people ask for much more than usual. It is advisory: nothing durable depends on it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from msgspec import Struct


class Change(Enum):
    """A surge begins or ends."""

    SURGED = auto()
    SETTLED = auto()


class Sensitivity(Struct, frozen=True):
    """A surge is `factor` times the usual, and `at_least` requests in one window."""

    factor: float = 3.0
    at_least: int = 20


def expected(history: Sequence[int]) -> float:
    """What a window usually has: the mean of the earlier ones, at least 1."""
    return max(1.0, sum(history) / len(history)) if history else 1.0


def judge(
    count: int, history: Sequence[int], *, surging: bool, over: bool, sensitivity: Sensitivity
) -> Change | None:
    """Whether a surge begins or ends.

    `count` belongs to the window in hand, `history` to the windows before it. `over`: the window has ended. A surge may
    begin in the middle of a window. It ends only after a whole window below the mark, so that it does not flicker.
    """
    mark = max(float(sensitivity.at_least), sensitivity.factor * expected(history))
    if not surging and count >= mark:
        return Change.SURGED
    if surging and over and count < mark:
        return Change.SETTLED
    return None
