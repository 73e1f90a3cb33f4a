"""What is made of a terminal's report: readings, events, octets; nothing lost, no secret, always keepable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterlink.drivers.dlt698.reports import PARTS_MAX, Told
from meterlink.drivers.events import ReportedEvent
from meterlink.drivers.reports import Part, ReportedReadings
from meterlink.journal import rows
from meterlink.model.event import TEXT_MAX, VALUES_MAX, Event
from meterlink.model.event_kinds import PASSED_ON_FRAMES, REPORTED_VALUES, UNREAD_REPORT
from meterlink.model.zone import CHINA_TIME
from meterwire.dlt645.link import frame as frame645
from meterwire.dlt698.apdus.apdu import encode_apdu
from meterwire.dlt698.apdus.parts import (
    AttributeResult,
    AttributeResults,
    Dar,
    Piid,
    RecordResult,
    RecordResults,
    TimeTag,
)
from meterwire.dlt698.apdus.report import (
    ReportNotificationList,
    ReportNotificationRecordList,
    ReportNotificationTransData,
)
from meterwire.dlt698.axdr.selection import Oad, Rcsd, Road, Ti, Tsa
from meterwire.dlt698.axdr.values import NULL, Data, DateTime, DateTimeS
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.frame import Frame
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.records import EVENT_NUMBER, EVENT_STARTED_AT, FROZEN_AT
from meterwire.dlt698.sessions import listener as wire
from meterwire.item_value import Content
from tests.support.reports import POWER_DOWN, events, freezes, table, told
from tests.wire.dlt698.apdu_strategies import of as any_of

TERMINAL = "000000000161"
AT = datetime(2026, 1, 1, 1, 0, tzinfo=UTC)
PASSWORD = "9182736455"
PORT = Oad.of("F2010201")
_ROW: dict[str, Content] = {"event_number": Decimal(24), "event_started_at": "2026-01-01 07:58:00"}
_STARTED = datetime(2025, 12, 31, 23, 58, tzinfo=UTC)


def _heard(octets: bytes) -> Told:
    """What is made of an APDU that a terminal sent."""
    listener = wire.Listener(lambda _: wire.LINK_OK)
    frame = link.encode(Frame(ServerAddress(TERMINAL), 0x10, octets, True, False))
    [report] = listener.feed(frame, DateTime.of(AT))
    assert isinstance(report, wire.Report)
    told_ = Told(report, address=TERMINAL, zone=CHINA_TIME, received_at=AT)
    assert told_.broken is None
    return told_


def _parts(notification: Any) -> tuple[Part, ...]:
    return _heard(encode_apdu(notification)).parts


def _event(part: Part) -> ReportedEvent:
    assert isinstance(part, ReportedEvent)
    return part


def _readings(part: Part) -> list[tuple[str, Decimal | None]]:
    assert isinstance(part, ReportedReadings)
    return [(value.item, value.value) for value in part.values]


def _contents(part: Part) -> dict[str, object]:
    return {value.item: value.content for value in _event(part).values}


def _attributes(*results: tuple[Oad, Data | Dar], follow: Any = None) -> ReportNotificationList:
    found = tuple(AttributeResult(oad, result) for oad, result in results)
    return ReportNotificationList(piid=Piid(5), results=found, follow_report=follow)


# --- events -------------------------------------------------------------------------------------------


def test_a_published_power_failure() -> None:
    """The one event that every plant wants, from a live terminal. Source: spec dlt698, 9.22."""
    octets = bytes.fromhex(
        "880209013106020006002022020000201E0200002020020000202402000033"
        "0002000033090206010106000000181C07E9040A0B1D26001600010102025145000200110104088000"
    )
    told_ = _heard(octets + b"\x00")
    [event] = told_.parts
    assert "records 31060200" == told_.summary
    assert (
        ReportedEvent(
            address=TERMINAL,
            kind="terminal_power_down",
            occurred_at=datetime(2025, 4, 10, 3, 29, 38, tzinfo=UTC),
            ended_at=None,
            values=_event(event).values,
            source="dlt698.45 31060200",
        )
        == event
    )
    assert {
        "event_number": Decimal(24),
        "event_source": "enum:0",
        "33090206": "bit-string:10000000",
    } == _contents(event)


@pytest.mark.parametrize(
    ("oad", "kind"),
    [
        ("30110200", "power_down"),
        ("30000600", "voltage_loss"),
        ("30000700", "voltage_loss.a"),
        ("300B0700", "reactive_demand_over_limit@quadrant.2"),
        ("301B0200", "cover_open"),
        ("60120300", "records_6012"),
        ("7FFF0200", "records_7FFF"),
    ],
)
def test_what_happened_has_the_dictionarys_name(oad: str, kind: str) -> None:
    """A cover that was opened would be an identifier that nobody looks for."""
    result = table(Oad.of(oad), (EVENT_NUMBER, EVENT_STARTED_AT), _ROW)
    [part] = _parts(ReportNotificationRecordList(piid=Piid(5), records=(result,)))
    assert (kind, _STARTED) == (_event(part).kind, _event(part).occurred_at)
    assert f"dlt698.45 {oad}" == _event(part).source


def test_values_around_an_event_say_when() -> None:
    """The voltage before a failure would pass for that after it."""
    items = ["voltage.a@start", "voltage.a@end", "forward_active_energy.*@start"]
    row: dict[str, Content] = {**_ROW, "voltage.a@start": Decimal("230.1"), "voltage.a@end": Decimal("0.0")}
    row |= {"forward_active_energy@start": Decimal("1.23"), "event_ended_at": "2026-01-01 07:59:00"}
    [part] = _parts(told(events(row, items=items)))
    assert {
        "event_number": Decimal(24),
        "voltage.a@start": Decimal("230.1"),
        "voltage.a@end": Decimal("0.0"),
        "forward_active_energy@start": Decimal("1.23"),
    } == _contents(part)
    assert ["", "V", "V", "kWh"] == [value.unit for value in _event(part).values]
    assert datetime(2025, 12, 31, 23, 59, tzinfo=UTC) == _event(part).ended_at


def test_each_row_is_an_event() -> None:
    """A terminal saves them up and tells them together."""
    rows_: list[dict[str, Content]] = [{**_ROW, "event_number": Decimal(n)} for n in range(3)]
    assert 3 == len(_parts(told(events(*rows_[:2]), events(rows_[2], of=Oad(0x301B, 2, 0)))))


def test_an_event_of_a_meter_behind_the_terminal_is_the_meters() -> None:
    """A stopped meter would be looked for at its concentrator."""
    source = {Oad(0x2024, 2, 0): Data("TSA", Tsa.of("000000002031"))}
    [part] = _parts(told(events(_ROW, of=Oad(0x310E, 2, 0), cells=source)))
    assert ("000000002031", "meter_stopped") == (_event(part).address, _event(part).kind)


@pytest.mark.parametrize("moment", [DateTimeS(2026, 2, 31, 0, 0, 0), DateTimeS(1, 1, 1, 0, 0, 0), None])
def test_a_time_that_is_none_is_not_made_into_one(moment: DateTimeS | None) -> None:
    """It would stand in 1970, or stop the terminal's line for good."""
    cell = NULL if moment is None else Data("date_time_s", moment)
    [part] = _parts(told(events(_ROW, cells={EVENT_STARTED_AT: cell})))
    assert _event(part).occurred_at is None
    assert ({"event_started_at"} if moment else set()) == _contents(part).keys() - {"event_number"}


