"""Through a simulated concentrator: reads, writes and frames for its meters, and what silence costs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any, Final

import pytest

from metersim.dlt698.meter import FACTORY_PASSWORD
from metersim.terminals.connection import PROXIES_MAX
from metersim.terminals.plan import CARRIER, FIRST_RS485
from metersim.terminals.port import ANSWER_TIMEOUT_S, URGENT, USUAL, WAITING_MAX, PortBusy, Route, Turns
from metersim.terminals.proxy import TARGETS_MAX, ProxyHabits
from metersim.terminals.ways import Ways
from metersim.works.moments import PLANT_TIME
from meterwire import dlt645
from meterwire.dlt645.messages.control import ControlRequest
from meterwire.dlt698.apdus import action, proxy
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.apdus.get import GetRequestNormal, GetResponseNormal
from meterwire.dlt698.apdus.parts import (
    ActionItem,
    ActionThenGetItem,
    AttributeResult,
    Dar,
    RecordRequest,
    SetItem,
    SetThenGetItem,
)
from meterwire.dlt698.axdr.selection import (
    AllMeters,
    Comdcb,
    Oad,
    Omd,
    SelectEqual,
    SelectLast,
    SelectNthLast,
    Tsa,
)
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ANY, ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.link.frame import Frame
from meterwire.dlt698.objects.concentrator import forward, proxy_answers, proxy_get, reply_of
from meterwire.dlt698.objects.records import FROZEN_AT
from tests.support.concentrator import (
    ADDRESS,
    CARRIER_645,
    CARRIER_698,
    WIRED_645,
    WIRED_698,
    Master,
    World,
)
from tests.support.head_end645 import OPERATOR, wire_time

TRIP: Final = 0x1A
ADDRESSES = [WIRED_698, WIRED_645, CARRIER_645, CARRIER_698]
ENERGY, VOLTAGE, NO_SUCH = Oad.of("00100200"), Oad.of("20000200"), Oad.of("03000200")
CLOCK, REPORTS = Oad.of("40000200"), Oad.of("43000800")
SETTINGS = Comdcb(3, 2, 8, 1, 0)
TIMEOUT, ABSENT, DENIED, BUSY = Dar(33), Dar(6), Dar(3), Dar(2)
SWIFT = Route(shortest_s=1.0, longest_s=1.0)


def _world(**plan: Any) -> World:
    return World(**{"carrier": SWIFT, "idle": True, **plan})


async def _read(master: Master, *addresses: str, timeout_s: int = 60, each_s: int = 0) -> Any:
    wanted = dict.fromkeys(addresses, (ENERGY, VOLTAGE))
    piid = master.association.next_piid()
    return await master.ask(proxy_get(piid, wanted, timeout_s=timeout_s, meter_timeout_s=each_s))


async def _through(master: Master, frame: bytes, port: Oad = CARRIER, timeout_s: int = 5) -> bytes | Dar:
    piid = master.association.next_piid()
    request = forward(piid, frame, port=port, settings=SETTINGS, frame_timeout_s=timeout_s)
    return reply_of(await master.ask(request))


def _read_645(address: str, di: int = 0x00010000) -> bytes:
    return dlt645.encode(dlt645.to_frame(dlt645.ReadRequest(address=address, di=di)), preamble=4)


def test_meters_of_both_protocols_are_read_through() -> None:
    """A head-end would read nothing of a 645 meter behind a 698.45 concentrator, or another number."""
    world = _world()

    async def story(master: Master) -> None:
        answers = proxy_answers(await _read(master, *ADDRESSES))
        assert set(ADDRESSES) == set(answers)
        for address, answer in answers.items():
            told = {
                item: value
                for one in world.answers
                if one.address == address
                for item, value in one.values.items()
            }
            read = {value.item: value.value for value in answer.values if value.value is not None}
            assert {"forward_active_energy", "voltage.a", "voltage.c"} <= set(read)
            assert {item: told[item] for item in read} == read

    world.run(story)


def test_silence_costs_only_the_silent() -> None:
    """One dead meter would take the answers of all others in the request along."""
    world = _world(dead=[WIRED_698, CARRIER_645])

    async def story(master: Master) -> float:
        begun = world.sim.clock.monotonic_s()
        answer = await _read(master, *ADDRESSES, each_s=2)
        results = {one.tsa.digits: [item.result for item in one.items] for one in answer.targets}
        assert [TIMEOUT, TIMEOUT] == results[WIRED_698] == results[CARRIER_645]
        assert all(isinstance(one, Data) for one in results[WIRED_645] + results[CARRIER_698])
        return world.sim.clock.monotonic_s() - begun

    assert 2 <= world.run(story) < 10


def test_the_time_for_the_whole_is_kept() -> None:
    """A master that gave 5 seconds would have hung up when the answer comes."""
    world = _world(carrier=Route(shortest_s=20, longest_s=20))

    async def story(master: Master) -> None:
        begun = world.sim.clock.monotonic_s()
        answer = await _read(master, *ADDRESSES, timeout_s=5)
        assert 5 <= world.sim.clock.monotonic_s() - begun < 6
        results = {one.tsa.digits: one.items[0].result for one in answer.targets}
        assert [TIMEOUT, TIMEOUT] == [results[CARRIER_645], results[CARRIER_698]]
        assert isinstance(results[WIRED_698], Data)

    world.run(story)


def test_its_own_time_is_a_limit_too() -> None:
    """A request without a time would wait for ever for a meter that is dead."""
    ways = Ways(proxy=ProxyHabits(budget_s=7))
    world = _world(ways=ways, carrier=Route(shortest_s=20, longest_s=20))

    async def story(master: Master) -> None:
        begun = world.sim.clock.monotonic_s()
        await _read(master, CARRIER_698, timeout_s=0)
        await _read(master, CARRIER_698, timeout_s=600)
        assert 14 <= world.sim.clock.monotonic_s() - begun < 15

    world.run(story)


def test_meters_and_objects_that_are_not_there() -> None:
    """A typing error would look like a broken meter."""
    world = _world()

    async def story(master: Master) -> None:
        results = {
            one.tsa.digits: one.items for one in (await _read(master, "000000000999", WIRED_645)).targets
        }
        assert [ABSENT, ABSENT] == [item.result for item in results["000000000999"]]
        wanted = {WIRED_698: (NO_SUCH,), WIRED_645: (NO_SUCH, Oad.of("FF000200"), CLOCK)}
        answer = await master.ask(proxy_get(master.association.next_piid(), wanted, timeout_s=60))
        results = {one.tsa.digits: one.items for one in answer.targets}
        assert [ABSENT] == [item.result for item in results[WIRED_698]]
        assert [ABSENT, ABSENT] == [item.result for item in results[WIRED_645][:2]]

    world.run(story)


@pytest.mark.parametrize("address", [WIRED_698, WIRED_645])
def test_freezes_are_read_through(address: str) -> None:
    """What the concentrator has not collected could not be had from the meter."""
    world = _world()
    day = Data("date_time_s", DateTimeS(2026, 9, 29, 0, 0, 0))

    async def read(master: Master, rsd: Any) -> Any:
        record = RecordRequest(Oad.of("50040200"), rsd, (FROZEN_AT, ENERGY))
        piid = master.association.next_piid()
        request = proxy.ProxyGetRequestRecord(piid=piid, timeout_s=60, tsa=Tsa.of(address), record=record)
        return (await master.ask(request)).record.result

    async def story(master: Master) -> None:
        meter = world.meters[address]
        for rsd, days in (
            (SelectNthLast(1), ["2026-10-01"]),
            (SelectEqual(FROZEN_AT, day), ["2026-09-29"]),
            (SelectLast(3, AllMeters()), ["2026-09-29", "2026-09-30", "2026-10-01"]),
        ):
            rows = await read(master, rsd)
            assert days == [str(row[0].value)[:10] for row in rows]
        assert meter is not None
        never = Data("date_time_s", DateTimeS(2020, 1, 1, 0, 0, 0))
        assert () == await read(master, SelectEqual(FROZEN_AT, never))

    world.run(story)


@pytest.mark.parametrize(
    ("password", "done"), [(b"00000000", Dar(0)), (b"", Dar(15)), (b"99999999", Dar(15))]
)
def test_what_changes_something_is_done_or_refused_as_the_meter_says(password: bytes, done: Dar) -> None:
    """A refusal of the meter would look like success, or its success like a refusal."""
    world = _world()
    world.keep_password(WIRED_698, password)
    off = Data("bool", False)

    async def story(master: Master) -> None:
        piid, tsa = master.association.next_piid(), Tsa.of(WIRED_698)
        items = (SetItem(REPORTS, off), SetItem(ENERGY, off))
        written = await master.ask(
            proxy.ProxySetRequestList(
                piid=piid,
                timeout_s=60,
                targets=(
                    proxy.ProxySetTarget(tsa, 0, items),
                    proxy.ProxySetTarget(Tsa.of(WIRED_645), 0, items[:1]),
                ),
            )
        )
        results = {one.tsa.digits: [item.dar for item in one.items] for one in written.targets}
        assert {WIRED_698: [done, DENIED], WIRED_645: [DENIED]} == results
        then = await master.ask(
            proxy.ProxySetThenGetRequestList(
                piid=piid,
                timeout_s=60,
                targets=(proxy.ProxySetThenGetTarget(tsa, 0, (SetThenGetItem(REPORTS, off, REPORTS, 0),)),),
            )
        )
        [[item]] = [one.items for one in then.targets]
        assert (done, AttributeResult(REPORTS, off)) == (item.dar, item.get)

    world.run(story)


def test_methods_go_through() -> None:
    """A head-end could not have a meter do anything."""
    world = _world()
    broadcast = Omd.of("40007F00")
    shown = Data("date_time_s", DateTimeS(2026, 10, 1, 11, 0, 30))

    async def story(master: Master) -> None:
        piid, tsa = master.association.next_piid(), Tsa.of(WIRED_698)
        done = await master.ask(
            proxy.ProxyActionRequestList(
                piid=piid,
                timeout_s=60,
                targets=(proxy.ProxyActionTarget(tsa, 0, (ActionItem(broadcast, shown),)),),
            )
        )
        assert [Dar(0)] == [item.dar for one in done.targets for item in one.items]
        then = await master.ask(
            proxy.ProxyActionThenGetRequestList(
                piid=piid,
                timeout_s=60,
                targets=(
                    proxy.ProxyActionThenGetTarget(tsa, 0, (ActionThenGetItem(broadcast, shown, ENERGY, 0),)),
                    proxy.ProxyActionThenGetTarget(
                        Tsa.of(WIRED_645), 0, (ActionThenGetItem(broadcast, shown, ENERGY, 0),)
                    ),
                ),
            )
        )
        results = {one.tsa.digits: one.items[0] for one in then.targets}
        # The clock is set by broadcast once a day.
        assert (DENIED, ENERGY) == (results[WIRED_698].dar, results[WIRED_698].get.oad)
        assert isinstance(results[WIRED_698].get.result, Data)
        assert (DENIED, AttributeResult(ENERGY, DENIED)) == (results[WIRED_645].dar, results[WIRED_645].get)

    world.run(story)


def test_a_645_frame_goes_through_as_it_is() -> None:
    """The transparent command is the last resort of every head-end."""
    world = _world()

    async def story(master: Master) -> None:
        for port, address in ((CARRIER, CARRIER_645), (FIRST_RS485, WIRED_645)):
            reply = await _through(master, _read_645(address), port)
            assert isinstance(reply, bytes)
            [frame] = dlt645.Deframer().feed(reply)
            assert (address, 0x11, False) == (frame.address, frame.function, frame.abnormal)
            assert 1 == world.answered(address)

    world.run(story)


def test_a_698_frame_goes_through_as_it_is() -> None:
    """So is a frame of its own protocol, under the meter's own address."""
    world = _world()
    request = GetRequestNormal(piid=Master(world.sim).association.next_piid(), oad=ENERGY)
    octets = link.encode(Frame(ServerAddress(CARRIER_698), 0x10, encode_apdu(request), False, True))

    async def story(master: Master) -> None:
        reply = await _through(master, octets)
        assert isinstance(reply, bytes)
        [frame] = Deframer().feed(reply)
        assert CARRIER_698 == frame.server.digits
        assert isinstance(decode_apdu(frame.user_data), GetResponseNormal)

    world.run(story)


