"""Who is calling, and what they may do. There is no switch that turns this off.

People send an OIDC access token (Authorization: Bearer). The authenticator checks its signature, issuer, audience and
expiry against the provider's key set, and that nobody has revoked it. Machines send a key (X-API-Key), of which we keep
only the sha256. Both become a Caller with scopes, hubs and sources. A route names the scope that it needs. A hub's people
see their own hub's residents; a sender submits as its own sources; a volunteer's account acts as that volunteer alone.

People and keys are separate name spaces: a caller's name says which of them it is from (`person:ada`, `key:ada`).
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import UUID

import httpx
from fastapi import Request
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel

from bdcan_chassis import metrics
from bdcan_chassis.http.credentials import watch_api_keys, watch_revocations
from bdcan_chassis.http.problems import ForbiddenError, NotFoundError, UnauthorizedError
from bdcan_chassis.logs import get_logger
from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.tracing import CONTINUES, meet

log = get_logger(__name__)

ALL_HUBS = "hubs:all"
"""The scope of those who work for the whole borough."""

API_KEY_HEADER = "X-API-Key"

_PERSON = "person:"
"""What the name of somebody begins with, and no program's."""

_ALGORITHMS = ["ES256", "RS256", "EdDSA"]
_LEEWAY_SECONDS = 30
_REFRESH_SECONDS = 30.0
_KEYS_SECONDS = 300.0  # the longest time for which a withdrawn key is still accepted
_CHECKED_SECONDS = 60.0  # then a token is checked again, so that a withdrawn key stops working
_MOST_CHECKED = 1000
_INVALID = "The access token is not valid."


class OfHub(Protocol):
    """Something that belongs to a hub. `hub_id` is None before it has one."""

    @property
    def hub_id(self) -> str | None:
        """The hub's id."""
        ...


