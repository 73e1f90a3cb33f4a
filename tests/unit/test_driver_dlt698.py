"""What the driver of DL/T 698.45 asks, and what it makes of answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import SystemClock
from meterlink.drivers.base import MeterAnswer, Window
from meterlink.drivers.dlt698 import items
from meterlink.drivers.dlt698.driver import Dlt698Driver
from meterlink.errors import BadAnswer, ConfigError, NoRecord, Refused, ReplyTimeout, UnknownItem
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.zone import CHINA_TIME
from meterprofiles import AssociationTraits, generic
from meterwire.dlt698.apdus.association import ConnectRequest, PasswordSecurity
from meterwire.dlt698.apdus.get import GetRequestNormal, GetRequestRecord
from meterwire.dlt698.apdus.parts import Dar
from meterwire.dlt698.axdr.selection import Oad, ScalerUnit, SelectLast, SelectNthLast, SelectRange, Ti
from meterwire.dlt698.axdr.values import NULL, Data
from meterwire.dlt698.objects.item_values import Contents
from meterwire.dlt698.objects.records import FROZEN_AT
from meterwire.dlt698.sessions.transfer import Sizes
from tests.support.dlt698_meter import ADDRESS, ScriptedMeter, converse

_ENERGIES = ("forward_active_energy", *(f"forward_active_energy.t{tariff}" for tariff in range(1, 5)))
_MIDNIGHT = datetime(2026, 11, 22)  # noqa: DTZ001 - a meter's clock has no zone


def _energies(first: int = 100) -> Contents:
    return {item: Decimal(first + number) for number, item in enumerate(_ENERGIES)}


def _read(meter: ScriptedMeter, item: str, window: Window | None = None, **options: object) -> MeterAnswer:
    async def program(driver: Dlt698Driver, line: Line) -> MeterAnswer:
        return await driver.read(line, ADDRESS, item, window=window, priority=Priority.ON_DEMAND)

    answer = converse(meter, program, **options)  # type: ignore[arg-type]
    assert isinstance(answer, MeterAnswer)
    return answer


# --- values ----------------------------------------------------------------------------------------


def test_a_block_comes_in_one_exchange() -> None:
    """Five exchanges for five registers would take a line of thirty meters five times as long."""
    meter = ScriptedMeter(contents=_energies())
    answer = _read(meter, "forward_active_energy.*")
    assert [(item, Decimal(100 + number), "kWh") for number, item in enumerate(_ENERGIES)] == [
        (value.item, value.value, value.unit) for value in answer.values
    ]
    assert ["GetRequestNormal"] == meter.kinds


def test_one_value_is_asked_for_alone() -> None:
    """An element of an array has a descriptor of its own: the whole would cost four times the octets."""
    meter = ScriptedMeter(contents=_energies())
    [value] = _read(meter, "forward_active_energy.t2").values
    assert ("forward_active_energy.t2", Decimal(102)) == (value.item, value.value)
    [request] = meter.asked
    assert isinstance(request, GetRequestNormal)
    assert "00100203" == str(request.oad)


def test_what_a_meter_has_not_is_marked_absent() -> None:
    """NULL in the place of a phase is no zero volts."""
    volts = Data("long-unsigned", 2256)
    meter = ScriptedMeter(raw={Oad.of("20000200"): Data("array", (volts, NULL, NULL))})
    values = _read(meter, "voltage.*").values
    assert [Decimal("225.6"), None, None] == [value.value for value in values]
    assert [NO_MARKS, Marks.ABSENT, Marks.ABSENT] == [value.marks for value in values]


def test_a_type_that_does_not_fit_is_no_answer() -> None:
    """A text where a number stands would be kept as a reading, or crash the poller."""
    meter = ScriptedMeter(raw={Oad.of("20000201"): Data("visible-string", "220")})
    with pytest.raises(BadAnswer, match="type"):
        _read(meter, "voltage.a")


_TAG = bytes.fromhex("01 07EA0B01000000 010005")
_FREEZE = "forward_active_energy@daily_freeze/last.1"
_CIPHER = bytes.fromhex("90 01 04 11223344 01 00 04 01020304")


@pytest.mark.parametrize(
    ("damage", "item", "words"),
    [
        (lambda octets: octets[:-3], "frequency", "truncated at octet"),
        (lambda octets: octets[:-1] + _TAG, "frequency", "unasked-time-tag"),
        (lambda octets: _CIPHER, "frequency", "unasked-envelope"),
        (lambda octets: octets[:-2] + b"\x11\x05\x00\x00", _FREEZE, "optional at octet"),
    ],
    ids=["cut", "tagged", "enciphered", "a row too wide"],
)
def test_an_answer_that_cannot_be_read_is_a_bad_answer(
    damage: Callable[[bytes], bytes], item: str, words: str
) -> None:
    """Somebody would be sent to look for a broken wire, where the meter answers each time."""
    contents: Contents = {"frequency": Decimal("50.01")}
    meter = ScriptedMeter(contents=contents, records=[(_MIDNIGHT, _energies())], damage=damage)
    with pytest.raises(BadAnswer, match=f"{ADDRESS} answered, but its answer cannot be used: {words}"):
        _read(meter, item)


def test_a_refusal_says_why_in_both_languages() -> None:
    """The person at the line must see whether the object, the right or the moment was wrong."""
    with pytest.raises(Refused, match="object undefined 对象未定义") as caught:
        _read(ScriptedMeter(), "frequency")
    assert b"\x04" == caught.value.error_word


def test_a_long_answer_comes_in_blocks() -> None:
    """A meter with little memory cuts its answers; the driver must put them together."""
    rows: list[tuple[datetime, Contents]] = [
        (_MIDNIGHT + number * timedelta(days=1), _energies(1000 * number)) for number in range(7)
    ]
    meter = ScriptedMeter(records=rows, sizes=Sizes(frame=128, apdu=128))
    answer = _read(meter, "forward_active_energy.*@daily_freeze", Window(count=7))
    assert [1000 * number for number in range(7)] == [
        value.value for value in answer.values if value.item == "forward_active_energy"
    ]


@pytest.mark.parametrize(("ask_scalers", "expected"), [(False, "123.45"), (True, "12.345")])
def test_the_scaler_of_the_device_counts_only_on_request(ask_scalers: bool, expected: str) -> None:
    """A meter that counts in other decimals is wrong by a factor of ten; asking each time costs octets."""
    meter = ScriptedMeter(
        raw={
            Oad.of("00100201"): Data("double-long-unsigned", 12345),
            Oad.of("00100300"): Data("Scaler_Unit", ScalerUnit(-3, 33)),
        }
    )
    [value] = _read(meter, "forward_active_energy", traits=AssociationTraits(ask_scalers=ask_scalers)).values
    assert (Decimal(expected), "kWh") == (value.value, value.unit)


def test_a_scaler_that_cannot_be_true_is_no_answer() -> None:
    """The register would be kept with a hundred zeros behind it, and its month be billed so."""
    meter = ScriptedMeter(
        raw={
            Oad.of("00100201"): Data("double-long-unsigned", 12345),
            Oad.of("00100300"): Data("Scaler_Unit", ScalerUnit(100, 33)),
        }
    )
    with pytest.raises(BadAnswer, match=f"meter {ADDRESS} says a scaler that does not fit: a scaler of 100"):
        _read(meter, "forward_active_energy", traits=AssociationTraits(ask_scalers=True))


# --- records ---------------------------------------------------------------------------------------


def test_a_freeze_is_read_by_the_name_that_645_has() -> None:
    """The same command reads last night's energy of either protocol."""
    meter = ScriptedMeter(records=[(_MIDNIGHT, _energies())])
    answer = _read(meter, "forward_active_energy.*@daily_freeze/last.1")
    assert "2026-11-22 00:00:00" == answer.values[0].text
    assert "forward_active_energy.t1@daily_freeze/last.1" == answer.values[2].name
    assert Decimal(101) == answer.values[2].value
    [request] = meter.asked
    assert isinstance(request, GetRequestRecord)
    assert SelectNthLast(1) == request.record.rsd
    assert (FROZEN_AT, Oad.of("00100200")) == request.record.rcsd


