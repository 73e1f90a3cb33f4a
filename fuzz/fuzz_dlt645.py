"""The garbage rule under a coverage-guided fuzzer: ``python -m fuzz.fuzz_dlt645 -max_total_time=300``.

Any octets give frames or ``RemoteProtocolError``, nothing else: whole, octet by octet, as the answer to a
read and to every command, through what a trace hides, through the messages and the dictionaries of both
editions (single items and blocks), into the explanation in both languages, and as lines for
``meterlink decode --jsonl``. Memory stays bounded by a frame.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import atheris

with atheris.instrument_imports(include=["meterwire", "meterlink.explain"]):
    from meterlink.explain import dlt645, jsonl
    from meterlink.explain.tree import render
    from meterwire.dlt645 import (
        Deframer,
        Dictionary,
        Frame,
        ReadReply,
        ReadRequest,
        ReadSession,
        decode,
        dictionary,
        encode,
        from_frame,
        to_frame,
    )
    from meterwire.dlt645.link.frame import BROADCAST, DATA_OCTETS_MAX, FRAME_OCTETS_MAX, goes_to_many
    from meterwire.dlt645.link.functions import DI_OCTETS, EDITIONS, Edition
    from meterwire.dlt645.messages.address_and_baud import (
        BaudRequest,
        ReadAddressRequest,
        WriteAddressRequest,
    )
    from meterwire.dlt645.messages.clears_and_freezes import FreezeRequest
    from meterwire.dlt645.messages.command import Command, ReadAgainRequest
    from meterwire.dlt645.messages.control import ControlRequest, SecurityRequest
    from meterwire.dlt645.messages.programming import ChangePasswordRequest, WriteRequest
    from meterwire.dlt645.messages.secrets import secret_ranges, secret_spans
    from meterwire.dlt645.messages.time_and_terminals import TerminalOutputRequest
    from meterwire.dlt645.sessions.address import AddressSession, questions
    from meterwire.dlt645.sessions.command import REPLIES, CommandSession
    from meterwire.errors import LocalProtocolError, RemoteProtocolError


_ME = "000000000001"
_OPERATED: dict[str, Any] = {"address": _ME, "level": 2, "password": "123456", "operator_code": "87654321"}
_COMMANDS: list[tuple[Edition, Command]] = [
    ("dlt645-2007", ReadAddressRequest()),
    ("dlt645-2007", WriteRequest(**_OPERATED, di=0x04000102, payload=bytes(3))),
    ("dlt645-2007", FreezeRequest(address=_ME, pattern="99999999")),
    ("dlt645-2007", BaudRequest(address=_ME, word=8)),
    ("dlt645-2007", TerminalOutputRequest(address=_ME, signal=0)),
    (
        "dlt645-2007",
        ChangePasswordRequest(
            address=_ME, di=0x04000C03, level=2, password="000000", new_level=2, new_password="123456"
        ),
    ),
    ("dlt645-2007", ControlRequest(**_OPERATED, command=0x1A, expires=bytes.fromhex("003015221126"))),
    ("dlt645-2007", SecurityRequest(address=_ME, di=0x070002FF, operator_code="87654321")),
    ("dlt645-1997", WriteAddressRequest(address=BROADCAST, new_address=_ME)),
    ("dlt645-1997", ReadAgainRequest(address=_ME)),
]
"""A command for each kind of answer that there is."""
_DIRECTIONS = ("to-meter", "from-meter", "stream", "")


def _members(of: Dictionary) -> Iterator[int]:
    """Each family's first member, and its last in each slot: the block, where there is one."""
    for row in of.rows:
        yield int(row.digits(row.first), 16)
        for place, choice in enumerate(row.choices):
            yield int(row.digits((*row.first[:place], choice[-1], *row.first[place + 1 :])), 16)


_DIS = {
    edition: sorted({di for di in _members(dictionary(edition)) if dictionary(edition).by_di(di)})
    for edition in EDITIONS
}


_READING = {edition: to_frame(ReadRequest(address=_ME, di=dis[0]), edition) for edition, dis in _DIS.items()}
assert {*REPLIES.values()} == {REPLIES[type(command)] for _, command in _COMMANDS}, (
    "an answer of a kind that no command here asks for"
)


