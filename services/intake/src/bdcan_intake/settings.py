"""What intake needs to know of its surroundings, beside what every service does."""

from __future__ import annotations

from pydantic import Field

from bdcan_chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Intake's settings, from the environment (prefix BDCAN_)."""

    import_rows: int = Field(default=100_000, ge=1, le=1_000_000, description="rows of one CSV file at most")
    import_chunk: int = Field(
        default=1_000, ge=1, le=10_000, description="rows of a CSV file in one transaction"
    )
