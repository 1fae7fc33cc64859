"""What the verbs of `bdcan upstream` and `bdcan consumer` do, and what they say to hand over to the system outside."""

import argparse
import getpass
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bdcan_contracts.catalogue import CATALOGUE
from bdcan_contracts.inbound.envelope import MAX_BYTES
from bdcan_contracts.upstreams import Upstream
from bdcan_local.errors import PlatformError
from bdcan_local.kafka import ADMIN, MECHANISM, PROTOCOL, client_options
from bdcan_local.onboarding import Onboarding
from bdcan_local.outside import ReadingSystem, reader_holder, upstream_holder
from bdcan_local.root import Root, read_json
from bdcan_local.secrets_store import SecretsStore
from bdcan_local.settings import read_settings

Say = Callable[[str], None]
_SOON = timedelta(days=14)


class Place:
    """The platform that a command works on, and how it answers."""

    def __init__(
        self, options: argparse.Namespace, chosen: Callable[[argparse.Namespace], Root], say: Say
    ) -> None:
        self.options, self.say = options, say
        settings = read_settings()
        cluster, secrets = options.cluster or settings.cluster, options.secrets or settings.secrets
        ends = None
        if secrets is None:
            root = chosen(options)
            secrets, ends = root.secrets, read_json(root.endpoints) if root.is_locked() else None
        self.store = SecretsStore(secrets)
        if not self.store.upstreams_file.exists():
            raise PlatformError(
                f"there is no {self.store.upstreams_file}", "Start the system once: `make up`."
            )
        bootstrap = cluster or (ends["kafka"]["bootstrap"] if ends else None)
        self.kafka = options.address or settings.address or bootstrap
        self.intake = (
            options.intake or settings.intake or (ends["services"]["intake"]["api"] if ends else None)
        )
        client = bootstrap and client_options(bootstrap, ADMIN, self.store.get("kafka", ADMIN))
        self.onboarding = Onboarding(
            self.store, options.by or getpass.getuser(), client or None, options.replicas
        )

    def answer(self, told: dict[str, Any]) -> int:
        """Show what there is to hand over."""
        if self.options.json:
            self.say(json.dumps(told, indent=2, ensure_ascii=False))
        else:
            for line in _lines(told, ""):
                self.say(line)
        return 0

    def secret(self, kind: str, name: str) -> dict[str, str]:
        """Where a secret is, or the secret itself if that was asked for."""
        path = self.store.path(kind, name)
        found = {"file": str(path)}
        if self.options.show_secrets and path.exists():
            found["text"] = path.read_text("utf-8").strip()
        return found


def _add(place: Place) -> int:
    options = place.options
    both = not options.kafka and not options.http
    upstream = place.onboarding.add(
        options.name,
        kafka=options.kafka or both,
        http=options.http or both,
        sources=options.source,
        contact=options.contact,
        sandbox=options.sandbox,
        lasts=options.expires,
        again=options.again,
    )
    return place.answer(_handed_over(place, upstream))


def _rotate(place: Place) -> int:
    old_end = place.onboarding.rotate(place.options.name, place.options.keep_old, place.options.expires)
    upstream = place.store.upstreams().named(place.options.name)
    told = {"old credentials end": _time(old_end)}
    return place.answer(told | (_handed_over(place, upstream) if upstream else {}))


def _revoke(place: Place) -> int:
    upstream = place.onboarding.revoke(place.options.name)
    return place.answer({"name": upstream.name, "revoked at": _time(upstream.revoked_at)})


def _sweep(place: Place) -> int:
    return place.answer({"ended": place.onboarding.sweep()})


def _list(place: Place) -> int:
    found = [
        {"name": one.name, "sources": list(one.sources), **_state(one.revoked_at)}
        | ({"sandbox": True} if one.sandbox else {})
        | ({"contact": one.contact} if one.contact else {})
        | _ends(place, upstream_holder(one.name), one.name)
        for one in place.store.upstreams()
    ]
    return _listed(place, found)


def _add_reader(place: Place) -> int:
    options = place.options
    reader = place.onboarding.add_reader(options.name, options.topic, options.contact, options.expires)
    return place.answer(_handed_over_to_reader(place, reader))


def _rotate_reader(place: Place) -> int:
    old_end = place.onboarding.rotate_reader(
        place.options.name, place.options.keep_old, place.options.expires
    )
    reader = place.store.outside().reader(place.options.name)
    told = {"old credentials end": _time(old_end)}
    return place.answer(told | (_handed_over_to_reader(place, reader) if reader else {}))


def _revoke_reader(place: Place) -> int:
    reader = place.onboarding.revoke_reader(place.options.name)
    return place.answer({"name": reader.name, "revoked at": _time(reader.revoked_at)})


def _list_readers(place: Place) -> int:
    found = [
        {"name": one.name, "topics": list(one.topics), **_state(one.revoked_at)}
        | ({"contact": one.contact} if one.contact else {})
        | _ends(place, reader_holder(one.name), None)
        for one in place.store.outside().readers
    ]
    return _listed(place, found)


