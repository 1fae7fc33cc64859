"""What people type, read in one way at every door and in every service: one grammar for each kind of text.

    one_line        names, references, e-mail addresses, numbers
    free_text       notes and addresses, which may have several lines
    read_postcode   a Postcode, or a Fragment where the text is no whole postcode
    read_phone      a Phone: the number as typed, and as it is dialled
    read_date       a date
    read_yes_no     True, False, or None where a text says neither

No function raises, whatever the text. Reading what was read changes nothing. Text that looks the same reads the same:
composed and decomposed accents, kinds of space, line ends, and invisible characters make no difference.
What cannot be read is kept as it was typed: it is never a reason to refuse anybody.
"""

from bdcan_contracts.typed.dates import DATE_NOTATIONS, read_date
from bdcan_contracts.typed.phone import Phone, read_phone
from bdcan_contracts.typed.postcode import Fragment, GivenPostcode, Postcode, read_postcode
from bdcan_contracts.typed.text import free_text, one_line
from bdcan_contracts.typed.yes_no import read_yes_no

__all__ = [
    "DATE_NOTATIONS",
    "Fragment",
    "GivenPostcode",
    "Phone",
    "Postcode",
    "free_text",
    "one_line",
    "read_date",
    "read_phone",
    "read_postcode",
    "read_yes_no",
]
