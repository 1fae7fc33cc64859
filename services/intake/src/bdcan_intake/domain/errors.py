"""What intake refuses, mapped to HTTP in `app.py`.

IntakeError
├── NotAllowedError     the referral's state does not allow it
├── StaleError          somebody else changed the referral first
├── BrokenOffError      an import could not be finished; the message says what is in
└── RefusedError        a submission that cannot be taken on; has `errors`, every problem at once
"""

from __future__ import annotations

from collections.abc import Sequence

from bdcan_contracts.envelope import Problem


class IntakeError(Exception):
    """Base of intake's own errors. `code` is a stable word for programs."""

    code = "refused"


class NotAllowedError(IntakeError):
    """The referral's present state does not allow it."""

    code = "not-allowed"


class StaleError(IntakeError):
    """The caller decided on an older version of the referral."""

    code = "stale-version"


class BrokenOffError(IntakeError):
    """An import could not be finished: the message says what is in."""

    code = "broken-off"


class RefusedError(IntakeError):
    """The submission cannot be taken on: `errors` names every field at fault."""

    code = "invalid"

    def __init__(self, errors: Sequence[Problem]) -> None:
        super().__init__(f"{len(errors)} field(s) at fault.")
        self.errors = tuple(errors)
