"""Turns assignments into welfare calls, and confirmed needs into tasks that volunteers do."""
