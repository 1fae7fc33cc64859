"""Intake's SQL. A module for each aggregate; what is personal is in `residents` and `enquiries` alone."""