def test_how_far_it_was_reported_is_not_of_the_event() -> None:
    """It changes with each try: three tries would be three events."""
    states = [
        Data("array", (Data("structure", (Data("OAD", Oad.of("45000200")), Data("unsigned", state))),))
        for state in (0, 1)
    ]
    columns = (EVENT_NUMBER, EVENT_STARTED_AT, Oad(0x3300, 2, 0))
    found = [
        _parts(told(table(POWER_DOWN, columns, _ROW, cells={Oad(0x3300, 2, 0): state}))) for state in states
    ]
    assert found[0] == found[1]


# --- readings -----------------------------------------------------------------------------------------


def test_a_freeze_is_readings_and_what_is_no_number_an_event() -> None:
    """The time of a maximum demand would be lost with the acknowledgement."""
    items = ["forward_active_energy.*", "forward_active_max_demand.*"]
    row: dict[str, Content] = {"freeze_number": Decimal(7), "frozen_at": "2026-01-01 00:00:00"}
    row |= {"forward_active_energy": Decimal("123.45"), "forward_active_max_demand": Decimal("1.2345")}
    row |= {"forward_active_max_demand_at": "2025-12-31 18:30:00"}
    frozen, rest = _parts(told(freezes(row, items=items)))
    assert isinstance(frozen, ReportedReadings)
    midnight = datetime(2025, 12, 31, 16, tzinfo=UTC)
    assert ("daily_freeze", midnight, TERMINAL) == (frozen.data_class, frozen.slot, frozen.address)
    assert [
        ("forward_active_energy", Decimal("123.45")),
        ("forward_active_max_demand", Decimal("1.2345")),
    ] == _readings(frozen)
    assert ("daily_freeze", midnight) == (_event(rest).kind, _event(rest).occurred_at)
    demand_at = datetime(2025, 12, 31, 10, 30, tzinfo=UTC)
    assert {"freeze_number": Decimal(7), "forward_active_max_demand_at": demand_at} == _contents(rest)