def test_points_of_a_curve_from_a_time_on() -> None:
    """The load profile would be asked for eight hours off, or not as many points as were wanted."""
    points: list[tuple[datetime, Contents]] = [
        (_MIDNIGHT + number * timedelta(minutes=15), {"voltage.a": Decimal(220 + number)})
        for number in range(10)
    ]
    meter = ScriptedMeter(records=points)
    since = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)  # 00:30 by the meter's clock
    answer = _read(meter, "voltage.a@curve", Window(count=3, since=since))
    assert [222, 223, 224] == [value.value for value in answer.values if value.item == "voltage.a"]
    [request] = meter.asked
    assert isinstance(request, GetRequestRecord)
    assert isinstance(request.record.rsd, SelectRange)


@pytest.mark.parametrize("asked_at_min", [0, 7])
@pytest.mark.parametrize(
    ("count", "pieces"), [(16, [16]), (17, [16, 1]), (96, [16] * 6), (255, [16] * 15 + [15])]
)
def test_a_curve_is_asked_in_pieces(count: int, pieces: list[int], asked_at_min: int) -> None:
    """A day of points never fits an answer of 512 octets; a meter without blocks would refuse it whole."""
    step = timedelta(minutes=15)
    first = _MIDNIGHT + (step if asked_at_min else timedelta())
    points: list[tuple[datetime, Contents]] = [
        (_MIDNIGHT + number * step, {"voltage.a": Decimal(number)}) for number in range(300)
    ]
    meter = ScriptedMeter(records=points)
    since = (_MIDNIGHT + timedelta(minutes=asked_at_min)).replace(tzinfo=CHINA_TIME)
    answer = _read(meter, "voltage.a@curve", Window(count=count, since=since))
    at = int((first - _MIDNIGHT) / step)
    assert list(range(at, at + count)) == [
        value.value for value in answer.values if value.item == "voltage.a"
    ]
    spans = [request.record.rsd for request in meter.asked if isinstance(request, GetRequestRecord)]
    assert [SelectRange] * len(pieces) == [type(span) for span in spans]
    assert {Data("TI", Ti(1, 15))} == {span.interval for span in spans if isinstance(span, SelectRange)}
    edges = [
        (span.start.value.civil(), span.end.value.civil()) for span in spans if isinstance(span, SelectRange)
    ]
    assert pieces == [(end - start) / step for start, end in edges]
    assert [first, *(end for _, end in edges[:-1])] == [start for start, _ in edges]