H = TypeVar("H", bound=OfHub)


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated person or machine. `name` is for comparing and keeping: `person:` or `key:`, and the name there.

    `sources`: whom they submit referrals as, by default the first. `volunteer_id`: the account is a volunteer's, and sees no hub.
    """

    name: str
    scopes: frozenset[str]
    hubs: frozenset[str]
    sources: tuple[str, ...] = ()
    volunteer_id: UUID | None = None

    @property
    def is_person(self) -> bool:
        """Whether somebody asks, and no program."""
        return self.name.startswith(_PERSON)

    def sees_hub(self, hub_id: str | None) -> bool:
        """Whether the caller may see residents of this hub. Only callers with `hubs:all` see residents without a hub (None)."""
        return ALL_HUBS in self.scopes or (hub_id is not None and hub_id in self.hubs)

    def must_see_hub(self, hub_id: str | None) -> None:
        """Raise NotFoundError if the caller may not see the hub: a 403 would reveal that the thing exists."""
        if not self.sees_hub(hub_id):
            raise NotFoundError

    def must_see(self, thing: H | None) -> H:
        """The thing, if there is one and the caller may see its hub. Raises NotFoundError otherwise."""
        if thing is None:
            raise NotFoundError
        self.must_see_hub(thing.hub_id)
        return thing

    @property
    def visible_hubs(self) -> list[str] | None:
        """For queries: the hubs that the caller sees, or None for all."""
        return None if ALL_HUBS in self.scopes else sorted(self.hubs)


class _KeyDocument(BaseModel):
    keys: list[dict[str, Any]]


class Authenticator:
    """Checks tokens and keys. A process makes one."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._keys: KeySet | None = None
        self._checked: dict[str, tuple[Caller, float]] = {}
        self._checked_under = 0
        self._fetched = 0.0
        self._lock = asyncio.Lock()
        self._claims = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": settings.oidc_issuer},
            aud={"essential": True, "value": settings.oidc_audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        self.api_keys = watch_api_keys(settings.api_keys_file)
        self._revocations = watch_revocations(settings.revocations_file)

    async def caller(self, bearer: str | None, api_key: str | None) -> Caller:
        """Who sent this. Raises UnauthorizedError, whose text never says which check failed."""
        try:
            if api_key:
                return self._by_api_key(api_key)
            if bearer:
                return await self._by_token(bearer)
        except UnauthorizedError:
            metrics.SIGN_INS_REFUSED.labels("api-key" if api_key else "token").inc()
            raise
        metrics.SIGN_INS_REFUSED.labels("nothing").inc()
        raise UnauthorizedError("An access token or an API key is needed.")

    def _by_api_key(self, api_key: str) -> Caller:
        # whoever does not know a key cannot choose its hash: a look-up by it tells nothing by its time
        found = self.api_keys.get().get(hashlib.sha256(api_key.encode()).hexdigest())
        if found is None or not found.is_live(time.time()):
            raise UnauthorizedError("The API key is not known.")
        return Caller(
            f"key:{found.name}", frozenset(found.scopes), frozenset(found.hubs), tuple(found.sources)
        )

    async def _by_token(self, token: str) -> Caller:
        revoked = self._revocations.get()
        if self._checked_under != self._revocations.version:
            self._checked.clear()
            self._checked_under = self._revocations.version
        known = self._checked.get(token)
        if known is not None and time.time() < known[1]:
            return known[0]
        claims = await self._claims_of(token)
        if revoked.name(claims):
            raise UnauthorizedError(_INVALID)
        caller = _caller_of(claims)
        if len(self._checked) >= _MOST_CHECKED:
            self._checked.clear()
        self._checked[token] = (caller, min(float(claims["exp"]), time.time() + _CHECKED_SECONDS))
        return caller

    async def _claims_of(self, token: str) -> dict[str, Any]:
        for fresh in (False, True):
            keys = await self._key_set(refresh=fresh)
            try:
                decoded = jwt.decode(token, keys, algorithms=_ALGORITHMS)
                self._claims.validate(decoded.claims)
            except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
                # joserfc raises the last three for unusual JSON in a header, such as "crit": null
                # an unknown key may be a new one: load the key set again, but not for every forgery
                if fresh or time.monotonic() - self._fetched < _REFRESH_SECONDS:
                    raise UnauthorizedError(_INVALID) from error
            else:
                return decoded.claims
        raise UnauthorizedError(_INVALID)

    async def _key_set(self, *, refresh: bool) -> KeySet:
        async with self._lock:
            age = time.monotonic() - self._fetched
            if self._keys is None or age >= (_REFRESH_SECONDS if refresh else _KEYS_SECONDS):
                try:
                    self._keys = KeySet.import_key_set((await self._published()).model_dump())  # pyright: ignore[reportArgumentType]
                except (httpx.HTTPError, OSError, ValueError, JoseError) as error:
                    if self._keys is None:  # the token may be right, so the answer is 503 and not 401
                        raise ConnectionError("the key set cannot be read") from error
                    log.warning("auth.key_set_unreadable", exc_info=error)
                self._fetched = time.monotonic()
            return self._keys

    async def _published(self) -> _KeyDocument:
        source = self._settings.jwks
        if not source.startswith("https://"):
            return _KeyDocument.model_validate_json(await asyncio.to_thread(Path(source).read_bytes))
        async with httpx.AsyncClient(timeout=5) as client:
            answer = await client.get(source)
            answer.raise_for_status()
            return _KeyDocument.model_validate_json(answer.content)


def _caller_of(claims: dict[str, Any]) -> Caller:
    name, scopes = f"{_PERSON}{claims['sub']}", frozenset(str(claims.get("scope", "")).split())
    if "volunteer" not in claims:
        return Caller(name, scopes, frozenset(_texts(claims.get("hub"))), _texts(claims.get("source")))
    try:
        volunteer_id = UUID(claims["volunteer"])
    except (ValueError, TypeError, AttributeError):
        raise UnauthorizedError(_INVALID) from None
    # whoever coordinates, too, has another account for that: this one never acts for anybody else
    return Caller(name, scopes - {ALL_HUBS}, frozenset(), volunteer_id=volunteer_id)


def _texts(claim: object) -> tuple[str, ...]:
    """What a claim says that is a text, or a list of texts. Anything else says nothing."""
    claim = [claim] if isinstance(claim, str) else claim
    return tuple(map(str, claim)) if isinstance(claim, list) else ()


class Authentication(SecurityBase):
    """FastAPI dependency: the authenticated caller, who must have one of these scopes. One call, because each costs FastAPI a round."""

    model = HTTPBearerModel(description="OIDC access token")
    scheme_name = "HTTPBearer"

    def __init__(self, scope: str, *others: str) -> None:
        self._scopes = (scope, *others)

    async def __call__(self, request: Request) -> Caller:
        """Who calls. Raises UnauthorizedError, and ForbiddenError without a scope."""
        caller: Caller | None = request.scope["state"].get("caller")
        if caller is None:  # otherwise the guard has asked, before anybody read the body
            headers = request.headers
            scheme, token = get_authorization_scheme_param(headers.get("Authorization"))
            authenticator: Authenticator = request.app.state.authenticator
            caller = await authenticator.caller(
                token if scheme.lower() == "bearer" else None, headers.get(API_KEY_HEADER)
            )
            request.state.caller = caller
            meet(headers.get("traceparent"), trusted=CONTINUES in caller.scopes)
        if caller.scopes.isdisjoint(self._scopes):
            raise ForbiddenError(f"The scope {' or '.join(self._scopes)} is needed.")
        return caller


def needs(scope: str, *others: str) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """FastAPI dependency factory: the caller, who must have one of these scopes. `caller: Caller = Depends(needs("x:read"))`."""
    return Authentication(scope, *others)
