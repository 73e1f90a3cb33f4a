"""Meters behind a terminal of Q/GDW 1376.1: hall, session, archive, store, tunnel and driver together."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from meterlink.bus.queue import Priority
from meterlink.drivers.base import Wanted
from meterlink.drivers.gdw1376.archive_read import GAPS_MAX, INDEXES_MAX
from meterlink.drivers.gdw1376.archivist import Archivist1376
from meterlink.drivers.gdw1376.station import (
    ARCHIVE_KEPT_S,
    CLOCK_KEPT_S,
    EMPTY_KEPT_S,
)
from meterlink.errors import BadAnswer, LineLost, ReplyTimeout
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, MONTHLY_FREEZE
from meterlink.model.marks import Marks
from meterlink.model.zone import CHINA_TIME
from meterlink.transports.stream import ByteStream
from metersim import Meter
from meterwire.dlt645.link.deframer import Deframer
from meterwire.dlt645.link.frame import encode
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions import terminal as table
from meterwire.gdw1376.messages.terminal import Message
from meterwire.gdw1376.sessions.terminal_listener import LOGIN
from meterwire.gdw1376.sessions.terminal_server import Answers
from tests.support.stocked_terminal import StockedTerminal, entry
from tests.support.terminal_world import (
    ADDRESS,
    DAY,
    FIVE,
    FORWARD,
    MIDNIGHT,
    OTHER,
    READ_AT,
    YESTERDAY,
    World,
    energies,
    freeze,
    numbers,
    run,
)


def test_a_daily_freeze_comes_out_of_the_store_under_the_end_of_its_day() -> None:
    """Date D is the end of D: a bill would be a day off, and nobody would see it."""
    terminal = StockedTerminal(archive=[entry(5, 3, ADDRESS)], store=freeze(FIVE, point=3))

    async def body(world: World) -> None:
        answer = await world.stored([FORWARD], [MIDNIGHT])
        expected = ["1234.5600", "210.0000", "612.2000", "610.1000", "916.0000"]
        assert {MIDNIGHT} == set(numbers(answer))
        assert expected == list(numbers(answer)[MIDNIGHT].values())
        assert {"terminal 0171-2082 store"} == {value.route for value in answer.records[0].values}
        assert [] == terminal.forwarded
        assert not answer.heard, "the meter itself said nothing: its clock proves nothing"

    run(body, terminal)


def test_what_the_store_lacks_comes_from_the_meter_by_its_own_driver() -> None:
    """A night that the terminal missed would be lost, though the meter remembers it."""
    meter = Meter(ADDRESS, seed=7)
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)], store=freeze(FIVE))

    async def body(world: World) -> None:
        terminal.forward = lambda octets: _answer(meter, octets, world)
        before = MIDNIGHT - DAY
        answer = await world.stored([FORWARD], [MIDNIGHT, before])
        assert {MIDNIGHT, before} == set(numbers(answer))
        assert answer.heard
        told = {record.slot: {value.route for value in record.values} for record in answer.records}
        assert {"terminal 0171-2082 store"} == told[MIDNIGHT]
        assert {"terminal 0171-2082 forward"} == told[before]
        assert str(meter.value("forward_active_energy", before)) == numbers(answer)[before][FORWARD[:-2]]
        assert {(31, 3, "even", 60_000)} == {
            (one["port"], one["baud_code"], one["parity"], one["frame_timeout_ms"])
            for one in terminal.forwarded
        }

    run(body, terminal)


def _answer(meter: Meter, octets: bytes, world: World) -> bytes:
    """What a simulated meter answers; rubbish and preambles before it, as carriers bring them."""
    [frame] = Deframer().feed(octets)
    answer = meter.answer(frame, world.clock.utc_now())
    return b"" if answer is None else b"\x86\xfe\xfe" + encode(answer.frame)


def test_values_of_the_moment_are_the_terminals_while_they_are_fresh() -> None:
    """A thousand meters would be asked over the carrier for what the terminal has read a minute ago."""
    meter = Meter(ADDRESS, seed=7)
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)])
    at = Moment(year=26, month=11, day=23, hour=8, minute=50)
    terminal.store[0x0C, 129, 1, None] = {**FIVE, "read_time": at}

    async def body(world: World) -> None:
        terminal.forward = lambda octets: _answer(meter, octets, world)
        told = await world.driver.read(world.line, ADDRESS, FORWARD, priority=Priority.ON_DEMAND)
        assert "1234.5600" == str(told.values[0].value)
        assert MIDNIGHT + timedelta(hours=8, minutes=50) == told.taken_at
        await asyncio.sleep(1000)
        told = await world.driver.read(world.line, ADDRESS, FORWARD, priority=Priority.ON_DEMAND)
        assert meter.value("forward_active_energy", world.clock.utc_now()) == told.values[0].value
        assert "terminal 0171-2082 forward" == told.values[0].route

    run(body, terminal)


def test_a_silent_meter_costs_no_timeout() -> None:
    """Length 0 says that the meter said nothing; waiting on would cost every neighbour a minute."""
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)])

    async def body(world: World) -> None:
        begun = world.loop.time()
        with pytest.raises(ReplyTimeout):
            await world.driver.read(world.line, ADDRESS, "voltage.a", priority=Priority.ON_DEMAND)
        assert world.loop.time() - begun < 1

    run(body, terminal)


class BusyTerminal(StockedTerminal):
    """One that is at its first frame for 80 s and says nothing of it; others it denies meanwhile."""

    until_s = 0.0
    holds = False

    def answers(self, message: Message) -> Answers:
        """See ``TerminalServer``."""
        now_s = asyncio.get_running_loop().time()
        if message.head.afn == table.FORWARD and not self.until_s:
            self.until_s, self.holds = now_s + 80, True
        elif message.head.afn == table.FORWARD and now_s < self.until_s:
            return []
        return super().answers(message)

    async def serve(self, stream: ByteStream, *, login: bool = True) -> None:
        """Log in, and answer all but what it holds."""
        if login:
            self.server.call(LOGIN)
            await stream.send(self.server.octets_to_send())
        while True:
            self.server.feed(await stream.receive())
            due = self.server.octets_to_send()
            if not self.holds:
                await stream.send(due)
            self.holds = False


def test_a_terminal_that_is_still_at_another_frame_makes_no_meter_silent() -> None:
    """All meters behind it would be left alone for an hour because one of them took long."""
    meter = Meter(ADDRESS, seed=7)
    terminal = BusyTerminal(archive=[entry(1, 1, ADDRESS)])

    async def body(world: World) -> None:
        terminal.forward = lambda octets: _answer(meter, octets, world)
        with pytest.raises(ReplyTimeout):
            await world.driver.read(world.line, ADDRESS, "voltage.a", priority=Priority.ON_DEMAND)
        with pytest.raises(LineLost, match="still at an earlier frame"):
            await world.driver.read(world.line, ADDRESS, "voltage.a", priority=Priority.ON_DEMAND)
        await asyncio.sleep(30)
        told = await world.driver.read(world.line, ADDRESS, "voltage.a", priority=Priority.ON_DEMAND)
        assert meter.value("voltage.a", world.clock.utc_now()) == told.values[0].value

    run(body, terminal)


def test_a_terminal_that_is_away_is_a_line_that_is_lost() -> None:
    """An order would be taken for sent, though nobody was there to send it to."""

    async def body(world: World) -> None:
        with pytest.raises(LineLost, match="0171-2082 is not connected"):
            await world.driver.read(world.line, ADDRESS, "voltage.a", priority=Priority.ON_DEMAND)
        await world.connect()
        await asyncio.sleep(20)
        with pytest.raises(ReplyTimeout):
            await world.driver.read(world.line, ADDRESS, "voltage.a", priority=Priority.ON_DEMAND)

    run(body, StockedTerminal(), connects=False)


@pytest.mark.parametrize(
    "archive",
    [
        [entry(1, 1, OTHER)],
        [entry(1, 1, ADDRESS), entry(2, 1, OTHER)],
        [entry(1, 1, ADDRESS), entry(2, 2, ADDRESS)],
        [entry(1, 4097, ADDRESS)],
        [],
    ],
    ids=["another's point", "a point twice", "a meter twice", "no such point", "no archive"],
)
def test_a_point_that_is_not_certainly_the_meters_brings_no_value(archive: list[dict[str, Any]]) -> None:
    """A neighbour's energy would be billed."""
    terminal = StockedTerminal(archive=archive, store={**freeze(FIVE), **freeze(FIVE, point=2)})

    async def body(world: World) -> None:
        with pytest.raises(ReplyTimeout):
            await world.stored([FORWARD], [MIDNIGHT])
        assert 1 == len({one["payload"] for one in terminal.forwarded}), "the meter itself was asked"
        assert not [one for one in terminal.asked if one.head.afn == 0x0D]

    run(body, terminal)