def test_a_piece_of_a_curve_that_is_refused_refuses_the_whole() -> None:
    """A hole in the curve would pass for all that the meter has."""

    class Tired(ScriptedMeter):
        def _selected(self, rsd: object) -> list[tuple[datetime, Contents]]:
            self.record_dar = Dar(2)
            return super()._selected(rsd)

    meter = Tired(records=[(_MIDNIGHT, {"voltage.a": Decimal(220)})])
    since = _MIDNIGHT.replace(tzinfo=CHINA_TIME)
    with pytest.raises(Refused, match="temporary failure"):
        _read(meter, "voltage.a@curve", Window(count=32, since=since))
    assert 2 == len(meter.asked)


def test_scalers_are_asked_once_for_all_pieces() -> None:
    """Each piece of a curve would cost two exchanges."""
    points: list[tuple[datetime, Contents]] = [(_MIDNIGHT, {"voltage.a": Decimal(220)})]
    meter = ScriptedMeter(records=points, raw={Oad.of("20000300"): Data("Scaler_Unit", ScalerUnit(-1, 38))})
    window = Window(count=32, since=_MIDNIGHT.replace(tzinfo=CHINA_TIME))
    _read(meter, "voltage.a@curve", window, traits=AssociationTraits(ask_scalers=True))
    assert ["GetRequestNormalList", "GetRequestRecord", "GetRequestRecord"] == meter.kinds


