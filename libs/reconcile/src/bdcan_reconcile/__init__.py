"""Reconcile: what the five services say about each need must agree, and somebody must have it."""
