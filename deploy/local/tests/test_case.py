"""`bdcan case` as an officer reads it: what became of each need, who owes what, and a story without noise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bdcan_local.case import Case, Told, as_text
from bdcan_reconcile.culprits import Culprit
from bdcan_reconcile.promises import Promise

NOW = datetime(2020, 3, 23, 12, tzinfo=UTC)
REFERRAL, NEED, PARCEL = (UUID(f"01a21eaa-2d8f-72fa-b2d1-33910381780{n}") for n in range(3))
RECEIVED, REQUESTED = UUID(int=1), UUID(int=2)


def need(code: str, state: str, **more: Any) -> dict[str, Any]:
    known = {"code": code, "lane": "food", "state": state, "reason": None, "owner": None, "due_at": None}
    return {"referral_id": str(REFERRAL), "need_id": str(NEED), **known, **more}


def shown(**more: Any) -> str:
    late = Promise(
        "parcel",
        "foodhub",
        "parcel at the door",
        "short",
        NOW - timedelta(hours=2),
        "hub-3",
        REFERRAL,
        PARCEL,
    )
    due_at = (NOW + timedelta(hours=4)).isoformat()
    detail = {
        "explanation": "By the postcode sector",
        "parcel_id": str(PARCEL),
        "due_at": "2020-03-26T10:44:03.627234Z",
    }
    story = [
        Told(NOW - timedelta(hours=1), RECEIVED, "referral.received", None, {"channel": "gp"}),
        Told(NOW, REQUESTED, "parcel.requested", NEED, detail, "foodhub", str(RECEIVED)),
    ]
    known: dict[str, Any] = {
        "referral_id": REFERRAL,
        "now": NOW,
        "state": "assigned",
        "hub_id": "hub-3",
        "owner": "foodhub",
        "due_at": NOW,
        "outcome": None,
        "owed": [late],
        "needs": [
            need("food-parcel", "in-hand", owner="foodhub", due_at=due_at),
            need("debt", "withdrawn", lane="complex", reason="declined-at-call"),
        ],
        "story": story,
        "doubts": (),
    }
    said: list[str] = []
    as_text(Case(**{**known, **more}), said.append)
    return "\n".join(said)


def test_open_case_says_what_became_of_each_need_and_who_is_late() -> None:
    assert (
        shown()
        == f"""\
referral {REFERRAL}: assigned, hub-3

needs        lane     state                         with     by
food-parcel  food     in-hand                       foodhub  23 Mar 16:00, in 4 h
debt         complex  withdrawn (declined-at-call)  -        -

who owes  what                state  by
foodhub   parcel at the door  short  23 Mar 10:00, 2 h LATE

   time             service  event              because of           detail
1  23 Mar 11:00:00  intake   referral.received  -                    channel: gp
2  23 Mar 12:00:00  foodhub  parcel.requested   1 referral.received  parcel_id: 01a21eaa…; due_at: 26 Mar 10:44; explanation: By the postcode sector"""
    )


def test_closed_case_says_how_it_ended() -> None:
    text = shown(state="closed", outcome="partly-helped", owed=[])
    assert text.startswith(f"referral {REFERRAL}: closed (partly-helped), hub-3\n")
    assert "\nnobody owes anything\n" in text


def test_what_is_odd_comes_before_the_story_with_what_repairs_it() -> None:
    doubt = Culprit("nobody-rings", REFERRAL, "referral", "waits for a call", ("intake",), "bdcan service …")
    text = shown(doubts=(doubt,))
    assert "odd: nobody-rings: referral waits for a call\n     bdcan service …\n" in text
    assert text.index("odd:") < text.index("because of")


def test_what_a_stranger_wrote_cannot_act_on_the_terminal() -> None:
    story = [Told(NOW, RECEIVED, "referral.received", None, {"note": "\x1b[2J\u202egone"})]
    assert "\x1b" not in shown(story=story)
    assert "\u202e" not in shown(story=story)
