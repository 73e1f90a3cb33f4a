"""What meters of DL/T 645-2007 tell about themselves before and after an order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterlink.bus.line import Line
from meterlink.drivers.control import Identity, Purse, Standing, SwitchRecord
from meterlink.drivers.dlt645.control import Dlt645ControlDriver
from meterlink.errors import BadAnswer, Refused, SecurityFailed
from meterlink.model.order import OrderKind
from meterprofiles import generic
from metersim.line.fault_rules import FaultRule
from metersim.loop import Simulation
from metersim.works.cost_control import LOCAL, REMOTE, CostControl
from tests.support.control_bench import (
    ADDRESS,
    CUSTOMER,
    NUMBER,
    OPERATOR,
    REPLY_TIMEOUT_S,
    START,
    ControlBench,
    a_meter,
    a_shop,
)
from tests.support.lab_provider import LabSecurity
from tests.support.scripted_line import ScriptedLine, telling

_STATUS, _TRIPS, _TRIP, _CLOSES, _CLOSE = 0x04000503, 0x1D000001, 0x1D00FF01, 0x1E000001, 0x1E00FF01
_DATE, _TIME = 0x04000101, 0x04000102
_GENERIC = generic("dlt645-2007")


def _driver(dialect: str = "") -> Dlt645ControlDriver:
    return Dlt645ControlDriver(Simulation(start=START).clock, profile=replace(_GENERIC, dialect=dialect))


def _standing(data: dict[int, str], command_bit: str = "state_grid", dialect: str = "") -> Standing:
    line = ScriptedLine(telling(data, ADDRESS))
    known = {"command_bit": command_bit} if command_bit else {}
    return asyncio.run(_driver(dialect).standing(line, ADDRESS, known))


# --- identity ------------------------------------------------------------------------------------


def test_who_is_there() -> None:
    """An order for a meter that was exchanged would switch the new one's customer off."""
    bench = ControlBench(a_meter(), a_meter(address="000000000162", number="000000990999"))

    async def both(line: Line) -> list[Identity]:
        return [await bench.driver.identity(line, one.address) for one in bench.meters]

    assert [
        Identity(address=ADDRESS, meter_number=NUMBER),
        Identity(address="000000000162", meter_number="000000990999"),
    ] == bench.run(both)


def test_a_meter_that_does_not_say_who_it_is() -> None:
    """Its address alone would do, and an exchange of meters go unseen."""
    line = ScriptedLine(telling({0x04000401: "610100000000"}, ADDRESS))
    with pytest.raises(Refused, match="meter_number"):
        asyncio.run(_driver().identity(line, ADDRESS))
    line = ScriptedLine(telling({0x04000401: "610100000000", 0x04000402: "6A0100000000"}, ADDRESS))
    with pytest.raises(BadAnswer):
        asyncio.run(_driver().identity(line, ADDRESS))


# --- clock ---------------------------------------------------------------------------------------


@settings(max_examples=80)
@given(
    ahead_ms=st.integers(-40 * 3_600_000, 40 * 3_600_000),
    into_day_ms=st.sampled_from([0, 16 * 3_600_000 - 100]).flatmap(
        lambda base: st.integers(base, base + 400)
    ),
    fault=st.sampled_from(["delay", "late"]),  # the meter looks at its clock late, or tells it late
    delay_ms=st.integers(0, 900),
)
def test_the_offset_of_a_clock_is_as_sure_as_it_says(
    ahead_ms: int, into_day_ms: int, fault: str, delay_ms: int
) -> None:
    """A deadline in a frame would be wrong by a day at midnight, or by more than anybody allows for."""
    ahead = timedelta(milliseconds=ahead_ms)
    bench = ControlBench(a_meter(clock_ahead=ahead, clock_ahead_at=START))
    to_begin = timedelta(milliseconds=into_day_ms)
    bench.sim.run(asyncio.sleep(to_begin.total_seconds()))
    bench.rules.add(FaultRule(what=fault, ms=delay_ms))

    async def look(line: Line) -> tuple[timedelta, timedelta]:
        found = await bench.driver.clock(line, ADDRESS)
        return found.offset, found.error

    offset, error = bench.run(look)
    assert abs(offset - ahead) <= error
    assert error <= timedelta(seconds=0.5 + REPLY_TIMEOUT_S)


def test_the_date_of_a_meter_at_midnight() -> None:
    """Date and time are two questions: between them the day changes, and the clock is a day off."""
    for lead_ms in range(0, 120, 5):
        to_midnight = datetime(2026, 11, 22, 16, 0, tzinfo=UTC) - START - timedelta(milliseconds=lead_ms)
        bench = ControlBench()
        bench.sim.run(asyncio.sleep(to_midnight.total_seconds()))

        async def look(line: Line, bench: ControlBench = bench) -> timedelta:
            return (await bench.driver.clock(line, ADDRESS)).offset

        assert abs(bench.run(look)) <= timedelta(seconds=1), f"{lead_ms} ms before midnight"


