"""The cheapest assignment of tasks to volunteers, as a min-cost flow (ADR 34).

Each task sends one unit through a volunteer, or past all of them. Passing all costs more than any assignment, and more
for an earlier task. So the flow assigns as many tasks as anybody can take. Where some must wait, the earlier ones of the list go
first. Among all such assignments it is the cheapest. The first task of a volunteer costs less than the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

from bdcan_volunteer_match.domain.matching import Pair


class NotSolvedError(Exception):
    """The solver found no flow. It always can: this is a defect, and the pass is repeated."""


def assign(
    tasks: int, places: Sequence[Sequence[int]], pairs: Sequence[Pair], most_points: int
) -> list[Pair]:
    """The pairs of the cheapest assignment, in the order of the tasks.

    `tasks`: how many there are, in the order in which they should go. `places`: what each further task of a volunteer costs, rising;
    as many as the volunteer has room for. `most_points`: no pair and no place costs more, up or down.
    """
    if not pairs:
        return []
    volunteers = len(places)
    source, sink = tasks + volunteers, tasks + volunteers + 1
    beyond = 4 * most_points * (tasks + 1)
    table = np.asarray(pairs, np.int64)
    rooms = [(v, points) for v, costs in enumerate(places) for points in costs]
    room = np.asarray(rooms, np.int64).reshape(-1, 2)
    flow: Any = SimpleMinCostFlow()  # its stubs give arrays no shape, which numpy's types require
    chosen = _arcs(flow, table[:, 0], tasks + table[:, 1], table[:, 2])
    numbers = np.arange(tasks, dtype=np.int64)
    _arcs(flow, np.full(tasks, source), numbers, np.zeros(tasks))
    _arcs(flow, numbers, np.full(tasks, sink), beyond * (2 * tasks - numbers))
    _arcs(flow, tasks + room[:, 0], np.full(len(room), sink), room[:, 1])
    flow.set_node_supply(source, tasks)
    flow.set_node_supply(sink, -tasks)
    status = flow.solve()
    if status != flow.OPTIMAL:
        raise NotSolvedError(str(status))
    return sorted(pairs[int(place)] for place in np.flatnonzero(flow.flows(chosen)))


def _arcs(flow: Any, tails: np.ndarray, heads: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Add arcs that carry one unit each; returns their numbers."""
    add: Any = (
        flow.add_arcs_with_capacity_and_unit_cost
    )  # its stubs name no shape, which numpy's types require
    ones = np.ones(len(tails), np.int64)
    return add(tails.astype(np.int32), heads.astype(np.int32), ones, points.astype(np.int64))
