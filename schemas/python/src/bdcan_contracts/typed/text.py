"""Text as it is compared, hashed and stored: NFC, nothing invisible, one kind of space, one kind of line end."""

from __future__ import annotations

import re
import unicodedata

# U+0085, U+2028 and the like end a line, as CR and LF do
_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# every other white space of Unicode
_SPACE = re.compile("[\t\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# control characters, half surrogates, and what Unicode calls Default_Ignorable_Code_Point: zero-width characters,
# the byte order mark, the soft hyphen, controls of writing direction, variation selectors, tags
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
DASH = re.compile("[\u2010-\u2015\u2212\u30fc\ufe58\ufe63\uff0d]")
"""Every dash and minus but the usual one, for reading numbers and dates only."""
_BLANK_ENDS = re.compile(" +(?=\n)")


def free_text(typed: str | None) -> str | None:
    """Text of one or more lines; None where nothing is left. Lines end with LF, and no line with blanks."""
    if not typed:
        return None
    if not (typed.isascii() and typed.isprintable()):  # nearly all text is ASCII of one line
        visible = _INVISIBLE.sub("", typed)  # first: an invisible character may part a letter from its accent
        typed = _SPACE.sub(" ", _LINE_END.sub("\n", unicodedata.normalize("NFC", visible)))
        typed = _BLANK_ENDS.sub("", typed)
    return typed.strip() or None


def one_line(typed: str | None) -> str | None:
    """Text of one line, with single spaces; None where nothing is left."""
    text = free_text(typed)
    return " ".join(text.split()) if text else None


def compatible(typed: str | None) -> str:
    """One line, with full-width and other decorated letters and digits as plain ones: for reading numbers and codes only."""
    return one_line(unicodedata.normalize("NFKC", one_line(typed) or "")) or ""
