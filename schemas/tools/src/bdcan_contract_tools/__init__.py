"""Generates and checks everything that is made from schemas."""
