"""A sender's reference, told to others only where it is nobody's name or number.

Upstream systems choose their references. Some take the resident's name, NHS number or telephone number. A receipt must name
the reference, because its sender finds the request by it. It names such a reference by a hash that the sender can make too.
"""

from __future__ import annotations

import hashlib
import re

from nhs_number.validate import is_valid

from bdcan_contracts.inbound.submission import Person

_WORD = re.compile(r"[^\W\d_]{3,}")
_HASH_CHARACTERS = 32
_LEAST_DIGITS = 6
"""So many digits of a telephone or NHS number, or a date of birth, name somebody."""


def told(source: str, reference: str, person: Person | None = None) -> str:
    """The reference, or `sha256:` and the hash of `<source>:<reference>` if it may be somebody's name or number."""
    if not _may_be_somebody(reference, person):
        return reference
    digest = hashlib.sha256(f"{source}:{reference}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"sha256:{digest[:_HASH_CHARACTERS]}"


def told_key(key: str, source: str, reference: str, name: str, person: Person) -> str:
    """A record's key as a receipt quotes it. Where it names the reference, under whichever source, it does so by `name`, as the receipt does."""
    named, _, behind = key.partition(":")
    if behind == reference:
        return f"{named}:{name}"
    return told(source, key, person) if _is_of(person, key, re.sub(r"\D", "", key)) else key


def _may_be_somebody(reference: str, person: Person | None) -> bool:
    digits = re.sub(r"\D", "", reference)
    if not digits and len(_WORD.findall(reference)) > 1:
        return True  # words and no number: a name
    if len(digits) == 10 and is_valid(digits):
        return True
    if re.fullmatch(r"(?:\+?44|0)\d{9,10}", re.sub(r"[\s()./-]", "", reference)):
        return True  # a telephone number
    return person is not None and _is_of(person, reference, digits)


def _is_of(person: Person, reference: str, digits: str) -> bool:
    """Whether the reference repeats a detail of this person."""
    words = {word.casefold() for word in _WORD.findall(reference)}
    if words & {word.casefold() for word in _WORD.findall(person.name or "")}:
        return True
    squeezed = re.sub(r"[\W_]", "", reference).casefold()
    postcode = re.sub(r"\W", "", person.postcode or "").casefold()
    if person.email and person.email.casefold() in reference.casefold():
        return True
    if len(postcode) > 4 and postcode in squeezed:
        return True
    numbers = [re.sub(r"\D", "", said or "") for said in (person.phone, person.nhs_number)]
    if person.birth_date:
        numbers += [person.birth_date.strftime(form) for form in ("%Y%m%d", "%d%m%Y", "%d%m%y")]
    return any(len(number) >= _LEAST_DIGITS and number in digits for number in numbers)
