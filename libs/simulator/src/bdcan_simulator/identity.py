"""Who the simulator plays: people with access tokens of their own, and systems with an API key."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

from joserfc import jwt
from joserfc.jwk import ECKey

from bdcan_simulator.endpoints import Endpoints

_LIFE_SECONDS = 3600
_RENEW_SECONDS = 600

ALL_HUBS = "hubs:all"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works with the system: a name (the token's subject), scopes, and hubs."""

    name: str
    scopes: frozenset[str]
    hubs: frozenset[str] = frozenset()
    sources: tuple[str, ...] = ()
    volunteer_id: str | None = None


def person(name: str, scopes: str, *hubs: str, source: str | None = None) -> Person:
    """A person with scopes separated by blanks; without hubs, whatever hub the scopes allow. `source`: whom they submit as."""
    return Person(name, frozenset(scopes.split()), frozenset(hubs), (source,) if source else ())


def volunteer(volunteer_id: str) -> Person:
    """A volunteer with an account of their own, who does tasks."""
    scopes = frozenset({"tasks:read", "tasks:write", "parcels:read", "disclosures:task"})
    return Person(f"volunteer-{volunteer_id}", scopes, volunteer_id=volunteer_id)


@dataclass(frozen=True, slots=True)
class Machine:
    """An upstream system that shows the simulator's API key."""

    name: str = "simulator"


Who = Person | Machine


@dataclass
class Identities:
    """Headers that prove who is calling. Tokens expire in real time, whatever clock the domain runs on."""

    issuer: str
    audience: str
    key: ECKey
    api_key: str
    _tokens: dict[Person, tuple[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, endpoints: Endpoints) -> Identities:
        """Identities that the system at `endpoints` believes."""
        text = endpoints.signing_key
        key = ECKey.import_key(json.loads(text) if text.startswith("{") else text)
        return cls(endpoints.issuer, endpoints.audience, key, endpoints.api_key)

    def headers(self, who: Who) -> dict[str, str]:
        """The headers of a request by `who`."""
        if isinstance(who, Machine):
            return {"X-API-Key": self.api_key}
        token, renew_at = self._tokens.get(who, ("", 0.0))
        if time.time() >= renew_at:
            token, renew_at = self._mint(who), time.time() + _LIFE_SECONDS - _RENEW_SECONDS
            self._tokens[who] = token, renew_at
        return {"Authorization": f"Bearer {token}"}

    def _mint(self, who: Person) -> str:
        now = int(time.time())
        header = {"alg": "ES256"} | ({"kid": self.key.kid} if self.key.kid else {})
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": who.name,
            "iat": now,
            "exp": now + _LIFE_SECONDS,
            "scope": " ".join(sorted(who.scopes)),
            "hub": sorted(who.hubs),
            "source": list(who.sources),
        }
        if who.volunteer_id is not None:
            claims["volunteer"] = who.volunteer_id
        return jwt.encode(header, claims, self.key, algorithms=["ES256"])
