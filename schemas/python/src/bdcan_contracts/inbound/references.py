"""How a reference is named where it may be somebody's name or number: by a hash that its sender can make too."""

from __future__ import annotations

import hashlib

HASHED = "sha256:"
"""What such a name begins with."""

_CHARACTERS = 32


def hashed(source: str, reference: str) -> str:
    """`sha256:` and the first 32 digits of the hash of `<source>:<reference>`."""
    digest = hashlib.sha256(f"{source}:{reference}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"{HASHED}{digest[:_CHARACTERS]}"
