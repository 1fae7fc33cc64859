"""Identifiers: UUIDv7, so that indexes fill from one side and ids sort by time of birth."""

from __future__ import annotations

from uuid import UUID, uuid5

from uuid_utils.compat import uuid7

__all__ = ["derived_id", "new_id"]


def new_id() -> UUID:
    """A fresh UUIDv7, as the standard library's UUID."""
    return uuid7()


def derived_id(parent: UUID, name: str) -> UUID:
    """An id that is always the same for a parent and a name: doing the same thing twice makes the same thing."""
    return uuid5(parent, name)
