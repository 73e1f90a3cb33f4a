"""A second stranger's DL/T 645 (PyPI ``python-dlt645`` 0.1.4) and ours on the same octets, both editions.

It builds and parses frames, names the function codes of both editions, and has two whole exchanges: the
address of a meter, and its present combined active energy. Disagreements that are tolerated, one by one;
anything else fails, and so does one of these that is no more:

1. *DATA above CCH*: it neither builds nor parses such an octet, because it adds and takes away 33H without
   going round at 100H (``ValueError``).
2. *16H inside a frame*: reading from a line, it takes the first 16H for the end.
3. *FEH inside a frame*: reading from a line, it drops every FEH, not those in front alone.
4. *What the address means*: it calls AA..AA the broadcast address; the standard's broadcast is 99..99.
5. *The sign of combined energy*: it reads the top bit as a digit 8.
6. *Digits that are none*: it raises ``ValueError`` where we say invalid or absent.
7. *Names*: RESET_PWR is what the standard calls clearing the meter (1AH).
8. *The control octet*: it builds all of them, but parses every one as 0 (it makes so many zeros of the
   octet and takes the first), and fails on 00H for want of a first.

How it writes is no disagreement: address and DATA as text, highest octet first, the identifier behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meterwire.dlt645 import (
    BROADCAST,
    WILDCARD,
    Deframer,
    Frame,
    Message,
    ReadFollowingRequest,
    ReadReply,
    ReadRequest,
    decode,
    dictionary,
    encode,
    from_frame,
    to_frame,
)
from meterwire.dlt645.link.functions import EDITIONS, Edition
from meterwire.dlt645.messages.address_and_baud import (
    BaudRequest,
    ReadAddressReply,
    ReadAddressRequest,
    WriteAddressRequest,
)
from meterwire.dlt645.messages.clears_and_freezes import ClearDemandRequest, ClearMeterRequest
from meterwire.dlt645.messages.command import ReadAgainRequest
from meterwire.dlt645.messages.programming import ChangePasswordRequest, WriteRequest
from meterwire.dlt645.messages.time_and_terminals import BroadcastTime
from tests.support.project import ROOT
from tests.support.python_dlt645 import INTERPRETER, PythonDlt645, Raised, python_dlt645
from tests.wire.dlt645 import strategies as of

_ME = "000022076396"
_DATA_MOST = 0xCC  # disagreement 1
_LOW_DATA = st.lists(st.integers(0, _DATA_MOST), max_size=200).map(bytes)
_NO_CONTROL = {"direction": 0, "response": 0, "more": 0, "function": 0}  # disagreement 8
_LOW_FRAMES = st.builds(
    Frame,
    address=of.addresses,
    function=st.integers(0, 31),
    data=_LOW_DATA,
    from_meter=st.booleans(),
    abnormal=st.booleans(),
    has_following=st.booleans(),
).filter(of.may_be_sent)


@pytest.fixture(scope="module")
def witness() -> Iterator[PythonDlt645]:
    with python_dlt645() as running:
        yield running


def _as_they_write(frame: Frame) -> dict[str, Any]:
    """A frame of ours in the fields of theirs."""
    return {
        "address": frame.address.lower(),
        "control": {
            "direction": int(frame.from_meter),
            "response": int(frame.abnormal),
            "more": int(frame.has_following),
            "function": frame.function,
        },
        "data": frame.data[::-1].hex(),
    }


def _as_they_read(frame: Frame) -> dict[str, Any]:
    """The same, as they parse it: disagreement 8."""
    return {**_as_they_write(frame), "control": _NO_CONTROL}


def _sent(witness: PythonDlt645, what: str, **arguments: object) -> bytes:
    return bytes.fromhex(witness.ask(what, **arguments))


def test_the_witness_is_the_one_that_was_looked_at(witness: PythonDlt645) -> None:
    """The list of disagreements would be that of another release."""
    pin = (ROOT / "requirements" / "witness.lock").read_text(encoding="utf-8").partition(" ")[0]
    assert f"python-dlt645=={witness.ask('version')}" == pin


def test_a_missing_environment_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests would be left out in silence, or fail in words that help nobody."""
    absent = INTERPRETER.with_name("absent")
    monkeypatch.setattr("tests.support.python_dlt645.INTERPRETER", absent)
    with pytest.raises(FileNotFoundError, match="run `make dev`"), python_dlt645():
        pass


