"""Orders for meters of DL/T 698.45 behind a concentrator: by PROXY, and in an envelope."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any, Final

import pytest

from metersim.security.provider import LabProvider
from metersim.security.suite698 import Level
from metersim.terminals.plan import CARRIER
from metersim.terminals.port import Route
from metersim.works.moments import PLANT_TIME
from meterwire.dlt698.apdus import proxy
from meterwire.dlt698.apdus.action import ActionRequestNormal
from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu, encode_apdu
from meterwire.dlt698.apdus.association import SymmetricSecurity
from meterwire.dlt698.apdus.parts import ActionItem, Dar, RecordRequest, TimeTag
from meterwire.dlt698.apdus.security import CipherUnit, SecurityRequest
from meterwire.dlt698.axdr.selection import Comdcb, Oad, Omd, SelectNthLast, SidMac, Ti, Tsa
from meterwire.dlt698.axdr.values import Data, DateTimeS
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.link.frame import Frame
from meterwire.dlt698.objects.concentrator import forward, proxy_get, reply_of
from meterwire.dlt698.objects.records import FROZEN_AT
from meterwire.dlt698.sessions.association import Association
from tests.support.concentrator import CARRIER_698, WIRED_645, WIRED_698, Master, World
from tests.support.secured698 import trip_data

ENERGY: Final = Oad.of("00100200")
TRIP: Final = ActionItem(Omd(0x8000, 129), trip_data())
DONE, TIMEOUT = Dar(0), Dar(33)
AN_EXCHANGE_S: Final = 0.8
SETTINGS: Final = Comdcb(3, 2, 8, 1, 0)


def _world() -> World:
    return World(idle=True, carrier=Route(shortest_s=AN_EXCHANGE_S, longest_s=AN_EXCHANGE_S))


def _trips(world: World) -> dict[str, int]:
    """How often each meter that obeyed a trip has done so."""
    counts = {address: meter.works.memory.count("trip") for address, meter in world.meters.items()}
    return {address: count for address, count in counts.items() if count}


def _tag(world: World) -> TimeTag:
    """Of now, good for five minutes."""
    return TimeTag(DateTimeS.of(world.sim.clock.utc_now().astimezone(PLANT_TIME)), Ti(1, 5))


async def _trip(
    master: Master, address: str, tag: TimeTag | None, *, timeout_s: int = 0
) -> tuple[Dar, TimeTag | None]:
    """What a meter says of a trip by PROXY, and the tag that comes back."""
    request = proxy.ProxyActionRequestList(
        piid=master.association.next_piid(),
        timeout_s=60,
        targets=(proxy.ProxyActionTarget(Tsa.of(address), timeout_s, (TRIP,)),),
        time_tag=tag,
    )
    answer = await master.ask(request)
    [[item]] = [one.items for one in answer.targets]
    return item.dar, answer.time_tag


async def _through(master: Master, request: Apdu) -> Any:
    """What the meter behind the carrier answers to a request that goes through in a frame."""
    octets = link.encode(Frame(ServerAddress(CARRIER_698), 0x10, encode_apdu(request), False, True))
    piid = master.association.next_piid()
    sent = forward(piid, octets, port=CARRIER, settings=SETTINGS, frame_timeout_s=30)
    reply = reply_of(await master.ask(sent))
    assert isinstance(reply, bytes)
    [frame] = Deframer().feed(reply)
    return decode_apdu(frame.user_data)


@pytest.mark.parametrize("address", [WIRED_698, CARRIER_698])
def test_a_proxied_trip_is_obeyed_once(address: str) -> None:
    """A head-end would never cut off anybody through a concentrator, or twice."""
    world = _world()

    async def story(master: Master) -> None:
        tag = _tag(world)
        assert (DONE, tag) == await _trip(master, address, tag)
        await asyncio.sleep(600)
        assert {address: 1} == _trips(world)

    world.run(story)


def test_who_comes_after_a_proxied_order_has_no_more_rights() -> None:
    """A head-end that forgets the password would find the meter open after each order."""
    world = _world()

    async def story(master: Master) -> None:
        assert DONE == (await _trip(master, CARRIER_698, _tag(world)))[0]
        piid = master.association.next_piid()
        bare = ActionRequestNormal(piid=piid, item=TRIP, time_tag=_tag(world))
        assert Dar(15) == (await _through(master, bare)).item.dar
        assert {CARRIER_698: 1} == _trips(world)

    world.run(story)


@pytest.mark.parametrize(
    ("password", "enforced", "tagged", "refusal"),
    [
        (b"", False, True, 15),
        (b"12345678", False, True, 15),
        (b"\xff", False, True, 15),
        (b"00000000", True, True, 20),
        (b"00000000", False, False, 32),
    ],
)
def test_a_proxied_trip_is_refused_in_the_words_of_the_meter(
    password: bytes, enforced: bool, tagged: bool, refusal: int
) -> None:
    """A head-end would look for the fault at the concentrator."""
    world = _world()
    world.keep_password(CARRIER_698, password)
    world.meter698(CARRIER_698).modes.enforced = enforced

    async def story(master: Master) -> None:
        tag = _tag(world) if tagged else None
        assert (Dar(refusal), tag) == await _trip(master, CARRIER_698, tag)
        assert {} == _trips(world)

    world.run(story)


def test_the_meter_hears_the_time_tag() -> None:
    """A meter would obey an order, or answer a question, that is too late by its own clock."""
    world = _world()
    now = world.sim.clock.utc_now()
    clock = world.meter698(WIRED_698).clock
    clock.set(clock.shows(now) + timedelta(hours=1), now)

    async def story(master: Master) -> None:
        assert Dar(32) == (await _trip(master, WIRED_698, _tag(world)))[0]
        wanted = dict.fromkeys((WIRED_698, WIRED_645), (ENERGY,))
        piid = master.association.next_piid()
        answer = await master.ask(proxy_get(piid, wanted, timeout_s=60, time_tag=_tag(world)))
        results = {one.tsa.digits: one.items[0].result for one in answer.targets}
        assert Dar(32) == results[WIRED_698]
        assert isinstance(results[WIRED_645], Data), "DL/T 645 has no tags"
        record = RecordRequest(Oad.of("50040200"), SelectNthLast(1), (FROZEN_AT, ENERGY))
        request = proxy.ProxyGetRequestRecord(
            piid=piid, timeout_s=60, tsa=Tsa.of(WIRED_698), record=record, time_tag=_tag(world)
        )
        assert Dar(32) == (await master.ask(request)).record.result

    world.run(story)


@pytest.mark.parametrize(("timeout_s", "result", "trips"), [(1, TIMEOUT, {}), (2, DONE, {CARRIER_698: 1})])
def test_an_answer_that_is_there_is_not_lost_with_the_release(
    timeout_s: int, result: Dar, trips: dict[str, int]
) -> None:
    """An order that was done and answered would come back as one that nobody answered."""
    world = _world()

    async def story(master: Master) -> None:
        # CONNECT, order and RELEASE take 2.4 s together.
        assert result == (await _trip(master, CARRIER_698, _tag(world), timeout_s=timeout_s))[0]
        assert trips == _trips(world)

    world.run(story)


def test_an_envelope_goes_through_as_it_is() -> None:
    """A meter that insists on its security modes could not be ordered about behind a concentrator."""
    world = _world()
    world.meter698(CARRIER_698).modes.enforced = True
    provider, diversifier = LabProvider(random.Random(7).randbytes), bytes.fromhex(f"0000{CARRIER_698}")

    async def story(master: Master) -> None:
        association = Association(ServerAddress(CARRIER_698))
        begun = provider.init698(0, diversifier, 1)
        proof = SymmetricSecurity(begun.cipher1, begun.sign1)
        data, sign = (await _through(master, association.connect(proof).request)).security_data
        session = provider.verify698(0, diversifier, begun.r1, data=data, sign=sign)
        order = ActionRequestNormal(piid=association.next_piid(), item=TRIP, time_tag=_tag(world))
        made = provider.protect698(session, Level.CIPHER_MAC, encode_apdu(order))
        assert made.mac is not None
        verify = SidMac(int.from_bytes(made.sid, "big"), made.additional, made.mac)
        envelope = SecurityRequest(unit=CipherUnit(made.data), verify=verify)
        sealed = await _through(master, envelope)
        answer: Any = decode_apdu(
            provider.open698(session, Level.CIPHER_MAC, sealed.unit.octets, sealed.verify.mac)
        )
        assert (order.piid, DONE) == (answer.piid, answer.item.dar)
        assert {CARRIER_698: 1} == _trips(world)

    world.run(story)
