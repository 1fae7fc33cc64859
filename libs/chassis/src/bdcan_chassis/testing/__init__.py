"""Fixtures and suites for the tests of services."""
