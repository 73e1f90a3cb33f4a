"""A simulated terminal of 1376.1 and its master: calls, commands, forwarding, events, quirks, resets."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any, get_args

import pytest

from metersim.gdw1376.archive import PointEntry
from metersim.gdw1376.calling import LINGERING_MAX, Roaming
from metersim.gdw1376.terminal import address_of
from metersim.gdw1376.ways import QUIRKS, Quirk, Ways1376, drawn_quirks
from metersim.terminals.port import Route
from meterwire import dlt645
from meterwire.dlt645 import ReadReply, ReadRequest, ReadSession
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions import terminal
from meterwire.gdw1376.link import terminal_frame as link
from meterwire.gdw1376.link.auxiliary import PASSWORD_AFNS, Auxiliary, TimeTag
from meterwire.gdw1376.link.terminal_frame import Address
from meterwire.gdw1376.link.unit_ids import da_of, dt_of
from meterwire.gdw1376.messages.terminal import request, unit
from meterwire.gdw1376.sessions.terminal_exchange import State, TerminalExchange
from tests.support.terminal1376 import (
    ADDRESS,
    CARRIER_645,
    MASTER,
    NAME,
    START,
    WIRED_645,
    Master1376,
    World1376,
    forward_values,
)

PW = bytes(range(16))
EVENING = Moment(year=26, month=9, day=30)
NOW = Moment(day=1, hour=13, minute=5, second=0)
"""When stories begin, by the terminal's clock."""
ENERGY_DI = 0x00010000


def _read(address: str) -> ReadSession:
    return ReadSession(ReadRequest(address=address, di=ENERGY_DI))


def _confirmed(done: TerminalExchange) -> bool:
    return bool(done.answer) and done.answer[0].is_confirmation


# --- calls ------------------------------------------------------------------------------------------------


def test_it_logs_in_and_beats_at_the_period_that_was_set() -> None:
    """A master would drop it for silence, or never learn that it is there."""
    world = World1376(curve_minutes=0, heartbeat_s=60)

    async def story() -> None:
        assert (1, 1) == (world.master.logins, len(world.master.dialled))
        assert world.terminal.online
        uplink = {"rts": 0, "delay_min": 0, "timeout_s": 10, "tries": 3, "con_flags": 4, "heartbeat_min": 5}
        assert _confirmed(await world.master.ask(terminal.SET, unit(terminal.SET, 1, uplink)))
        assert uplink == await world.master.values(terminal.QUERY, 1)
        assert 300 == world.terminal.heartbeat_s
        before = len(world.master.calls)
        await asyncio.sleep(3600)
        assert before + 12 <= len(world.master.calls) <= before + 13

    world.run(story)


def test_a_terminal_that_is_not_confirmed_calls_again() -> None:
    """A master that was down for a minute would lose its terminals for ever."""
    world = World1376(curve_minutes=0, master=Master1376(admits=False))

    async def story() -> None:
        assert 2 < len(world.master.dialled)
        assert 0 == world.master.logins
        world.master.admits = True
        await asyncio.sleep(60)
        assert 1 == world.master.logins
        deaf = world.master.dialled[-1]
        world.master.deaf = True
        await asyncio.sleep(3600)
        assert deaf in world.master.ended, "three heartbeats without an answer"

    world.run(story)


def test_it_calls_from_another_address_before_the_old_connection_is_closed() -> None:
    """A master would never be tried with two connections of one terminal, of which the older is dead."""
    world = World1376(curve_minutes=0, roaming=Roaming(every_s=600, linger_s=500))

    async def story() -> None:
        master = world.master
        until = len(master.dialled)
        await asyncio.sleep(620)
        assert until + 1 == len(master.dialled)
        old, new = master.dialled[-2:]
        assert old not in master.ended
        assert new is master.online
        assert await master.values(terminal.CLASS_1, 2) is not None
        await old.send(link.encode(link.Frame(ADDRESS, 0x0C, False, True, 11, unit_octets(0x0C, 2))))
        await asyncio.sleep(320)
        assert old in master.ended
        assert await master.values(terminal.CLASS_1, 2) is not None

    world.run(story)
    quick = World1376(curve_minutes=0, roaming=Roaming(every_s=10, linger_s=3600))

    async def count() -> None:
        open_ones = [one for one in quick.master.dialled if one not in quick.master.ended]
        assert len(open_ones) <= LINGERING_MAX + 1 < len(quick.master.dialled)

    quick.run(count)


