"""Fault runs: the whole system under load while a seeded schedule injures it; nothing may be lost or happen twice."""