def one_input(octets: bytes) -> None:
    """One try; anything that gets out of here is a bug of ours."""
    whole, by_octet = Deframer(), Deframer()
    frames = whole.feed(octets)
    assert frames == [frame for octet in octets for frame in by_octet.feed(bytes((octet,)))]
    assert whole.pending < FRAME_OCTETS_MAX
    for frame in frames:
        _frame(frame)
    try:
        decode(octets)
    except RemoteProtocolError:
        pass
    _explained(octets)
    _answered(octets)
    _payload(octets)


def _frame(frame: Frame) -> None:
    """A good frame, as a message of each edition."""
    may_be_sent = frame.from_meter or frame.function != 0x1C or not goes_to_many(frame.address)
    if len(frame.data) <= DATA_OCTETS_MAX and may_be_sent:
        assert frame == decode(encode(frame))
    for edition in EDITIONS:
        secret_spans(frame, edition)
        try:
            message = from_frame(frame, edition)
        except RemoteProtocolError:
            continue
        try:
            to_frame(message, edition)
        except LocalProtocolError:
            continue  # what must not be sent may well be received


def _explained(octets: bytes) -> None:
    """The tree and the JSON line, of whatever it is."""
    for edition in EDITIONS:
        explanation = dlt645.explain(octets, edition)
        assert all(frame.parts for frame in explanation.frames)
        assert explanation.frames or explanation.fault is not None
        if len(octets) % 2:
            list(render(explanation, "en"))
        else:
            list(render(explanation, "zh", show_secrets=True))
        asked = {"id": "x", "protocol": edition, "hex": octets.hex()}
        direction = _DIRECTIONS[len(octets) % len(_DIRECTIONS)]
        assert "x" == jsonl.answer(json.dumps(asked | {"direction": direction}))["id"]
    for line in jsonl.answers([octets.decode("latin-1")]):
        json.loads(line)


def _answered(octets: bytes) -> None:
    """The octets as what came back on the line after a request of ours."""
    for edition in EDITIONS:
        session = ReadSession(ReadRequest(address=_ME, di=_DIS[edition][0]), edition=edition)
        session.octets_to_send()
        session.feed(octets)
        for question in questions(edition):
            AddressSession(question, edition=edition).feed(octets)
    for edition, command in _COMMANDS:
        commanding = CommandSession(command, edition=edition)
        commanding.octets_to_send()
        commanding.feed(octets)
        assert (commanding.reply is not None) == commanding.finished
        _hidden(octets, commanding.secret_ranges(octets))
    for edition in EDITIONS:
        _hidden(octets, secret_ranges(octets, edition))
        _hidden(octets, secret_ranges(octets, edition, reading=_READING[edition]))


def _hidden(octets: bytes, ranges: tuple[tuple[int, int], ...]) -> None:
    """What a trace hides: ranges in order, within the octets."""
    end = 0
    for first, after in ranges:
        assert end <= first < after <= len(octets)
        end = after


def _payload(octets: bytes) -> None:
    """The octets as data of some identifier, and as the DATA of some control octet."""
    if len(octets) < 4:
        return
    edition: Edition = EDITIONS[octets[0] % len(EDITIONS)]
    dis = _DIS[edition]
    di = dis[int.from_bytes(octets[:2], "little") % len(dis)]
    entry = dictionary(edition).by_di(di)
    assert entry is not None
    data = octets[3 : 3 + DATA_OCTETS_MAX - DI_OCTETS[edition]]
    try:
        values = entry.decode(data)
    except RemoteProtocolError:
        values = ()
    assert all((value.content is None) == (value.problem is not None) for value in values)
    _explained(encode(to_frame(ReadReply(address=_ME, di=di, data=data), edition)))
    control = octets[2]
    frame = Frame(
        address=_ME,
        function=control & 0x1F,
        data=data,
        from_meter=control & 0x80 != 0,
        abnormal=control & 0x40 != 0,
        has_following=control & 0x20 != 0,
    )
    _frame(frame)
    _explained(encode(frame))


def main() -> None:
    """Run until the time given on the command line is over."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