def test_the_date_of_the_answer_counts_and_not_that_of_the_question() -> None:
    """A terminal that answers with another night would have it filed under the one that was asked for."""
    other = Moment(year=26, month=11, day=20)
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)], store=freeze({**FIVE, "date": other}))

    async def body(world: World) -> None:
        with pytest.raises(ReplyTimeout):
            await world.stored([FORWARD], [MIDNIGHT])
        answer = await world.stored([FORWARD], [MIDNIGHT, MIDNIGHT - 2 * DAY])
        assert {MIDNIGHT - 2 * DAY} == set(numbers(answer))
        assert isinstance(answer.cut_short, ReplyTimeout)

    run(body, terminal)


def test_a_block_stands_in_for_functions_that_a_terminal_does_not_know() -> None:
    """Older terminals know the blocks only; nothing would be read of them, or all twice for ever."""
    block = {
        "read_time": READ_AT,
        "tariffs": 0,
        "active_kwh": [Decimal("17.5000")],
        "reactive_kvarh": [None],
        "reactive_q1_kvarh": [Decimal("1.00")],
        "reactive_q4_kvarh": [None],
    }
    days = [Moment(year=26, month=11, day=day) for day in (21, 22)]
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)])
    for day in days:
        terminal.store |= freeze(block, fn=1, day=day)

    async def body(world: World) -> None:
        items = ["forward_active_energy", "reactive_energy_q1"]
        answer = await world.stored(items, [MIDNIGHT])
        assert {"forward_active_energy": "17.5000", "reactive_energy_q1": "1.00"} == numbers(answer)[MIDNIGHT]
        asked = len(terminal.asked)
        answer = await world.stored(items, [MIDNIGHT - DAY])
        assert {"forward_active_energy": "17.5000", "reactive_energy_q1": "1.00"} == next(
            iter(numbers(answer).values())
        )
        assert asked + 1 == len(terminal.asked), "it has learned which function the terminal knows"

    run(body, terminal)


