"""All SQL of the service: one module an aggregate.

Lock order: welfare calls, then tasks; volunteers, then the tasks that they have in hand. The planner takes open tasks
first, without waiting for any, and then volunteers. Several rows of a table are locked in the order of their ids.
"""
