"""Commands in both directions and both editions: octets, refusals to build, what is secret."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.dlt645 import Frame, Message, decode, encode, from_frame, to_frame
from meterwire.dlt645.items import security
from meterwire.dlt645.items.bit_words import bit_words, bits_set
from meterwire.dlt645.link.functions import EDITIONS, Edition, edition, function_name
from meterwire.dlt645.messages.address_and_baud import (
    BaudReply,
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
from meterwire.dlt645.messages.command import Acknowledgement, Command, ReadAgainRequest
from meterwire.dlt645.messages.command_codec import COMMANDS, field_spans
from meterwire.dlt645.messages.control import (
    DURATION_MAX,
    ORDERS,
    TIMED_ORDERS,
    ControlRequest,
    SealedControlRequest,
    SecurityReply,
    SecurityRequest,
)
from meterwire.dlt645.messages.messages import (
    AbnormalReply,
    OtherMessage,
    ReadAgainReply,
    ReadFollowingReply,
    ReadFollowingRequest,
    ReadReply,
    ReadRequest,
)
from meterwire.dlt645.messages.programming import ChangePasswordReply, ChangePasswordRequest, WriteRequest
from meterwire.dlt645.messages.secrets import secret_spans
from meterwire.dlt645.messages.time_and_terminals import (
    BroadcastTime,
    InfraredReply,
    InfraredRequest,
    TerminalOutputReply,
    TerminalOutputRequest,
)
from meterwire.errors import LocalProtocolError, RemoteProtocolError
from tests.support.vectors import octets, vectors
from tests.wire.dlt645 import strategies as of

_ME, _ALL, _ANY = "123456789012", "999999999999", "AAAAAAAAAAAA"
_ACCESS: dict[str, Any] = {"level": 2, "password": "123456"}
_OPERATED: dict[str, Any] = {**_ACCESS, "operator_code": "87654321"}

_EXAMPLES: list[tuple[Edition, Command, str]] = [
    ("dlt645-2007", ReadAddressRequest(), "68AAAAAAAAAAAA681300DF16"),
    ("dlt645-2007", ReadAddressReply(address=_ME, meter_address=_ME), "6812907856341268930645C3AB8967450716"),
    (
        "dlt645-2007",
        WriteRequest(
            address=_ME,
            di=0x04000102,
            level=4,
            password="123456",
            operator_code="00000001",
            payload=b"\x30\x20\x10",
        ),
        "6812907856341268140F353433373789674534333333635343AE16",
    ),
    ("dlt645-2007", FreezeRequest(address=_ALL, pattern="99999999"), "68999999999999681604CCCCCCCCB016"),
    ("dlt645-2007", FreezeRequest(address=_ME, pattern="99990000"), "681290785634126816043333CCCC9E16"),
    ("dlt645-2007", Acknowledgement(address=_ME, function=0x16), "681290785634126896001C16"),
    ("dlt645-2007", BaudRequest(address=_ME, word=0x08), "681290785634126817013BD916"),
    ("dlt645-2007", BaudReply(address=_ME, word=0x08), "681290785634126897013B5916"),
    (
        "dlt645-2007",
        ChangePasswordRequest(
            address=_ME, di=0x04000C03, level=2, password="000000", new_level=2, new_password="123456"
        ),
        "6812907856341268180C363F33373533333335896745C116",
    ),
    (
        "dlt645-2007",
        ClearDemandRequest(address=_ME, level=2, password="000000", operator_code="44332211"),
        "681290785634126819083533333344556677EB16",
    ),
    (
        "dlt645-2007",
        ClearMeterRequest(address=_ME, level=2, password="000000", operator_code="44332211"),
        "68129078563412681A083533333344556677EC16",
    ),
    (
        "dlt645-2007",
        ClearEventsRequest(
            address=_ME, level=2, password="000000", operator_code="44332211", event=0xFFFFFFFF
        ),
        "68129078563412681B0C353333334455667732323232B916",
    ),
    ("dlt645-2007", BroadcastTime(clock="2017-06-05 10:22:51"), "6899999999999968080684554338394A4B16"),
    (
        "dlt645-2007",
        ControlRequest(
            address="202611220001", **_OPERATED, command=0x1B, expires=bytes.fromhex("003015221126")
        ),
        "68010022112620681C1035896745547698BA4E333363485544594D16",
    ),
    (
        "dlt645-2007",
        SealedControlRequest(
            address="111111111111",
            operator_code="12345678",
            mac="03C131EB",
            cipher="865BAA06CDEA44E07EC90AD8D750C271",
        ),
        "68111111111111681C1CCB333333AB8967451E64F436A4F5830A0B3DFCB113771D0039DD8EB97D16",
    ),
    (
        "dlt645-2007",
        SecurityRequest(address="202611220001", di=0x070002FF, operator_code="87654321"),
        "680100221126206803083235333A547698BA4516",
    ),
    ("dlt645-2007", SecurityReply(address="202611220001", di=0x070102FF), "680100221126206883043235343AA616"),
    (
        "dlt645-2007",
        Acknowledgement(address="202611220001", function=0x1C, execution_word=b"\x04\x00"),
        "68010022112620689C0237335216",
    ),
    (
        "dlt645-1997",
        WriteRequest(
            address="000000000001", di=0xC010, level=0, password="000000", payload=bytes.fromhex("06060719")
        ),
        "6801000000000068040A43F33333333339393A4CD916",
    ),
]


@pytest.mark.parametrize(
    ("edition_", "message", "text"), _EXAMPLES, ids=[str(type(one[1]).__name__) for one in _EXAMPLES]
)
def test_commands_are_built_and_read_as_published(edition_: Edition, message: Command, text: str) -> None:
    """A meter would refuse, or do something else."""
    frame = decode(bytes.fromhex(text))
    assert message == from_frame(frame, edition_)
    assert frame == to_frame(message, edition_)


_codes = st.text("0123456789ABCDEF", min_size=8, max_size=8)
_passwords = st.text("0123456789", min_size=6, max_size=6)
_levels = st.integers(0, 9)
_addresses = st.text("0123456789", min_size=12, max_size=12).filter(lambda text: text != _ALL)
_access = {"address": _addresses, "level": _levels, "password": _passwords}
_operated = {**_access, "operator_code": _codes}
_clocks = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001
    max_value=datetime(2099, 12, 31),  # noqa: DTZ001
).map(lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S"))
_expiries = _clocks.map(lambda text: bytes.fromhex("".join(filter(str.isdigit, text[2:])))[::-1])
_di = st.integers(0, 0xFFFFFFFF)
_di_1997 = st.integers(0, 0xFFFF)
_payloads = st.binary(max_size=100)
_events = st.just(0xFFFFFFFF) | st.integers(0x030000, 0x03FFFF).map(lambda kind: kind << 8 | 0xFF)
_words = st.sampled_from([2, 4, 8, 0x10, 0x20, 0x40])

_BUILT: dict[Edition, list[st.SearchStrategy[Message]]] = {
    "dlt645-2007": [
        st.builds(
            ReadRequest, address=_addresses, di=_di, selector=st.sampled_from([b"", b"\x01", bytes(6)])
        ),
        st.builds(ReadReply, address=_addresses, di=_di, data=_payloads, has_following=st.booleans()),
        st.builds(ReadFollowingRequest, address=_addresses, di=_di, sequence=st.integers(1, 255)),
        st.builds(
            ReadFollowingReply,
            address=_addresses,
            di=_di,
            data=_payloads,
            sequence=st.integers(1, 255),
            has_following=st.booleans(),
        ),
        st.builds(
            AbnormalReply,
            address=_addresses,
            function=st.integers(0, 31),
            error_word=st.binary(min_size=1, max_size=2),
        ),
        st.builds(ReadAddressRequest),
        st.builds(ReadAddressReply, address=_addresses, meter_address=_addresses),
        st.builds(WriteRequest, **_operated, di=_di, payload=_payloads),
        st.builds(WriteAddressRequest, new_address=_addresses),
        st.builds(BaudRequest, address=_addresses, word=_words),
        st.builds(BaudReply, address=_addresses, word=_words),
        st.builds(
            ChangePasswordRequest,
            address=_addresses,
            level=st.integers(0, 4),
            password=_passwords,
            di=st.integers(0x04000C05, 0x04000C0A),
            new_level=_levels,
            new_password=_passwords,
        ),
        st.builds(ChangePasswordReply, address=_addresses, new_level=_levels, new_password=_passwords),
        st.builds(TerminalOutputRequest, address=_addresses, signal=st.integers(0, 2)),
        st.builds(TerminalOutputReply, address=_addresses, signal=st.none() | st.integers(0, 255)),
        st.builds(ClearDemandRequest, **_operated, sealed=_payloads),
        st.builds(ClearMeterRequest, **_operated, sealed=_payloads),
        st.builds(ClearEventsRequest, **_operated, event=_events, sealed=_payloads),
        st.builds(BroadcastTime, clock=_clocks),
        st.builds(
            ControlRequest,
            **_operated,
            command=st.sampled_from(sorted(ORDERS - TIMED_ORDERS)),
            expires=_expiries,
        ),
        st.builds(
            ControlRequest,
            **_operated,
            command=st.sampled_from(sorted(TIMED_ORDERS)),
            duration=st.integers(1, DURATION_MAX),
            expires=_expiries,
        ),
        st.builds(
            SealedControlRequest,
            address=_addresses,
            operator_code=_codes,
            mac=_codes,
            cipher=st.text("0123456789ABCDEF", min_size=32, max_size=32),
        ),
        st.builds(SecurityRequest, address=_addresses, di=_di, operator_code=_codes, payload=_payloads),
        st.builds(SecurityReply, address=_addresses, di=_di, payload=_payloads, has_following=st.booleans()),
        st.builds(FreezeRequest, address=_addresses, pattern=st.sampled_from(["99999999", "99312359"])),
        st.builds(
            Acknowledgement,
            address=_addresses,
            function=st.sampled_from([0x08, 0x14, 0x15, 0x16, 0x19, 0x1A, 0x1B, 0x1C]),
        ),
    ],
    "dlt645-1997": [
        st.builds(ReadRequest, address=_addresses, di=_di_1997, selector=st.just(b"")),
        st.builds(ReadReply, address=_addresses, di=_di_1997, data=_payloads, has_following=st.booleans()),
        st.builds(ReadFollowingRequest, address=_addresses, di=_di_1997, sequence=st.just(0)),
        st.builds(
            ReadFollowingReply,
            address=_addresses,
            di=_di_1997,
            data=_payloads,
            sequence=st.just(0),
            has_following=st.booleans(),
        ),
        st.builds(
            ReadAgainReply, address=_addresses, di=_di_1997, data=_payloads, has_following=st.booleans()
        ),
        st.builds(
            AbnormalReply,
            address=_addresses,
            function=st.sampled_from([0x01, 0x02, 0x03, 0x04, 0x0C, 0x0F]),
            error_word=st.binary(min_size=1, max_size=1),
        ),
        st.builds(ChangePasswordReply, address=_addresses, new_level=_levels, new_password=_passwords),
        st.builds(Acknowledgement, address=_addresses, function=st.sampled_from([0x04, 0x0A, 0x10])),
        st.builds(ReadAgainRequest, address=_addresses),
        st.builds(WriteRequest, **_access, di=_di_1997, payload=_payloads),
        st.builds(WriteAddressRequest, address=st.just(_ALL), new_address=_addresses),
        st.builds(BaudRequest, address=_addresses, word=_words),
        st.builds(BaudReply, address=_addresses, word=_words),
        st.builds(ChangePasswordRequest, **_access, new_level=_levels, new_password=_passwords),
        st.builds(ClearDemandRequest, **_access),
        st.builds(BroadcastTime, clock=_clocks),
    ],
}


@pytest.mark.parametrize("edition_", EDITIONS)
@given(data=st.data())
def test_every_message_survives_the_wire(edition_: Edition, data: st.DataObject) -> None:
    """Head-end and simulated meter share this codec: what one says the other must hear."""
    message = data.draw(st.one_of(_BUILT[edition_]))
    assert message == from_frame(to_frame(message, edition_), edition_)


def test_every_command_is_tried_above() -> None:
    """A new command could be added without a round trip."""
    text = repr(_BUILT) + repr(_EXAMPLES)
    assert _NEVER_BUILT == {kind for kind in COMMANDS if kind.__name__ not in text}


_NEVER_BUILT = {InfraredRequest, InfraredReply}
_TO_ONE_METER: list[Command] = [
    WriteRequest(address=_ME, **_OPERATED, di=0x04000102, payload=b""),
    BaudRequest(address=_ME, word=8),
    ChangePasswordRequest(address=_ME, **_ACCESS, di=0x04000C03, new_level=2, new_password="000000"),
    TerminalOutputRequest(address=_ME, signal=0),
    ClearDemandRequest(address=_ME, **_OPERATED),
    ClearMeterRequest(address=_ME, **_OPERATED),
    ClearEventsRequest(address=_ME, **_OPERATED, event=0xFFFFFFFF),
    ControlRequest(address=_ME, **_OPERATED, command=0x1A, expires=bytes.fromhex("003015221126")),
    SealedControlRequest(address=_ME, operator_code="87654321", mac="00000000", cipher="0" * 32),
    SecurityRequest(address=_ME, di=0x070102FF, operator_code="87654321"),
]


_KINDS = {"single": _ME, "shortened": "AAAAAA789012", "wildcard": _ANY, "broadcast": _ALL}
_TO_MANY: dict[tuple[Edition, type[Command]], set[str]] = {
    ("dlt645-2007", ReadAddressRequest): {"wildcard"},
    ("dlt645-2007", WriteAddressRequest): {"wildcard"},
    ("dlt645-1997", WriteAddressRequest): {"broadcast"},
    ("dlt645-2007", FreezeRequest): {"single", "broadcast"},
    ("dlt645-2007", BroadcastTime): {"single", "broadcast"},
    ("dlt645-1997", BroadcastTime): {"single", "broadcast"},
}
"""Requests that may go elsewhere than to one meter, and where."""
_REQUESTS: list[tuple[Edition, Command]] = [
    *(("dlt645-2007", message) for message in _TO_ONE_METER),
    ("dlt645-2007", ReadAddressRequest()),
    ("dlt645-2007", WriteAddressRequest(new_address="000000000001")),
    ("dlt645-2007", FreezeRequest(address=_ME, pattern="99999999")),
    ("dlt645-2007", BroadcastTime(clock="2017-06-05 10:22:51")),
    ("dlt645-1997", WriteRequest(address=_ME, **_ACCESS, di=0xC010, payload=b"")),
    ("dlt645-1997", WriteAddressRequest(new_address="000000000001")),
    ("dlt645-1997", BaudRequest(address=_ME, word=8)),
    ("dlt645-1997", ChangePasswordRequest(address=_ME, **_ACCESS, new_level=2, new_password="000000")),
    ("dlt645-1997", ClearDemandRequest(address=_ME, **_ACCESS)),
    ("dlt645-1997", BroadcastTime(clock="2017-06-05 10:22:51")),
    ("dlt645-1997", ReadAgainRequest(address=_ME)),
]


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize(
    ("edition_", "message"), _REQUESTS, ids=[f"{of[-4:]}-{type(one).__name__}" for of, one in _REQUESTS]
)
def test_each_request_goes_where_it_may_and_nowhere_else(
    edition_: Edition, message: Command, kind: str
) -> None:
    """Every relay on the bus would move, every meter take one address; or one could not be reached."""
    asked = dataclasses.replace(message, address=_KINDS[kind])
    if kind in _TO_MANY.get((edition_, type(message)), {"single"}):
        assert _KINDS[kind] == to_frame(asked, edition_).address
        return
    with pytest.raises(LocalProtocolError, match="must not go to"):
        to_frame(asked, edition_)


def test_every_request_of_both_editions_is_among_them() -> None:
    """A new command could be sent to all meters without anybody having thought about it."""
    built = [kind for kind in COMMANDS if not kind.FROM_METER and kind not in _NEVER_BUILT]
    requests = {(of, kind) for kind in built for of, _ in kind.LAYOUTS}
    assert requests == {(of, type(message)) for of, message in _REQUESTS}


@pytest.mark.parametrize("kind", [InfraredRequest, InfraredReply])
def test_what_nobody_knows_is_read_and_never_built(kind: type[InfraredRequest | InfraredReply]) -> None:
    """A meter would be told something of which nobody knows what it does."""
    frame = Frame(address=_ME, function=0x1F, data=b"\x02\x03", from_meter=kind.FROM_METER)
    message = from_frame(frame)
    assert kind(address=_ME, payload=b"\x02\x03") == message
    assert ((0, 2),) == secret_spans(frame)
    assert "\\x02" not in repr(message)
    with pytest.raises(LocalProtocolError, match="never built"):
        to_frame(message)


@pytest.mark.parametrize("kind", [kind for kind in _KINDS if kind != "single"])
@pytest.mark.parametrize("function", [0x03, 0x05, 0x14, 0x1A, 0x1C, 0x1D, 0x1F])
def test_no_frame_that_we_do_not_understand_goes_to_many(function: int, kind: str) -> None:
    """What cannot be built as a control could be passed on as an unknown frame."""
    with pytest.raises(LocalProtocolError, match="must not go to"):
        to_frame(OtherMessage(frame=Frame(address=_KINDS[kind], function=function)))
    reply = Frame(address=_KINDS[kind], function=function, from_meter=True)
    assert reply == to_frame(OtherMessage(frame=reply))


@pytest.mark.parametrize(
    ("edition_", "message"),
    [
        ("dlt645-1997", WriteRequest(address=_ME, **_OPERATED, di=0xC010, payload=b"")),
        ("dlt645-1997", ClearDemandRequest(address=_ME, **_ACCESS, sealed=b"1")),
        (
            "dlt645-1997",
            ChangePasswordRequest(address=_ME, di=1, **_ACCESS, new_level=2, new_password="000000"),
        ),
        ("dlt645-2007", ReadAgainReply(address=_ME, di=0x9010, data=b"")),
    ],
)
def test_what_an_edition_does_not_have_is_not_left_out_in_silence(
    edition_: Edition, message: Message
) -> None:
    """A meter would get less than was asked, and nobody would know."""
    with pytest.raises(LocalProtocolError, match="has no"):
        to_frame(message, edition_)


_NO_ORDERS = [
    (0x55, 0),
    (0x00, 0),
    (0x1F, 0),
    (0x9A, 0),
    (0x1A, 1),
    (0x1C, 6),
    (0x1D, 0),
    (0x1E, 0),
    (0x1D, 256),
]
"""N1 and N2 that no source knows: another command, a duration where none is, none where one must be."""


def _control(**changes: Any) -> ControlRequest:
    usual: dict[str, Any] = {**_OPERATED, "command": 0x1A, "expires": bytes.fromhex("003015221126")}
    return ControlRequest(address=_ME, **(usual | changes))


def _password(**changes: Any) -> ChangePasswordRequest:
    usual: dict[str, Any] = {**_ACCESS, "di": 0x04000C03, "new_level": 2, "new_password": "000000"}
    return ChangePasswordRequest(address=_ME, **(usual | changes))


@pytest.mark.parametrize(
    "message",
    [
        FreezeRequest(address=_ME, pattern="01010000"),
        FreezeRequest(address=_ME, pattern="99320000"),
        FreezeRequest(address=_ME, pattern="99992400"),
        FreezeRequest(address=_ME, pattern="9999"),
        FreezeRequest(address=_ANY, pattern="99999999"),
        BaudRequest(address=_ME, word=0x0C),
        BaudRequest(address=_ME, word=0),
        BroadcastTime(clock="2017-06-05"),
        BroadcastTime(address=_ANY, clock="2017-06-05 10:22:51"),
        ControlRequest(address=_ME, **_OPERATED, command=0x1A, expires=bytes(6)),
        ControlRequest(address=_ME, **_OPERATED, command=0x1A, expires=bytes.fromhex("003015221326")),
        ControlRequest(
            address=_ME,
            level=0x98,
            password="000000",
            operator_code="00000000",
            command=0x1A,
            expires=bytes.fromhex("003015221126"),
        ),
        WriteAddressRequest(new_address=_ALL),
        WriteAddressRequest(new_address="AAAAAAAAAAAA"),
        WriteAddressRequest(address=_ME, new_address="000000000001"),
        WriteRequest(address=_ME, di=1, level=2, password="12345", operator_code="00000000", payload=b""),
        WriteRequest(address=_ME, di=1, level=2, password="123456", operator_code="", payload=b""),
        *(_control(command=command, duration=duration) for command, duration in [*_NO_ORDERS, (0x1D, 256)]),
        SealedControlRequest(address=_ME, level=0x00, operator_code="0" * 8, mac="0" * 8, cipher="0" * 32),
        SealedControlRequest(address=_ME, level=0x11, operator_code="0" * 8, mac="0" * 8, cipher="0" * 32),
        _control(password="ABCDEF"),
        WriteRequest(address=_ME, di=1, level=2, password="AAAAAA", operator_code="0" * 8, payload=b""),
        ClearDemandRequest(address=_ME, level=2, password="12 456", operator_code="00000000"),
        _password(di=0x00010000),
        _password(di=0),
        _password(di=0x04000C0B),
        _password(level=4),
        _password(new_password="ABCDEF"),
        ClearEventsRequest(address=_ME, **_OPERATED, event=0x00010000),
        ClearEventsRequest(address=_ME, **_OPERATED, event=0x000100FF),
        ClearEventsRequest(address=_ME, **_OPERATED, event=0x03010001),
        BroadcastTime(clock="2026-13-41 00:00:00"),
        BroadcastTime(clock="2026-02-29 00:00:00"),
        TerminalOutputRequest(address=_ME, signal=3),
        ReadAddressRequest(address=_ME),
        ReadAgainRequest(address=_ME),
        Acknowledgement(address=_ME, function=0x11),
    ],
    ids=repr,
)
def test_what_the_standard_does_not_allow_is_not_built(message: Command) -> None:
    """A meter would take it otherwise than meant."""
    with pytest.raises(LocalProtocolError):
        to_frame(message)


def test_reads_go_where_somebody_answers() -> None:
    """A read to all would wait in vain; following data of whoever answers first would be mixed."""
    for address in (_ALL, _ANY, "AAAAAA789012"):
        following = ReadFollowingRequest(address=address, di=1, sequence=1)
        with pytest.raises(LocalProtocolError, match="one meter"):
            to_frame(following)
        old = dataclasses.replace(following, sequence=0)
        assert address == to_frame(old, "dlt645-1997").address
    with pytest.raises(LocalProtocolError, match="nobody answers"):
        to_frame(ReadRequest(address=_ALL, di=1))
    assert _ANY == to_frame(ReadRequest(address=_ANY, di=1)).address
    assert _ALL == to_frame(ReadRequest(address=_ALL, di=0xC032), "dlt645-1997").address


def test_no_octets_of_a_control_to_many_are_made() -> None:
    """A frame put together by hand would open every relay of the line."""
    for address in (_ALL, _ANY, "AAAAAA789012", "00000000016A"):
        with pytest.raises(LocalProtocolError, match="control request must not go to"):
            encode(Frame(address=address, function=0x1C, data=bytes(16)))
        answer = Frame(address=address, function=0x1C, from_meter=True)
        assert answer == decode(encode(answer))


def test_what_is_known_is_not_built_as_unknown() -> None:
    """Every check of a command could be gone round."""
    for function in (0x03, 0x14, 0x1A, 0x1C):
        with pytest.raises(LocalProtocolError, match="no unknown one"):
            to_frame(OtherMessage(frame=Frame(address=_ME, function=function, data=bytes(16))))
    unknown = Frame(address=_ME, function=0x05)
    assert unknown == to_frame(OtherMessage(frame=unknown))


@given(frame=of.frames, hint=st.sampled_from(EDITIONS))
def test_any_frame_gives_a_message_or_a_refusal(frame: Frame, hint: Edition) -> None:
    """A foreign meter's data would stop the program."""
    try:
        message = from_frame(frame, hint)
    except RemoteProtocolError as error:
        assert error.kind == "length"
        return
    assert frame.address == message.address


