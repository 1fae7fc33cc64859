"""What intake needs to know of its surroundings, beside what every service does."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from bdcan_chassis.grants import GrantSettings


class Settings(GrantSettings):
    """Intake's settings, from the environment (prefix BDCAN_)."""

    import_rows: int = Field(default=100_000, ge=1, le=1_000_000, description="rows of one CSV file at most")
    import_chunk: int = Field(
        default=1_000, ge=1, le=10_000, description="rows of a CSV file in one transaction"
    )
    upstreams_file: Path | None = Field(
        default=None,
        description="JSON: the upstream systems, as `bdcan upstream` writes them; it may be missing",
    )
    outside_file: Path | None = Field(
        default=None,
        description="JSON: the Kafka users of systems outside, as `bdcan upstream` and `bdcan consumer` write them; it may be missing",
    )
