"""The client of somebody else (PyPI ``dlt645``) before answers of ours, and each request that it can build.

Disagreements that are tolerated, beside 1 to 5 of ``test_witness.py``; anything else fails, and so does one
of these that is no more:

10. *The time of a demand*: it reads the five octets highest first.
11. *Event records are read once*: a second answer for the same identifier stops it, because it has put text
    where its record was.
12. *Answers longer than a frame may be* (03 30 02, 03 30 08): we build none; the standard has following
    frames for them, which it does not know.
13. *Broadcast time* (08H) and
14. *Freeze* (16H): it sends date and time highest octet first.
15. *Clearing demands* (19H) and
16. *the meter* (1AH): it sends an identifier and the password, the standard password and operator code.
17. *Changing a password* (18H): it says 40 00 0C for 04 00 0C.
18. *Writing an address* (15H): it asks the old address, which we read, but send to AA..AA only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from dlt645.protocol.protocol import DLT645Protocol
from dlt645.service.clientsvc.client_service import MeterClientService

from meterwire.dlt645 import Message, ReadReply, ReadRequest, decode, dictionary, encode, from_frame, to_frame
from meterwire.dlt645.messages.address_and_baud import (
    BaudRequest,
    ReadAddressReply,
    ReadAddressRequest,
    WriteAddressRequest,
)
from meterwire.dlt645.messages.clears_and_freezes import (
    ClearDemandRequest,
    ClearEventsRequest,
    ClearMeterRequest,
    FreezeRequest,
)
from meterwire.dlt645.messages.programming import ChangePasswordRequest, WriteRequest
from meterwire.dlt645.messages.time_and_terminals import BroadcastTime
from meterwire.errors import LocalProtocolError
from tests.wire.dlt645.foreign_layout import fields, groups, offered, standard

_METER, _WIRE_ADDRESS = "000000000161", bytearray.fromhex("610100000000")
_TOO_LONG = {*range(0x03300201, 0x0330020B), *range(0x03300801, 0x0330080B)}  # 12


class _Recorder:
    """A line of theirs that keeps what it is given to send, and never answers."""

    sent = b""

    def _ensure_connection(self) -> bool:
        return True

    def connect(self) -> bool:
        return True

    def send_request(self, octets: bytes) -> None:
        self.sent = bytes(octets)

    def send_only(self, octets: bytes) -> bool:
        self.sent = bytes(octets)
        return True


def _client(line: _Recorder | None = None) -> MeterClientService:
    client = MeterClientService(line)
    client.address = bytearray(_WIRE_ADDRESS)
    client.operation_code = bytearray.fromhex("21436587")
    return client


def _answered(client: MeterClientService, di: int, data: bytes) -> Any:
    octets = encode(to_frame(ReadReply(address=_METER, di=di, data=data)), preamble=4)
    return client.handle_response(DLT645Protocol.deserialize(octets))


# --- what it reads of our answers --------------------------------------------------------------


@pytest.mark.parametrize("first", [0x00, 0x02])
def test_it_reads_our_registers_and_variables(first: int) -> None:
    """Other people's head-ends would misread our simulated meter."""
    client = _client()
    for di in offered(first):
        entry = dictionary().by_di(di)
        assert entry is not None, f"{di:08X}"
        decimals = len(client.data_map[di].data_format.partition(".")[2])
        value = Decimal("0.1234").quantize(Decimal(1).scaleb(-decimals))
        read = _answered(client, di, entry.encode([value]))
        assert read is not None, f"{di:08X}"
        assert float(value) == read.value, f"{di:08X}"


def test_it_reads_our_demands_and_their_times_backwards() -> None:
    """A demand would be misread; disagreement 10 is real: 08:09 on 2012-11-10 is 2009-08-10 to it."""
    client = _client()
    for di in offered(0x01):
        entry = dictionary().by_di(di)
        assert entry is not None, f"{di:08X}"
        read = _answered(client, di, entry.encode([Decimal("1.2345"), "2012-11-10 08:09"]))
        demand = read.value
        backwards = datetime(2009, 8, 10, 11, 12)  # noqa: DTZ001 - theirs has no zone either
        assert (1.2345, backwards) == (demand.value, demand.time), f"{di:08X}"


