"""Settings of a service that tells people things."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr

from bdcan_chassis.settings import ServiceSettings


class MessageSettings(ServiceSettings):
    """Where the mail server and GOV.UK Notify are. A channel without an address is off: its messages wait, and a metric says so."""

    smtp_host: str = Field(default="", description="the mail server; empty: no e-mail is sent")
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="none: only for a server on this machine"
    )
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_sender: str = Field(
        default="", description="address that e-mails come from: BD CAN <help@example.org>"
    )
    smtp_timeout: timedelta = Field(
        default=timedelta(seconds=15), description="for one whole e-mail; real time"
    )

    notify_url: str = "https://api.notifications.service.gov.uk"
    notify_key: SecretStr = Field(
        default=SecretStr(""), description="API key of GOV.UK Notify; empty: no text message is sent"
    )
    notify_templates: dict[str, str] = Field(
        default={},
        description='ids of Notify\'s templates, whose body is ((message)): {"*": "…", "offer": "…", "offer.ro": "…"}',
    )
    notify_timeout: timedelta = Field(
        default=timedelta(seconds=10), description="for one whole answer; real time"
    )

    messages_at_once: int = Field(
        default=20, ge=1, le=100, description="messages sent side by side in one pass"
    )

    @property
    def message_lease(self) -> timedelta:
        """How long a claim holds, in real time. It is longer than an attempt takes, so only a claim of a crashed process expires."""
        return 2 * (self.smtp_timeout + self.notify_timeout) + timedelta(seconds=30)
