"""Handlers take many things of one kind at once. The order of what belongs together is kept all the same."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


def in_stages(
    things: Iterable[T], key: Callable[[T], Hashable], kind: Callable[[T], K]
) -> list[tuple[K, list[T]]]:
    """Group things by kind so that those of one key keep their order from group to group.

    One whose key was last seen with another kind goes one stage later than that one.
    """
    stage_of: dict[Hashable, tuple[int, K]] = {}
    groups: dict[tuple[int, K], list[T]] = {}
    for thing in things:
        its_key, its_kind = key(thing), kind(thing)
        stage, last_kind = stage_of.get(its_key, (0, its_kind))
        group = (stage + (last_kind != its_kind), its_kind)
        stage_of[its_key] = group
        groups.setdefault(group, []).append(thing)
    return [(group[1], groups[group]) for group in sorted(groups, key=lambda group: group[0])]