@given(frame=of.frames, hint=st.sampled_from(EDITIONS))
def test_secret_spans_stand_within_the_data(frame: Frame, hint: Edition) -> None:
    """The trace would blank other octets than the password's."""
    end = 0
    for first, after in secret_spans(frame, hint):
        assert end <= first < after <= len(frame.data)
        end = after


def _blanked(vector_id: str) -> str:
    (vector,) = [one for one in vectors("dlt645.jsonl") + vectors("control.jsonl") if one["id"] == vector_id]
    stream = octets(vector)
    frame = decode(stream)
    shown = bytearray(frame.data)
    for first, after in secret_spans(frame, vector["protocol"]):
        shown[first:after] = b"\xee" * (after - first)
    return shown.hex().upper()


@pytest.mark.parametrize(
    ("vector_id", "shown"),
    [
        ("v645-135", "0201000404EEEEEE01000000302010"),
        ("v645-131", "030C000402EEEEEE02EEEEEE"),
        ("v645-132", "02EEEEEE11223344"),
        ("CTL645-001", "00EEEEEE000000001A00244115120518"),
        ("CTL645-017", "98EEEEEE78563412" + "EE" * 20),
        ("SEC645-004", "FF01000721436587" + "3000" + "EE" * 4),
        ("PAY645-001", "FF02010721436587" + "10270000" + "05000000" + "EE" * 4 + "785634120000" + "EE" * 4),
        ("PAR645-001", "0110000499EEEEEE2143658700500000" + "EE" * 4),
        ("VAR645-001", "FF02010711223344" + "EE" * 32),
        ("v645-101", "10C000EEEEEE06060719"),
        ("v645-001", "00000100"),
        ("CTL645-015", "2000"),
    ],
)
def test_passwords_keys_ciphers_and_macs_are_secret_and_nothing_else(vector_id: str, shown: str) -> None:
    """A trace would hold the password, or hide what the operator needs to see."""
    assert shown == _blanked(vector_id)


