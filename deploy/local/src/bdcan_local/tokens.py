"""Access tokens for a local system: signed with the generated key that plays the identity provider."""

import json
import re
import secrets as random
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bdcan_local.errors import PlatformError
from bdcan_local.processes import AUDIENCE, ISSUER
from bdcan_local.secrets_store import SecretsStore

LIFE = timedelta(hours=8)
"""How long a token works: a working day."""

_HUB = re.compile(r"hub-\d+")
_SCOPE = re.compile(r"[a-z]+(-[a-z]+)*:[a-z_]+(-[a-z]+)*")


@dataclass(frozen=True)
class Role:
    """What people of one kind may do. `everywhere`: for the whole borough, not for the hubs of their token alone.

    `sources`: whom they submit referrals as.
    """

    scopes: str
    everywhere: bool = True
    sources: tuple[str, ...] = ()


ROLES = {
    "desk": Role("referrals:read referrals:write volunteers:write", sources=("desk",)),
    "picker": Role("stock:read stock:write parcels:read parcels:write disclosures:delivery_label"),
    "officer": Role("escalations:read referrals:read disclosures:escalation rights:read rights:write"),
    "manager": Role(
        "referrals:read routing:read routing:write calls:read tasks:read volunteers:read parcels:read stock:read"
        " escalations:read"
    ),
}
"""The roles by name: a clerk at the front door, a picker, an officer of Community Solutions, the council's manager."""

_COORDINATOR = Role(
    "referrals:read routing:read calls:read calls:write tasks:read tasks:write volunteers:read volunteers:write"
    " parcels:read disclosures:welfare_call disclosures:delivery disclosures:task disclosures:volunteer_induction referrals:amend",
    everywhere=False,
)
"""The coordinator of a hub, who is named by the hub's id."""

_VOLUNTEER = Role("tasks:read tasks:write disclosures:task", everywhere=False)
"""A volunteer, who is named by their id, and acts for nobody else."""


@dataclass(frozen=True)
class Token:
    """A signed token, and what it says."""

    text: str
    subject: str
    scopes: tuple[str, ...]
    hubs: tuple[str, ...]
    sources: tuple[str, ...]
    token_id: str
    expires_at: datetime


def make_token(
    secrets: SecretsStore,
    name: str,
    scopes: tuple[str, ...] = (),
    hubs: tuple[str, ...] = (),
    sources: tuple[str, ...] = (),
    role_name: str | None = None,
) -> Token:
    """A token for a role, for a hub's coordinator (`hub-3`), for a volunteer (their id), or for any name with scopes.

    `scopes` and `sources` replace those of the role; `hubs` are added. `role_name`: the role of somebody who has a name of
    their own, such as one of several clerks at the desk: they are one source.

    Raises:
        PlatformError: the name is no role and has no scopes, something is no scope, or the system was never started.
    """
    volunteer_id = _volunteer_id(name) if role_name is None else None
    called = role_name or name
    role = _VOLUNTEER if volunteer_id else _COORDINATOR if _HUB.fullmatch(called) else ROLES.get(called)
    if role is None and (role_name or not scopes):
        raise PlatformError(
            f"{called!r} is no role, and no scope is named",
            f"Name a role ({', '.join(ROLES)}, hub-1 …, a volunteer's id), or add --scope, such as --scope referrals:read.",
        )
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            raise PlatformError(f"{scope!r} is no scope", "A scope is a thing and a verb: referrals:read.")
    given = scopes or tuple(role.scopes.split() if role else ())
    if role is not None and role.everywhere and not hubs and not scopes:
        given = (*given, "hubs:all")
    if role is _COORDINATOR:
        hubs = (called, *hubs)
    sources = sources or (role.sources if role else ())
    token_id = random.token_hex(8)
    expires_at = datetime.fromtimestamp(int(time.time()), UTC) + LIFE
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": name,
        "iat": int((expires_at - LIFE).timestamp()),
        "exp": int(expires_at.timestamp()),
        "scope": " ".join(given),
        "hub": list(hubs),
        "source": list(sources),
        "jti": token_id,
    }
    if volunteer_id is not None:
        claims["volunteer"] = str(volunteer_id)
    return Token(_signed(secrets, claims), name, given, hubs, sources, token_id, expires_at)


def _volunteer_id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def _signed(secrets: SecretsStore, claims: dict[str, object]) -> str:
    from joserfc import jwt
    from joserfc.jwk import ECKey

    try:
        key = ECKey.import_key(json.loads(secrets.signing_key_file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise PlatformError(
            f"there is no {secrets.signing_key_file}", "Start the system once: `make up`."
        ) from None
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key, algorithms=["ES256"])
