"""Settings of volunteer-match: those that every service has."""

from __future__ import annotations

from bdcan_chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Nothing beyond the chassis's: the times that the service promises are rules, and stand in `domain`."""