@pytest.mark.parametrize("frozen_at", ["2026-01-09 00:00:00", "0001-01-01 00:00:00"])
def test_a_freeze_whose_time_cannot_be_true_is_no_reading(frozen_at: str) -> None:
    """A reading's time is its key for ever."""
    row: dict[str, Content] = {"frozen_at": frozen_at, "forward_active_energy": Decimal("123.45")}
    [part] = _parts(told(freezes(row, items=["forward_active_energy.*"])))
    assert "daily_freeze" == _event(part).kind
    assert Decimal("123.45") == _contents(part)["forward_active_energy"]


def test_a_reported_freeze_with_seconds_is_that_of_its_minute() -> None:
    """Reported, it would be another night than read, or none."""
    row: dict[str, Content] = {
        "frozen_at": "2026-01-01 00:00:45",
        "forward_active_energy": Decimal("123.45"),
    }
    parts = _parts(told(freezes(row, items=["forward_active_energy.*"])))
    [frozen] = [part for part in parts if isinstance(part, ReportedReadings)]
    assert datetime(2025, 12, 31, 16, tzinfo=UTC) == frozen.slot


_ENERGY = Data("array", (Data("double-long-unsigned", 12345),))
_OTHER = Data("array", (Data("double-long-unsigned", 0xAAAA),))
_FORWARD, _PRECISE = Oad.of("00100200"), Oad.of("00100400")
_NIGHT = Data("date_time_s", DateTimeS(2026, 1, 1, 0, 0, 0))


def _rows(of: str, columns: Rcsd, *rows: tuple[Data, ...]) -> ReportNotificationRecordList:
    return told(RecordResult(Oad.of(of), columns, rows))


@pytest.mark.parametrize(
    "notification",
    [
        _attributes((_FORWARD, _ENERGY), (_FORWARD, _OTHER)),
        _attributes((_FORWARD, _ENERGY), follow=AttributeResults((AttributeResult(_FORWARD, _OTHER),))),
        _rows("50040200", (FROZEN_AT, _FORWARD, _FORWARD), (_NIGHT, _ENERGY, _OTHER)),
        _rows(
            "50040200",
            (FROZEN_AT, _FORWARD, _PRECISE),
            (_NIGHT, _ENERGY, Data("array", (Data("long64-unsigned", 0xAAAA),))),
        ),
        _rows("50040200", (FROZEN_AT, _FORWARD), (_NIGHT, _ENERGY), (_NIGHT, _OTHER)),
    ],
    ids=["attribute twice", "in the follow report", "column twice", "a twin column", "row twice"],
)
def test_what_is_told_twice_and_not_the_same_is_no_reading(notification: Any) -> None:
    """Two registers would be kept under one key, and the bill rest on whichever came last."""
    parts = _parts(notification)
    assert [] == [part for part in parts if isinstance(part, ReportedReadings)]
    contents = _contents(parts[-1])
    assert UNREAD_REPORT == _event(parts[-1]).kind
    assert "forward_active_energy stands there twice, and not the same" == contents["fault"]
    assert encode_apdu(notification).hex().upper() == contents["octets"], "nothing is lost"