def unit_octets(afn: int, fn: int) -> bytes:
    """The body of a request for one unit."""
    return link.decode(TerminalExchange(request(ADDRESS, afn, [unit(afn, fn)])).octets_to_send()).body


def test_it_logs_out() -> None:
    """A master would wait for the idle limit of each terminal that is switched off."""
    world = World1376(curve_minutes=0)

    async def story() -> None:
        duplex = world.master.online
        assert duplex is not None
        await world.terminal.log_out()
        await asyncio.sleep(1)
        assert world.master.ending(duplex) == "the terminal logged out"

    world.run(story)


# --- commands ---------------------------------------------------------------------------------------------


def test_the_archive_is_read_in_frames_and_written() -> None:
    """A roster could not be compared with what the terminal knows, nor set right."""
    world = World1376(curve_minutes=0, frame_octets=64)

    async def story() -> None:
        asked = unit(terminal.QUERY, 10, {"count": 5, "indexes": [1, 2, 3, 4, 9]})
        done = await world.master.ask(terminal.QUERY, asked)
        assert State.DONE is done.state
        assert [2, 2] == [message.units[0].values["count"] for message in done.answer]
        found = [one for message in done.answer for one in message.units[0].values["meters"]]
        assert [1, 2, 3, 4] == [one["index"] for one in found]
        assert [asdict(world.terminal.archive.entries[number]) for number in range(4)] == found
        stranger = asdict(PointEntry(index=9, point=77, addr="000000000777"))
        gone = {**found[0], "point": 0}
        told = unit(terminal.SET, 10, {"count": 2, "meters": [stranger, gone]})
        assert _confirmed(await world.master.ask(terminal.SET, told))
        assert [2, 3, 4, 9] == [entry.index for entry in world.terminal.archive.entries]
        assert await world.master.values(terminal.CLASS_2, 161, 1, date=EVENING) is None
        bad = unit(terminal.SET, 10, {"count": 1, "meters": [{**stranger, "index": 0}]})
        assert (await world.master.ask(terminal.SET, bad)).is_denied

    world.run(story)


def test_an_index_is_not_a_point() -> None:
    """A head-end that takes one for the other would read the neighbour's meter, here as in the field."""
    world = World1376(curve_minutes=0, plan={"points_from": 61})

    async def story() -> None:
        values = await world.master.values(terminal.QUERY, 10, count=1, indexes=[3])
        assert values is not None
        [entry] = values["meters"]
        assert (3, 63, CARRIER_645) == (entry["index"], entry["point"], entry["addr"])
        assert await world.master.values(terminal.CLASS_2, 161, 3, date=EVENING) is None
        assert await world.master.values(terminal.CLASS_2, 161, 63, date=EVENING) is not None

    world.run(story)


def test_a_meter_that_is_entered_later_is_read_at_once() -> None:
    """A new customer would be missing until the next night."""
    world = World1376(curve_minutes=0, plan={"archive": False})

    async def story() -> None:
        assert 0 == len(world.terminal.store)
        entry = asdict(PointEntry(index=1, point=8, addr=CARRIER_645))
        await world.master.ask(terminal.SET, unit(terminal.SET, 10, {"count": 1, "meters": [entry]}))
        await asyncio.sleep(600)
        assert await world.master.values(terminal.CLASS_2, 161, 8, date=EVENING) is not None

    world.run(story)