def _texts(read: Any) -> list[object]:
    parts = [part.value for part in (read if isinstance(read, list) else [read])]
    return [getattr(part, "event", part) for part in parts]


@pytest.mark.parametrize("first", [0x03, 0x04])
def test_it_reads_our_records_and_parameters(first: int) -> None:
    """A field of a record would be misread by a foreign head-end."""
    client = _client()
    for di in offered(first):
        if di in _TOO_LONG:
            continue
        entry = dictionary().by_di(di)
        assert entry is not None, f"{di:08X}"
        shown = [value.content for value in entry.decode(standard(fields(di)))]
        data = entry.encode(shown) if entry.octets == len(standard(fields(di))) else standard(fields(di))
        expected = [tuple(field.digits for field in group[::-1]) for group in groups(di)]
        texts = [texts if len(texts) > 1 else texts[0] for texts in expected]
        assert texts == _texts(_answered(client, di, data)), f"{di:08X}"


def test_it_reads_an_event_record_once() -> None:
    """Disagreement 11 is real: then a client of its may be used a second time, and should be here."""
    client, di = _client(), 0x03300001
    data = standard(fields(di))
    assert _answered(client, di, data)
    with pytest.raises(AttributeError):
        _answered(client, di, data)


def test_answers_that_need_following_frames_are_not_put_into_one() -> None:
    """Disagreement 12 is real, and is no more than these twenty."""
    refused = set()
    for di in offered(0x03) + offered(0x04):
        try:
            to_and_fro = encode(to_frame(ReadReply(address=_METER, di=di, data=standard(fields(di)))))
        except LocalProtocolError:
            refused.add(di)
        else:
            assert decode(to_and_fro).data[4:] == standard(fields(di))
    assert _TOO_LONG == refused


def test_it_learns_the_address_of_our_meter() -> None:
    """It could not find our simulated meter; the address stays in the order of the wire (disagreement 1)."""
    client = _client()
    reply = ReadAddressReply(address="123456789012", meter_address="123456789012")
    learnt = client.handle_response(DLT645Protocol.deserialize(encode(to_frame(reply), preamble=4)))
    assert learnt is not None
    assert "129078563412" == learnt.value
    assert bytearray.fromhex("129078563412") == client.address


# --- what it asks ------------------------------------------------------------------------------

Ask = Callable[[MeterClientService], object]
_ACCESS: dict[str, Any] = {"level": 2, "password": "123456", "operator_code": "87654321"}


def _read(client: MeterClientService, first: int) -> object:
    return getattr(client, f"read_{first:02x}")(first << 24 | 0x00010000)


_AGREED: dict[str, tuple[Ask, Message]] = {
    **{
        f"read {first:02X}": (
            functools.partial(_read, first=first),
            ReadRequest(address=_METER, di=first << 24 | 0x00010000),
        )
        for first in range(5)
    },
    "read address": (lambda client: client.read_address(), ReadAddressRequest()),
    "write address": (
        lambda client: client.write_address("129078563412"),
        WriteAddressRequest(address=_METER, new_address="123456789012"),
    ),
    "write": (
        lambda client: client.write_04(0x04000102, "26090801", "02563412"),
        WriteRequest(address=_METER, di=0x04000102, **_ACCESS, payload=bytes.fromhex("01080926")),
    ),
    "freeze now": (
        lambda client: client.freeze(99, 99, 99, 99),
        FreezeRequest(address=_METER, pattern="99999999"),
    ),
    "freeze all now": (
        lambda client: client.freeze(99, 99, 99, 99, broadcast=True),
        FreezeRequest(address="999999999999", pattern="99999999"),
    ),
    "change baud": (lambda client: client.change_baud_rate(2400), BaudRequest(address=_METER, word=0x08)),
    "clear events": (
        lambda client: client.clear_event("02563412", "21436587"),
        ClearEventsRequest(address=_METER, **_ACCESS, event=0xFFFFFFFF),
    ),
}

