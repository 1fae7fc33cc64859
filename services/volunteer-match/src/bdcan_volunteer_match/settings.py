"""Settings of volunteer-match, in addition to those that every service has."""

from __future__ import annotations

from bdcan_chassis.grants import GrantSettings


class Settings(GrantSettings):
    """The times that the service promises are rules, and stand in `domain`."""
