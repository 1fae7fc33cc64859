"""The story: readable sentences with times, for any event of a timeline."""

from __future__ import annotations

from bdcan_contracts.catalogue import CATALOGUE
from bdcan_simulator.story import _WORDS, most_telling, tell


def line(at: str, kind: str, **detail: object):
    return {"kind": kind, "at": at, "detail": detail}


REFERRAL = {
    "outcome": "helped",
    "timeline": [
        line("2020-03-23T09:00:00+00:00", "referral.received", channel="nhs-list", priority="standard"),
        line(
            "2020-03-23T09:20:00+00:00",
            "welfare-call.unanswered",
            hub_id="heath",
            outcome="no-answer",
            next_attempt_at="2020-03-23T12:00:00Z",
        ),
        line("2020-03-24T08:05:00+00:00", "parcel.delivered", parcel_id="p"),
        line("2020-03-24T08:06:00+00:00", "comet.landed", size="vast"),
    ],
}


def test_timeline_reads_as_sentences_with_times():
    assert list(tell(REFERRAL)) == [
        "09:00  The request came in (nhs list, standard).",
        "09:20  Heath rang, no answer; the next call is due 23 March, 12:00.",
        "08:05 (+1 d)  The parcel is at the door.",
        "08:06 (+1 d)  Comet: landed",
    ]


def test_sentence_without_details_is_complete():
    bare = {"timeline": [line("2020-03-23T09:00:00+00:00", kind) for kind in _WORDS]}
    assert len(list(tell(bare))) == len(_WORDS)


def test_words_name_only_events_in_the_catalogue():
    kinds = {t.type.split(".", 2)[2].rpartition(".")[0] for t in CATALOGUE.event_types}
    assert set(_WORDS) <= kinds


def test_referral_with_the_longest_story_is_chosen():
    dull = {"outcome": "helped", "timeline": REFERRAL["timeline"][:1]}
    sad = {"outcome": "declined", "timeline": REFERRAL["timeline"] * 3}
    assert most_telling([dull, sad, REFERRAL]) is REFERRAL
    assert most_telling([]) is None
