"""docs/privacy.md says what the code does."""

from __future__ import annotations

from pathlib import Path

from bdcan_local.privacy_page import PAGE, kept, page

ROOT = Path(__file__).parents[2]


def test_page_is_up_to_date() -> None:
    assert (ROOT / PAGE).read_text("utf-8") == page(), "run: make gen"


def test_every_kind_says_what_why_and_how_long() -> None:
    for service, kind in kept():
        about = f"{service} {kind.name}"
        assert all((kind.holds, kind.why, kind.basis, kind.then)), about
        assert kind.period.days > 0, about