@pytest.mark.parametrize(
    ("date", "time", "error"),
    [
        ("02311126", "000003", BadAnswer),  # the 31st of November
        ("00000000", "000011", BadAnswer),
        ("02221126", "006111", BadAnswer),
        ("02221126", None, Refused),
    ],
)
def test_a_clock_that_shows_no_time(date: str, time: str | None, error: type[Exception]) -> None:
    """A meter without a clock would get an expiry that it can never reach."""
    data = {_DATE: date} | ({_TIME: time} if time else {})
    with pytest.raises(error):
        asyncio.run(_driver().clock(ScriptedLine(telling(data, ADDRESS)), ADDRESS))


# --- standing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("phases", [1, 3])
def test_a_meter_before_and_after_a_trip(phases: int) -> None:
    """A trip would be proved by what was so before it."""
    bench = ControlBench(a_meter(phases=phases))

    async def look(line: Line) -> Standing:
        return await bench.driver.standing(line, ADDRESS, {"command_bit": "state_grid"})

    before = bench.run(look)
    bench.order(OrderKind.TRIP)
    after = bench.run(look)
    assert (False, False, True, True) == (
        before.contact_open,
        before.command_open,
        after.contact_open,
        after.command_open,
    )
    assert (phases, phases) == (len(before.currents_a or ()), len(before.voltages_v or ()))
    assert before.power_w is not None
    assert before.power_w > 0
    assert (Decimal(0),) * phases == after.currents_a
    assert (before.trips.count or 0) + 1 == after.trips.count
    assert before.closes == after.closes
    assert (OPERATOR, "00000000") == (after.trips.operator_code, before.trips.operator_code)
    trip_at = bench.controls()[0].obeyed_at.replace(microsecond=0)
    assert trip_at == after.trips.occurred_at
    assert after.taken_at > before.taken_at


def test_alarm_and_guarantee_are_seen() -> None:
    """A guarantee that nobody sees is a hospital that is tripped."""
    bench = ControlBench()

    async def look(line: Line) -> tuple[bool | None, bool | None]:
        standing = await bench.driver.standing(line, ADDRESS, {"command_bit": "state_grid"})
        return standing.alarm, standing.guarantee

    seen = [bench.run(look)]
    for kind in (OrderKind.ALARM_ON, OrderKind.GUARANTEE_ON, OrderKind.ALARM_OFF, OrderKind.GUARANTEE_OFF):
        bench.order(kind)
        seen.append(bench.run(look))
    assert [(False, False), (True, False), (True, True), (False, True), (False, False)] == seen


def test_the_word_of_another_vendor() -> None:
    """Bit 6 is always 0 there: every trip would look like a close that waits for its key."""
    bench = ControlBench(a_meter(replace(REMOTE, status_word="vendor")))
    bench.order(OrderKind.TRIP)

    async def look(line: Line) -> Standing:
        return await bench.driver.standing(line, ADDRESS, {"command_bit": "vendor"})

    standing = bench.run(look)
    assert (True, True, None) == (standing.contact_open, standing.command_open, standing.alarm)


@pytest.mark.parametrize(
    ("word", "command_bit", "expected"),
    [
        ("5000", "state_grid", (True, True, False, False)),
        ("1000", "state_grid", (True, False, False, False)),
        ("4000", "state_grid", (False, True, False, False)),
        ("8010", "state_grid", (False, False, True, True)),
        ("0200", "vendor", (False, True, None, False)),
        ("1010", "vendor", (True, False, None, True)),
        ("5210", "", (True, None, None, True)),
        ("8010", "another", (False, None, None, True)),
    ],
)
def test_the_bits_of_the_status_word(word: str, command_bit: str, expected: tuple[bool | None, ...]) -> None:
    """An order would be proved by the wrong bit."""
    standing = _standing({_STATUS: word}, command_bit)
    assert expected == (
        standing.contact_open,
        standing.command_open,
        standing.alarm,
        standing.guarantee,
    )
    assert (("meter_status_word_3", word),) == standing.raw


@pytest.mark.parametrize("dialect", ["standard", "southern_grid"])
def test_bits_that_a_dialect_keeps_in_reserve(dialect: str) -> None:
    """Always 0, they would read as "close was commanded" and "no guarantee"."""
    standing = _standing({_STATUS: "D010"}, dialect=dialect)
    assert (True, None, None, None) == (
        standing.contact_open,
        standing.command_open,
        standing.alarm,
        standing.guarantee,
    )


def test_what_a_meter_refuses_it_does_not_tell() -> None:
    """A zero in the place of silence would prove that no current flows."""
    standing = _standing({})
    assert Standing(taken_at=standing.taken_at) == standing