def test_repr_hides_what_is_secret() -> None:
    """A log line or an error text would hold the password."""
    for message in (*_TO_ONE_METER, ChangePasswordReply(address=_ME, new_level=2, new_password="123456")):
        shown = repr(message)
        assert "'123456'" not in shown
        assert "payload" not in shown
        assert "87654321" in shown or "operator" not in shown


def test_refusals_speak_both_languages() -> None:
    """An operator would see a number and have to look it up."""
    reply = AbnormalReply(address=_ME, function=0x11, error_word=b"\x06")
    assert ("no-data", "password") == reply.bits
    assert reply.sentence() == "the meter refused: no such data, wrong password or not authorised (06H)"
    assert reply.sentence("zh") == "电表拒绝：无请求数据、密码错或未授权（06H）"
    assert AbnormalReply(address=_ME, function=0x01, error_word=b"\x02").bits == ("di",)
    assert AbnormalReply(address=_ME, function=0x03, error_word=b"\x02\x00").bits == ("repeat_topup",)
    assert AbnormalReply(address=_ME, function=0x1C, error_word=b"\x20\x00").bits == (
        "trip_refused_guarantee",
    )
    assert AbnormalReply(address=_ME, function=0x11, error_word=b"\x02\x00").bits == ()


def test_words_have_no_bit_twice() -> None:
    """One fault would be shown as another."""
    for word, bits in bit_words().items():
        names = [bit.name for bit in bits if bit.name != "reserved"]
        assert len(bits) == len({bit.place for bit in bits}), word
        assert len(names) == len(set(names)), word
    assert bits_set("no such word", b"\xff") == ()