def test_the_clock_is_set_and_told() -> None:
    """An order's deadline goes by it where frames are stored."""
    world = World1376(curve_minutes=0)

    async def story() -> None:
        when = Moment(year=26, month=10, day=1, hour=14, minute=30, second=0, weekday=4)
        assert _confirmed(
            await world.master.ask(terminal.CONTROL, unit(terminal.CONTROL, 31, {"time": when}))
        )
        told = await world.master.values(terminal.CLASS_1, 2)
        assert told is not None
        assert when == told["clock"]._replace(second=0)
        wrong = unit(terminal.CONTROL, 31, {"time": when._replace(year=40)})
        assert (await world.master.ask(terminal.CONTROL, wrong)).is_denied
        trip = unit(terminal.CONTROL, 1, {"limit": 0, "warn": 0}, point=1)
        assert (await world.master.ask(terminal.CONTROL, trip)).is_denied, "it has no relay of its own"

    world.run(story)


def test_a_wrong_password_changes_nothing_and_is_an_event() -> None:
    """A master with a wrong password would seem to be obeyed."""
    world = World1376(curve_minutes=0, password=PW)

    async def story() -> None:
        when = {"time": Moment(year=26, month=10, day=1, hour=14, minute=30, second=0, weekday=4)}
        asked = unit(terminal.CONTROL, 31, when)
        assert (await world.master.ask(terminal.CONTROL, asked)).is_denied
        forward = unit(terminal.FORWARD, 1, forward_values(_read(CARRIER_645).octets_to_send()))
        answered = len(world.answers)
        assert (await world.master.ask(terminal.FORWARD, forward)).is_denied
        assert answered == len(world.answers), "nothing went to a meter"
        clock = await world.master.values(terminal.CLASS_1, 2)
        assert clock and 14 != clock["clock"].hour
        ec1, _ = world.terminal.events.counts
        events = await world.master.values(terminal.EVENTS, 1, pm=ec1 - 2, pn_ptr=ec1)
        assert events is not None
        assert [20, 20] == [event["erc"] for event in events["events"]]
        assert _confirmed(await world.master.ask(terminal.CONTROL, asked, auxiliary=Auxiliary(PW)))

    world.run(story)
    assert PW.hex() not in repr(world.terminal.ways)


def test_a_request_that_comes_too_late_is_not_answered() -> None:
    """A trip that a network held back for an hour would be obeyed."""
    world = World1376(curve_minutes=0)

    async def story() -> None:
        asked = unit(terminal.CLASS_1, 2)
        ends = []
        for tag in (
            TimeTag(1, NOW, 5),
            TimeTag(1, NOW._replace(hour=12), 5),
            TimeTag(1, NOW._replace(hour=12), 0),
            TimeTag(1, Moment(day=30, hour=23, minute=59, second=0), 5),
        ):
            done = await world.master.ask(
                terminal.CLASS_1, asked, auxiliary=Auxiliary(time_tag=tag), timeout_s=5
            )
            ends.append(done.state)
        assert [State.DONE, State.FAILED, State.DONE, State.FAILED] == ends

    world.run(story)


def test_several_settings_are_confirmed_one_by_one() -> None:
    """A master would take a half that was refused for done."""
    world = World1376(curve_minutes=0)

    async def story() -> None:
        uplink = {"rts": 0, "delay_min": 0, "timeout_s": 10, "tries": 3, "con_flags": 4, "heartbeat_min": 5}
        bad = {"count": 1, "meters": [asdict(PointEntry(index=0, point=1, addr="0" * 12))]}
        done = await world.master.ask(
            terminal.SET, unit(terminal.SET, 1, uplink), unit(terminal.SET, 10, bad)
        )
        (told,) = done.answer[0].units
        assert [0, 1] == [result["err"] for result in told.values["results"]]
        assert done.is_denied

    world.run(story)


# --- forwarding -------------------------------------------------------------------------------------------


def test_a_frame_goes_to_the_meter_and_its_answer_comes_back() -> None:
    """A meter behind the terminal could be reached in no other way than its store."""
    world = World1376(curve_minutes=0, plan={"carrier": Route(shortest_s=10, longest_s=30)})

    async def story() -> None:
        for address, port in ((CARRIER_645, 31), (WIRED_645, 2)):
            session = _read(address)
            octets = session.octets_to_send()
            begun = asyncio.get_running_loop().time()
            values = await world.master.values(terminal.FORWARD, 1, **forward_values(octets, port=port))
            took = asyncio.get_running_loop().time() - begun
            assert values is not None
            assert port == values["port"]
            assert 10 <= took <= 31 if port == 31 else took < 3
            session.feed(values["payload"])
            assert isinstance(session.reply, ReadReply)

    world.run(story)


