"""All SQL of the service: one module for each aggregate.

Lock order: welfare calls, then tasks; rounds, then tasks; volunteers, then the tasks that they have in hand. The planner takes open tasks
first, without waiting for any, and then volunteers. Rows of one table are locked in the order of their ids.

Whoever changes a volunteer then locks the tasks that they have in hand. Whoever locks a task reads its volunteer afterwards,
without a lock. So one of the two always sees what the other did, and no task stays with somebody who may not do it.
"""

from bdcan_volunteer_match.store import (
    acts,
    calls,
    completions,
    decisions,
    figures,
    hubs,
    offers,
    rounds,
    summary,
    tasks,
    volunteers,
)

__all__ = [
    "acts",
    "calls",
    "completions",
    "decisions",
    "figures",
    "hubs",
    "offers",
    "rounds",
    "summary",
    "tasks",
    "volunteers",
]