# --- frames ------------------------------------------------------------------------------------


@given(frame=_LOW_FRAMES)
def test_every_frame_that_it_builds_we_parse(witness: PythonDlt645, frame: Frame) -> None:
    """We would not understand a foreign head-end, or a foreign meter."""
    octets = _sent(witness, "dump", **_as_they_write(frame))
    assert frame == decode(octets)
    assert encode(frame) == octets


@given(frame=_LOW_FRAMES, awaken=st.booleans())
def test_what_it_writes_to_a_line_comes_out_of_ours(
    witness: PythonDlt645, frame: Frame, awaken: bool
) -> None:
    """Its preamble would hide the frame behind it."""
    octets = _sent(witness, "write", awaken=awaken, **_as_they_write(frame))
    assert frame == Deframer().feed(octets)[0]
    assert encode(frame, preamble=4 * awaken) == octets


@given(frame=_LOW_FRAMES)
def test_every_frame_that_we_build_it_parses(witness: PythonDlt645, frame: Frame) -> None:
    """A foreign meter would not understand us."""
    assume(frame.control != 0)  # disagreement 8
    assert _as_they_read(frame) == witness.ask("load", octets=encode(frame).hex())


@given(frame=of.frames, preamble=st.integers(0, 9))
def test_it_reads_our_frames_from_a_line(witness: PythonDlt645, frame: Frame, preamble: int) -> None:
    """A foreign head-end on the same line would not find our frames, beyond its known faults."""
    octets = encode(frame)
    faults = 0x16 in octets[:-1] or 0xFE in octets or max(frame.data, default=0) > _DATA_MOST
    faults = faults or frame.control == 0
    try:
        read = witness.ask("read", octets=(b"\xfe" * preamble + octets).hex())
    except Raised:
        read = None
    assert (read != _as_they_read(frame)) is faults  # disagreements 1, 2, 3 and 8, and no other


@pytest.mark.parametrize("top", range(_DATA_MOST + 1, 0x100))
def test_data_above_cc_is_beyond_it(witness: PythonDlt645, top: int) -> None:
    """Disagreement 1 would have ended, and the list would be wrong; ours goes both ways."""
    frame = Frame(address=_ME, function=0x11, data=bytes((0x00, top)))
    for what, arguments in (("dump", _as_they_write(frame)), ("load", {"octets": encode(frame).hex()})):
        with pytest.raises(Raised, match="ValueError"):
            witness.ask(what, **arguments)
    assert frame == decode(encode(frame))


def test_it_sees_no_control_octet(witness: PythonDlt645) -> None:
    """Disagreement 8 would have ended: then what it reads of our functions must be compared."""
    for control in range(1, 0x100):
        flags = (control & 0x80 != 0, control & 0x40 != 0, control & 0x20 != 0)
        from_meter, abnormal, has_following = flags
        frame = Frame(
            address=_ME,
            function=control & 0x1F,
            from_meter=from_meter,
            abnormal=abnormal,
            has_following=has_following,
        )
        assert _NO_CONTROL == witness.ask("load", octets=encode(frame).hex())["control"]
    with pytest.raises(Raised, match="IndexError"):
        witness.ask("load", octets=encode(Frame(address=_ME, function=0)).hex())