@pytest.mark.parametrize("silent_reply", ["empty", "deny"])
def test_a_silent_meter_and_a_busy_or_unknown_port(silent_reply: str) -> None:
    """A master would wait for ever, or send a second frame into an exchange."""
    world = World1376(curve_minutes=0, silent_reply=silent_reply)
    silent = dlt645.ReadSession(ReadRequest(address="000000000999", di=ENERGY_DI)).octets_to_send()

    async def story() -> None:
        begun = asyncio.get_running_loop().time()
        values = await world.master.values(terminal.FORWARD, 1, **forward_values(silent, timeout_s=20))
        assert 20 <= asyncio.get_running_loop().time() - begun < 21
        assert values is None if silent_reply == "deny" else values and 0 == values["len"]
        other = unit(terminal.FORWARD, 1, forward_values(silent, port=7))
        assert (await world.master.ask(terminal.FORWARD, other)).is_denied
        busy = TerminalExchange(
            request(
                ADDRESS, terminal.FORWARD, [unit(terminal.FORWARD, 1, forward_values(silent))], sequence=9
            )
        )
        duplex = world.master.online
        assert duplex is not None
        await duplex.send(busy.octets_to_send())
        await asyncio.sleep(1)
        second = unit(terminal.FORWARD, 1, forward_values(silent))
        assert (await world.master.ask(terminal.FORWARD, second, timeout_s=2)).is_denied
        assert await world.master.values(terminal.CLASS_1, 2) is not None, "what it knows itself goes on"

    world.run(story)


def test_a_lossy_carrier_loses_both_ways() -> None:
    """A head-end would be tried with carriers that never lose anything."""
    world = World1376(curve_minutes=0, rounds=1, plan={"carrier": Route(shortest_s=1, longest_s=2, loss=0.3)})

    async def story() -> None:
        octets = _read(CARRIER_645).octets_to_send()
        lengths = []
        for _ in range(20):
            answered = len(world.answers)
            values = await world.master.values(terminal.FORWARD, 1, **forward_values(octets, timeout_s=10))
            assert values is not None
            lengths.append((bool(values["len"]), len(world.answers) - answered))
        assert {(True, 1), (False, 0), (False, 1)} == set(lengths)

    world.run(story)


# --- events -----------------------------------------------------------------------------------------------


def test_events_wait_with_acd_until_they_are_read() -> None:
    """A master would poll for events, or lose them."""
    world = World1376(curve_minutes=0)

    async def story() -> None:
        asked = unit(terminal.CLASS_1, 2)
        first = await world.master.ask(terminal.CLASS_1, asked)
        assert (1, 0) == first.answer[0].auxiliary.event_counts
        events = await world.master.values(terminal.EVENTS, 1, pm=0, pn_ptr=1)
        assert events is not None
        assert [1] == [event["erc"] for event in events["events"]]
        after = await world.master.ask(terminal.CLASS_1, asked)
        assert after.answer[0].auxiliary.event_counts is None
        assert (
            await world.master.ask(terminal.EVENTS, unit(terminal.EVENTS, 1, {"pm": 5, "pn_ptr": 9}))
        ).is_denied

    world.run(story)


def test_events_are_reported_until_they_are_confirmed() -> None:
    """An event would be lost with the master that was down."""
    world = World1376(curve_minutes=0, master=Master1376(acknowledges=False))

    async def story() -> None:
        assert not world.master.reports
        assert _confirmed(await world.master.ask(terminal.CONTROL, unit(terminal.CONTROL, 29)))
        await asyncio.sleep(120)
        assert 2 < len(world.master.reports)
        world.master.acknowledges = True
        await asyncio.sleep(120)
        told = len(world.master.reports)
        await asyncio.sleep(600)
        assert told == len(world.master.reports)
        assert 0 == world.terminal.events.unread

    world.run(story)


