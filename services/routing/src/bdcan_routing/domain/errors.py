"""What routing refuses.

RoutingError
├── NotAllowedError        the present state does not allow it
│   ├── HubPausedError     the hub takes no referrals
│   └── WardsTakenError    other hubs cover these wards
└── UnknownPlacesError     a ward or a hub does not exist
"""

from __future__ import annotations

from bdcan_contracts.envelope import Problem


class RoutingError(Exception):
    """Base of routing's own errors. `errors` names the fields at fault, where there are some."""

    code = "refused"

    def __init__(self, message: str, errors: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.errors = errors


class NotAllowedError(RoutingError):
    """The present state of the assignment or of the hub does not allow it."""

    code = "not-allowed"


class HubPausedError(NotAllowedError):
    """The hub is paused."""

    code = "hub-paused"


class WardsTakenError(NotAllowedError):
    """A ward has one hub at most, and these have another one."""

    code = "ward-taken"


class UnknownPlacesError(RoutingError):
    """A ward or a hub does not exist."""

    code = "invalid"