def _trip(world: World, address: str) -> bytes:
    """Trip, under the password that meters leave the factory with."""
    expires = world.sim.clock.utc_now().astimezone(PLANT_TIME) + timedelta(minutes=5)
    request = ControlRequest(
        address=address,
        operator_code=OPERATOR,
        command=TRIP,
        level=2,
        password="000000",
        expires=wire_time(expires),
    )
    return dlt645.encode(dlt645.to_frame(request))


def _trips(world: World) -> dict[str, int]:
    return {address: meter.works.memory.count("trip") for address, meter in world.meters.items()}


def test_a_trip_reaches_only_the_addressed_meter_once() -> None:
    """A house would be cut off that nobody meant, or the same one twice."""
    world = _world()

    async def story(master: Master) -> None:
        reply = await _through(master, _trip(world, CARRIER_645))
        assert isinstance(reply, bytes)
        [frame] = dlt645.Deframer().feed(reply)
        assert (CARRIER_645, 0x1C, False) == (frame.address, frame.function, frame.abnormal)
        await asyncio.sleep(600)
        assert {CARRIER_645: 1} == {address: count for address, count in _trips(world).items() if count}

    world.run(story)


def test_a_request_that_is_lost_is_not_repeated() -> None:
    """On a carrier a lost frame and a lost answer look the same: to repeat a trip is to trip twice."""
    world = _world(carrier=Route(loss=1.0))

    async def story(master: Master) -> None:
        assert TIMEOUT == await _through(master, _trip(world, CARRIER_645))
        await asyncio.sleep(600)
        assert {0} == set(_trips(world).values())

    world.run(story)


