"""What is told of orders and alarms over MQTT: a payload that others parse, and no more than that."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.errors import EnvelopeError
from meterlink.ingest.line_protocol import event_lines_of, order_lines_of
from meterlink.model.act import BODY_OCTETS_MAX, FIRST_HASH, Act, KeptAct, Topic, canonical, link
from meterlink.model.act_envelope import ActEnvelope
from meterlink.model.alarm_event import event_of
from meterlink.model.event_envelope import EventEnvelope
from meterlink.model.topics import order_topic, parse_up_topic
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.alarms import Alarm, AlarmState, Seen, raising
from tests.support.acts import act
from tests.support.order_acts import ORDER, alarmed, cancelled, created
from tests.support.project import ROOT
from tests.support.records import EPOCH


def _kept(one: Act, number: int = 1, before: str = FIRST_HASH) -> KeptAct:
    return KeptAct(number=number, hash=link(before, one, number), act=one)


def _told(one: Act) -> ActEnvelope:
    return ActEnvelope(gateway="g", boot=3, seq=7, kept=_kept(one))


def test_the_payload_is_what_the_documentation_says() -> None:
    """Whoever parses it by the documentation would fail at the first order."""
    text = (ROOT / "docs" / "orders-on-mqtt.md").read_text(encoding="utf-8")
    shown = json.loads(text.split("```json\n")[1].split("\n```")[0])
    told = _told(created())
    assert shown == json.loads(told.to_json())
    event = json.loads(text.split("```json\n")[2].split("\n```")[0])
    alarm = EventEnvelope(gateway="g", boot=3, seq=8, event=event_of(_kept(alarmed())))
    assert event == json.loads(alarm.to_json())


def test_the_payload_has_these_keys_and_no_others() -> None:
    """A key that is added by accident is public for ever, and may hold what is nobody's business."""
    document = json.loads(_told(cancelled(created())).to_json())
    assert ["v", "gateway", "boot", "seq", "meter", "act"] == list(document)
    assert [
        "topic", "subject", "step", "verb", "at", "actor", "is_open", "body", "number", "hash",
    ] == list(document["act"])  # fmt: skip
    assert {"kind": "top_up", "from": "created", "to": "cancelled"} == document["act"]["body"]


def test_who_keeps_the_messages_can_count_the_chain_himself() -> None:
    """The messages would be no witness against somebody who forges the journal."""
    first = created()
    one, two = _kept(first), _kept(cancelled(first), 2, _kept(first).hash)
    before = FIRST_HASH
    for number, kept in enumerate((one, two), start=1):
        back = ActEnvelope.from_json(ActEnvelope(gateway="g", boot=1, seq=number, kept=kept).to_json()).kept
        before = link(before, back.act, back.number)
        assert before == back.hash == kept.hash


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_BODIES = st.dictionaries(
    _TEXT, st.none() | st.booleans() | st.integers() | _TEXT | st.lists(_TEXT, max_size=2)
)


@given(body=_BODIES, subject=_TEXT, meter=_TEXT, is_open=st.booleans())
def test_any_act_survives_the_wire(body: dict[str, Any], subject: str, meter: str, *, is_open: bool) -> None:
    """A name in Chinese, or a number of many digits, would come out as another."""
    one = replace(act(), body=body, subject=subject, meter=meter, is_open=is_open)
    assert _told(one) == ActEnvelope.from_json(_told(one).to_json())


def test_the_longest_act_is_one_message() -> None:
    """The longest act would be refused by the broker, and be poison."""
    bare = len(canonical(act(text=""), 2**63 - 1))
    told = _told(act(text="x" * (BODY_OCTETS_MAX - bare))).to_json()
    assert len(told) < BODY_OCTETS_MAX + 500


_FORGERIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "version": lambda told: told.update(v=2),
    "no act": lambda told: told.pop("act"),
    "no table": lambda told: told.update(act=[]),
    "topic": lambda told: told["act"].update(topic="x"),
    "step": lambda told: told["act"].update(step="1"),
    "time": lambda told: told["act"].update(at="2026-11-22T00:00:00"),
    "open": lambda told: told["act"].update(is_open=1),
    "body": lambda told: told["act"].update(body="{}"),
    "fraction": lambda told: told["act"].update(body={"a": 1.5}),
    "hash": lambda told: told["act"].pop("hash"),
    "number": lambda told: told["act"].update(number=-1),
}


@pytest.mark.parametrize("forge", _FORGERIES.values(), ids=_FORGERIES)
def test_what_is_no_envelope_is_refused(forge: Callable[[dict[str, Any]], Any]) -> None:
    """A payload of somebody else would end the ingest, or be stored as an order."""
    document = json.loads(_told(created()).to_json())
    forge(document)
    with pytest.raises(EnvelopeError):
        ActEnvelope.from_json(json.dumps(document).encode())