def test_the_last_records_by_count() -> None:
    """Seven nights in one exchange (selector 10)."""
    meter = ScriptedMeter(records=[(_MIDNIGHT, _energies())])
    _read(meter, "forward_active_energy@monthly_freeze", Window(count=3))
    [request] = meter.asked
    assert isinstance(request, GetRequestRecord)
    assert isinstance(request.record.rsd, SelectLast)
    assert ("50060200", 3) == (str(request.record.oad), request.record.rsd.last_n)


def _saying(columns_and_row: str) -> ScriptedMeter:
    """A meter that answers each read of a freeze with these columns and this row."""
    row = bytes.fromhex(f"50040200 {columns_and_row} 0000")
    return ScriptedMeter(records=[(_MIDNIGHT, _energies())], damage=lambda octets: octets[:3] + row)


_TWO_COLUMNS = "03 00 20210200 00 00100200 00 {} 01 01 1C 07EA0B16000000 01 01 06 00002710 {}"


def test_a_column_that_is_said_twice_and_not_the_same_is_no_answer() -> None:
    """Two registers under one name: somebody would copy the wrong one."""
    item = "forward_active_energy.*@daily_freeze/last.1"
    with pytest.raises(BadAnswer, match="says forward_active_energy@daily_freeze twice, and not the same"):
        _read(_saying(_TWO_COLUMNS.format("00100200", "01 01 06 0000AAAA")), item)
    repeated = _read(_saying(_TWO_COLUMNS.format("00100200", "01 01 06 00002710")), item)
    assert ["2026-11-22 00:00:00", "100.00"] == [value.text for value in repeated.values]


def test_columns_that_nobody_asked_for_are_passed_over() -> None:
    """The reverse energy in the place of the forward one would be read as it, or be taken for it."""
    item = "forward_active_energy.*@daily_freeze/last.1"
    answer = _read(_saying(_TWO_COLUMNS.format("00200200", "01 01 06 0000AAAA")), item)
    assert ["2026-11-22 00:00:00", "100.00"] == [value.text for value in answer.values]
    other = "02 00 20210200 00 00200200 01 01 1C 07EA0B16000000 01 01 06 0000AAAA"
    with pytest.raises(NoRecord, match="without forward_active_energy"):
        _read(_saying(other), item)


@pytest.mark.parametrize("null_row", [False, True])
def test_no_such_record_is_no_refusal(null_row: bool) -> None:
    """Nothing would be shown, with no word why; or people would be told that the meter said no."""
    with pytest.raises(NoRecord, match="no such record of daily_freeze"):
        _read(ScriptedMeter(null_row=null_row), "forward_active_energy@daily_freeze/last.3")


@pytest.mark.parametrize("item", ["forward_active_energy", "forward_active_energy.*"])
def test_a_record_without_the_value_is_no_success(item: str) -> None:
    """A script would take the time of the record alone for last night's register."""
    meter = ScriptedMeter(records=[(_MIDNIGHT, {})])
    with pytest.raises(NoRecord, match=r"2026-11-22 00:00:00, without forward_active_energy"):
        _read(meter, f"{item}@daily_freeze/last.1")
    answer = _read(
        ScriptedMeter(records=[(_MIDNIGHT, {}), (_MIDNIGHT, _energies())]),
        f"{item}@daily_freeze",
        Window(count=2),
    )
    assert Decimal(100) in [value.value for value in answer.values], "one of several has it"


def test_two_records_in_the_place_of_one_are_no_answer() -> None:
    """The older would be shown under the name of the newest."""

    class Generous(ScriptedMeter):
        def _selected(self, rsd: object) -> list[tuple[datetime, Contents]]:
            del rsd
            return self.records

    meter = Generous(records=[(_MIDNIGHT - timedelta(days=1), _energies()), (_MIDNIGHT, _energies(200))])
    with pytest.raises(BadAnswer, match="2 records"):
        _read(meter, "forward_active_energy@daily_freeze/last.1")


# --- what cannot be asked ---------------------------------------------------------------------------