def test_a_trip_whose_answer_is_lost_was_done() -> None:
    """A head-end that takes silence for failure would not be found out: the house is dark."""
    worlds = [_world(carrier=Route(loss=0.5), seed=seed) for seed in range(12)]

    async def story(world: World, master: Master) -> tuple[bool, int]:
        reply = await _through(master, _trip(world, CARRIER_645))
        return isinstance(reply, bytes), _trips(world)[CARRIER_645]

    found = {world.run(partial(story, world)) for world in worlds}
    assert {(True, 1), (False, 1), (False, 0)} == found


@pytest.mark.parametrize("silent_reply", ["dar", "empty"])
def test_both_forms_of_silence(silent_reply: Any) -> None:
    """A head-end that knows one form alone would take the other for an answer."""
    world = _world(ways=Ways(proxy=ProxyHabits(silent_reply=silent_reply)), dead=[CARRIER_645])

    async def story(master: Master) -> Any:
        piid = master.association.next_piid()
        frame = _read_645(CARRIER_645)
        request = forward(piid, frame, port=CARRIER, settings=SETTINGS, frame_timeout_s=3)
        return (await master.ask(request)).result

    assert (TIMEOUT if silent_reply == "dar" else b"") == world.run(story)


def test_a_wildcard_has_no_route_over_the_carrier() -> None:
    """On a cable everybody answers at once; over the carrier a frame goes to one meter or to nobody."""
    world = _world()
    everybody = GetRequestNormal(piid=Master(world.sim).association.next_piid(), oad=ENERGY)
    octets = link.encode(Frame(ANY, 0x10, encode_apdu(everybody), False, True))

    async def story(master: Master) -> None:
        assert TIMEOUT == await _through(master, _read_645(dlt645.WILDCARD))
        assert TIMEOUT == await _through(master, octets)
        assert 0 == world.answered(CARRIER_645) == world.answered(CARRIER_698)
        assert ABSENT == await _through(master, octets, Oad.of("F2010203"))

    world.run(story)


