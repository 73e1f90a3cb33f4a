"""No password, MAC, key or cipher block comes out of the REST API."""

from __future__ import annotations

from random import Random

import pytest

from metersim.api.exchanges import ANSWERS_MAX, OCTETS_MAX, PAUSE_S, Exchanges
from metersim.api.masking import masked
from metersim.line.answers import AnswerRecord
from metersim.security.suite698 import Level
from meterwire.dlt645 import ReadRequest, encode, to_frame
from meterwire.dlt645.messages.control import ControlRequest
from meterwire.dlt698.apdus.security import CipherUnit
from meterwire.dlt698.axdr.selection import SidMac
from meterwire.dlt698.link import frame as link698
from meterwire.dlt698.link.address import ServerAddress
from tests.support.head_end645 import wire_time
from tests.support.meter698 import found
from tests.support.metersim_api import FIRST, asked_api
from tests.support.secret_messages import messages
from tests.support.secured698 import ADDRESS, Secured, trip_data

PASSWORD = "123456"
SEEDS = range(10)


def wire(octets: bytes) -> str:
    """Octets of a 645 DATA field as they stand on the wire, in hexadecimal digits."""
    return bytes((octet + 0x33) % 256 for octet in octets).hex().upper()


@pytest.mark.asyncio
async def test_a_password_is_nowhere_in_the_api() -> None:
    """Whoever looks at a plant would learn the password of the meters."""
    async with asked_api() as api:
        here = api.head_end()
        request = ControlRequest(
            address=FIRST,
            level=2,
            password="000000",
            operator_code="87654321",
            command=0x1A,
            expires=wire_time(here.now),
        )
        octets = encode(to_frame(request))
        async with api.built.lines["north"].connect() as client:
            await client.send(octets)
            await client.receive()
        [call] = await api.get("/v1/calls")
        # level 2 in plain, the password hidden, then the operator code
        assert call["request"].startswith(
            "6861010000000068" + "1C10" + "35" + "******" + wire(bytes.fromhex("21436587"))
        )
        assert "**16" == call["request"][-4:]  # the checksum tells of what it is over
        assert 2 * len(octets) == len(call["request"])
        assert "*" not in call["answer"]
        for path in (f"/v1/meters/{FIRST}/controls", f"/v1/meters/{FIRST}", "/v1/plant"):
            assert wire(bytes(3)) not in str(await api.get(path))


@pytest.mark.parametrize("seed", SEEDS)
def test_each_secret_message_of_dlt645_is_masked(seed: int) -> None:
    """One kind of frame would be forgotten; its whole octets would be in the answer."""
    for edition, message in messages(Random(seed)):
        octets = encode(to_frame(message, edition))
        shown = masked(octets, (edition,))
        assert "**" in shown, message
        assert 2 * len(octets) == len(shown)


def test_cipher_and_mac_of_dlt698_are_masked() -> None:
    """A sealed order could be copied out of the API and be tried elsewhere."""
    client = Secured()
    client.associate()
    for level in (Level.CIPHER_MAC, Level.PLAIN_MAC):
        request = client.envelope(client.action(0x8000, 129, trip_data()), level)
        octets = found(request, ServerAddress(ADDRESS)).octets
        assert isinstance(request.verify, SidMac)
        for protocols in (("dlt698.45",), ("dlt645-2007", "dlt698.45"), ("dlt645-2007",), ()):
            shown = masked(octets, protocols)
            assert request.verify.mac.hex().upper() not in shown
            if isinstance(request.unit, CipherUnit):
                assert request.unit.octets.hex().upper() not in shown
    assert link698.decode(octets).user_data  # it was a good frame


def test_octets_of_no_protocol_are_hidden() -> None:
    """A broken control frame has its password too."""
    frame = encode(to_frame(ReadRequest(address=FIRST, di=0x00010000)))
    assert frame.hex().upper() == masked(frame, ("dlt645-2007",))
    assert "**" * (len(frame) - 1) == masked(frame[:-1], ("dlt645-2007", "dlt698.45"))
    assert "**" * len(frame) == masked(frame, ("dlt698.45",))


@pytest.mark.asyncio
async def test_what_is_too_long_is_cut_and_hidden() -> None:
    """A client that floods a line would fill the memory, and a cut frame would show its password."""
    async with asked_api() as api:
        frame = encode(to_frame(ReadRequest(address=FIRST, di=0x00010000)))
        api.exchanges("north", "out", b"\xfe" * (OCTETS_MAX - len(frame)) + frame)
        api.exchanges("north", "out", frame)
        [call] = api.exchanges.last(1)
        assert (2 * OCTETS_MAX, frame.hex().upper()) == (len(call.request), call.request[-2 * len(frame) :])
        api.exchanges("south", "out", frame + b"\xfe" * OCTETS_MAX)
        assert 2 * OCTETS_MAX == len(api.exchanges.last(1)[0].request)


@pytest.mark.asyncio
async def test_a_pause_and_an_answer_part_exchanges() -> None:
    """Two requests would be shown as one, or one that came in pieces as two."""
    async with asked_api() as api:
        ring: Exchanges = api.exchanges
        for pause_s in (0.0, PAUSE_S, PAUSE_S + 0.001):
            api.wall.advance(pause_s)
            ring("north", "out", b"\xfe")
        ring("north", "in", b"\x01")
        ring("north", "in", b"\x02")
        ring("north", "out", b"\xfe")
        ring("south", "out", b"\xfe")
        assert [("south", 2, 0), ("north", 2, 0), ("north", 2, 4), ("north", 4, 0)] == [
            (one.line, len(one.request), len(one.answer)) for one in ring.last(10)
        ]
        record = AnswerRecord(at=api.built.clock.utc_now(), address=FIRST, di=None, octets=b"", values={})
        for _ in range(ANSWERS_MAX + 1):
            ring.answered(record)
        assert ANSWERS_MAX == len(ring.last(10)[1].answers)
