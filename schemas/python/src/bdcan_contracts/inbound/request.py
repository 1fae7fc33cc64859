"""A submission of an upstream system, looked at as the other doors look at a form."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final, TypeVar

from bdcan_contracts.envelope import Problem
from bdcan_contracts.inbound.problems import NOT_YOURS
from bdcan_contracts.inbound.submission import Examined, Person, Submission, examine
from bdcan_contracts.models import InboundReferralSubmitted
from bdcan_contracts.typed import read_date
from bdcan_contracts.typed.codes import read_code, unknown_code
from bdcan_contracts.upstreams import Upstream
from bdcan_contracts.vocabulary import Channel, Diet, Flag, NeedCode
from bdcan_contracts.words import Word

W = TypeVar("W", bound=Word)

_LISTS: Final = frozenset({Channel.OUTREACH, Channel.NHS_LIST})


def examine_submission(body: InboundReferralSubmitted, sender: Upstream, today: date) -> Examined:
    """The submission, tidied, with what makes it impossible to take on. A code that is not known is a problem."""
    problems: list[Problem] = []
    codes: dict[str, Any] = {
        "channel": known_codes(Channel, (body.channel,), "channel", problems)[0],
        "needs": known_codes(NeedCode, body.needs, "needs.{}", problems),
        "diets": known_codes(Diet, body.diets, "diets.{}", problems),
        "flags": known_codes(Flag, body.flags, "flags.{}", problems),
    }
    examined = examine(_submission(body, codes, today), today)
    if body.source not in sender.sources:
        return examined._replace(problems=(NOT_YOURS,))  # other problems would tell of the door
    return examined._replace(problems=(*examined.problems, *problems)) if problems else examined


def known_codes(
    kind: type[W], said: Sequence[str], field: str, problems: list[Problem]
) -> tuple[W | str, ...]:
    """The codes that words mean. One that is not known stays as it is, and is a problem of its field."""
    found: list[W | str] = []
    for place, word in enumerate(said):
        code = read_code(kind, word)
        if code is None:
            problems.append(Problem(field.format(place), "unknown-code", unknown_code(kind, word)))
        found.append(word if code is None else code)
    return tuple(found)


def _submission(body: InboundReferralSubmitted, codes: dict[str, Any], today: date) -> Submission:
    given = vars(body) | codes
    details: dict[str, Any] = dict(vars(body.person)) if body.person else {}
    unclear = {detail.field: detail.text for detail in given.pop("unclear")}
    if born := read_date(unclear.get("birth_date"), today):
        details["birth_date"] = born
        del unclear["birth_date"]
    given["person"] = Person(**details, unclear=unclear)
    return Submission(**given, outreach=given["channel"] in _LISTS)