def test_the_method_of_the_carrier_forwards_too() -> None:
    """Method 127 of F209 is the other way to the same meter."""
    world = _world(dead=[CARRIER_698])

    async def forwarded(master: Master, address: str, frame: bytes) -> Any:
        members = Data("TSA", Tsa.of(address)), Data("long-unsigned", 9), Data("octet-string", frame)
        item = ActionItem(Omd.of("F2097F00"), Data("structure", members))
        piid = master.association.next_piid()
        return (await master.ask(action.ActionRequestNormal(piid=piid, item=item))).item

    async def story(master: Master) -> None:
        done = await forwarded(master, CARRIER_645, _read_645(CARRIER_645))
        [frame] = dlt645.Deframer().feed(done.data.value)
        assert (0, CARRIER_645) == (done.dar, frame.address)
        octets = link.encode(Frame(ServerAddress(CARRIER_698), 1, b"\x05", False, True))
        assert (TIMEOUT, None) == (await forwarded(master, CARRIER_698, octets))[1:]
        wrong = ActionItem(Omd.of("F2097F00"), NULL)
        assert Dar(7) == await master.act(wrong)

    world.run(story)


def test_who_waits_for_an_answer_goes_before_the_tasks() -> None:
    """A read of one meter would wait until a thousand others have been collected."""

    async def order() -> list[str]:
        turns, done = Turns(), list[str]()

        async def take(name: str, priority: int) -> None:
            async with turns.turn(priority):
                await asyncio.sleep(1)
                done.append(name)

        async with asyncio.TaskGroup() as group:
            for name, priority in (("first", USUAL), ("task", USUAL), ("master", URGENT), ("next", USUAL)):
                group.create_task(take(name, priority))
        return done

    assert ["first", "master", "task", "next"] == World().sim.run(order())