def test_many_units_in_one_request_or_one_by_one_as_the_terminal_can() -> None:
    """A terminal that takes one unit at a time would be taken for one that has nothing."""
    days = [Moment(year=26, month=11, day=day) for day in range(15, 23)]
    slots = [MIDNIGHT - number * DAY for number in range(8)]
    for units_max, most in ((99, 1), (1, 9)):
        terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)], units_max=units_max)
        for day in days:
            terminal.store |= freeze(FIVE, day=day)

        async def body(world: World, terminal: StockedTerminal = terminal, most: int = most) -> None:
            answer = await world.stored(["forward_active_energy"], slots)
            assert set(slots) == set(numbers(answer))
            assert most == len([one for one in terminal.asked if one.head.afn == 0x0D])

        run(body, terminal)


def test_months_and_curves_come_under_their_own_slots() -> None:
    """A month would be filed under its first day, a curve under the ends of its intervals."""
    november = datetime(2026, 11, 1, tzinfo=CHINA_TIME).astimezone(UTC)
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)])
    terminal.store |= freeze(FIVE, fn=177, day=Moment(year=26, month=10))
    start = Moment(year=26, month=11, day=22, hour=0, minute=0)
    some = [Decimal("0.3500"), Decimal("-0.5000"), None]
    terminal.store[0x0D, 81, 1, start] = {"density": 1, "points": 3, "values": some}

    async def body(world: World) -> None:
        answer = await world.stored(["forward_active_energy"], [november], MONTHLY_FREEZE)
        assert {november: {"forward_active_energy": "1234.5600"}} == numbers(answer)
        first = MIDNIGHT - DAY
        quarters = [first + number * timedelta(minutes=15) for number in range(4)]
        answer = await world.stored(["active_power"], quarters, CURVE, every_s=900)
        expected = {
            quarters[0]: {"active_power": "0.3500"},
            quarters[1]: {"active_power": "-0.5000"},
        }
        assert expected == numbers(answer)

    run(body, terminal)


