"""The tokens that were made here: a chained file (`chain.py`). The token itself is not in it."""

from pathlib import Path

from bdcan_local import chain
from bdcan_local.tokens import Token

FILE = "minted.jsonl"


def record(path: Path, token: Token) -> None:
    """Add a line about a token."""
    said = {
        "subject": token.subject,
        "scopes": token.scopes,
        "hubs": token.hubs,
        "sources": token.sources,
        "token_id": token.token_id,
        "expires_at": token.expires_at.isoformat(),
    }
    chain.add(path, said)
