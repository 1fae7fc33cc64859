"""What routing refuses.

RoutingError
├── NotAllowedError        the present state does not allow it
│   ├── HubPausedError     the hub takes no referrals
│   ├── WardsTakenError    other hubs cover these wards, or these wards would have no hub
│   ├── OpenWorkError      nobody has said what becomes of the hub's open work
│   ├── StaleVersionError  somebody changed the hub in between
│   └── TriageClaimedError somebody else decides about the referral
├── VersionNeededError     nobody has said which version of the hub they change
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


class OpenWorkError(NotAllowedError):
    """The hub has open work, and nobody has said what becomes of it."""

    code = "open-work"


class StaleVersionError(NotAllowedError):
    """Somebody changed the hub in between."""

    code = "stale-version"


class TriageClaimedError(NotAllowedError):
    """Somebody else decides about the referral."""

    code = "claimed"


class VersionNeededError(RoutingError):
    """A change of a hub names the version that it changes."""

    code = "version-needed"


class UnknownPlacesError(RoutingError):
    """A ward or a hub does not exist."""

    code = "invalid"