def test_the_terminal_is_given_time_to_read_the_night_itself() -> None:
    """At a minute past midnight a thousand meters would be asked twice, by the terminal and through it."""
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)])

    async def body(world: World) -> None:
        answer = await world.stored([FORWARD], [MIDNIGHT])
        assert {MIDNIGHT} == set(answer.not_yet)
        assert [] == terminal.forwarded
        await asyncio.sleep(1800)
        with pytest.raises(ReplyTimeout):
            await world.stored([FORWARD], [MIDNIGHT])
        assert terminal.forwarded

    run(body, terminal, start=MIDNIGHT + timedelta(minutes=1))


def test_a_wide_address_and_the_older_generation_are_answered_in_kind() -> None:
    """Their terminals would be strangers, or get commands whose password they cannot find."""
    for wide, protocol_id in ((True, 2), (False, 1)):
        archive = [entry(1, 1, ADDRESS)]
        terminal = StockedTerminal(archive=archive, store=freeze(FIVE), wide=wide, protocol_id=protocol_id)

        async def body(world: World, terminal: StockedTerminal = terminal) -> None:
            answer = await world.stored([FORWARD], [MIDNIGHT])
            assert {MIDNIGHT} == set(numbers(answer))
            with pytest.raises(ReplyTimeout):
                await world.driver.read(world.line, ADDRESS, "voltage.a", priority=Priority.ON_DEMAND)
            assert terminal.forwarded
            assert {terminal.asked[0].head.protocol_id} == {one.head.protocol_id for one in terminal.asked}

        run(body, terminal, wide=wide)


def test_a_command_bears_the_password_of_the_terminal() -> None:
    """A terminal that wants one would refuse every frame that is forwarded."""
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)])
    terminal.password = bytes(range(16))

    async def body(world: World) -> None:
        with pytest.raises(ReplyTimeout):
            await world.driver.read(world.line, ADDRESS, "voltage.a", priority=Priority.ON_DEMAND)
        assert [bytes(range(16))] == [
            one.auxiliary.password for one in terminal.asked if one.head.afn == 0x10
        ]

    run(body, terminal, password=lambda: bytes(range(16)))


def test_the_night_of_other_meters_comes_along() -> None:
    """A thousand meters would be asked one by one, each over a mobile network of seconds."""
    addresses = [f"{number:012d}" for number in range(1, 21)]
    archive = [entry(number, number, address) for number, address in enumerate(addresses, start=1)]
    archive.append(entry(21, 21, OTHER))
    terminal = StockedTerminal(archive=archive)
    for number in range(1, 22):
        if number != 5:
            terminal.store |= freeze(energies(f"{number}.0000"), point=number)

    async def body(world: World) -> None:
        world.station.roster = frozenset(addresses)
        for number, address in enumerate(addresses, start=1):
            asking = world.driver.read_stored(
                world.line,
                address,
                Wanted(DAILY_FREEZE, ["forward_active_energy"], [MIDNIGHT]),
                priority=Priority.BILLING,
            )
            if number == 5:
                with pytest.raises(ReplyTimeout):  # it is not in the store, and its meter is silent
                    await asking
                continue
            answer = await asking
            assert f"{number}.0000" == numbers(answer)[MIDNIGHT]["forward_active_energy"]
        asked = [one for one in terminal.asked if one.head.afn == 0x0D]
        assert 3 == len(asked), "eight meters in each, at most"
        assert 21 not in {one.point for message in asked for one in message.units}, "nobody wants that"
        assert 0 == len(world.station.ahead)

    run(body, terminal)