def test_pointers_go_round_at_256() -> None:
    """A terminal of some years would tell nothing any more, or the wrong events."""
    world = World1376()
    log = world.terminal.events
    shown = datetime(2026, 10, 1, 11)  # noqa: DTZ001  # civil time
    for number in range(300):
        log.tell(12, shown, pn=number, start=1)
    assert (301 % 256, 0) == log.counts
    assert [298, 299] == [event["pn"] for event in log.between(1, 43, 45)]
    assert 255 == len(log.between(1, 46, 45))
    assert () == log.between(1, 45, 45)


# --- quirks and mishaps -----------------------------------------------------------------------------------


def test_quirks_are_drawn_from_the_seed() -> None:
    """A fleet of a plant would have one make only, or another one in each run."""
    drawn = [drawn_quirks(seed) for seed in range(40)]
    assert drawn == [drawn_quirks(seed) for seed in range(40)]
    assert set(QUIRKS) == set(get_args(Quirk)) == frozenset().union(*drawn)
    assert any(not one for one in drawn)


def test_each_quirk_is_seen_on_the_wire() -> None:
    """A habit would be named in a plant file and do nothing."""
    world = World1376(curve_minutes=15, quirks=frozenset(QUIRKS), heartbeat_s=60)

    async def story() -> None:
        single = await world.master.ask(terminal.CLASS_1, unit(terminal.CLASS_1, 2))
        assert (State.DONE, False, True) == (
            single.state, single.answer[0].head.first, single.answer[0].head.final
        )  # fmt: skip
        mark = {"start": Moment(year=26, month=10, day=1, hour=12, minute=0), "density": 1, "points": 2}
        curve = await world.master.ask(terminal.CLASS_2, unit(terminal.CLASS_2, 101, mark, point=1))
        message = curve.answer[0]
        assert 2 == len(message.units[0].values["values"])
        assert bytes(4) == message.rest or any(not group.units[0].content for group in message.groups[1:])
        uplink = {"rts": 0, "delay_min": 0, "timeout_s": 10, "tries": 3, "con_flags": 4, "heartbeat_min": 1}
        frame = await world.master.ask(terminal.SET, unit(terminal.SET, 1, uplink))
        assert (1, 2) == frame.answer[0].groups[0].functions
        assert [0] == [result["err"] for result in frame.answer[0].units[0].values["results"]]
        octets = _read(WIRED_645).octets_to_send()
        values = await world.master.values(terminal.FORWARD, 1, **forward_values(octets, port=2))
        assert values is not None
        assert 0 == values["port"]
        await asyncio.sleep(120)
        call = world.master.calls[-1]
        assert (4, MASTER) == (call.function, call.address.master)

    world.run(story)


def test_it_is_reset_in_an_answer_of_several_frames() -> None:
    """A master would never be tried with an answer that ends in the middle."""
    world = World1376(curve_minutes=0, frame_octets=64, reset_at_frame=2, reset_s=20)

    async def story() -> None:
        asked = unit(terminal.QUERY, 10, {"count": 4, "indexes": [1, 2, 3, 4]})
        cut = await world.master.ask(terminal.QUERY, asked)
        assert (State.FAILED, 1) == (cut.state, len(cut.answer))
        assert 1 == world.terminal.resets
        before = len(world.terminal.store)
        await asyncio.sleep(60)
        assert world.terminal.online
        assert before <= len(world.terminal.store), "what it keeps survives"
        assert State.DONE is (await world.master.ask(terminal.QUERY, asked)).state
        ec1, _ = world.terminal.events.counts
        events = await world.master.values(terminal.EVENTS, 1, pm=ec1 - 1, pn_ptr=ec1)
        assert events is not None
        assert [14] == [event["erc"] for event in events["events"]]

    world.run(story)


def test_it_is_initialised_by_its_master() -> None:
    """Somebody who clears a terminal by mistake would not see it here."""
    world = World1376(curve_minutes=0)

    async def story() -> None:
        assert _confirmed(await world.master.ask(terminal.RESET, unit(terminal.RESET, 2)))
        assert await world.master.values(terminal.CLASS_2, 161, 3, date=EVENING) is None
        await asyncio.sleep(600)
        assert await world.master.values(terminal.CLASS_2, 161, 3, date=EVENING) is not None
        assert _confirmed(await world.master.ask(terminal.RESET, unit(terminal.RESET, 3)))
        assert 0 == len(world.terminal.archive)
        assert _confirmed(await world.master.ask(terminal.RESET, unit(terminal.RESET, 1)))
        await asyncio.sleep(5)
        assert not world.terminal.on
        await asyncio.sleep(120)
        assert world.terminal.online

    world.run(story)


