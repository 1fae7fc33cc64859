"""Yes or no, as people write it."""

from __future__ import annotations

import re

from bdcan_contracts.typed.text import one_line

_YES_NO = {
    "yes": True,
    "y": True,
    "true": True,
    "1": True,
    "no": False,
    "n": False,
    "false": False,
    "0": False,
    "\u2713": True,
    "\u2714": True,
    "given": True,
    "agreed": True,
    "consented": True,
    "consent given": True,
    "refused": False,
    "declined": False,
    "withheld": False,
    "not given": False,
    "not agreed": False,
    "no consent": False,
    "does not consent": False,
    "consent refused": False,
}


def read_yes_no(typed: str) -> bool | None:
    """What a cell or a text says; None where it says neither."""
    words = re.sub(r"[^\w\u2713\u2714]+", " ", (one_line(typed) or "").lower()).strip()
    if (said := _YES_NO.get(words)) is not None:
        return said
    return (
        _YES_NO.get(words.split(" ", 1)[0])
        if re.match(r"\W*(yes|no)\b\s*[-,;:(\u2013]", typed.lower())
        else None
    )