def test_so_many_may_wait_for_a_port() -> None:
    """A master that asks without end would take all memory."""

    async def refused() -> tuple[bool, bool]:
        turns = Turns()
        async with asyncio.TaskGroup() as group, turns.turn(USUAL):
            waiting = [group.create_task(_take(turns)) for _ in range(WAITING_MAX + 1)]
            await asyncio.sleep(0)
            too_many = waiting[-1].done()
            waiting[0].cancel()
            await asyncio.sleep(0)
            waiting.append(group.create_task(_take(turns)))
            await asyncio.sleep(0)
            return too_many, waiting[-1].done()

    assert (True, False) == World().sim.run(refused())


async def _take(turns: Turns) -> None:
    try:
        async with turns.turn(USUAL):
            await asyncio.sleep(0)
    except PortBusy:
        return


def test_more_meters_than_a_request_may_name() -> None:
    """A request for everybody would hold the ports for an hour."""
    world = _world()

    async def story(master: Master) -> None:
        names = [f"{number:012d}" for number in range(TARGETS_MAX + 1)]
        most = await _read(master, *names[1:])
        assert {ABSENT} == {item.result for one in most.targets for item in one.items}
        answer = await _read(master, *names)
        assert {BUSY} == {item.result for one in answer.targets for item in one.items}

    world.run(story)


def test_requests_beside_each_other_are_limited() -> None:
    """A master that does not wait would have the concentrator ask without end."""
    world = _world(carrier=Route(shortest_s=60, longest_s=60))

    async def story(master: Master) -> list[Any]:
        given_up = [await _given_up(master) for _ in range(PROXIES_MAX)]
        assert [None] * PROXIES_MAX == given_up
        answer = await _read(master, CARRIER_645)
        return [item.result for item in answer.targets[0].items]

    assert [BUSY, BUSY] == world.run(story)


async def _given_up(master: Master) -> Any:
    piid = master.association.next_piid()
    return await master.ask(proxy_get(piid, {CARRIER_698: (ENERGY,)}, timeout_s=120), 0.01)


def test_settings_of_meters_need_the_password_where_there_is_one() -> None:
    """Whoever can dial in could change every meter."""
    world = _world(ways=Ways(password=FACTORY_PASSWORD))

    async def story(master: Master) -> None:
        piid, tsa = master.association.next_piid(), Tsa.of(WIRED_698)
        request = proxy.ProxySetRequestList(
            piid=piid,
            timeout_s=9,
            targets=(proxy.ProxySetTarget(tsa, 0, (SetItem(REPORTS, Data("bool", True)),)),),
        )
        answer = await master.ask(request)
        assert [Dar(15)] == [item.dar for one in answer.targets for item in one.items]
        assert 0 == world.answered(WIRED_698)

    world.run(story)


def test_rubbish_for_a_port_waits_for_its_time_and_no_longer() -> None:
    """Octets that are no frame would hold a port for ever."""
    world = _world()

    async def story(master: Master) -> float:
        begun = world.sim.clock.monotonic_s()
        assert TIMEOUT == await _through(master, b"\x68\x00rubbish", FIRST_RS485, 0)
        return world.sim.clock.monotonic_s() - begun

    assert ANSWER_TIMEOUT_S <= world.run(story) < ANSWER_TIMEOUT_S + 1
    assert ADDRESS == world.concentrator.address