def test_a_status_word_that_does_not_fit() -> None:
    """A word of another vendor's length would be read as a contact that is closed."""
    with pytest.raises(BadAnswer):
        _standing({_STATUS: "50"})


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("341200", (Decimal("1.234"),)),
        ("341200FFFFFFFFFFFF", (Decimal("1.234"),)),
        ("341200000000351280", (Decimal("1.234"), Decimal("0.000"), Decimal("-1.235"))),
        ("3412000A0000351200", None),
        ("FFFFFFFFFFFFFFFFFF", None),
        ("34", None),
    ],
)
def test_phases_that_are_not_there(block: str, expected: tuple[Decimal, ...] | None) -> None:
    """A phase of which nobody knows anything would count as one without current."""
    assert expected == _standing({0x0202FF00: block}).currents_a


def test_a_meter_without_blocks_is_asked_for_its_phase() -> None:
    """Older single-phase meters would be ones of which no current is known."""
    assert (Decimal("1.234"),) == _standing({0x02020100: "341200"}).currents_a


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            "123015221126214365875634120000000000001000000000000000000000000200" + "00",
            SwitchRecord(
                count=3, occurred_at=datetime(2026, 11, 22, 7, 30, 12, tzinfo=UTC), operator_code="87654321"
            ),
        ),
        (
            "123015221126214365875634120000000000",
            SwitchRecord(
                count=3, occurred_at=datetime(2026, 11, 22, 7, 30, 12, tzinfo=UTC), operator_code="87654321"
            ),
        ),
        ("00" * 18, SwitchRecord(count=3, operator_code="00000000")),
        ("12301522112621436587", SwitchRecord(count=3)),
        (None, SwitchRecord(count=3)),
    ],
)
def test_records_long_short_and_missing(record: str | None, expected: SwitchRecord) -> None:
    """A trip of ours would not be known by its operator code, or a vendor's layout break the order."""
    data = {_TRIPS: "030000"} | ({_TRIP: record} if record else {})
    standing = _standing(data)
    assert (expected, SwitchRecord()) == (standing.trips, standing.closes)


# --- purse ---------------------------------------------------------------------------------------


def _purse(bench: ControlBench, security: LabSecurity | None = None) -> Purse:
    async def look(line: Line) -> Purse:
        return await bench.driver.purse(line, ADDRESS, security or bench.security)

    return bench.run(look)


def test_money_with_its_proof() -> None:
    """A balance that anybody on the line could have said would settle a payment."""
    bench = ControlBench(a_shop(preset_cents=12_345))
    purse = _purse(bench)
    expected = Purse(
        taken_at=purse.taken_at,
        remaining_cents=12_345,
        purchase_count=0,
        customer_number=CUSTOMER,
        hoarding_limit_cents=99_999_999,
        proven=True,
    )
    assert expected == purse
    assert 0 == bench.security.open
    assert not bench.run(bench.is_authenticated)


def test_a_meter_without_a_wallet() -> None:
    """It would look like a provider that fails, and people search for keys."""
    bench = ControlBench(a_meter(REMOTE))
    with pytest.raises(Refused):
        _purse(bench)
    assert 0 == bench.security.open
    assert not bench.run(bench.is_authenticated)


def test_money_with_a_wrong_proof() -> None:
    """The answer of another meter, or one that was changed, would be taken for the balance."""

    class Elsewhere(LabSecurity):
        async def verify645(self, ctx: str, *, rand2: bytes, apdu: bytes, data: bytes, mac: bytes) -> None:
            await super().verify645(ctx, rand2=rand2[::-1], apdu=apdu, data=data, mac=mac)

    bench, elsewhere = ControlBench(a_shop()), Elsewhere()
    with pytest.raises(SecurityFailed) as raised:
        _purse(bench, elsewhere)
    assert "mac" == raised.value.code
    assert 0 == elsewhere.open
    assert not bench.run(bench.is_authenticated)


def test_an_overdrawn_purse_is_below_zero() -> None:
    """A top-up that only pays a debt would look like one that never came."""
    data = {0x00900200: "00000000", 0x00900201: "50120000", 0x03330201: "0700", 0x04001004: "00005000"}
    line = ScriptedLine(telling(data, ADDRESS))
    purse = asyncio.run(_driver().purse(line, ADDRESS))
    assert (-1_250, 7, 500_000, False) == (
        purse.remaining_cents,
        purse.purchase_count,
        purse.hoarding_limit_cents,
        purse.proven,
    )


@pytest.mark.parametrize("missing", [0x00900200, 0x03330201])
def test_a_purse_that_is_not_told_whole(missing: int) -> None:
    """A count that is made up would let a top-up be sent again."""
    data = {0x00900200: "00000000", 0x03330201: "0700"}
    del data[missing]
    with pytest.raises(Refused):
        asyncio.run(_driver().purse(ScriptedLine(telling(data, ADDRESS)), ADDRESS))


@pytest.mark.parametrize("control", [REMOTE, LOCAL])
def test_money_by_plain_reads_alone(control: CostControl) -> None:
    """A meter without wallet, or that tells no count unasked, would show an empty purse."""
    bench = ControlBench(a_meter(control))

    async def look(line: Line) -> None:
        with pytest.raises(Refused):
            await bench.driver.purse(line, ADDRESS)

    bench.run(look)
