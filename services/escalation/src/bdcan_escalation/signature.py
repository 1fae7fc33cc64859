"""Signatures of call-backs: `X-Signature: t=<unix seconds>,v1=<hex>`, HMAC-SHA256 over "<t>.<body>".

The check takes constant time. The signed time limits how long somebody could replay a recorded call-back. Within that
time, the event id (see store/call_backs.py) makes a repeated call-back harmless.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta

_HEADER = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")


def is_genuine(header: str | None, body: bytes, secret: bytes, now: datetime, tolerance: timedelta) -> bool:
    """Whether the header signs this body with this secret, at a time near `now`."""
    parts = _HEADER.fullmatch(header or "")
    if parts is None:
        return False
    signed_at, signature = parts.groups()
    wanted = hmac.new(secret, signed_at.encode() + b"." + body, hashlib.sha256).hexdigest()
    genuine = hmac.compare_digest(wanted, signature)
    return genuine and abs(now.timestamp() - int(signed_at)) <= tolerance.total_seconds()
