"""Settings of volunteer-match, in addition to those that every service has."""

from __future__ import annotations

from pydantic import Field, SecretStr

from bdcan_chassis.grants import GrantKeys
from bdcan_chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """The times that the service promises are rules, and stand in `domain`."""

    grant_secret: SecretStr = Field(
        min_length=32, description="signs what a claimed call opens at intake; intake has the same"
    )
    grant_secret_old: SecretStr | None = Field(
        default=None, description="is believed as well, while the secret is rolled"
    )

    @property
    def grant_keys(self) -> GrantKeys:
        """What signs and reads grants."""
        return GrantKeys((self.grant_secret, self.grant_secret_old))
