"""The `after` of a list: where the page before it ended, as text that callers hand back unread."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from uuid import UUID

from bdcan_chassis.http.problems import InvalidError
from bdcan_contracts.envelope import Problem


def write_cursor(due_at: datetime, referral_id: UUID) -> str:
    """The cursor behind an item."""
    return urlsafe_b64encode(f"{due_at.isoformat()} {referral_id}".encode()).decode().rstrip("=")


def read_cursor(text: str | None) -> tuple[datetime, UUID] | None:
    """What `write_cursor` wrote; None for the first page. Raises InvalidError."""
    if text is None:
        return None
    try:
        due_at, _, referral_id = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(" ")
        read = (datetime.fromisoformat(due_at).astimezone(UTC), UUID(referral_id))
    except ValueError as error:
        raise InvalidError(
            "1 field(s) at fault.",
            errors=[Problem("query.after", "bad-cursor", "is not the `next` of an earlier page")],
        ) from error
    return read
