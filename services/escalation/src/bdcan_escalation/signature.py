"""Signatures of call-backs: `X-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>]`, HMAC-SHA256 over "<t>.<body>".

The check takes constant time. The signed time limits how long somebody could replay a recorded call-back. Within that
time, the event id (see store/call_backs.py) makes a repeated call-back harmless.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

_PART = re.compile(r"\s*(\w+)=([0-9A-Za-z]{1,200})\s*")
_MOST_SIGNATURES = 10


def is_genuine(
    header: str | None, body: bytes, secrets: Sequence[bytes], now: datetime, tolerance: timedelta
) -> bool:
    """Whether the header signs this body with one of these secrets, at a time near `now`.

    A header may hold several `v1`: while the council rolls its secret, it signs with the old and the new one. Other
    schemes are ignored.
    """
    parts = [_PART.fullmatch(part) for part in (header or "").split(",", _MOST_SIGNATURES + 1)]
    named = [part.groups() for part in parts if part]
    times = [value for name, value in named if name == "t" and _SECONDS.fullmatch(value)]
    if len(named) != len(parts) or len(times) != 1:
        return False
    [signed_at] = times
    signatures = [value.lower().encode() for name, value in named if name == "v1"]
    wanted = [
        hmac.new(secret, signed_at.encode() + b"." + body, hashlib.sha256).hexdigest().encode()
        for secret in secrets
    ]
    # every pair is compared, so the time tells nobody which one fits
    genuine = sum(hmac.compare_digest(one, other) for one in wanted for other in signatures) > 0
    return genuine and abs(now.timestamp() - int(signed_at)) <= tolerance.total_seconds()


_SECONDS = re.compile(r"[0-9]{1,12}")