def _driver() -> Dlt698Driver:
    return Dlt698Driver(SystemClock(), random_octets=bytes)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("voltage.x", "near it: voltage"),
        ("forward_active_energy@weekly_freeze/last.1", "no item"),
        ("forward_active_energy@daily_freeze/last.0", "1 to 255"),
        ("forward_active_energy@daily_freeze/last.256", "1 to 255"),
        ("forward_active_energy@daily_freeze/last.9999", "no item"),
        ("forward_active_energy@daily_freeze/first", "no item"),
        ("forward_active_energy@daily_freeze/last.x", "no item"),
    ],
)
def test_an_unknown_item_is_refused_before_a_port_opens(item: str, words: str) -> None:
    """A typing error would be asked of every meter, for ever."""
    with pytest.raises(UnknownItem, match=words):
        _driver().check_item(item)


def test_names_near_an_item_are_looked_for_when_somebody_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at a meter's clock would stop the loop for a second, for words that nobody reads."""
    looked: list[str] = []

    def hint(name: str) -> tuple[str, str]:
        looked.append(name)
        return "; near it: voltage", ";相近的有:voltage"

    monkeypatch.setattr(items, "_hint", hint)
    with pytest.raises(UnknownItem) as refused:
        _driver().check_item("voltag")
    assert [] == looked
    assert "no item 'voltag' in dlt698.45; near it: voltage" == str(refused.value)
    assert "dlt698.45 没有数据项 'voltag';相近的有:voltage" == refused.value.said("zh")
    assert ["voltag", "voltag"] == looked


@pytest.mark.parametrize(
    "item", ["meter_clock", "forward_active_max_demand", "forward_active_energy@daily_freeze/last.1"]
)
def test_what_cannot_be_kept_is_no_value_of_the_moment(item: str) -> None:
    """A text or a time has no place in the database, and a freeze belongs to another instant."""
    driver = _driver()
    driver.check_item(item)
    with pytest.raises(UnknownItem):
        driver.check_instant(item)


@pytest.mark.parametrize(
    ("item", "numbers"),
    [
        ("forward_active_energy.*", [Decimal(100 + number) for number in range(len(_ENERGIES))]),
        ("voltage.a", [Decimal("220.1")]),
        ("active_power", [Decimal("-0.5")]),
        ("frequency", [Decimal("50.01")]),
    ],
)
def test_numbers_can_be_polled(item: str, numbers: list[Decimal]) -> None:
    """The usual plans would be refused, or allowed and bring nothing that a plan keeps."""
    volts = {f"voltage.{phase}": Decimal("220.1") for phase in "abc"}
    powers = {f"active_power{phase}": Decimal("-0.5") for phase in ("", ".a", ".b", ".c")}
    meter = ScriptedMeter(contents={**_energies(), **volts, **powers, "frequency": Decimal("50.01")})

    async def program(driver: Dlt698Driver, line: Line) -> MeterAnswer:
        driver.check_instant(item)
        return await driver.read(line, ADDRESS, item, priority=Priority.CURVE)

    assert numbers == [value.value for value in converse(meter, program).values]


@pytest.mark.parametrize(
    ("item", "window"),
    [
        ("voltage.a", Window(count=1)),
        ("voltage.a@curve", Window(count=0)),
        ("voltage.a@curve", Window(count=256)),
        ("voltage.a@daily_freeze/last.1", Window(count=2)),
        ("voltage.a@instant_freeze", Window(count=1, since=datetime(2026, 11, 22, tzinfo=UTC))),
        ("voltage.a@curve", Window(count=255, since=datetime(9999, 12, 31, tzinfo=UTC))),
    ],
)
def test_records_that_cannot_be_asked_for_so_are_refused_first(item: str, window: Window) -> None:
    """A meter would be asked for something else than was meant."""
    with pytest.raises(UnknownItem):
        _driver().check_window(item, window)


# --- associations ------------------------------------------------------------------------------------


async def _twice(driver: Dlt698Driver, line: Line) -> MeterAnswer:
    for _ in range(2):
        answer = await driver.read(line, ADDRESS, "forward_active_energy", priority=Priority.ON_DEMAND)
    return answer


