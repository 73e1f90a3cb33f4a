"""The meter of somebody else (PyPI ``dlt645``'s server), asked by our session for everything that it offers.

Disagreements that are tolerated, beside 1 to 5 of ``test_witness.py``; anything else fails, and so does one
of these that is no more:

6. *The point is an octet*: in records (03) and parameters (04) a number with a point has one octet more
   than the standard gives it (``foreign_layout.py``). Without that octet all lengths and digits agree.
7. *The record of the holidays' programming* (03 30 08): longer than a frame; the standard has following
   frames for that, it refuses.
8. *Items to display* (04 04 01, 04 04 02): it sends the identifier alone, the standard has a code octet
   behind it. We read both.
9. *The record of the clearing of demands* (03 30 02): 202 octets (226 with its points) in one frame, where
   the standard's most is 200 with the identifier. We read it.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from dlt645.model.data.define import DIMap
from dlt645.model.types.dlt645_type import Demand
from dlt645.protocol.protocol import DLT645Protocol
from dlt645.service.serversvc.server_service import MeterServerService

from meterwire.dlt645 import AbnormalReply, Entry, ReadReply, ReadRequest, ReadSession, dictionary
from meterwire.dlt645.link.frame import DATA_OCTETS_MAX
from meterwire.errors import RemoteProtocolError
from tests.wire.dlt645.foreign_layout import fields, offered, sent, standard, told

_METER = "000000000161"
REFUSED = frozenset(range(0x03300801, 0x0330080B))  # 7
_WITHOUT_CODE = {0x040401, 0x040402}  # 8
_LONG = set(range(0x03300201, 0x0330020B))  # 9


def _asked(server: MeterServerService, di: int) -> ReadReply | AbnormalReply | None:
    session = ReadSession(ReadRequest(address=_METER, di=di))
    answer = server.handle_request(DLT645Protocol.deserialize(session.octets_to_send()))
    session.feed(bytes(answer))
    return session.reply


def _read(server: MeterServerService, di: int) -> tuple[Entry, bytes]:
    reply, entry = _asked(server, di), dictionary().by_di(di)
    assert entry is not None, f"{di:08X}"
    assert isinstance(reply, ReadReply), f"{di:08X}"
    assert di == reply.di
    return entry, reply.data


@pytest.fixture(scope="module")
def server() -> MeterServerService:
    return MeterServerService(None, bytearray.fromhex("610100000000"))


def test_it_offers_what_is_read_here() -> None:
    """A class of identifiers that it got would go unread."""
    assert {0x00: 9906, 0x01: 8710, 0x02: 167, 0x03: 634, 0x04: 869} == {
        first: len(offered(first)) for first in {di >> 24 for di in DIMap}
    }


def _within(shape: str) -> Decimal:
    """A value that fits any item of that format (a power factor is at most 1)."""
    return Decimal("0.1234").quantize(Decimal(1).scaleb(-len(shape.partition(".")[2])))


@pytest.mark.parametrize("first", [0x00, 0x02])
def test_its_registers_and_variables_are_read_as_it_keeps_them(
    server: MeterServerService, first: int
) -> None:
    """A whole class of identifiers would be read wrongly, all the same way in meter and head-end of ours."""
    for di in offered(first):
        kept = _within(DIMap[di].data_format)
        assert (server.set_00 if first == 0 else server.set_02)(di, float(kept))
        entry, data = _read(server, di)
        assert [kept] == [value.value for value in entry.decode(data)], f"{di:08X}"


def test_its_demands_are_read_as_it_keeps_them(server: MeterServerService) -> None:
    """A demand or its time would be read from the wrong octets."""
    for di in offered(0x01):
        assert server.set_01(di, Demand(value=1.2345, time=datetime(2026, 9, 8, 14, 25)))  # noqa: DTZ001
        entry, data = _read(server, di)
        assert ["1.2345", "2026-09-08 14:25"] == [value.text for value in entry.decode(data)], f"{di:08X}"


@pytest.mark.parametrize("first", [0x03, 0x04])
def test_its_records_and_parameters_are_read_as_it_keeps_them(server: MeterServerService, first: int) -> None:
    """A field would stand elsewhere, be longer, or have its point elsewhere, in both ends of ours."""
    for di in offered(first):
        if di in REFUSED:
            continue
        kept = fields(di)
        assert (server.set_03 if first == 0x03 else server.set_04)(di, told(di)), f"{di:08X}"
        entry, data = _read(server, di)
        assert sent(kept) == data, f"{di:08X}"
        values = entry.decode(standard(kept))  # disagreement 6 undone
        assert [field.octets for field in kept] == [value.raw for value in values], f"{di:08X}"
        for field, value in zip(kept, values, strict=True):
            assert field.number in {None, value.value}, f"{di:08X} {value.item}"


def test_its_point_is_an_octet(server: MeterServerService) -> None:
    """Disagreement 6 is real: what has a point is refused for its length, and nothing else is."""
    refused, with_point = set(), set()
    for di in offered(0x03) + offered(0x04):
        if di in REFUSED:
            continue
        entry, data = _read(server, di)
        if sent(fields(di)) != standard(fields(di)):
            with_point.add(di)
        try:
            entry.decode(data)
        except RemoteProtocolError as error:
            assert "length" == error.kind
            refused.add(di)
    assert with_point - _LONG == refused  # of those, 24 points make three more of our repeated fields
    assert 400 < len(refused)


def test_it_refuses_what_needs_following_frames(server: MeterServerService) -> None:
    """Disagreement 7 is real, and is no more than these ten."""
    refused = {di for di in DIMap if isinstance(_asked(server, di), AbnormalReply)}
    assert REFUSED == refused


def test_its_display_items_have_no_code(server: MeterServerService) -> None:
    """Disagreement 8 is real: four octets there, five in the standard; both are read."""
    shorter = set()
    for di in offered(0x04):
        entry, data = _read(server, di)
        if len(entry.shapes) > 1 and len(data) == 4 != entry.octets:
            shorter.add(di >> 8)
            assert 1 == len(entry.decode(data)) == len(entry.decode(data + b"\x00"))
    assert _WITHOUT_CODE == shorter


def test_one_of_its_records_is_longer_than_a_frame_may_be(server: MeterServerService) -> None:
    """Disagreement 9 is real: a meter that packs so much into one frame is still read."""
    answered = {*offered(0x03), *offered(0x04)} - REFUSED
    assert _LONG == {di for di in answered if len(_read(server, di)[1]) + 4 > DATA_OCTETS_MAX}
