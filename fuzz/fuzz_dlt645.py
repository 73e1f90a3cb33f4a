"""The garbage rule under a coverage-guided fuzzer: ``python -m fuzz.fuzz_dlt645 -max_total_time=300``.

Any octets give frames or ``RemoteProtocolError``, nothing else: whole, octet by octet, through the
messages and the dictionaries of both editions, into the explanation. Memory stays bounded by a frame.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["meterwire", "meterlink.explain"]):
    from meterlink.explain import dlt645
    from meterlink.explain.tree import render
    from meterwire.dlt645 import Deframer, Frame, decode, dictionary, encode, from_frame, to_frame
    from meterwire.dlt645.frame import DATA_OCTETS_MAX, FRAME_OCTETS_MAX
    from meterwire.dlt645.functions import EDITIONS, Edition
    from meterwire.dlt645.messages import ReadReply
    from meterwire.dlt645.secrets import secret_spans
    from meterwire.errors import LocalProtocolError, RemoteProtocolError

_DIS = {edition: [int(row.digits(row.first), 16) for row in dictionary(edition).rows] for edition in EDITIONS}


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
    _payload(octets)


def _frame(frame: Frame) -> None:
    if len(frame.data) <= DATA_OCTETS_MAX:
        assert frame == decode(encode(frame))
    for edition in EDITIONS:
        secret_spans(frame, edition)
        for shown in dlt645.explain(
            encode(frame) if len(frame.data) <= DATA_OCTETS_MAX else b"", edition
        ).frames:
            assert shown.parts
        try:
            message = from_frame(frame, edition)
        except RemoteProtocolError:
            continue
        try:
            to_frame(message, edition)
        except LocalProtocolError:
            continue  # what must not be sent may well be received


def _payload(octets: bytes) -> None:
    """The octets as data of some identifier, and as a whole frame of some function."""
    if len(octets) < 3:
        return
    edition: Edition = EDITIONS[octets[0] % len(EDITIONS)]
    dis = _DIS[edition]
    di = dis[int.from_bytes(octets[:2], "little") % len(dis)]
    entry = dictionary(edition).by_di(di)
    assert entry is not None
    data = octets[2 : 2 + DATA_OCTETS_MAX - 4]
    try:
        values = entry.decode(data)
    except RemoteProtocolError:
        values = ()
    assert all((value.content is None) == (value.problem is not None) for value in values)
    reply = to_frame(ReadReply(address="000000000001", di=di, data=data), edition)
    list(render(dlt645.explain(encode(reply), edition), "zh"))
    control = octets[0]
    _frame(Frame(address="000000000001", function=control & 31, data=data, from_meter=control > 127))


def main() -> None:
    """Run until the time given on the command line is over."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
