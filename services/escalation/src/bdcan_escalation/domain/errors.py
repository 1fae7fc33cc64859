"""The errors of escalation's domain.

EscalationError
└── NotAllowedError    the escalation's state does not allow it
"""

from __future__ import annotations


class EscalationError(Exception):
    """Base of escalation's own errors."""

    code = "refused"


class NotAllowedError(EscalationError):
    """The escalation's state does not allow it."""

    code = "not-allowed"
