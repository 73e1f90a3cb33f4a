"""The garbage rule for the link and the sessions of 698.45: ``python -m fuzz.fuzz_dlt698_link``.

Any octets give frames or nothing, whole and octet by octet; put behind right check octets, they reach the
segments, the APDUs and the sessions of both roles, which never raise. Memory stays bounded by a frame.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["meterwire"]):
    from meterwire.dlt698.apdus.get import GetRequestNormal
    from meterwire.dlt698.apdus.parts import Piid
    from meterwire.dlt698.apdus.secret_ranges import secret_ranges
    from meterwire.dlt698.axdr.selection import Oad
    from meterwire.dlt698.axdr.values import DateTime
    from meterwire.dlt698.link.address import ANY, ServerAddress
    from meterwire.dlt698.link.deframer import Deframer
    from meterwire.dlt698.link.frame import FRAME_OCTETS_MAX, Frame, decode, encode
    from meterwire.dlt698.sessions.client import ClientSession
    from meterwire.dlt698.sessions.listener import Listener
    from meterwire.dlt698.sessions.server import ServerSession
    from meterwire.dlt698.sessions.transfer import Sizes
    from meterwire.errors import RemoteProtocolError

_METER = ServerAddress("000000000001")
_NOW = DateTime(2026, 10, 1, 4, 12, 0, 0, 0)
_REQUEST = GetRequestNormal(piid=Piid.of(5), oad=Oad.of("00100200"))
_DATA_OCTETS_MAX = 1000


def one_input(octets: bytes) -> None:
    """One try; anything that gets out of here is a bug of ours."""
    _stream(octets)
    if octets:
        _framed(octets[0], octets[1 : 1 + _DATA_OCTETS_MAX])


def _stream(octets: bytes) -> None:
    whole, by_octet = Deframer(), Deframer()
    frames = whole.feed(octets)
    assert frames == [frame for octet in octets for frame in by_octet.feed(bytes((octet,)))]
    assert whole.pending < FRAME_OCTETS_MAX
    secret_ranges(octets)
    whole.give_up()
    assert whole.pending == 0
    try:
        frame = decode(octets)
    except RemoteProtocolError:
        return
    assert frame == decode(encode(frame))


def _framed(control: int, octets: bytes) -> None:
    """The octets as user data, in two frames, from either side."""
    frame = Frame(
        server=_METER,
        client=16,
        user_data=octets[: len(octets) // 2] if control & 0x10 else octets,
        from_server=control & 0x80 != 0,
        started_by_client=control & 0x40 != 0,
        function=1 if control & 7 == 1 else 3,
        segmented=control & 0x20 != 0,
        scrambled=control & 8 != 0,
    )
    second = frame._replace(user_data=octets[len(octets) // 2 :])
    stream = encode(frame) + encode(second)
    assert [frame, second] == Deframer().feed(stream)
    secret_ranges(stream)
    client = ClientSession(_REQUEST, server=ANY)
    server, listener = ServerSession(_METER, preset=Sizes(64, 64)), Listener(lambda _: 0)
    client.octets_to_send()
    for one in (encode(frame), encode(second)):
        client.feed(one)
        client.octets_to_send()
        server.feed(one)
        server.octets_to_send()
        listener.feed(one, _NOW)
        listener.octets_to_send()


def main() -> None:
    """Run until the time given on the command line is over."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