def test_without_connect_by_default() -> None:
    """Most meters answer in the association that is always there; a CONNECT costs an exchange a read."""
    meter = ScriptedMeter(contents=_energies())
    converse(meter, _twice)
    assert ["GetRequestNormal"] * 2 == meter.kinds


def test_one_connect_for_many_reads() -> None:
    """Each read would cost two exchanges."""
    meter = ScriptedMeter(contents=_energies(), needs_connect=True)
    converse(meter, _twice, traits=AssociationTraits(connect="null"))
    assert ["ConnectRequest", "GetRequestNormal", "GetRequestNormal"] == meter.kinds


def test_an_association_that_ended_is_opened_again() -> None:
    """A meter that was switched off, or timed out, would refuse until the daemon starts anew."""
    meter = ScriptedMeter(contents=_energies(), needs_connect=True)

    async def program(driver: Dlt698Driver, line: Line) -> MeterAnswer:
        await driver.read(line, ADDRESS, "forward_active_energy", priority=Priority.ON_DEMAND)
        meter.session.time_out()
        return await driver.read(line, ADDRESS, "forward_active_energy", priority=Priority.ON_DEMAND)

    converse(meter, program, traits=AssociationTraits(connect="null"))
    assert ["ConnectRequest", "GetRequestNormal", "ConnectRequest", "GetRequestNormal"] == meter.kinds


def test_two_plans_connect_once() -> None:
    """Both want the association at once; the second CONNECT would be refused, and its items for a day."""
    meter = ScriptedMeter(contents=_energies(), needs_connect=True, connects_once=True)

    async def program(driver: Dlt698Driver, line: Line) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(
                    driver.read(line, ADDRESS, "forward_active_energy", priority=Priority.CURVE)
                )

    converse(meter, program, traits=AssociationTraits(connect="null"))
    assert ["ConnectRequest", "GetRequestNormal", "GetRequestNormal"] == meter.kinds


def test_an_association_that_only_we_lost_is_released_first() -> None:
    """After our restart the meter still has the old association; it would refuse each CONNECT for hours."""
    meter = ScriptedMeter(contents=_energies(), needs_connect=True, connects_once=True)

    async def program(driver: Dlt698Driver, line: Line) -> None:
        other = Dlt698Driver(
            SystemClock(),
            random_octets=bytes,
            profile=replace(generic("dlt698.45"), association=AssociationTraits(connect="null")),
        )
        for one in (driver, other):
            await one.read(line, ADDRESS, "forward_active_energy", priority=Priority.ON_DEMAND)

    converse(meter, program, traits=AssociationTraits(connect="null"))
    assert ["ConnectRequest", "GetRequestNormal", "ConnectRequest", "ConnectRequest", "GetRequestNormal"] == (
        meter.kinds
    )


def test_connect_with_a_password() -> None:
    """Meters that want one would refuse every read; the password must be that of the meter asked."""
    meter = ScriptedMeter(contents=_energies(), needs_connect=True, password="00000007")
    traits = AssociationTraits(connect="password")
    converse(meter, _twice, traits=traits, password_of={ADDRESS: "00000007"}.__getitem__)
    assert isinstance(meter.asked[0], ConnectRequest)


def test_a_wrong_password_is_a_refusal_that_does_not_show_it() -> None:
    """It must say what is wrong, and may not say with what."""
    meter = ScriptedMeter(contents=_energies(), needs_connect=True, password="00000007")
    traits = AssociationTraits(connect="password")
    with pytest.raises(Refused, match="password wrong 密码错误") as caught:
        converse(meter, _twice, traits=traits, password_of=lambda _: "13572468")
    assert "13572468" not in str(caught.value)


@pytest.mark.parametrize("password", ["", "一二三四", "1" * 65, "12\n34"])
def test_a_password_that_cannot_be_sent_is_a_fault_of_the_configuration(password: str) -> None:
    """A crash in the wire would show it in the log."""
    traits = AssociationTraits(connect="password")
    with pytest.raises(ConfigError) as caught:
        converse(ScriptedMeter(), _twice, traits=traits, password_of=lambda _: password)
    assert not password or password not in str(caught.value)