def test_the_topic_is_that_of_decision_15() -> None:
    """Nobody would be subscribed to it."""
    topic = order_topic("s", "g", "m1")
    assert "meterlink/v1/s/g/up/order/m1" == topic
    assert ("s", "g", "m1", "order") == parse_up_topic(topic)


# --- in the database -----------------------------------------------------------------------------------


def test_a_step_of_an_order_is_one_point_of_numbers() -> None:
    """A text would be a series of zeros, an integer a conflict of types; decision 16."""
    first = created()
    seconds = int(EPOCH.timestamp())
    assert [
        "order,area=a,gateway=g,meter=m1,site=s top_up_created=1.0,top_up_created_step=1.0,"
        f"top_up_created_amount_cents=5000.0 {seconds}"
    ] == order_lines_of(_told(first), site="s", area="a")
    assert [
        f"order,gateway=g,meter=m1,site=s top_up_cancelled=1.0,top_up_cancelled_step=2.0 {seconds + 5}"
    ] == order_lines_of(_told(cancelled(first)), site="s")


@pytest.mark.parametrize(
    "one",
    [
        act(),
        act(kind="trip"),
        act(to="done"),
        act(kind=1, to="done"),
        act(topic=Topic.WORK, kind="a", to="b"),
    ],
)
def test_an_act_that_moves_no_order_is_no_point(one: Act) -> None:
    """It would be a dead letter, each time anew."""
    assert [] == order_lines_of(_told(one), site="s")


@pytest.mark.parametrize("cents", [10**400, True, "5000", None])
def test_money_that_is_none_is_no_field(cents: object) -> None:
    """A point would carry money that nobody paid, or end the ingest."""
    one = act(kind="top_up", to="created", order={**ORDER.body, "amount_cents": cents})
    if cents == 10**400:
        with pytest.raises(EnvelopeError, match="beyond the range"):
            order_lines_of(_told(one), site="s")
    else:
        assert "amount" not in order_lines_of(_told(one), site="s")[0]


# --- alarms as events ----------------------------------------------------------------------------------


def test_an_alarm_is_an_event_that_counts_in_one_point() -> None:
    """Each repeat would be another event, and the database hold a thousand alarms where there is one."""
    first = alarmed()
    again = alarmed(before=Alarm.of(_kept(first)))
    seconds = int(EPOCH.timestamp())
    for one, count in ((first, 1), (again, 2)):
        envelope = EventEnvelope(gateway="g", boot=1, seq=1, event=event_of(_kept(one)))
        assert [
            f"event,gateway=g,meter=m1,site=s alarm_relay_fault=1.0,alarm_relay_fault_count={count}.0,"
            f"alarm_relay_fault_estimate_cents=750.0,alarm_relay_fault_estimate_kwh=12.5 {seconds}"
        ] == event_lines_of(EventEnvelope.from_json(envelope.to_json()), site="s")


def test_alarms_of_two_areas_in_one_second_are_two_points() -> None:
    """Of a hundred areas that lack freezes at eight in the morning the database would keep one."""
    heads = []
    for area in ("east", "west"):
        seen = Seen(rule="FRZ_LOW", origin="FRZ-01", area=area, day=EPOCH.date())
        one = raising(seen, at=EPOCH, zone=CHINA_TIME, actor="meterlink")
        assert f"FRZ_LOW:@{area}:{EPOCH.date()}" == one.subject
        envelope = EventEnvelope(gateway="g", boot=1, seq=1, event=event_of(_kept(one)))
        [line] = event_lines_of(EventEnvelope.from_json(envelope.to_json()), site="s")
        heads.append(line.split(" ")[0])
    assert [f"event,area={area},gateway=g,meter=_gateway,site=s" for area in ("east", "west")] == heads


def test_an_alarm_ends_when_it_is_closed_and_the_gateways_own_has_a_place() -> None:
    """A closed alarm would burn for ever, and that of a broken chain have no topic."""
    alarm = replace(Alarm.of(_kept(alarmed(meter=""))), state=AlarmState.CLOSED)
    closed = replace(alarmed(meter=""), at=EPOCH + timedelta(hours=1), body=alarm.as_json())
    event = event_of(_kept(closed))
    assert ("_gateway", EPOCH, closed.at) == (event.meter, event.occurred_at, event.ended_at)


@pytest.mark.parametrize("broken", [act(), replace(alarmed(), body={**alarmed().body, "rule": 1}),
                                    replace(alarmed(), body={**alarmed().body, "count": "x"})])  # fmt: skip
def test_what_is_no_alarm_is_told_with_one_error(broken: Act) -> None:
    """The relay would end, and nothing be published any more, for one row."""
    with pytest.raises(ValueError, match="no alarm"):
        event_of(_kept(broken))
