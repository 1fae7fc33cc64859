"""Forwards complex need to Community Solutions and waits for its answer."""
