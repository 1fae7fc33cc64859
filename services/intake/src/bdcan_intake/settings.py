"""What intake needs to know of its surroundings, beside what every service does."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from bdcan_chassis.grants import GrantKeys
from bdcan_chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Intake's settings, from the environment (prefix BDCAN_)."""

    import_rows: int = Field(default=100_000, ge=1, le=1_000_000, description="rows of one CSV file at most")
    import_chunk: int = Field(
        default=1_000, ge=1, le=10_000, description="rows of a CSV file in one transaction"
    )
    upstreams_file: Path | None = Field(
        default=None,
        description="JSON: the upstream systems, as `bdcan upstream` writes them; it may be missing",
    )
    grant_secret: SecretStr = Field(
        min_length=32, description="signs what a claimed call opens at intake; volunteer-match has the same"
    )
    grant_secret_old: SecretStr | None = Field(
        default=None, description="is believed as well, while the secret is rolled"
    )

    @property
    def grant_keys(self) -> GrantKeys:
        """What signs and reads grants."""
        return GrantKeys((self.grant_secret, self.grant_secret_old))
