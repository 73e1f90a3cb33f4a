"""Messages of 1376.1 and 1376.2: many points and functions, what cannot be read, requests and answers."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.link import module_frame
from meterwire.gdw1376.link.auxiliary import Auxiliary, TimeTag
from meterwire.gdw1376.link.module_frame import Addresses, DownInfo
from meterwire.gdw1376.link.terminal_frame import Address, Frame
from meterwire.gdw1376.messages import module, terminal
from meterwire.gdw1376.messages.terminal import (
    UNITS_MAX,
    Group,
    Message,
    confirmation,
    decode,
    encode,
    from_frame,
    group,
    request,
    to_frame,
    unit,
)

_ADDRESS = Address("4403", 4, 1)
_READ_AT = Moment(year=26, month=8, day=20, hour=8, minute=0)


def _energy(total: str) -> dict[str, object]:
    return {"read_time": _READ_AT, "tariffs": 1, "energy_kwh": [Decimal(total), Decimal(total)]}


def _up(afn: int, body: bytes) -> Message:
    return from_frame(Frame(_ADDRESS, afn, True, False, 8, body))


def test_many_points_and_functions_stand_under_one_identifier() -> None:
    """The answer for one meter would be kept for another."""
    values = [_energy("10.5"), _energy("11.5"), _energy("20.25"), _energy("21.25")]
    asked = group(0x0C, (1, 3), (129, 131))
    assert b"\x05\x01\x05\x10" == to_frame(request(_ADDRESS, 0x0C, [asked])).body
    answered = group(0x0C, (3, 1), (131, 129), values, way="up")
    message = terminal.answer(request(_ADDRESS, 0x0C, [asked]).head, [answered])
    read = decode(encode(message))
    assert [(1, 129), (1, 131), (3, 129), (3, 131)] == [(one.point, one.fn) for one in read.units]
    assert values == [one.values for one in read.units]


def test_several_units_follow_each_other() -> None:
    """Of many points in one frame only the first would be read."""
    groups = [unit(0x0C, 129, _energy(str(point)), point=point, way="up") for point in (1, 9, 2040)]
    read = decode(encode(Message(Frame(_ADDRESS, 0x0C, True, False, 8), tuple(groups))))
    assert [1, 9, 2040] == [one.point for one in read.units]
    assert read.rest == b""


def test_a_unit_without_a_layout_takes_what_is_left_raw() -> None:
    """Octets of one maker's function would be read as points and functions of others."""
    body = bytes.fromhex("010101102000082008260000100000000010000000") + bytes.fromhex("0101601E0101")
    message = _up(0x0C, bytes.fromhex("01018014") + body)
    (raw,) = message.units
    assert raw.fields is None
    assert body == raw.content
    assert raw.values == {}
    assert message.rest == b""


def test_a_unit_cut_short_stays_raw() -> None:
    """Half a register would become a reading."""
    message = _up(0x0C, bytes.fromhex("01010110 0008200826 04 0056341200"))
    (raw,) = message.units
    assert raw.fields is None
    assert len(raw.content) == 11


def test_octets_that_are_no_unit_are_the_rest() -> None:
    """Padding of a terminal would be taken for a unit of point 0."""
    message = _up(0x00, bytes.fromhex("00000100 000000000000"))
    assert [1] == [one.fn for one in message.units]
    assert bytes(6) == message.rest


