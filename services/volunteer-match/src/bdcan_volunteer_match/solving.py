"""Finds the order of stops by PyVRP, which improves a first order by local search.

It is given a number of steps, and the seed is fixed: the same question has the same answer. The limit in seconds only ends
what takes too long. It is work of the processor: whoever serves requests calls it in a thread.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import numpy as np
import pyvrp
from pyvrp.stop import MaxIterations, MaxRuntime, MultipleCriteria

from bdcan_volunteer_match.domain.drops import (
    AT_THE_DOOR,
    Doer,
    Drop,
    Problem,
    metres,
    nearest_first,
    seconds,
    settled,
    worth_of,
)

_SEED = 2020
_ITERATIONS = 300
"""Steps of the search. A thousand made the rounds of 120 stops no shorter by a thousandth."""
_NEVER = 1_000_000_000
"""Metres and seconds to a stop that somebody must not go to."""


def solve(problem: Problem, at_most: timedelta) -> list[list[UUID]]:
    """The order of stops for each of the problem's people, in their order; a stop for which there is no room is in none."""
    if not problem.drops or not problem.doers:
        return [[] for _ in problem.doers]
    data = _data(problem)
    first = nearest_first(problem)
    stop = MultipleCriteria([MaxIterations(_ITERATIONS), MaxRuntime(at_most.total_seconds())])
    found = pyvrp.solve(
        data,
        stop,
        seed=_SEED,
        collect_stats=False,
        display=False,
        initial_solution=_as_solution(data, problem, first),
    )
    better = _as_orders(problem, found.best)
    return better if _rank(problem, better) > _rank(problem, first) else first


def _rank(problem: Problem, orders: list[list[UUID]]) -> tuple[int, int]:
    """How good some orders are: what they reach matters first, then how short they are."""
    courses, _ = settled(problem, orders)
    reached = [[stop.task_id for stop in course.stops] for course in courses]
    return worth_of(problem, reached), -sum(course.metres for course in courses)


def _as_solution(data: pyvrp.ProblemData, problem: Problem, orders: list[list[UUID]]) -> pyvrp.Solution:
    place = {drop.task_id: place for place, drop in enumerate(problem.drops)}
    routes = [
        pyvrp.Route(
            data,
            [pyvrp.Activity(pyvrp.ActivityType.CLIENT, place[task_id]) for task_id in order],
            vehicle,
        )
        for vehicle, order in enumerate(orders)
        if order
    ]
    return pyvrp.Solution(data, routes)


def _as_orders(problem: Problem, solution: pyvrp.Solution) -> list[list[UUID]]:
    orders: list[list[UUID]] = [[] for _ in problem.doers]
    for route in solution.routes():
        visits = [act.idx for act in route.schedule() if act.type == pyvrp.ActivityType.CLIENT]
        orders[route.vehicle_type()] = [problem.drops[visit].task_id for visit in visits]
    return orders


def _data(problem: Problem) -> pyvrp.ProblemData:
    start, drops, doers = problem.start, problem.drops, problem.doers
    zero = min(doer.leaves_at for doer in doers)
    points = [start, *(drop.at for drop in drops)]
    ways = np.array([[metres(one, other) for other in points] for one in points], dtype=np.int64)
    # a stop is worth more than the way there and back, so that none is left out to save a way
    prize = 2 * int(ways[0].max()) + 1000

    def client(place: int, drop: Drop) -> pyvrp.Client:
        earliest, latest = drop.window.earliest, drop.window.latest
        begin = max(0, round((earliest - zero).total_seconds())) if earliest else 0
        end = max(begin, int((latest - zero).total_seconds())) if latest else _NEVER
        return pyvrp.Client(
            place,
            delivery=[drop.load],
            service_duration=round(AT_THE_DOOR.total_seconds()),
            tw_early=begin,
            prize=prize * drop.worth,
            required=False,
            tw_late=end,
        )

    def vehicle(profile: int, doer: Doer) -> pyvrp.VehicleType:
        return pyvrp.VehicleType(
            capacity=[doer.room],
            tw_early=round((doer.leaves_at - zero).total_seconds()),
            tw_late=int((doer.back_by - zero).total_seconds()),
            profile=profile,
        )

    def forbidden(doer: Doer) -> list[int]:
        return [
            place for place, drop in enumerate(drops, 1) if doer.volunteer_id not in problem.may[drop.task_id]
        ]

    distances, durations = [], []
    for doer in doers:
        taken = np.array([[seconds(int(way), doer.means) for way in row] for row in ways], dtype=np.int64)
        far = ways.copy()
        for place in forbidden(doer):
            for matrix in (far, taken):
                matrix[place, :] = matrix[:, place] = _NEVER
                matrix[place, place] = 0
        distances.append(far)
        durations.append(taken)
    return pyvrp.ProblemData(
        [pyvrp.Location(point.easting, point.northing) for point in points],
        [client(place, drop) for place, drop in enumerate(drops, 1)],
        [pyvrp.Depot(0)],
        [vehicle(profile, doer) for profile, doer in enumerate(doers)],
        distances,
        durations,
    )