def test_what_came_along_is_of_its_connection_and_of_its_time() -> None:
    """A point that has become another meter's since would be billed to the first."""
    archive = [entry(1, 1, ADDRESS), entry(2, 2, OTHER)]
    terminal = StockedTerminal(archive=archive, store={**freeze(FIVE), **freeze(FIVE, point=2)})

    async def body(world: World) -> None:
        world.station.roster = frozenset({ADDRESS, OTHER})
        await world.stored([FORWARD], [MIDNIGHT])
        assert 1 == len(world.station.ahead)
        terminal.archive[:] = [entry(1, 2, ADDRESS), entry(2, 1, OTHER)]
        terminal.store |= freeze(energies("7.0000"), point=1)
        await world.connect()
        assert 0 == len(world.station.ahead)
        answer = await world.driver.read_stored(
            world.line,
            OTHER,
            Wanted(DAILY_FREEZE, ["forward_active_energy"], [MIDNIGHT]),
            priority=Priority.BILLING,
        )
        assert {"forward_active_energy": "7.0000"} == numbers(answer)[MIDNIGHT]

    run(body, terminal)


@pytest.mark.parametrize("is_changed", [True, False])
def test_what_came_along_is_of_the_archive_of_its_time(is_changed: bool) -> None:
    """The archive is read anew within minutes, and a neighbour's night would be billed."""
    archive = [entry(1, 1, ADDRESS), entry(2, 2, OTHER)]
    terminal = StockedTerminal(archive=archive, store={**freeze(FIVE), **freeze(FIVE, point=2)})

    async def body(world: World) -> None:
        world.station.roster = frozenset({ADDRESS, OTHER})
        await world.stored([FORWARD], [MIDNIGHT])
        assert 1 == len(world.station.ahead)
        if is_changed:
            terminal.archive[:] = [entry(1, 2, ADDRESS), entry(2, 1, OTHER)]
        await world.station.known_archive(world.upper, priority=Priority.BILLING, anew=True)
        assert (not is_changed) == len(world.station.ahead), "what did not change is not asked for again"

    run(body, terminal)


def test_a_point_is_not_the_meters_any_more_when_the_terminal_has_logged_in_anew() -> None:
    """Its archive may have been changed while we asked; the answer would be a neighbour's night."""
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)], store=freeze(FIVE))

    async def body(world: World) -> None:
        await world.station.known_archive(world.upper, priority=Priority.BILLING)
        was = terminal.answers

        def answers(message: Message) -> Answers:
            if message.head.afn == 0x0D:
                world.station.came(2)  # as its session does that hears a login
            return was(message)

        terminal.server._answers = answers
        with pytest.raises(LineLost, match="logged in anew"):
            await world.stored([FORWARD], [MIDNIGHT])

    run(body, terminal)


SWAPPED = {**freeze(energies("1.0000"), point=1), **freeze(energies("777.0000"), point=2)}


async def _night(world: World) -> str:
    return numbers(await world.stored([FORWARD], [MIDNIGHT]))[MIDNIGHT]["forward_active_energy"]


def test_a_login_on_the_same_connection_makes_points_unknown() -> None:
    """A terminal restarts behind its modem with another archive: a neighbour's night would be kept."""
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS), entry(2, 2, OTHER)], store=SWAPPED)

    async def body(world: World) -> None:
        assert "1.0000" == await _night(world)
        terminal.archive = [entry(1, 1, OTHER), entry(2, 2, ADDRESS)]
        terminal.server.call(LOGIN)
        assert world.far is not None
        await world.far.send(terminal.server.octets_to_send())
        await asyncio.sleep(1)
        assert "777.0000" == await _night(world)

    run(body, terminal)


