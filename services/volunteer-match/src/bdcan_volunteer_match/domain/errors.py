"""What the rules refuse.

DomainError
├── NotAllowedError   the thing's present state does not allow it
│   └── NotSuitableError   the volunteer must not be asked for the task; names each check that failed
├── FindingsError     what was said at a call does not fit the referral; names every field at fault
└── ProfileError      what a volunteer says about themselves cannot be so; names every field at fault
"""

from __future__ import annotations

from bdcan_contracts.envelope import Problem


class DomainError(Exception):
    """Base of the service's own errors. `code` is a stable word for programs, the message a sentence for people."""

    code = "refused"


class NotAllowedError(DomainError):
    """The present state does not allow it; nothing was changed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class NotSuitableError(NotAllowedError):
    """The volunteer must not be asked for this task. `errors` names each check that failed."""

    def __init__(self, errors: list[Problem]) -> None:
        super().__init__(
            "not-suitable",
            "This volunteer cannot be asked for this task: choose somebody else, or see `errors`.",
        )
        self.errors = tuple(errors)


class _FieldsError(DomainError):
    """Fields are at fault."""

    code = "invalid"

    def __init__(self, errors: list[Problem]) -> None:
        super().__init__(
            "1 field is at fault." if len(errors) == 1 else f"{len(errors)} fields are at fault."
        )
        self.errors = tuple(errors)


class FindingsError(_FieldsError):
    """The report of a call does not fit the referral."""


class ProfileError(_FieldsError):
    """What a volunteer says about themselves cannot be so."""
