"""Mutants: each breaks one guarantee of the chassis on purpose, and some test must notice it."""