def test_the_longest_password_is_sent() -> None:
    """The limit itself is allowed."""
    meter = ScriptedMeter(contents=_energies(), needs_connect=True, password="1" * 64)
    traits = AssociationTraits(connect="password")
    [value] = _read(meter, "forward_active_energy", traits=traits, password_of=lambda _: "1" * 64).values
    assert Decimal(100) == value.value
    assert ["ConnectRequest", "GetRequestNormal"] == meter.kinds
    assert isinstance(meter.asked[0], ConnectRequest)
    assert PasswordSecurity("1" * 64) == meter.asked[0].auth


def test_a_password_that_nobody_named_is_asked_for() -> None:
    """The person at the line must learn which key is missing."""
    with pytest.raises(ConfigError, match="password"):
        converse(ScriptedMeter(), _twice, traits=AssociationTraits(connect="password"))


def test_reads_in_an_envelope_where_the_profile_says_so() -> None:
    """Production meters answer record reads no other way; the random number must differ each time."""
    meter = ScriptedMeter(records=[(_MIDNIGHT, _energies())], wants_envelope=True)
    item = "forward_active_energy@daily_freeze/last.1"
    with pytest.raises(Refused, match="security authentication mismatch"):
        _read(meter, item)
    meter = ScriptedMeter(records=[(_MIDNIGHT, _energies())], wants_envelope=True)
    _read(meter, item, traits=AssociationTraits(wrap_reads=True))
    assert [True] == meter.enveloped


def test_service_numbers_go_on() -> None:
    """A late answer of the read before would pass for that of this one."""
    meter = ScriptedMeter(contents=_energies())
    converse(meter, _twice)
    first, second = (apdu.piid.number for apdu in meter.asked if isinstance(apdu, GetRequestNormal))
    assert (first + 1) % 64 == second
    again = ScriptedMeter(contents=_energies())
    converse(again, _twice, seed=2)
    assert meter.asked != again.asked, "another life begins with another number"


def test_a_record_read_that_is_refused_says_why() -> None:
    """DAR 20 tells people to wrap reads; silence would look like a broken line."""
    meter = ScriptedMeter(record_dar=Dar(20))
    with pytest.raises(Refused, match="安全认证不匹配"):
        _read(meter, "forward_active_energy@daily_freeze/last.1")


def test_more_meters_than_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of many meters would grow without end; the one forgotten is simply connected again."""
    monkeypatch.setattr("meterlink.drivers.dlt698.talk.ASSOCIATIONS_MAX", 1)
    meter = ScriptedMeter(contents=_energies(), needs_connect=True)

    async def program(driver: Dlt698Driver, line: Line) -> None:
        async def read(address: str) -> None:
            await driver.read(line, address, "forward_active_energy", priority=Priority.ON_DEMAND)

        await read(ADDRESS)
        await read(ADDRESS)
        with pytest.raises(ReplyTimeout):
            await read("000000000162")
        await read(ADDRESS)

    converse(meter, program, traits=AssociationTraits(connect="null"))
    first = ["ConnectRequest", "GetRequestNormal", "GetRequestNormal"]
    assert [*first, "ConnectRequest", "GetRequestNormal"] == meter.kinds


def test_an_association_that_was_silent_too_long_is_opened_before_it_is_used() -> None:
    """The meter has ended it by itself (1,800 s here); a read in it would cost a refusal each time."""
    meter = ScriptedMeter(contents=_energies(), needs_connect=True)

    async def program(driver: Dlt698Driver, line: Line) -> None:
        for pause_s in (0, 1600, 1700):
            await asyncio.sleep(pause_s)
            await driver.read(line, ADDRESS, "forward_active_energy", priority=Priority.ON_DEMAND)

    converse(meter, program, traits=AssociationTraits(connect="null"))
    assert 2 == meter.kinds.count("ConnectRequest")
    assert "ConnectRequest" == meter.kinds[3]
