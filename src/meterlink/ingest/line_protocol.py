"""Envelopes into InfluxDB's line protocol: the only place where a value becomes the text of a ``float``.

One point a (meter, slot): ``instant,gateway=g,meter=m,site=s voltage_a=230.1 1795305600``. An event is one
point of measurement ``event`` at the second at which it occurred, and its kind stands before all its fields,
since two kinds may occur in one second: ``power_down=1.0,power_down_event_number=24.0``. A text may hold
anything printable but a backslash, which each server reads differently; what line protocol cannot carry is
refused instead of altered. Source: decision 16.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from math import isfinite

from meterlink.errors import EnvelopeError
from meterlink.model.act import Topic
from meterlink.model.act_envelope import ActEnvelope
from meterlink.model.alarm_event import AREA, GATEWAY
from meterlink.model.envelope import Envelope
from meterlink.model.event import EventContent
from meterlink.model.event_envelope import EventEnvelope
from meterlink.model.marks import NO_MARKS
from meterlink.model.reading import Reading

MARKS_FIELD = "marks"
NAMES_KEPT = 32_768
"""Names kept as they stand in a line: those of all meters of a large plant, and of what is read of them."""
_PLAIN_CHARS_MAX = 18
"""A number of so many characters, none of them an exponent, is one that each server reads alike."""

_MEASUREMENT = str.maketrans({",": "\\,", " ": "\\ "})
_ITEM_MARKS = "_marks"
_EVENT_FIELD = str.maketrans(".@/", "___")
_KEY = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})


def lines_of(envelope: Envelope, *, site: str, area: str | None = None) -> list[str]:
    """The points of an envelope, one line each, timestamps in seconds.

    Args:
        envelope: what came over MQTT.
        site: tag; from the topic.
        area: tag; from the configuration, if it says.

    Raises:
        EnvelopeError: a name or a value that line protocol cannot carry.

    """
    record = envelope.record
    head = _head(record.data_class, gateway=envelope.gateway, meter=record.meter, site=site, area=area)
    return [
        f"{head} {fields} {int(slot.timestamp())}"
        for slot, group in _by_slot(record.readings)
        if (fields := _fields(group))
    ]


def event_lines_of(envelope: EventEnvelope, *, site: str, area: str | None = None) -> list[str]:
    """The point of an event: its kind as 1.0, its numbers, and its times as seconds since 1970; no text.

    Args:
        envelope: what came over MQTT.
        site: tag; from the topic.
        area: tag; from the configuration, if it says. An alarm of a whole area tells its own: those of two
            areas in one second would else be one point.

    Raises:
        EnvelopeError: a name or a value that line protocol cannot carry.

    """
    event = envelope.event
    if event.meter == GATEWAY:
        area = next((str(one.content) for one in event.values if one.item == AREA), area)
    head = _head(event.data_class, gateway=envelope.gateway, meter=event.meter, site=site, area=area)
    kind = _checked(event.kind, "kind")
    contents: dict[str, EventContent] = {kind: Decimal(1)}
    if event.ended_at is not None:
        contents[f"{kind}_ended_at"] = event.ended_at
    contents |= {f"{kind}_{_checked(value.item, 'item')}": value.content for value in event.values}
    fields = {
        name.translate(_EVENT_FIELD).translate(_KEY): _number(name, content)
        for name, content in contents.items()
        if not isinstance(content, str)
    }
    written = ",".join(f"{name}={number}" for name, number in fields.items())
    return [f"{head} {written} {int(event.at.timestamp())}"]


def order_lines_of(envelope: ActEnvelope, *, site: str, area: str | None = None) -> list[str]:
    """The point of a step of an order: where it went, as 1.0, which step that was, and its money; no text.

    The state stands before all its fields, and the kind before that, since an order goes through several
    states in one second: ``trip_sending=1.0,trip_sending_step=6.0``. An act that moves no order to a state
    is no point.

    Args:
        envelope: what came over MQTT.
        site: tag; from the topic.
        area: tag; from the configuration, if it says.

    Raises:
        EnvelopeError: a name that line protocol cannot carry.

    """
    act = envelope.kept.act
    kind, to = act.body.get("kind"), act.body.get("to")
    if act.topic is not Topic.ORDER or not isinstance(kind, str) or not isinstance(to, str):
        return []
    head = _head(Topic.ORDER.value, gateway=envelope.gateway, meter=act.meter, site=site, area=area)
    name = f"{_checked(kind, 'kind')}_{_checked(to, 'state')}".translate(_EVENT_FIELD).translate(_KEY)
    numbers = {name: Decimal(1), f"{name}_step": Decimal(act.step)}
    order = act.body.get("order")
    cents = order.get("amount_cents") if isinstance(order, Mapping) else None
    if isinstance(cents, int) and not isinstance(cents, bool):
        numbers[f"{name}_amount_cents"] = Decimal(cents)
    written = ",".join(f"{field}={_number(field, number)}" for field, number in numbers.items())
    return [f"{head} {written} {int(act.at.timestamp())}"]


@lru_cache(NAMES_KEPT)
def _head(measurement: str, *, gateway: str, meter: str, site: str, area: str | None) -> str:
    """Measurement and tags."""
    if measurement.startswith("#"):
        raise EnvelopeError(f"class {measurement!r}: a line that starts with # is a comment")
    area_tag = "" if area is None else f",area={_tag(area, 'area')}"
    tags = f",gateway={_tag(gateway, 'gateway')},meter={_tag(meter, 'meter')},site={_tag(site, 'site')}"
    return _measurement(measurement) + area_tag + tags


@lru_cache(NAMES_KEPT)
def _measurement(text: str) -> str:
    return _checked(text, "class").translate(_MEASUREMENT)


@lru_cache(NAMES_KEPT)
def _tag(text: str, what: str) -> str:
    return _checked(text, what).translate(_KEY)


@lru_cache(NAMES_KEPT)
def _field(item: str) -> str:
    """The field of an item."""
    name = _checked(item, "item").replace(".", "_")
    if name == MARKS_FIELD or name.endswith(_ITEM_MARKS):
        raise EnvelopeError(f"item {item!r} has the name of the field of the marks")
    return name.translate(_KEY)


def _by_slot(readings: Iterable[Reading]) -> Iterable[tuple[datetime, list[Reading]]]:
    groups: dict[datetime, list[Reading]] = {}
    for reading in readings:
        groups.setdefault(reading.slot, []).append(reading)
    return groups.items()


def _fields(readings: Iterable[Reading]) -> str:
    """The values, the marks of each marked item, and all of these as one mask.

    Several messages make one point: a field that is not written keeps what it was. So no marks are no
    field, lest a sound item erase the mark of another, and each marked item has a field of its own.
    """
    marks, fields = NO_MARKS, {}
    for reading in readings:
        name = _field(reading.item)
        if reading.marks:
            marks |= reading.marks
            fields[name + _ITEM_MARKS] = f"{int(reading.marks)}i"
        if reading.value is not None:
            fields[name] = _number(reading.item, reading.value)
    if marks:
        fields[MARKS_FIELD] = f"{int(marks)}i"
    return ",".join([f"{name}={value}" for name, value in fields.items()])


def _number(item: str, content: Decimal | datetime) -> str:
    """A number, or a time as seconds since 1970.

    The digits of a decimal are those of the float that a database makes of them.
    """
    if isinstance(content, datetime):
        return repr(content.timestamp())
    text = str(content)
    if len(text) <= _PLAIN_CHARS_MAX and "." in text and "E" not in text:
        return text
    value = float(content)
    if not isfinite(value):
        raise EnvelopeError(f"item {item!r}: {content} is beyond the range of a float")
    return repr(value)


def _checked(text: str, what: str) -> str:
    if not text:
        raise EnvelopeError(f"{what}: the name is empty")
    if not text.isprintable() or "\\" in text:
        raise EnvelopeError(f"{what}: line protocol cannot carry {text!r}")
    return text
