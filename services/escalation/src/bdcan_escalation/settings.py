"""The settings of escalation, in addition to those of every service."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, SecretStr

from bdcan_chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Where Community Solutions and intake are, and the gateway's time-outs. Time-outs are real time."""

    council_url: str = Field(description="base URL of Community Solutions' API, without /v1")
    council_api_key: SecretStr
    council_callback_secret: SecretStr = Field(description="signs the council's call-backs (HMAC-SHA256)")
    council_timeout: timedelta = Field(default=timedelta(seconds=10), description="for one whole answer")
    intake_url: str = Field(description="base URL of intake's API, for disclosures")
    intake_api_key: SecretStr
    intake_timeout: timedelta = Field(default=timedelta(seconds=5), description="for one whole answer")
    forward_at_once: int = Field(default=8, ge=1, le=50, description="cases sent side by side in one pass")
    callback_tolerance: timedelta = Field(
        default=timedelta(minutes=5), description="how far a signature's time may be from now"
    )

    @property
    def lease(self) -> timedelta:
        """How long a claim holds. It is longer than an attempt can take, so only a claim of a crashed process expires."""
        return 2 * (self.council_timeout + self.intake_timeout) + timedelta(seconds=10)