@pytest.mark.parametrize(
    ("frame", "raised"),
    [
        (Frame(address="000000160000", function=0x11, data=bytes(4)), "IndexError"),  # 2, before the 68H
        (Frame(address=_ME, function=0x11, data=b"\xe3"), "FrameChecksumError"),  # 2: E3H + 33H = 16H
        (Frame(address=_ME, function=0x11, data=b"\xcb"), "FrameChecksumError"),  # 3: CBH + 33H = FEH
    ],
    ids=["end octet in the address", "end octet in DATA", "preamble octet in DATA"],
)
def test_marks_inside_a_frame_mislead_it_and_not_us(witness: PythonDlt645, frame: Frame, raised: str) -> None:
    """Disagreements 2 and 3 are real, and ours is the useful side of them."""
    with pytest.raises(Raised, match=raised):
        witness.ask("read", octets=encode(frame).hex())
    assert [frame] == Deframer().feed(encode(frame))


# --- functions ---------------------------------------------------------------------------------

_PLAIN: dict[str, Any] = {"address": _ME, "level": 2, "password": "123456"}
_OPERATED: dict[str, Any] = {**_PLAIN, "operator_code": "87654321"}
_NEW: dict[str, Any] = {"new_level": 4, "new_password": "654321"}

# Edition, its name for the function, DATA as it writes it (highest octet first), and what we call that.
_MEANT: list[tuple[Edition, str, str, Message]] = [
    ("dlt645-2007", "READ_DATA", "00010000", ReadRequest(address=_ME, di=0x00010000)),
    ("dlt645-2007", "READ_ADDR", "", ReadAddressRequest()),
    (
        "dlt645-2007",
        "WRITE_DATA",
        "1A0203" + "87654321" + "123456" + "02" + "04000102",
        WriteRequest(**_OPERATED, di=0x04000102, payload=bytes.fromhex("03021A")),
    ),
    (
        "dlt645-2007",
        "WRITE_ADDR",
        "123456789012",
        WriteAddressRequest(address=WILDCARD, new_address="123456789012"),
    ),
    ("dlt645-2007", "SET_SPEED", "08", BaudRequest(address=_ME, word=0x08)),
    (
        "dlt645-2007",
        "SET_PWD",
        "654321" + "04" + "123456" + "02" + "04000C05",
        ChangePasswordRequest(**_PLAIN, **_NEW, di=0x04000C05),
    ),
    ("dlt645-2007", "RESET_PWR", "87654321" + "123456" + "02", ClearMeterRequest(**_OPERATED)),
    ("dlt645-1997", "READ_DATA", "9010", ReadRequest(address=_ME, di=0x9010)),
    ("dlt645-1997", "READ_MORE", "9010", ReadFollowingRequest(address=_ME, di=0x9010, sequence=0)),
    ("dlt645-1997", "READ_AGAIN", "", ReadAgainRequest(address=_ME)),
    (
        "dlt645-1997",
        "WRITE_DATA",
        "0203" + "123456" + "02" + "C030",
        WriteRequest(**_PLAIN, di=0xC030, payload=bytes.fromhex("0302")),
    ),
    ("dlt645-1997", "BROADCAST_TIME", "260908142530", BroadcastTime(clock="2026-09-08 14:25:30")),
    (
        "dlt645-1997",
        "WRITE_ADDR",
        "123456789012",
        WriteAddressRequest(address=BROADCAST, new_address="123456789012"),
    ),
    ("dlt645-1997", "SET_SPEED", "08", BaudRequest(address=_ME, word=0x08)),
    ("dlt645-1997", "SET_PWD", "654321" + "04" + "123456" + "02", ChangePasswordRequest(**_PLAIN, **_NEW)),
    ("dlt645-1997", "RESET_DEMAND", "123456" + "02", ClearDemandRequest(**_PLAIN)),
]


@pytest.mark.parametrize(
    ("edition", "function", "data", "message"), _MEANT, ids=[f"{row[0]} {row[1]}" for row in _MEANT]
)
def test_each_of_its_functions_means_what_we_say(
    witness: PythonDlt645, edition: Edition, function: str, data: str, message: Message
) -> None:
    """A read would be a write to the other side, or a field would stand elsewhere; both directions."""
    code = witness.ask("functions")[edition][function]
    control = {"direction": 0, "response": 0, "more": 0, "function": code}
    fields = {"address": message.address.lower(), "control": control, "data": data.lower()}
    octets = _sent(witness, "dump", **fields)
    assert message == from_frame(decode(octets), edition)
    ours = encode(to_frame(message, edition))
    assert octets == ours
    assert {**fields, "control": _NO_CONTROL} == witness.ask("load", octets=ours.hex())


