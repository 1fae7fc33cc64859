"""Settings of volunteer-match, in addition to those that every service has."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, SecretStr

from bdcan_chassis.grants import GrantSettings


class Settings(GrantSettings):
    """The times that the service promises are rules, and stand in `domain`. Time-outs are real time."""

    routing_url: str | None = Field(
        default=None, description="base URL of routing's API: rounds go by its positions (None: no rounds)"
    )
    routing_api_key: SecretStr | None = Field(
        default=None, description="its key with the scope routing:positions"
    )
    routing_timeout: timedelta = Field(default=timedelta(seconds=5), description="for one whole answer")
    intake_url: str | None = Field(
        default=None,
        description="base URL of intake's API, which discloses the names of a round sheet to whoever prints it (None: no sheets)",
    )
    intake_timeout: timedelta = Field(default=timedelta(seconds=5), description="for one whole answer")
    solve_at_most: timedelta = Field(
        default=timedelta(seconds=5),
        gt=timedelta(0),
        description="how long one plan of rounds may be thought about",
    )
