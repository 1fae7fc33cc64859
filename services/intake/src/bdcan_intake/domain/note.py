"""Notes about a resident. A note is added with its author and its time; nothing changes or deletes it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, tzinfo
from uuid import UUID

from msgspec import Struct

from bdcan_chassis.step import Step
from bdcan_contracts.typed import free_text


class Note(Struct, frozen=True, rename={"note_id": "id"}):
    """What somebody wrote down about a resident. The text is personal data. `call_id`: the welfare call it was said in."""

    note_id: UUID
    referral_id: UUID
    text: str
    author: str
    noted_at: datetime
    call_id: UUID | None = None
    for_doer: bool = False
    """Whether it tells whoever does a task what they must know, and nothing that they may not know."""


def add_note(
    typed: str | None,
    earlier: Iterable[Note],
    note_id: UUID,
    referral_id: UUID,
    author: str,
    now: datetime,
    call_id: UUID | None = None,
    *,
    for_doer: bool = False,
) -> Step[Note] | None:
    """A new note; None if the text is blank, or if the author has said the same in the same call before."""
    text = free_text(typed)
    if text is None or any(
        (n.text, n.author, n.call_id, n.for_doer) == (text, author, call_id, for_doer) for n in earlier
    ):
        return None
    return Step(Note(note_id, referral_id, text, author, now, call_id, for_doer))


MOST_SHOWN = 200
"""Notes that a disclosure shows, the newest; the older ones are counted."""


def all_notes(first: str | None, added: Iterable[Note], zone: tzinfo) -> str | None:
    """Everything that was noted, oldest first: the words of the request, then each note with its time and its author."""
    notes = list(added)
    later = [
        f"[{n.noted_at.astimezone(zone):%d %b %Y %H:%M}, {n.author}] {n.text}" for n in notes[-MOST_SHOWN:]
    ]
    older = len(notes) - len(later)
    left_out = [f"{older} older notes are not shown."] if older else []
    return "\n".join(([first] if first else []) + left_out + later) or None
