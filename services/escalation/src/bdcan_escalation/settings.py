"""The settings of escalation, in addition to those of every service."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr

from bdcan_chassis.http.credentials import WatchedFile, watch_secrets
from bdcan_chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Where Community Solutions and intake are, and the gateway's time-outs. Time-outs are real time."""

    council_url: str = Field(description="base URL of Community Solutions' API, without /v1")
    council_api_key: SecretStr
    council_callback_secret: SecretStr = Field(
        min_length=1, description="signs the council's call-backs (HMAC-SHA256)"
    )
    council_callback_secret_old: SecretStr | None = Field(
        default=None, description="is accepted as well, while the council rolls its secret"
    )
    council_callback_secrets_file: Path | None = Field(
        default=None,
        description="in place of both: a secret on each line, all are believed; it is read again when it changes",
    )
    council_timeout: timedelta = Field(default=timedelta(seconds=10), description="for one whole answer")
    intake_url: str = Field(description="base URL of intake's API, for disclosures")
    intake_api_key: SecretStr
    intake_timeout: timedelta = Field(default=timedelta(seconds=5), description="for one whole answer")
    forward_at_once: int = Field(default=8, ge=1, le=50, description="cases sent side by side in one pass")
    callback_tolerance: timedelta = Field(
        default=timedelta(minutes=5), description="how far a signature's time may be from now"
    )

    @property
    def callback_secrets(self) -> WatchedFile[tuple[bytes, ...]]:
        """The secrets that sign call-backs now. An empty old one signs nothing."""
        both = (self.council_callback_secret, self.council_callback_secret_old)
        known = tuple(secret.get_secret_value().encode() for secret in both if secret)
        return watch_secrets("BDCAN_COUNCIL_CALLBACK_SECRETS_FILE", self.council_callback_secrets_file, known)

    @property
    def lease(self) -> timedelta:
        """How long a claim holds. It is longer than an attempt can take, so only a claim of a crashed process expires."""
        return 2 * (self.council_timeout + self.intake_timeout) + timedelta(seconds=10)