@pytest.mark.parametrize("direction", ["request", "reply"])
def test_security_payloads_survive_both_ways(direction: security.Direction) -> None:
    """A top-up would carry another amount than was paid."""
    values: dict[str, int | str] = {
        "amount_cents": 10000,
        "purchase_count": 5,
        "mac1": "f0b5276f",
        "customer": "000012345678",
        "mac2": "0d687851",
        "remaining_cents": 22345,
        "key_info": "00000001",
    }
    di = 0x070102FF if direction == "request" else 0x078102FF
    payload = security.join(di, direction, values)
    found = security.split(di, direction, payload)
    assert found is not None
    assert {one.field.name: one.value for one in found}.items() <= values.items()
    assert security.split(di, direction, payload + b"\x00") is None
    with pytest.raises(LocalProtocolError):
        security.join(di, direction, {})
    with pytest.raises(LocalProtocolError):
        security.join(0x07FFFFFF, direction, values)


def test_function_codes_tell_the_edition() -> None:
    """A 1997 answer would be read with the tables of 2007."""
    assert [edition(code) for code in (0x01, 0x04, 0x11, 0x08, 0x03)] == [
        "dlt645-1997",
        "dlt645-1997",
        "dlt645-2007",
        "dlt645-2007",
        "dlt645-2007",
    ]
    assert edition(0x08, "dlt645-1997") == "dlt645-1997"
    assert function_name(0x11).zh == "读数据"
    assert function_name(0x1E).en == "unknown function"


def test_spans_follow_the_declaration() -> None:
    """The explanation would name the wrong octets."""
    frame = to_frame(_TO_ONE_METER[0])
    spans = field_spans(frame, "dlt645-2007")
    assert spans is not None
    assert [(span.name, span.end - span.start) for span in spans] == [
        ("di", 4),
        ("level", 1),
        ("password", 3),
        ("operator_code", 4),
    ]
    assert field_spans(Frame(address=_ME, function=0x1E), "dlt645-2007") is None
    assert field_spans(Frame(address=_ME, function=0x17), "dlt645-2007") is None
