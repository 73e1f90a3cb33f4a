"""The garbage rule for DL/T 698.45 under a coverage-guided fuzzer: ``python -m fuzz.fuzz_dlt698``.

Any octets give frames, APDUs and Data, or ``RemoteProtocolError``, nothing else: whole and octet by octet,
as an APDU of each service, as a piece of one, into the explanation and the masking of secrets. What was
taken is written again and read to the same value. Memory stays bounded by a frame.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["meterwire", "meterlink.explain"]):
    from meterlink.explain import dlt698 as explanation
    from meterlink.explain.tree import render
    from meterwire.dlt698.apdus.apdu import SERVICES, decode_apdu, encode_apdu, walk_apdu
    from meterwire.dlt698.apdus.secrets import secret_spans
    from meterwire.dlt698.axdr.data import data_from_octets, data_to_octets
    from meterwire.dlt698.link import frame as link
    from meterwire.dlt698.link.address import ServerAddress
    from meterwire.dlt698.link.deframer import Deframer
    from meterwire.dlt698.link.segments import decode_segment
    from meterwire.errors import RemoteProtocolError

_HEADS = sorted(SERVICES)
_METER = ServerAddress("000000000001")


def one_input(octets: bytes) -> None:
    """One try; anything that gets out of here is a bug of ours."""
    whole, by_octet = Deframer(), Deframer()
    frames = whole.feed(octets)
    assert frames == [frame for octet in octets for frame in by_octet.feed(bytes((octet,)))]
    assert whole.pending < link.FRAME_OCTETS_MAX
    for found in frames:
        _frame(found)
    _data(octets)
    _apdu(octets)
    if octets:
        _apdu(_HEADS[octets[0] % len(_HEADS)] + octets[1:])
        _explained(_HEADS[octets[0] % len(_HEADS)] + octets[1:], segmented=octets[0] > 0xF0)


def _frame(frame: link.Frame) -> None:
    assert frame == link.decode(link.encode(frame))
    if frame.segmented:
        try:
            decode_segment(frame.user_data)
        except RemoteProtocolError:
            pass
    else:
        _apdu(frame.user_data)


def _apdu(octets: bytes) -> None:
    spans = secret_spans(octets)
    assert all(0 <= start < end <= len(octets) for start, end in spans)
    try:
        apdu = decode_apdu(octets)
    except RemoteProtocolError as error:
        assert error.offset is not None
        return
    walk_apdu(octets)
    repr(apdu)
    again = encode_apdu(apdu)
    assert encode_apdu(decode_apdu(again)) == again


def _data(octets: bytes) -> None:
    try:
        data = data_from_octets(octets)
    except RemoteProtocolError:
        return
    again = data_to_octets(data)
    assert data_to_octets(data_from_octets(again)) == again


def _explained(apdu: bytes, *, segmented: bool) -> None:
    frame = link.Frame(_METER, 16, apdu, True, True, segmented=segmented)
    for shown in render(explanation.explain(link.encode(frame)), "zh"):
        assert shown


def main() -> None:
    """Run until the time given on the command line is over."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