def test_what_is_only_repeated_is_one_reading() -> None:
    """A row would be thrown away for a column that firmware sends twice."""
    [part] = _parts(_rows("50040200", (FROZEN_AT, _FORWARD, _FORWARD), (_NIGHT, _ENERGY, _ENERGY)))
    assert [("forward_active_energy", Decimal("123.45"))] == _readings(part)


def test_a_column_of_another_freeze_is_none_of_this_rows_time() -> None:
    """The month's register would be kept as of an instant at which it was not taken."""
    monthly = Road(Oad.of("50060200"), (Oad.of("00100201"),))
    of_month = Data("structure", (Data("double-long-unsigned", 0xAAAA),))
    row = (_NIGHT, _ENERGY, of_month)
    frozen, rest = _parts(_rows("50040200", (FROZEN_AT, _FORWARD, monthly), row))
    assert [("forward_active_energy", Decimal("123.45"))] == _readings(frozen)
    assert Decimal("436.90") == _contents(rest)["forward_active_energy@monthly_freeze"]


def test_a_row_of_two_freezes_is_an_event() -> None:
    """The day's registers would be kept under the month's instant, or the other way round."""
    day, month = (Road(Oad.of(oad), (FROZEN_AT, Oad.of("00100201"))) for oad in ("50040200", "50060200"))
    energy = Data("double-long-unsigned", 1)
    first = Data("date_time_s", DateTimeS(2025, 12, 1, 0, 0, 0))
    row = Data("structure", (_NIGHT, energy)), Data("structure", (first, energy))
    [part] = _parts(_rows("60120300", (day, month), row))
    assert "records_6012" == _event(part).kind
    [part] = _parts(_rows("60120300", (day,), row[:1]))
    assert isinstance(part, ReportedReadings)


def test_a_curve_is_an_event_until_there_are_curves() -> None:
    """Kept under another's measurement or time, its points would be wrong readings."""
    row: dict[str, Content] = {"frozen_at": "2026-01-01 00:15:00", "voltage.a": Decimal("230.1")}
    [part] = _parts(told(freezes(row, items=["voltage.a"], of=Oad(0x5002, 2, 0))))
    assert ("curve", Decimal("230.1")) == (_event(part).kind, _contents(part)["voltage.a"])


def test_attributes_are_sorted_into_readings_and_others() -> None:
    """A clock or a refusal beside a voltage would lose the voltage, or be lost with it."""
    clock = Data("date_time_s", DateTimeS(2026, 1, 1, 9, 0, 0))
    readings, others = _parts(
        _attributes(
            (Oad(0x2000, 2, 1), Data("long-unsigned", 2301)),
            (Oad(0x4000, 2, 0), clock),
            (Oad(0x2001, 2, 0), Dar(4)),
            (Oad(0x7FFF, 2, 0), Data("unsigned", 3)),
            (Oad(0x0010, 2, 1), NULL),
        )
    )
    assert [("voltage.a", Decimal("230.1")), ("forward_active_energy", None)] == _readings(readings)
    contents = _contents(others)
    assert {"meter_clock": AT, "7FFF0200": "unsigned:3"} == {
        item: contents[item] for item in ("meter_clock", "7FFF0200")
    }
    assert str(contents["current.*"]).startswith("DAR 4: ")
    assert REPORTED_VALUES == _event(others).kind