def test_an_archive_that_is_changed_without_a_login_is_found_out() -> None:
    """People change archives at the terminal, and its connection may last for months."""
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS), entry(2, 2, OTHER)], store=SWAPPED)

    async def body(world: World) -> None:
        world.station.roster = frozenset([ADDRESS, OTHER])
        assert "1.0000" == await _night(world)
        terminal.archive = [entry(1, 1, OTHER), entry(2, 2, ADDRESS)]
        await asyncio.sleep(ARCHIVE_KEPT_S)
        assert "777.0000" == await _night(world)

    run(body, terminal, heartbeat_s=2 * ARCHIVE_KEPT_S)


def test_what_a_dialled_terminal_said_on_the_connection_before_is_forgotten() -> None:
    """It need not log in: another terminal in its place would give its points to our meters."""
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS), entry(2, 2, OTHER)], store=SWAPPED)

    async def body(world: World) -> None:
        far = await world.dialled()
        assert "1.0000" == await _night(world)
        terminal.archive = [entry(1, 1, OTHER), entry(2, 2, ADDRESS)]
        await far.aclose()
        await asyncio.sleep(60)
        assert "777.0000" == await _night(world)
        assert world.dials > 1

    run(body, terminal, connects=False, dials=True)


def test_a_terminal_that_logs_in_again_and_again_is_not_asked_for_ever() -> None:
    """Its line would be taken by an archive that is never whole."""
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)])

    async def body(world: World) -> None:
        was = terminal.answers

        def answers(message: Message) -> Answers:
            world.station.came(2)
            return was(message)

        terminal.server._answers = answers
        with pytest.raises(BadAnswer, match="again and again"):
            await world.station.known_archive(world.upper, priority=Priority.BILLING)
        assert world.station.archive is None

    run(body, terminal)


def test_an_archive_of_many_meters_is_read_to_its_end() -> None:
    """Meters behind the first request would be in nobody's archive, and be read one by one for ever."""
    addresses = [f"{number:012d}" for number in range(1, 101)]
    archive = [entry(number, 101 - number, address) for number, address in enumerate(addresses, start=1)]
    terminal = StockedTerminal(archive=archive)

    async def body(world: World) -> None:
        world.station.roster = frozenset(addresses)
        known = await world.station.known_archive(world.upper, priority=Priority.BILLING)
        assert [101 - number for number in range(1, 101)] == [one.point for one in known.entries]
        asked = len(terminal.asked)
        assert -(-100 // INDEXES_MAX) + 1 >= asked
        await world.station.known_archive(world.upper, priority=Priority.BILLING)
        assert asked == len(terminal.asked), "once a connection"
        await world.connect()
        await world.station.known_archive(world.upper, priority=Priority.BILLING)
        assert 2 * asked == len(terminal.asked)

    run(body, terminal)


def test_two_days_of_a_curve_go_into_as_many_requests_as_they_need() -> None:
    """A request of more points than a frame holds would be denied, or its answer cut short."""
    start = MIDNIGHT - 2 * DAY
    slots = [start + number * timedelta(minutes=30) for number in range(96)]
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)])

    async def body(world: World) -> None:
        with pytest.raises(ReplyTimeout):
            await world.stored(["active_power", "voltage.*"], slots, CURVE, every_s=1800)
        asked = [one for one in terminal.asked if one.head.afn == 0x0D and len(one.units) > 1]
        assert [2, 2] == [len(one.units) for one in asked]
        assert {96} == {one.values["points"] for message in asked for one in message.units}

    run(body, terminal)


def test_a_terminal_that_does_not_tell_its_archive_costs_one_wait() -> None:
    """Each read of each meter would wait for it, and none be made."""
    meter = Meter(ADDRESS, seed=7)
    terminal = StockedTerminal()
    was = terminal.answers

    async def body(world: World) -> None:
        terminal.forward = lambda octets: _answer(meter, octets, world)
        unheard: list[Message] = []

        def answers(message: Message) -> Answers | None:
            if message.head.afn != 0x0A:
                return was(message)
            unheard.append(message)
            return None

        terminal.server._answers = answers
        for _ in range(3):
            told = await world.driver.read(world.line, ADDRESS, FORWARD, priority=Priority.ON_DEMAND)
            assert "terminal 0171-2082 forward" == told.values[0].route
        assert 1 == len(unheard)

    run(body, terminal)


