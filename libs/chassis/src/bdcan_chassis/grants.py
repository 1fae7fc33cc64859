"""Grants: what one service lets an account do at another service, for a time. Signed, so that nobody has to be asked.

A grant is worth nothing in other hands: it names its holder, what it is for, and about whom. Times are domain time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from bdcan_chassis.settings import ServiceSettings

_ALGORITHMS = ["HS256"]


class Grant(BaseModel):
    """The holder (a caller's name) may do one thing about some subjects, from one instant to another."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    holder: str
    purpose: str
    subjects: tuple[UUID, ...]
    granted_at: AwareDatetime
    expires_at: AwareDatetime

    def opens(self, holder: str, purpose: str, subject: UUID, now: datetime) -> bool:
        """Whether the holder may do this about the subject now."""
        fits = self.holder == holder and self.purpose == purpose and subject in self.subjects
        return fits and now < self.expires_at


class GrantKeys:
    """Signs grants with the first secret, and believes those that any of them signed: so a secret can be rolled."""

    def __init__(self, secrets: Sequence[SecretStr | None]) -> None:
        self._keys = [OctKey.import_key(secret.get_secret_value()) for secret in secrets if secret]

    def sign(self, grant: Grant) -> str:
        """The grant as text."""
        claims = grant.model_dump(mode="json")
        return jwt.encode({"alg": "HS256"}, claims, self._keys[0], algorithms=_ALGORITHMS)

    def read(self, text: str) -> Grant | None:
        """What a text grants; None where nobody of ours signed it."""
        for key in self._keys:
            try:
                return Grant.model_validate(jwt.decode(text, key, algorithms=_ALGORITHMS).claims)
            except (JoseError, ValidationError, ValueError, TypeError, KeyError, AttributeError):
                continue  # joserfc raises the last three for unusual JSON in a header
        return None


class GrantSettings(ServiceSettings):
    """The settings of a service that gives or takes grants."""

    grant_secret: SecretStr = Field(
        min_length=32,
        description="signs what a claimed call or a parcel in hand opens at intake; the same in all",
    )
    grant_secret_old: SecretStr | None = Field(
        default=None, description="is believed as well, while the secret is rolled"
    )

    @property
    def grant_keys(self) -> GrantKeys:
        """What signs and reads grants."""
        return GrantKeys((self.grant_secret, self.grant_secret_old))