def test_what_it_does_not_know_is_denied() -> None:
    """A master would wait for an answer that never comes."""
    world = World1376(curve_minutes=0)

    async def story() -> None:
        version = await world.master.values(0x09, 1)
        assert version is not None
        for afn, fn in ((0x09, 2), (terminal.QUERY, 3), (terminal.CLASS_1, 168), (terminal.CLASS_2, 27)):
            values: dict[str, Any] = {"date": EVENING} if afn == terminal.CLASS_2 else {}
            if terminal.function(afn, fn, "down") is None:
                continue
            assert (
                await world.master.ask(afn, unit(afn, fn, values, point=1 if afn > 0x0B else 0))
            ).is_denied

    world.run(story)


@pytest.mark.parametrize("text", ["171-2082", "0171-0", "0171-65535", "0171/2082", "01A1-1", "0171-02082"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    """A terminal would answer for another one."""
    with pytest.raises(ValueError, match="0171-2082"):
        address_of(text)
    assert Address("0171", 65534) == address_of("0171-65534")


@pytest.mark.parametrize(
    "wrong",
    [
        {"heartbeat_s": 0}, {"heartbeat_s": 15_301}, {"password": b"1"}, {"quirks": frozenset({"x"})},
        {"rounds": 0}, {"curve_minutes": 7}, {"frame_octets": 63}, {"records_max": 0}, {"reset_at_frame": 0},
        {"reset_s": 3601}, {"tries": 0},
    ],
)  # fmt: skip
def test_a_figure_out_of_its_range_is_refused(wrong: dict[str, Any]) -> None:
    """A terminal would fail in the middle of a plant that runs."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Ways1376(**wrong)
    with pytest.raises(ValueError, match="over 0 s"):
        Roaming(every_s=0)


def test_a_terminal_is_built_again_in_another_loop() -> None:
    """A plant that is started twice would hang."""
    world = World1376(curve_minutes=0)

    async def story() -> int:
        return world.master.logins

    assert 1 == world.run(story)
    assert 2 == world.run(story)
    assert NAME == world.terminal.name
    assert START.year == world.terminal.shown().year


@pytest.mark.parametrize("seed", range(4))
def test_any_request_leaves_it_alive(seed: int) -> None:
    """One hostile or broken master would end the simulator, and the tests of everybody who uses it."""
    chance = random.Random(seed)  # repeatable is what it has to be
    quirks = frozenset(QUIRKS) if seed % 2 else frozenset()
    world = World1376(curve_minutes=15, frame_octets=200, quirks=quirks)
    known = [one for one in terminal.functions() if one.way == "down"] + list(terminal.functions())

    def asked() -> bytes:
        groups = []
        for _ in range(chance.choice((1, 1, 1, 3, 70))):
            one = chance.choice(known)
            points = chance.choice(((0,), (1,), (1, 2, 3, 4), (2040,), (0xFFFF,)))
            content = chance.randbytes(chance.choice((0, 2, 3, 7, 29, 60)))
            groups.append(da_of(points) + dt_of((one.fn,)) + content)
        password = bytes(16) if one.afn in PASSWORD_AFNS else b""
        return link.encode(link.Frame(ADDRESS, one.afn, False, True, 11, b"".join(groups) + password))

    async def story() -> None:
        for _ in range(150):
            duplex = world.master.online
            if duplex is not None:
                with suppress(ConnectionError):
                    await duplex.send(chance.choice((asked(), chance.randbytes(40))))
            await asyncio.sleep(chance.choice((0.0, 0.2, 60.0)))
        await asyncio.sleep(4000)
        assert await world.master.values(terminal.CLASS_1, 2) is not None

    world.run(story)