def _listed(place: Place, found: list[dict[str, Any]]) -> int:
    if place.options.json:
        place.say(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    for one in found:
        for line in _lines(one, ""):
            place.say(line)
        place.say("")
    return 0


def _state(revoked_at: datetime | None) -> dict[str, Any]:
    return {"state": f"revoked {_time(revoked_at)}" if revoked_at else "live"}


def _ends(place: Place, holder: str, key: str | None) -> dict[str, Any]:
    """The credentials that work, and when they end."""
    now = datetime.now(UTC)
    users = [(user.user, user.ends_at) for user in place.store.outside().holder(holder).users]
    keys = [
        (f"key {entry['sha256'][:8]}", _instant(entry.get("expires_at")))
        for entry in (place.store.api_keys(key) if key else ())
    ]
    told: dict[str, Any] = {}
    for what, found in (("kafka users", users), ("api keys", keys)):
        if found:
            told[what] = {name: _end(ends_at, now) for name, ends_at in found}
    return told


def _end(ends_at: datetime | None, now: datetime) -> str:
    if ends_at is None:
        return "does not end"
    if ends_at <= now:
        return f"ended {_time(ends_at)}: run bdcan upstream sweep"
    return f"ends {_time(ends_at)}" + (" (soon)" if ends_at - now < _SOON else "")


def _handed_over(place: Place, upstream: Upstream) -> dict[str, Any]:
    told: dict[str, Any] = {"name": upstream.name, "sources": list(upstream.sources)}
    if upstream.sandbox:
        told["sandbox"] = "its referrals are practice, and end by themselves"
    if upstream.inbound_topic and upstream.receipts_topic:
        inbound, receipts = (CATALOGUE.topic_of(t) for t in (upstream.inbound_topic, upstream.receipts_topic))
        told["kafka"] = _kafka(place, upstream_holder(upstream.name)) | {
            "submit to": upstream.inbound_topic,
            "receipts from": upstream.receipts_topic,
            "transactional id": f"any that begins with {upstream_holder(upstream.name)}.",
            "largest body": f"{MAX_BYTES} bytes",
            "records are kept": f"{_in_days(inbound.retention)}; receipts {_in_days(receipts.retention)}",
        }
    if place.store.api_keys(upstream.name):
        told["http"] = {
            "base url": place.intake or "as agreed: name it with --intake",
            "header": "X-API-Key",
            "key": place.secret("api-keys", upstream.name),
            "ends": _end(
                _instant(place.store.api_keys(upstream.name)[-1].get("expires_at")), datetime.now(UTC)
            ),
        }
    told["contracts"] = "docs/upstream.md, schemas/asyncapi.yaml"
    return told


def _handed_over_to_reader(place: Place, reader: ReadingSystem) -> dict[str, Any]:
    kept = {name: _in_days(CATALOGUE.by_topic[name].retention) for name in reader.topics}
    return {
        "name": reader.name,
        "kafka": _kafka(place, reader_holder(reader.name)),
        "topics, and how long they keep a record": kept,
        "contracts": "docs/consuming.md, schemas/asyncapi.yaml",
    }


def _kafka(place: Place, holder: str) -> dict[str, Any]:
    newest = place.store.outside().holder(holder).newest
    user = newest.user if newest else holder
    return {
        "bootstrap servers": place.kafka or "as agreed: name them with --address",
        "security protocol": "SASL_SSL" if place.options.ca else PROTOCOL,
        **({"certificate authority": str(place.options.ca)} if place.options.ca else {}),
        "sasl mechanism": MECHANISM,
        "user": user,
        "password": place.secret("kafka", user),
        "ends": _end(newest.ends_at if newest else None, datetime.now(UTC)),
        "consumer group": f"any that begins with {holder}.",
    }


def _lines(told: dict[str, Any], indent: str) -> list[str]:
    lines: list[str] = []
    for name, value in told.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}", *_lines(value, indent + "  ")]
        else:
            text = ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
            lines.append(f"{indent}{name + ':':<20} {text}")
    return lines


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _in_days(span: timedelta | None) -> str:
    return "the last one of each key" if span is None else f"{span.days} days"


def _time(at: datetime | None) -> str:
    return "never" if at is None else at.astimezone(UTC).isoformat(timespec="seconds")


VERBS: Mapping[tuple[str, str], Callable[[Place], int]] = {
    ("upstream", "add"): _add,
    ("upstream", "list"): _list,
    ("upstream", "rotate"): _rotate,
    ("upstream", "revoke"): _revoke,
    ("upstream", "sweep"): _sweep,
    ("consumer", "add"): _add_reader,
    ("consumer", "list"): _list_readers,
    ("consumer", "rotate"): _rotate_reader,
    ("consumer", "revoke"): _revoke_reader,
}
