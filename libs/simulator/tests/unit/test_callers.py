"""What a caller reports when Community Solutions gave a need back."""

from __future__ import annotations

from bdcan_simulator.callers import _given_back


def test_returned_safeguarding_is_handed_over_again_and_other_needs_are_not():
    asked = [
        {"need_id": "a", "code": "safeguarding-child", "lane": "safeguarding"},
        {"need_id": "b", "code": "debt", "lane": "complex"},
    ]
    told = [_given_back(f"referral-{n}", asked) for n in range(40)]
    assert {(needs[0]["code"], needs[0]["result"]) for needs in told} == {("safeguarding-child", "confirmed")}
    assert {(needs[1]["code"], needs[1]["result"]) for needs in told} == {
        ("debt", "declined"),
        ("befriending-call", "changed"),
    }
    assert all([need["need_id"] for need in needs] == ["a", "b"] for needs in told)
