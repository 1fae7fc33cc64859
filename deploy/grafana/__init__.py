"""Grafana: its dashboards, and the code that makes them."""
