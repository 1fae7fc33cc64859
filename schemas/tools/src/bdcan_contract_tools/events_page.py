"""Generates `docs/events.md`: topics and types, who writes them, who reads what."""

from __future__ import annotations

from bdcan_contract_tools.sources import EventSource, Sources, TopicSource

_HEAD = """<!-- Generated from schemas/ by `python -m bdcan_contract_tools generate`. Do not edit. -->
# Events

What the five services tell each other, and what upstream systems tell them and hear from them. The schemas are in
[schemas/events](../schemas/events), an example of each event in [schemas/examples](../schemas/examples), and the whole
as [AsyncAPI 3.0](../schemas/asyncapi.yaml). Every record is a CloudEvent in Kafka's binary mode; its key is `ce_subject`.

Personal data travels on one topic only, the inbound one. *Pseudonymous* means ids, need codes and (for routing) the
unit postcode.
"""


def render(sources: Sources) -> str:
    """The text of the page."""
    overview = [
        "| topic | traffic class | key | kept | partitions | personal data | written by | read by |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_row(topic) for topic in sources.topics),
    ]
    return "\n".join([_HEAD, *overview, "", *(_section(sources, topic) for topic in sources.topics)])


def _row(topic: TopicSource) -> str:
    kept = f"{topic.retention_days} days" if topic.retention_days else "the last of each key"
    readers = ", ".join(consumer.service for consumer in topic.consumers) or "nobody yet"
    anchor = topic.name.replace(".", "")
    return (
        f"| [{topic.name}](#{anchor}) | {topic.traffic_class} | `{topic.key}` | {kept} | {topic.partitions} | "
        f"{topic.personal_data} | {', '.join(topic.writers)} | {readers} |"
    )


def _section(sources: Sources, topic: TopicSource) -> str:
    rows = [_event_row(topic, sources.event(name)) for name in topic.types]
    note = [f"\nRead by nobody: {topic.unread_because}"] if topic.unread_because else []
    if topic.per_sender:
        note.append(
            f"\nEach upstream system has a topic of its own like this one: `{topic.name}.<its name>`."
        )
    return "\n".join(
        [
            f"## {topic.name}",
            topic.purpose,
            *note,
            "",
            "| type | says | fields (`?` may be absent) | read by |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _event_row(topic: TopicSource, event: EventSource) -> str:
    required = set(event.schema["required"])
    fields = ", ".join(name if name in required else f"{name}?" for name in event.schema["properties"])
    readers = ", ".join(c.service for c in topic.consumers if event.type in c.reads) or "—"
    return f"| `{event.type}` | {event.schema['description']} | {fields} | {readers} |"
