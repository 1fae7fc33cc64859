"""Settings of escalation, beside those of every service."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, SecretStr

from bdcan_chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Where Community Solutions and intake are, and how patient the gateway is. Time-outs are real time."""

    council_url: str = Field(description="base URL of Community Solutions' API, without /v1")
    council_api_key: SecretStr
    council_callback_secret: SecretStr = Field(description="signs the council's call-backs (HMAC-SHA256)")
    council_timeout: timedelta = Field(default=timedelta(seconds=10), description="for one whole answer")
    intake_url: str = Field(description="base URL of intake's API, for disclosures")
    intake_api_key: SecretStr
    intake_timeout: timedelta = Field(default=timedelta(seconds=5), description="for one whole answer")
    forward_at_once: int = Field(default=8, ge=1, le=50, description="cases sent side by side in one pass")
    callback_tolerance: timedelta = Field(
        default=timedelta(minutes=5), description="how old or early a call-back's signature may be"
    )

    @property
    def lease(self) -> timedelta:
        """How long a claimed case is left alone: longer than one attempt can take, so only a crash outlives it."""
        return 2 * (self.council_timeout + self.intake_timeout) + timedelta(seconds=10)
