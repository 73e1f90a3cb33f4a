"""Which octets of a line to a terminal or a module are blanked before they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.explain.explain import explain
from meterlink.explain.parts import Part
from meterwire.errors import LocalProtocolError
from meterwire.gdw1376.functions.terminal import function
from meterwire.gdw1376.link import module_frame
from meterwire.gdw1376.link.auxiliary import Auxiliary
from meterwire.gdw1376.link.module_frame import DownInfo
from meterwire.gdw1376.link.terminal_frame import Address, Frame
from meterwire.gdw1376.link.terminal_frame import encode as encode_frame
from meterwire.gdw1376.messages import module
from meterwire.gdw1376.messages.secrets import module_secret_ranges, terminal_secret_ranges
from meterwire.gdw1376.messages.terminal import Group, encode, request, unit
from meterwire.gdw1376.sessions.terminal_exchange import TerminalExchange
from meterwire.gdw1376.sessions.terminal_listener import TerminalListener
from meterwire.gdw1376.sessions.terminal_server import TerminalServer
from meterwire.primitives.ranges import Ranges

_ADDRESS = Address("4403", 4, 1)
_SECRET = b"Zq9!xW"


def _shown(octets: bytes, ranges: Ranges) -> bytes:
    hidden = bytearray(octets)
    for first, after in ranges:
        hidden[first:after] = b"*" * (after - first)
    return bytes(hidden)


def _entry() -> dict[str, object]:
    entry = dict.fromkeys(("index", "point", "port", "baud_code", "protocol", "tariffs"), 1)
    entry |= {"decimals": 2, "integer_digits": 6, "class_small": 0, "class_large": 0}
    return entry | {"addr": "1" * 12, "collector": "0" * 12, "password": _SECRET}


def test_the_password_of_a_command_is_hidden_and_its_checksum() -> None:
    """The trace ring would hold what trips every meter of a terminal."""
    password = Auxiliary(_SECRET.ljust(16, b"!"))
    octets = encode(request(_ADDRESS, 0x05, [unit(0x05, 2, point=1)], auxiliary=password))
    shown = _shown(octets, terminal_secret_ranges(octets))
    assert octets[:18] == shown[:18]
    assert b"*" * 17 + b"\x16" == shown[-18:]


@pytest.mark.parametrize("terminal", [1234, 0x54321, 0x0C0001])
def test_the_password_behind_an_address_of_seven_octets_is_hidden(terminal: int) -> None:
    """All stands two octets further on: a session of such a terminal would keep each password it sends."""
    address, password = Address("440300", terminal, 2), Auxiliary(_SECRET.ljust(16, b"!"))
    asked = request(address, 0x05, [unit(0x05, 2, point=1)], auxiliary=password)
    octets = encode(asked)
    sessions = (
        TerminalExchange(asked),
        TerminalListener(lambda _: True, wide=True),
        TerminalServer(address, lambda _: []),
    )
    for session in sessions:
        shown = _shown(octets, session.secret_ranges(octets))
        assert octets[:20] == shown[:20]
        assert b"*" * 17 + b"\x16" == shown[-18:]


@pytest.mark.parametrize("groups", [[], [unit(0x05, 2, point=1)]])
def test_the_password_is_hidden_from_who_was_not_told_of_seven_octets(groups: list[Group]) -> None:
    """A terminal address of seven octets begins with zero, and reads like a confirmation that has no PW."""
    password = Auxiliary(_SECRET.ljust(16, b"!"))
    octets = encode(request(Address("440300", 1234, 2), 0x05, groups, auxiliary=password))
    assert _SECRET not in _shown(octets, terminal_secret_ranges(octets))
    assert _SECRET.hex(" ").upper() not in "".join(_lines(explain(octets, "gdw1376.1").frames[0].parts))


def _lines(parts: Iterable[Part]) -> Iterator[str]:
    """What is shown of parts, and of those within."""
    for part in parts:
        if part.parts:
            yield from _lines(part.parts)
        elif not part.secret:
            yield part.octets.hex(" ").upper()


def test_passwords_of_meters_in_an_archive_are_hidden() -> None:
    """Anyone who may look at the traffic could write the meters."""
    octets = encode(request(_ADDRESS, 0x04, [unit(0x04, 10, {"count": 1, "meters": [_entry()]})]))
    shown = _shown(octets, terminal_secret_ranges(octets))
    assert _SECRET in octets
    assert _SECRET not in shown
    assert b"\x11" * 6 in shown


def test_a_payload_is_judged_by_who_knows_it() -> None:
    """The password inside a forwarded 645 frame would be kept, or all of its traffic hidden."""
    values = {"protocol": 2, "len": 8, "payload": b"ab" + _SECRET}
    octets = module_frame.encode(module.request(DownInfo(1), 0x02, 1, values))
    assert b"ab" not in _shown(octets, module_secret_ranges(octets))
    shown = _shown(octets, module_secret_ranges(octets, lambda payload: ((2, len(payload)),)))
    assert b"ab******" in shown
    plain = _shown(octets, module_secret_ranges(octets, lambda _: ()))
    assert octets == plain


@pytest.mark.parametrize(("afn", "hidden"), [(0x06, True), (0x0A, True), (0x77, True), (0x0C, False)])
def test_what_cannot_be_read_is_hidden_but_for_readings(afn: int, hidden: bool) -> None:
    """A key in a function that nobody has a layout of would be kept."""
    frame = Frame(_ADDRESS, afn, True, False, 8, bytes.fromhex("0000801E") + _SECRET)
    octets = encode_frame(frame)
    assert hidden == (_SECRET not in _shown(octets, terminal_secret_ranges(octets)))


def test_octets_of_no_frame_are_hidden() -> None:
    """A damaged command would show its password."""
    octets = encode(request(_ADDRESS, 0x05, [unit(0x05, 2, point=1)]))
    damaged = octets[:-1]
    assert ((0, len(damaged)),) == terminal_secret_ranges(damaged)
    assert ((0, 5),) == module_secret_ranges(octets[:5])
    assert () == terminal_secret_ranges(b"") == module_secret_ranges(b"")


@given(st.binary(max_size=60))
def test_any_octets_have_ranges(octets: bytes) -> None:
    """Rubbish on one line would end the trace of all."""
    tail = bytes((sum(octets) & 0xFF, 0x16))
    terminal_frame = b"h" + (len(octets) << 2 | 2).to_bytes(2, "little") * 2 + b"h" + octets + tail
    frame = b"h" + (len(octets) + 5).to_bytes(2, "little") + octets + tail
    for stream in (octets, terminal_frame, frame):
        for ranges in (terminal_secret_ranges(stream), module_secret_ranges(stream)):
            assert all(0 <= first < after <= len(stream) for first, after in ranges)


def test_what_pw_is_computed_from_is_hidden() -> None:
    """Who reads the parameter of the scheme can make the PW of any command."""
    told = unit(0x04, 5, {"scheme": 1, "parameter": 0xBEEF})
    octets = encode(request(_ADDRESS, 0x04, [told]))
    assert b"\xef\xbe" in octets
    shown = _shown(octets, terminal_secret_ranges(octets))
    assert b"\x01**" in shown
    assert b"\xef\xbe" not in shown


def test_a_password_that_does_not_fit_is_not_told() -> None:
    """An operator's typing error would put the password into the log; so would a field that is printed."""
    secret = _SECRET.decode() * 4
    known = function(0x04, 7, "down")
    assert known is not None and known.layout is not None
    fields = known.layout.read(bytes(42) + secret[:20].encode() + bytes(2))
    assert fields is not None and secret[:20] in {field.value for field in fields}
    assert _SECRET.decode() not in repr(fields)
    values = {field.name: field.value for field in fields}
    for wrong in (secret, secret + "密"):
        with pytest.raises(LocalProtocolError) as refused:
            unit(0x04, 7, values | {"user_password": wrong})
        assert "user_password: a text of" in str(refused.value)
        assert _SECRET.decode() not in str(refused.value)