def test_every_function_that_it_names_is_in_the_list(witness: PythonDlt645) -> None:
    """A function of its would go untried."""
    named = {(edition, name) for edition, functions in witness.ask("functions").items() for name in functions}
    assert {(edition, name) for edition, name, _, _ in _MEANT} == named
    assert set(EDITIONS) == {edition for edition, _ in named} == set(get_args(Edition))


def test_its_default_address_is_our_wildcard(witness: PythonDlt645) -> None:
    """Disagreement 4: a frame that it means for all meters would be a broadcast to us, which none answers."""
    control = {"direction": 0, "response": 0, "more": 0, "function": 0x13}
    frame = decode(_sent(witness, "dump", address=None, control=control, data=None))
    assert WILDCARD == frame.address != BROADCAST


def _readable(octets: bytes) -> bool:
    """Whether no mark stands inside: disagreements 2 and 3."""
    return b"\x16" not in octets[:-1] and b"\xfe" not in octets


# --- its two exchanges -------------------------------------------------------------------------


@given(address=st.text("0123456789", min_size=12, max_size=12), preamble=st.integers(0, 4))
def test_it_learns_the_address_of_our_meter(witness: PythonDlt645, address: str, preamble: int) -> None:
    """A foreign head-end could not find our simulated meter."""
    answer = encode(to_frame(ReadAddressReply(address=address, meter_address=address)), preamble=preamble)
    assume(_readable(answer[preamble:]))
    learnt = witness.ask("get_addr", answer=answer.hex())
    assert encode(to_frame(ReadAddressRequest()), preamble=4) == bytes.fromhex(learnt["sent"])
    assert address == learnt["value"]


def _energy_answer(raw: bytes) -> bytes:
    return encode(to_frame(ReadReply(address=_ME, di=0x00000000, data=raw)))


def _our_energy(raw: bytes) -> tuple[Decimal | None, str | None]:
    entry = dictionary().by_di(0x00000000)
    assert entry is not None
    (value,) = entry.decode(raw)
    return value.value, value.problem


@given(ticks=st.integers(0, 79_999_999))
def test_it_reads_the_energy_of_our_meter(witness: PythonDlt645, ticks: int) -> None:
    """Either of us would be wrong by a digit or the point."""
    raw = bytes.fromhex(f"{ticks:08d}")[::-1]
    answer = _energy_answer(raw)
    assume(_readable(answer))
    read = witness.ask("get_active_energy", address=_ME, answer=answer.hex())
    request = to_frame(ReadRequest(address=_ME, di=0x00000000))
    assert encode(request, preamble=4) == bytes.fromhex(read["sent"])
    assert (Decimal(ticks).scaleb(-2), None) == _our_energy(raw)
    assert ticks / 100 == read["value"]


def test_an_energy_that_is_negative_is_large_to_it(witness: PythonDlt645) -> None:
    """Disagreement 5 is real: combined energy has a sign in the standard."""
    raw = bytes.fromhex("00000081")
    read = witness.ask("get_active_energy", address=_ME, answer=_energy_answer(raw).hex())
    assert 810_000.0 == read["value"]
    assert (Decimal("-10000.00"), None) == _our_energy(raw)


@pytest.mark.parametrize(("raw", "problem"), [("0000009A", "invalid-bcd"), ("0A000000", "invalid-bcd")])
def test_digits_that_are_none_stop_it(witness: PythonDlt645, raw: str, problem: str) -> None:
    """Disagreement 6 is real: it has no word for a field without a number."""
    octets = bytes.fromhex(raw)
    with pytest.raises(Raised, match="ValueError"):
        witness.ask("get_active_energy", address=_ME, answer=_energy_answer(octets).hex())
    assert (None, problem) == _our_energy(octets)