def test_what_follows_a_report_is_kept_too() -> None:
    """A follow report is acknowledged with the report that it follows."""
    voltage = AttributeResults((AttributeResult(Oad(0x2000, 2, 1), Data("long-unsigned", 2301)),))
    energy = (Oad(0x0010, 2, 1), Data("double-long-unsigned", 5))
    assert [
        [("forward_active_energy", Decimal("0.05"))],
        [("voltage.a", Decimal("230.1"))],
    ] == [_readings(part) for part in _parts(_attributes(energy, follow=voltage))]
    failure = RecordResults((events(_ROW),))
    assert "power_down" == _event(_parts(_attributes(energy, follow=failure))[1]).kind


# --- octets -------------------------------------------------------------------------------------------


def _passed_on(*frames: bytes) -> ReportNotificationTransData:
    return ReportNotificationTransData(piid=Piid(5), port=PORT, data=frames)


def test_frames_that_are_passed_on_are_kept_without_their_secrets() -> None:
    """A password of a meter would stand in the journal, on MQTT, and with everybody who listens."""
    reply = frame645.encode(
        frame645.Frame(
            address=TERMINAL, function=0x11, data=bytes.fromhex("0000010078563412"), from_meter=True
        )
    )
    secret = frame645.encode(
        frame645.Frame(
            address=TERMINAL,
            function=0x14,
            data=bytes.fromhex("02010004" + "04" + PASSWORD[:6] + "11223344" + "20260101"),
        )
    )
    [part] = _parts(_passed_on(reply, secret, b"\x88"))
    shown = _contents(part)
    assert (PASSED_ON_FRAMES, "F2010201") == (_event(part).kind, shown["port"])
    assert reply.hex().upper() == shown["frame.1"]
    second = str(shown["frame.2"])
    assert "**" in second
    assert len(secret) * 2 == len(second)
    on_the_wire = bytes(octet + 0x33 for octet in bytes.fromhex(PASSWORD)[:3])
    assert on_the_wire in secret
    assert on_the_wire.hex().upper() not in second
    assert "**" == shown["frame.3"], "what is no frame may be anything, although the octet stands elsewhere"