def test_what_a_terminal_took_by_a_clock_that_is_off_is_marked() -> None:
    """A curve shifted by an hour would be billed by the hour."""
    start = Moment(year=26, month=11, day=22, hour=0, minute=0)
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)], store=freeze(FIVE))
    terminal.store[0x0D, 81, 1, start] = {"density": 1, "points": 1, "values": [Decimal("0.3500")]}
    clock = Moment(year=26, month=11, day=23, hour=9, minute=6, second=30, weekday=1)
    terminal.store[0x0C, 2, 0, None] = {"clock": clock}

    async def body(world: World) -> None:
        ahead = await world.station.read_clock(world.upper, priority=Priority.BILLING)
        assert ahead is not None
        assert abs(ahead - timedelta(minutes=6, seconds=30)) < timedelta(seconds=1)
        curve = await world.stored(["active_power"], [MIDNIGHT - DAY], CURVE, every_s=900)
        assert Marks.CLOCK_DEV == curve.records[0].values[0].marks
        with pytest.raises(ReplyTimeout):
            await world.stored([FORWARD], [MIDNIGHT])
        assert 0x10 == terminal.asked[-1].head.afn, "the meter itself: by that clock the night was filed"

    run(body, terminal)


@pytest.mark.parametrize("minutes", [-1440, -6, -4, 0, 4, 6, 1440, None])
def test_a_night_is_good_only_by_a_clock_that_is_right(minutes: int | None) -> None:
    """A terminal files the last freeze under its own day: one day off, a night would be billed twice."""
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)], store=freeze(FIVE))
    terminal.store |= freeze(FIVE, day=YESTERDAY._replace(day=24))
    is_right = minutes is not None and abs(minutes) < 5

    async def body(world: World) -> None:
        ahead = timedelta(minutes=minutes or 0)
        terminal.shown = (lambda: world.local() + ahead) if minutes is not None else None
        if is_right:
            assert "1234.5600" == await _night(world)
            return
        for _ in range(2):
            with pytest.raises(ReplyTimeout):
                await world.stored([FORWARD], [MIDNIGHT])
        assert not [one for one in terminal.asked if one.head.afn == 0x0D]
        terminal.shown = world.local
        await world.connect()
        if minutes is None:
            assert "1234.5600" == await _night(world)
            return
        with pytest.raises(ReplyTimeout):  # it was filed before the clock was put right
            await world.stored([FORWARD], [MIDNIGHT])
        await asyncio.sleep(2 * 86_400)
        terminal.store |= freeze({**FIVE, "read_time": None}, day=YESTERDAY._replace(day=24))
        later = await world.stored([FORWARD], [MIDNIGHT + 2 * DAY])
        assert "1234.5600" == numbers(later)[MIDNIGHT + 2 * DAY]["forward_active_energy"]

    run(body, terminal, heartbeat_s=200_000.0)


@pytest.mark.parametrize(("day", "is_good"), [(22, False), (23, True), (24, False)])
def test_a_night_that_was_read_before_its_end_or_in_time_to_come_is_none(day: int, is_good: bool) -> None:
    """The terminal's clock was another when it read it, and it stands under another day."""
    values = {**FIVE, "read_time": READ_AT._replace(day=day)}
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)], store=freeze(values))

    async def body(world: World) -> None:
        if is_good:
            assert "1234.5600" == await _night(world)
        else:
            with pytest.raises(ReplyTimeout):
                await world.stored([FORWARD], [MIDNIGHT])

    run(body, terminal)


def test_a_clock_that_goes_wrong_on_one_connection_is_found_out() -> None:
    """Connections last for months: its nights would be filed wrongly for as long."""
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)], store=freeze(FIVE))

    async def body(world: World) -> None:
        world.tasks.append(world.loop.create_task(world.reporter.run(world.upper)))
        await asyncio.sleep(3600)
        assert [] == [one.summary for one in world.reports]
        terminal.shown = lambda: world.local() + DAY
        await asyncio.sleep(CLOCK_KEPT_S)
        assert ["terminal_clock_off"] == [one.summary for one in world.reports]
        with pytest.raises(ReplyTimeout):
            await world.stored([FORWARD], [MIDNIGHT])

    run(body, terminal, heartbeat_s=200_000.0)


