"""Checks the examples: each is valid by its schema, read by its model, and comes back from it unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import jsonschema_rs
from pydantic import ValidationError

from bdcan_contract_tools.sources import EventSource, Sources

_NEEDED = {"minimal", "full"}


def faults(sources: Sources, models: ModuleType) -> Iterator[str]:
    """One sentence per fault in the examples, `models` being the generated module."""
    for event in sources.events:
        paths = list(sources.examples(event.type))
        if missing := _NEEDED - {path.stem for path in paths}:
            yield f"examples/{event.type}: lacks {', '.join(sorted(missing))}"
        # what others write must also be accepted, of which a schema knows nothing: a test of intake sends each example
        by_others = any(topic.owner not in topic.writers for topic in sources.topics_of(event.type))
        validator = jsonschema_rs.Draft202012Validator(event.bundled, validate_formats=True)
        for path in paths:
            yield from (
                f"examples/{event.type}/{path.name}: {fault}"
                for fault in _faults(event, path, validator, models, by_others=by_others)
            )


def _faults(
    event: EventSource,
    path: Path,
    validator: jsonschema_rs.Draft202012Validator,
    models: ModuleType,
    *,
    by_others: bool,
) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    body = json.loads(text)
    yield from (
        f"{'.'.join(map(str, error.instance_path))}: {error.message}" for error in validator.iter_errors(body)
    )
    properties = set(event.schema["properties"])
    if unknown := set(body) - properties:
        yield f"holds fields that the schema does not name: {sorted(unknown)}"
    lacking, more = set(event.schema["required"]) - set(body), set(body) - set(event.schema["required"])
    if path.stem == "minimal" and (lacking or (more and not by_others)):
        yield "is not minimal: it must hold the required fields and no other"
    if path.stem == "full" and set(body) != properties:
        yield f"is not full: it lacks {sorted(properties - set(body))}"
    try:
        model = getattr(models, event.title).model_validate_json(text)
    except ValidationError as error:
        yield f"is refused by the model {event.title}: {error.errors(include_url=False)}"
        return
    written = model.model_dump_json(exclude_none=True)
    if type(model).model_validate_json(written) != model:
        yield f"does not come back from the model {event.title} unchanged"
    if not validator.is_valid(json.loads(written)):
        yield f"is valid, but what the model {event.title} writes is not"
