"""Whatever a schema allows survives the codec."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bdcan_contract_tools.sources import EventSource, Schema, load
from bdcan_contracts.catalogue import CATALOGUE
from bdcan_contracts.envelope import decode, encode_body, encode_headers

_OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_INSTANTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=_OFFSETS)  # noqa: DTZ001 - hypothesis wants them naive


@pytest.mark.parametrize("event", load().events, ids=lambda e: e.type)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(data=st.data(), event_id=st.uuids(), when=_INSTANTS)
def test_any_valid_body_survives_the_codec(event, data, event_id, when):
    body = data.draw(bodies(event))
    event_type = CATALOGUE.by_type[event.type]
    model = event_type.model.model_validate_json(json.dumps(body))
    subject = event_type.subject_of(model)
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in subject) or len(subject.encode()) > 1024:
        return  # CloudEvents has no subject with control characters: whoever sets it is told, see the bad records

    headers = encode_headers(event_type, event_id, "bdcan.test", subject, when, None)
    read = decode(CATALOGUE, event_type.topics[-1].name, subject.encode(), headers, encode_body(model))

    assert read.data == model
    assert (read.id, read.subject, read.time) == (str(event_id), subject, when)


def bodies(event: EventSource) -> st.SearchStrategy[dict[str, Any]]:
    """JSON-like bodies that the schema of `event` allows, with fields of tomorrow now and then."""
    return _objects(event.bundled, event.bundled)


def _objects(root: Schema, shape: Schema) -> st.SearchStrategy[dict[str, Any]]:
    required = set(shape["required"])
    pieces = {name: _values(root, piece) for name, piece in shape["properties"].items()}
    known = st.fixed_dictionaries(
        {name: piece for name, piece in pieces.items() if name in required},
        optional={name: piece for name, piece in pieces.items() if name not in required},
    )
    tomorrow = st.dictionaries(
        st.sampled_from(["x_new", "x_other"]), st.none() | st.integers() | st.text(max_size=5)
    )
    return st.builds(lambda a, b: {**a, **b}, known, tomorrow)


def _values(root: Schema, piece: Schema) -> st.SearchStrategy[Any]:
    if "$ref" in piece:
        piece = root["$defs"][piece["$ref"].rpartition("/")[2]]
    match piece:
        case {"enum": members}:
            return st.sampled_from(members)
        case {"type": "object"}:
            return _objects(root, piece)
        case {"type": "array"}:
            return st.lists(
                _values(root, piece["items"]),
                min_size=piece.get("minItems", 0),
                max_size=min(4, piece["maxItems"]),
            )
        case {"format": "uuid"}:
            return st.uuids().map(str)
        case {"format": "date-time"}:
            return _INSTANTS.map(lambda t: t.isoformat())
        case {"format": "date"}:
            return st.dates().map(str)
        case {"pattern": pattern}:
            sizes = piece.get("minLength", 0), piece["maxLength"]
            return st.from_regex(pattern, fullmatch=True).filter(lambda t: sizes[0] <= len(t) <= sizes[1])
        case {"type": "string"}:
            return st.text(min_size=piece.get("minLength", 0), max_size=piece["maxLength"])
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "integer"}:
            return st.integers(piece["minimum"], piece["maximum"])
        case {"type": "number"}:
            return st.floats(piece["minimum"], piece["maximum"]) | st.integers(
                piece["minimum"], piece["maximum"]
            )
    raise AssertionError(f"no strategy for {piece}")
