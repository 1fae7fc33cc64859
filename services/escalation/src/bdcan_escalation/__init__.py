"""Escalation forwards needs to Community Solutions and waits for its answers."""
