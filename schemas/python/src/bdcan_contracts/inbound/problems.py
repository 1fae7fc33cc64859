"""Every code that a refusal can name, and what the sender does about it. The list is closed; metrics count by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bdcan_contracts.envelope import Problem

CODES: Final[Mapping[str, str]] = {
    # the record
    "no-body": "Send the request as the record's value. A record without a value says nothing.",
    "too-large": "Send at most 262,144 bytes. Shorten the notes.",
    "batch": "Send each event as a record of its own.",
    "bad-header": "Correct the CloudEvents attribute that the problem names.",
    "missing": "Send the attribute or field that the problem names.",
    "misplaced": "Leave the subject out, or make it source:reference. Send only types that belong on this topic.",
    "unknown-type": "Correct the event type. The receipt's record quotes what was sent.",
    "unknown-version": "Send a version of the event type that the contracts list.",
    "bad-body": "Send the request as a JSON object in UTF-8.",
    "repeated-key": "Say each key once in an object.",
    "too-much": "Send fewer values, keys and levels than the message says.",
    "half-character": "Do not cut a text in the middle of a character such as an emoji.",
    "id-reused": "Send other content under an id of its own.",
    "sender-revoked": "Ask the council who may send now, and send the request again.",
    # the request
    "not-yours": "Send a source that was agreed with you.",
    "nobody-named": "Name the person, or what is needed.",
    "nothing-needed": "Name the person, or what is needed.",
    "reference-reused": "Amend the referral that the message names, or send a new reference.",
    "reference-erased": "Send a new request under another reference.",
    "unknown-reference": "Send it as a new request, or correct the reference.",
    "unknown-detail": "Name one of the details that the message lists.",
    "contradiction": "Give the detail, or take it away, and not both.",
    "not-allowed": "Read the message: it says why the referral cannot change so.",
    "stale-version": "Read the referral, and send the amendment for its present version.",
    "unknown-code": "Send one of the vocabulary's codes.",
    # one field
    "bool-type": "Send true or false.",
    "bool-parsing": "Send true or false.",
    "date-from-datetime-parsing": "Send a date such as 1950-03-01.",
    "date-parsing": "Send a date such as 1950-03-01.",
    "date-type": "Send a date such as 1950-03-01.",
    "enum": "Send one of the words that the message lists.",
    "greater-than-equal": "Send a number that is large enough.",
    "int-from-float": "Send a whole number.",
    "int-parsing": "Send a whole number.",
    "int-type": "Send a whole number.",
    "less-than-equal": "Send a number that is small enough.",
    "list-type": "Send a list.",
    "literal-error": "Send one of the words that the message lists.",
    "model-attributes-type": "Send an object.",
    "model-type": "Send an object.",
    "string-pattern-mismatch": "Send a text of the form that the schema asks for.",
    "string-too-long": "Send a shorter text.",
    "string-too-short": "Send a longer text.",
    "string-type": "Send a text.",
    "too-long": "Send fewer values.",
    "too-short": "Send more values.",
    "tuple-type": "Send a list.",
    "uuid-parsing": "Send a UUID.",
    "uuid-type": "Send a UUID.",
}
"""What to do about each code."""

OTHER = "other"
"""What metrics count a code as that is not in the list."""

SENDER_REVOKED = Problem(
    "", "sender-revoked", "this upstream system may send nothing any more: ask the council whom to send it to"
)
ID_REUSED = Problem(
    "ce_id", "id-reused", "this id was sent before with other content: send the request again under a new id"
)
UNKNOWN_REFERENCE = Problem(
    "reference",
    "unknown-reference",
    "no referral of yours has this reference: send it as a new request, or correct the reference",
)
NOT_YOURS = Problem("source", "not-yours", "this topic takes no referrals of that source")


def metric_code(code: str) -> str:
    """The code as metrics count it: a closed list, whatever is found."""
    return code if code in CODES else OTHER