def test_a_terminal_that_was_busy_is_asked_for_its_archive_again() -> None:
    """One denial would make its store useless for months, and every meter missing."""
    terminal = StockedTerminal(store=freeze(FIVE))

    async def body(world: World) -> None:
        world.tasks.append(world.loop.create_task(world.reporter.run(world.upper)))
        with pytest.raises(ReplyTimeout):  # by the tunnel meanwhile
            await world.stored([FORWARD], [MIDNIGHT])
        assert 0x10 == terminal.asked[-1].head.afn
        terminal.archive = [entry(1, 1, ADDRESS)]
        await asyncio.sleep(EMPTY_KEPT_S + 5)
        assert "1234.5600" == await _night(world)
        assert [] == [one.summary for one in world.reports], "it was only busy"

    run(body, terminal)


def test_an_archive_that_was_denied_once_is_not_shown_as_empty() -> None:
    """Who entered meters from number 1 on would overwrite those that are there."""
    terminal = StockedTerminal()

    async def body(world: World) -> None:
        archivist = Archivist1376(world.station, world.upper, world.line)
        shown = asyncio.get_running_loop().create_task(archivist.read())
        await asyncio.sleep(5)
        terminal.archive = [entry(1, 1, ADDRESS)]
        assert [ADDRESS] == [one.address for one in (await shown).meters]
        terminal.archive = []
        assert () == (await archivist.read()).meters

    run(body, terminal)


def test_an_archive_that_stays_empty_is_told() -> None:
    """Nobody would know that the terminal reads no meter."""
    terminal = StockedTerminal()

    async def body(world: World) -> None:
        world.tasks.append(world.loop.create_task(world.reporter.run(world.upper)))
        await asyncio.sleep(2 * EMPTY_KEPT_S)
        assert ["terminal_archive_differs"] == [one.summary for one in world.reports]

    run(body, terminal)


def test_entries_that_cannot_be_used_are_counted_and_not_written_over() -> None:
    """What somebody entered wrongly would be taken for a free place, and be gone."""
    entries = [entry(1, 4097, OTHER), entry(2, 2, ADDRESS), entry(3, 0, "000000000000")]
    terminal = StockedTerminal(archive=entries)

    async def body(world: World) -> None:
        told = await Archivist1376(world.station, world.upper, world.line).read()
        assert (1, [ADDRESS]) == (told.unreadable, [one.address for one in told.meters])

    run(body, terminal)


@pytest.mark.parametrize(("number", "is_found"), [(INDEXES_MAX * (GAPS_MAX + 2), True), (200, False)])
def test_a_gap_in_an_archive_is_looked_behind(number: int, is_found: bool) -> None:
    """Archives have holes where meters were taken away; one without an end would be read for minutes."""
    terminal = StockedTerminal(archive=[entry(1, 1, OTHER), entry(number, 2, ADDRESS)])

    async def body(world: World) -> None:
        known = await world.station.known_archive(world.upper, priority=Priority.BILLING)
        assert is_found == (known.of_address(ADDRESS) is not None)
        asked = len(terminal.asked)
        assert asked <= GAPS_MAX + 3

    run(body, terminal)


def test_meters_are_always_asked_themselves_where_that_is_wanted() -> None:
    """Somebody stands at the meter, and is shown what the terminal read some minutes ago."""
    meter = Meter(ADDRESS, seed=7)
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)])
    at = Moment(year=26, month=11, day=23, hour=9, minute=0)
    terminal.store[0x0C, 129, 1, None] = {**FIVE, "read_time": at}

    async def body(world: World) -> None:
        terminal.forward = lambda octets: _answer(meter, octets, world)
        told = await world.driver.read(world.line, ADDRESS, FORWARD, priority=Priority.ON_DEMAND)
        assert "terminal 0171-2082 forward" == told.values[0].route
        assert {0x10} == {one.head.afn for one in terminal.asked}

    run(body, terminal, fresh_s=0.0)
