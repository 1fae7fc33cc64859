"""Fault runs: the whole system under load during seeded faults; nothing may be lost or happen twice."""
