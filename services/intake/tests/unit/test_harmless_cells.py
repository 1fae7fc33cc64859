"""No cell of a file that intake writes begins a formula, whatever stands invisibly before it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bdcan_intake.api.imports import harmless

_SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\u2212\u207a\u208a\ufe6b\u207c"
_UNSEEN = "\u200b\ufeff\u2060\u00ad\u200e\u00a0\u3000 \t\r\n\v\x00\x1f\u3164\ufe0f\u180e\U000e0041"


@pytest.mark.parametrize("sign", _SIGNS)
@given(before=st.text(st.sampled_from(_UNSEEN), max_size=5), after=st.text(max_size=5))
def test_cell_that_looks_like_a_formula_is_text(sign: str, before: str, after: str) -> None:
    assert harmless(before + sign + after).startswith("'")


@pytest.mark.parametrize("sign", ["\t", "\r", "\n"])
def test_cell_that_begins_with_a_control_is_text(sign: str) -> None:
    assert harmless(sign + "A-1") == f"'{sign}A-1"


@given(st.text())
def test_no_cell_begins_with_a_sign_after_all_that_nobody_sees(cell: str) -> None:
    seen = unicodedata.normalize("NFKC", harmless(cell)).lstrip(_UNSEEN)
    assert not seen.startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("cell", ["A-1", "", "12", "Rose = rose", "(a) -1"])
def test_ordinary_cell_is_as_it_was(cell: str) -> None:
    assert harmless(cell) == cell
