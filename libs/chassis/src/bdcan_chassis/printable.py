"""Text that strangers wrote, made safe for a terminal, a log and a shell loop: one line, without anything that acts.

A record's key may hold an escape sequence that writes to the clipboard, a line break that forges a line, or a mark that
turns the order of the characters round. All of these are shown as escapes. So is the backslash, so that nobody can write
what looks like an escape.
"""

from __future__ import annotations

import re
import unicodedata

# control, format (bidi marks, zero width), separators other than the ordinary space, halves of pairs, private and unassigned ones
_ACTS = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp", "Cs", "Co", "Cn"})
_SUSPECT = re.compile(r"[^ -\[\]-~]")
_SUSPECT_IN_JSON = re.compile(r"[^ -~]")


def printable(text: object) -> str:
    """The text in one line, in which nothing acts: an escape stands for what would."""
    return _SUSPECT.sub(lambda found: _shown(found[0]), str(text))


def printable_json(line: str) -> str:
    """The same for a line of JSON, whose writer leaves characters above U+007E as they are. It stays JSON."""
    if line.isascii() and line.isprintable():  # most are: no look at each character
        return line
    return _SUSPECT_IN_JSON.sub(lambda found: _json_shown(found[0]), line)


def _shown(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if unicodedata.category(character) not in _ACTS:
        return character
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_shown(character: str) -> str:
    if unicodedata.category(character) not in _ACTS:
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
