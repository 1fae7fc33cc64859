"""All SQL of the service: one module an aggregate.

Lock order: welfare calls, then tasks; volunteers, then tasks. Several rows of a table are locked in the order of their ids.
"""