_APART: dict[str, tuple[Ask, Message, Message]] = {  # what it asks, what that is to us, what was meant
    "13 broadcast time": (
        lambda client: client.broadcast_time_sync(datetime(2012, 11, 10, 8, 9, 7)),  # noqa: DTZ001
        BroadcastTime(clock="2007-09-08 10:11:12"),
        BroadcastTime(clock="2012-11-10 08:09:07"),
    ),
    "14 freeze": (
        lambda client: client.freeze(99, 99, 0, 0),
        FreezeRequest(address=_METER, pattern="00009999"),
        FreezeRequest(address=_METER, pattern="99990000"),
    ),
    "15 clear demand": (
        lambda client: client.clear_demand(0x01010000, "02563412"),
        ClearDemandRequest(address=_METER, level=0, password="010100", operator_code="12345602"),
        ClearDemandRequest(address=_METER, **_ACCESS),
    ),
    "16 clear meter": (
        lambda client: client.clear_meter("02563412"),
        ClearMeterRequest(address=_METER, level=0, password="000000", operator_code="12345602"),
        ClearMeterRequest(address=_METER, **_ACCESS),
    ),
    "17 change password": (
        lambda client: client.change_password("02563412", "04214365"),
        ChangePasswordRequest(
            address=_METER,
            di=0x40000C04,
            level=2,
            password="123456",
            new_level=4,
            new_password="654321",
        ),
        ChangePasswordRequest(
            address=_METER,
            di=0x04000C04,
            level=2,
            password="123456",
            new_level=4,
            new_password="654321",
        ),
    ),
}


@functools.cache
def _asker() -> tuple[MeterClientService, _Recorder]:
    line = _Recorder()
    return _client(line), line  # it copies its dictionary, which takes a second


def _asked(ask: Ask) -> bytes:
    client, line = _asker()
    ask(client)
    return line.sent


@pytest.mark.parametrize("name", _AGREED)
def test_its_requests_are_ours(name: str) -> None:
    """Our simulated meter would take a foreign head-end's request for another, or put fields elsewhere."""
    ask, message = _AGREED[name]
    assert message == from_frame(decode(_asked(ask)))
    if name != "write address":  # 18
        assert encode(to_frame(message), preamble=4) == _asked(ask)


def test_an_address_is_written_where_the_standard_says() -> None:
    """Disagreement 18 is real: what it sends is read, but would not be built here."""
    _, message = _AGREED["write address"]
    with pytest.raises(LocalProtocolError):
        to_frame(message)


@pytest.mark.parametrize("name", _APART)
def test_where_its_requests_are_not_ours(name: str) -> None:
    """A disagreement of the list would have ended, or become another."""
    ask, to_us, meant = _APART[name]
    assert to_us == from_frame(decode(_asked(ask)))
    assert encode(to_frame(meant), preamble=4) != _asked(ask)


def test_every_request_that_it_can_make_is_here() -> None:
    """A request of its would go untried."""
    tried = {f"{name}_{octet}" for name, octet in (("read", f"0{first}") for first in range(5))} | {
        "read_address",
        "write_address",
        "write_04",
        "freeze",
        "change_baud_rate",
        "clear_event",
        "broadcast_time_sync",
        "clear_demand",
        "clear_meter",
        "change_password",
    }
    others = (
        "set_",
        "get_",
        "new_",
        "handle_",
        "send_",
        "enable_",
        "disable_",
        "clear_captured",
        "connect",
        "disconnect",
        "close",
    )
    public = {name for name in vars(MeterClientService) if name[0] != "_" and not name.startswith(others)}
    callables = {name for name in public if callable(getattr(MeterClientService, name))}
    assert tried == callables