def test_so_many_units_are_told_apart_and_no_more() -> None:
    """A frame of identifiers that name 64 units each would cost a thousand times its length."""
    full = bytes.fromhex("FF01FF00")
    least = from_frame(Frame(_ADDRESS, 0x0C, False, True, 11, full * (UNITS_MAX // 64)))
    assert len(least.units) == UNITS_MAX
    assert least.rest == b""
    more = from_frame(Frame(_ADDRESS, 0x0C, False, True, 11, full * (UNITS_MAX // 64 + 1)))
    assert len(more.units) == UNITS_MAX
    assert full == more.rest


def test_a_confirmation_one_by_one_is_read_in_both_codings() -> None:
    """The confirmation of one master would be taken for a denial."""
    result = bytes.fromhex("02 00000100 00")
    for dt in ("0400", "0300"):
        message = from_frame(Frame(_ADDRESS, 0x00, False, False, 11, bytes.fromhex("0000" + dt) + result))
        assert [{"da_dt": bytes.fromhex("00000100"), "err": 0}] == message.units[0].values["results"]
        assert message.is_confirmation
        assert not message.is_denial
    denied = result[:-1] + b"\x01"
    assert from_frame(Frame(_ADDRESS, 0, False, False, 11, bytes.fromhex("00000400") + denied)).is_denial


def test_a_login_is_confirmed_and_denied_with_its_number() -> None:
    """A terminal whose login is not confirmed drops the connection."""
    login = decode(bytes.fromhex("683200320068C903440400000271000001008816"))
    assert bytes.fromhex("683200320068 0B 0344040000 00 61 00000100 B816".replace(" ", "")) == encode(
        confirmation(login.head)
    )
    assert confirmation(login.head).is_confirmation
    assert confirmation(login.head, denied=True).is_denial


def test_a_command_carries_its_password_and_time_tag() -> None:
    """A terminal takes 16 octets off each command, whether a password was there or not."""
    tag = TimeTag(1, Moment(day=19, hour=12, minute=0, second=0), 5)
    command = request(
        _ADDRESS, 0x05, [unit(0x05, 1, {"limit": 0, "warn": 2}, point=2)], auxiliary=Auxiliary(time_tag=tag)
    )
    read = decode(encode(command))
    assert bytes(16) == read.auxiliary.password
    assert tag == read.auxiliary.time_tag
    assert {"limit": 0, "warn": 2} == read.units[0].values


def test_forwarding_carries_the_line_settings_of_the_meter() -> None:
    """A meter would be asked at the wrong rate, and stay silent."""
    values = {
        "port": 31,
        "data_bits": 8,
        "parity": "even",
        "parity_on": 1,
        "stop_bits": 1,
        "baud_code": 3,
        "frame_timeout_ms": 60_000,
        "byte_timeout_ms": 100,
        "len": 2,
        "payload": b"\x68\x16",
    }
    assert bytes.fromhex("1F6BBC0A02006816") == unit(0x10, 1, values).units[0].content


def test_a_prepayment_answer_of_another_length_stays_raw() -> None:
    """A captured answer that fits no layout would be told as money."""
    content = bytes(46)
    (raw,) = _up(0x0C, bytes.fromhex("01014014") + content).units
    assert raw.fields is None
    (read,) = _up(0x0C, bytes.fromhex("01014014") + content[:41]).units
    assert read.fields is not None


def test_an_unknown_request_of_class_2_is_read_by_the_length_of_its_time_mark() -> None:
    """A request for a function without a row would be told as nothing."""
    for mark, date in (("190826", Moment(26, 8, 19)), ("0826", Moment(26, 8))):
        frame = Frame(_ADDRESS, 0x0D, False, True, 11, bytes.fromhex("0101801D" + mark))
        assert {"date": date} == from_frame(frame).units[0].values


def test_events_are_counted_between_their_pointers() -> None:
    """After 256 events a terminal's report would be read as empty."""
    fault = {"erc": 21, "time": _READ_AT, "fault": 4}
    vendor = {"erc": 200, "raw": b"\x01\x02"}
    values = {"ec": [3, 0], "pm": 255, "pn_ptr": 1, "events": [fault, vendor]}
    (built,) = unit(0x0E, 1, values, way="up").units
    assert values == built.values
    with pytest.raises(LocalProtocolError, match="as many are wanted"):
        unit(0x0E, 1, values | {"events": [fault]}, way="up")


@given(st.binary(max_size=80), st.sampled_from([0, 2, 5, 0x0A, 0x0C, 0x0D, 0x0E, 0x10, 0x77]), st.booleans())
def test_any_body_is_a_message_and_goes_out_as_it_came(body: bytes, afn: int, up: bool) -> None:
    """Rubbish of one terminal would end the daemon."""
    frame = Frame(_ADDRESS, afn, up, False, 8, body, has_time=len(body) % 3 == 0)
    try:
        message = from_frame(frame)
    except RemoteProtocolError as error:
        assert error.kind in {"auxiliary", "address"}
        return
    assert frame == to_frame(message)


@given(
    st.binary(max_size=80),
    st.sampled_from([0, 3, 6, 0x10, 0x13, 0x14, 0xF1]),
    st.binary(min_size=2, max_size=2),
)
def test_any_data_of_a_module_is_a_message(data: bytes, afn: int, dt: bytes) -> None:
    """Rubbish of one module would end the daemon."""
    for info in (DownInfo(1), module_frame.UpInfo(1)):
        message = module.from_frame(module_frame.Frame(info, afn, dt, data))
        end = message.fields[-1].end if message.fields else 0
        assert message.fields is None or data == data[:end] + message.rest


def test_a_request_to_a_meter_is_answered_with_addresses_turned_round() -> None:
    """An answer would be given to another meter's request."""
    addresses = Addresses("000000000001", "000000011278")
    values = {"protocol": 2, "delay_related": 0, "sub_nodes": [], "len": 2, "payload": b"\x68\x16"}
    asked = module.request(DownInfo(7), 0x13, 1, values, addresses=addresses)
    answered = module.answer(asked, 0x13, 1, {"uplink_s": 5, "protocol": 2, "len": 0, "payload": b""})
    assert Addresses("000000011278", "000000000001") == answered.addresses
    assert 7 == answered.info.sequence
    assert answered == module_frame.decode(module_frame.encode(answered))
    assert values == module.from_frame(asked).values


@pytest.mark.parametrize(("data", "expected"), [("", {}), ("01000a00", 10), ("010000000a00", 10)])
def test_a_confirmation_is_read_in_every_length(data: str, expected: object) -> None:
    """The wait time of an older module would be read from its channels."""
    frame = module_frame.Frame(module_frame.UpInfo(1), 0, b"\x01\x00", bytes.fromhex(data), started=False)
    message = module.from_frame(frame)
    assert message.is_confirmation
    assert expected == (message.values.get("wait_s", {}))
    denied = module.from_frame(module.denial(frame, 109))
    assert denied.is_denial
    assert denied.values == {"error": 109}
    assert module.from_frame(module.confirmation(frame, wait_s=3)).values["wait_s"] == 3


@pytest.mark.parametrize("with_list", [True, False])
def test_slaves_without_children_are_read_in_both_forms(with_list: bool) -> None:
    """One of two makes' reports of new meters would be lost."""
    slave = bytes.fromhex("781201000000 02 0100 01 00")
    data = b"\x02" + (slave + b"\x00" * with_list) * 2
    message = module.from_frame(module_frame.Frame(module_frame.UpInfo(1), 6, b"\x08\x00", data))
    assert ["000000011278"] * 2 == [node["addr"] for node in message.values["nodes"]]


def test_what_has_no_layout_cannot_be_built() -> None:
    """An empty request would go out in place of the one that was meant."""
    with pytest.raises(LocalProtocolError, match="not known"):
        unit(0x0C, 168, {}, way="up")
    with pytest.raises(LocalProtocolError, match="not known"):
        module.content(0x10, 7, {}, "up")
    with pytest.raises(LocalProtocolError, match="2 units are named"):
        group(0x0C, (1, 2), (129,), [_energy("1")], way="up")


def test_no_message_shows_its_content_when_printed() -> None:
    """A password would stand in a log line."""
    message = Message(Frame(_ADDRESS, 5, False, True, 11), (Group((0,), (1,), ()),), rest=b"secret")
    assert "secret" not in repr(message)
    assert "secret" not in repr(unit(0x05, 32, {"kind_and_number": 1, "len": 6, "text": b"secret"}))
    assert "secret" not in repr(module.from_frame(module_frame.Frame(DownInfo(1), 2, b"\x01\x00", b"secret")))


def test_the_longest_event_can_be_sent_and_a_longer_one_not() -> None:
    """Its length would wrap around, and the octets behind be events that never were."""
    for octets, is_sent in ((255, True), (256, False)):
        values = {"ec": [1, 0], "pm": 0, "pn_ptr": 1, "events": [{"erc": 200, "raw": bytes(octets)}]}
        if is_sent:
            [sent] = unit(0x0E, 1, values, way="up").units
            assert values["events"] == sent.values["events"]
        else:
            with pytest.raises(LocalProtocolError, match="the limit is 255"):
                unit(0x0E, 1, values, way="up")