@pytest.mark.parametrize(
    "octets",
    [
        "8809050000",  # a choice that nobody knows
        "880205",  # cut short
        "8801050140000200017F0000",  # Data of no type
    ],
)
def test_what_cannot_be_understood_is_kept_as_octets(octets: str) -> None:
    """Not kept, a terminal repeats it for ever; acknowledged and not kept, it is lost."""
    told_ = _heard(bytes.fromhex(octets))
    [part] = told_.parts
    assert UNREAD_REPORT == _event(part).kind
    assert {"fault", "octets"} == _contents(part).keys()
    assert "**" * (len(octets) // 2) == _contents(part)["octets"], "what cannot be told may be secret"


def test_an_octet_that_is_no_character_stands_as_its_number() -> None:
    """People would read ``\\udcff``, a number of Python's, for an octet that ``decode`` shows as FF."""
    [part] = _parts(_attributes((Oad(0x4300, 2, 0), Data("visible-string", "A\udcff\udc80"))))
    assert [r"A\xff\x80"] == [str(content)[-9:] for content in _contents(part).values()]


def test_what_does_not_fit_is_kept_as_octets_besides() -> None:
    """An energy that came as text is no reading; what else the report held must not go with it."""
    good = (Oad(0x2000, 2, 1), Data("long-unsigned", 2301))
    notification = _attributes(good, (Oad(0x0010, 2, 1), Data("visible-string", "12.3")))
    readings, rest = _parts(notification)
    assert [("voltage.a", Decimal("230.1"))] == _readings(readings)
    assert encode_apdu(notification).hex().upper() == _contents(rest)["octets"]
    assert "forward_active_energy: its data do not fit (type)" == _contents(rest)["fault"]


@pytest.mark.parametrize(
    "notification", [_attributes(), told(), told(RecordResult(POWER_DOWN, (EVENT_NUMBER,), ()))]
)
def test_a_report_of_nothing_is_kept_as_octets(notification: Any) -> None:
    """Whatever it meant, somebody can look at it; and it is acknowledged."""
    [part] = _parts(notification)
    assert encode_apdu(notification).hex().upper() == _contents(part)["octets"]


def test_a_refused_table_is_told() -> None:
    """A report says why it has no records."""
    [part] = _parts(told(RecordResult(POWER_DOWN, (EVENT_NUMBER,), Dar(4))))
    assert (REPORTED_VALUES, ["30110200"]) == (_event(part).kind, list(_contents(part)))


def test_a_password_in_the_archive_is_hidden() -> None:
    """An archive that is reported holds the meters' passwords."""
    secret = bytes.fromhex(PASSWORD)
    archive = (Oad(0x6001, 2, 0), Data("array", (Data("octet-string", secret),)))
    shown = repr(_parts(_attributes(archive)))
    assert PASSWORD not in shown
    assert "**" in shown or "<hidden>" in shown


# --- limits and repeats -------------------------------------------------------------------------------


def test_as_many_parts_as_allowed_and_one_more() -> None:
    """A report of thousands of rows would hold up everybody's journal."""
    rows_: list[dict[str, Content]] = [{**_ROW, "event_number": Decimal(n)} for n in range(PARTS_MAX + 1)]
    assert PARTS_MAX == len(_parts(told(events(*rows_[:-1]))))
    [part] = _parts(told(events(*rows_)))
    assert UNREAD_REPORT == _event(part).kind
    assert len(str(_contents(part)["octets"])) <= TEXT_MAX


def test_as_many_values_as_allowed_and_one_more() -> None:
    """One event of more would be refused by the journal, for ever."""
    energies = (one.oi for one in dictionary().objects if one.chapter == dictionary().objects[0].chapter)
    tariffs = [
        (Oad(oi, 2, tariff), Data("double-long-unsigned", 1)) for oi in energies for tariff in range(1, 65)
    ]
    most = VALUES_MAX - 1
    [part] = _parts(_attributes(*tariffs[:most]))
    assert most == len(_readings(part))
    [part] = _parts(_attributes(*tariffs[: most + 1]))
    assert UNREAD_REPORT == _event(part).kind


def test_tries_of_a_report_have_one_key() -> None:
    """Readings of the moment would be kept once for each try."""
    first = _attributes((Oad(0x2000, 2, 1), Data("long-unsigned", 2301)))
    tag = TimeTag(DateTimeS(2026, 1, 1, 9, 0, 0), Ti(0, 5))
    same = [first, replace(first, piid=Piid(0x45)), replace(first, time_tag=tag)]
    others = [replace(first, piid=Piid(6)), _attributes((Oad(0x2000, 2, 1), Data("long-unsigned", 2302)))]
    keys = [_heard(encode_apdu(one)).key for one in same]
    assert 1 == len(set(keys))
    assert 3 == len({keys[0], *(_heard(encode_apdu(one)).key for one in others)})


def _kept(parts: Sequence[Part]) -> None:
    """See that the journal would take them."""
    for part in parts:
        if isinstance(part, ReportedEvent):
            event = Event(
                meter="m",
                kind=part.kind,
                occurred_at=part.occurred_at,
                ended_at=part.ended_at,
                values=part.values,
                taken_at=AT,
                source=part.source,
            )
            rows.encode(event, AT)
        else:
            assert part.values
            for value in part.values:
                assert value.value is None or value.value.is_finite()


@settings(max_examples=300)
@given(
    notification=any_of(ReportNotificationList)
    | any_of(ReportNotificationRecordList)
    | any_of(ReportNotificationTransData)
)
def test_whatever_a_terminal_reports_can_be_kept(notification: Any) -> None:
    """A report that the journal refuses comes again for ever, and takes the keeper down each time."""
    parts = _parts(notification)
    assert parts
    _kept(parts)


@settings(max_examples=300)
@given(octets=st.binary(max_size=80))
def test_any_octets_can_be_kept(octets: bytes) -> None:
    """The same for what is no report of any kind."""
    told_ = _heard(b"\x88" + octets)
    assert told_.parts
    _kept(told_.parts)
