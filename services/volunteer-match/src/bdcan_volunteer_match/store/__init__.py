"""All SQL of the service: one module for each aggregate.

Lock order: welfare calls, then tasks; volunteers, then the tasks that they have in hand. The planner takes open tasks
first, without waiting for any, and then volunteers. Rows of one table are locked in the order of their ids.
"""

from bdcan_volunteer_match.store import calls, hubs, summary, tasks, volunteers

__all__ = ["calls", "hubs", "summary", "tasks", "volunteers"]
