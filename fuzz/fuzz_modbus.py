"""The garbage rule for Modbus: ``python -m fuzz.fuzz_modbus``.

Any octets give frames or nothing, whole and octet by octet; as a PDU, and behind a right CRC or head, they
reach messages and exchanges, which never raise. What was read goes out as it came.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["meterwire"]):
    from meterwire.errors import RemoteProtocolError
    from meterwire.modbus import (
        FRAMINGS,
        RTU,
        TCP,
        Deframer,
        Exchange,
        Framed,
        ReadRequest,
        decode,
        decode_reply,
        decode_request,
        encode,
        encode_pdu,
    )

_PDU_OCTETS_MAX = 253


def one_input(octets: bytes) -> None:
    """One try; anything that gets out of here is a bug of ours."""
    for grammar in (RTU, TCP):
        whole, singly = Deframer(grammar), Deframer(grammar)
        found = whole.feed(octets)
        assert found == [one for octet in octets for one in singly.feed(bytes((octet,)))]
        whole.clear()
        assert whole.pending == 0
        assert len(octets) == whole.skipped + sum(len(one.octets) for one in found)
    _pdu(octets[:_PDU_OCTETS_MAX] or b"\x83")


def _pdu(pdu: bytes) -> None:
    for read in (decode_request, decode_reply):
        try:
            message = read(pdu)
        except RemoteProtocolError:
            continue
        assert pdu == encode_pdu(message)
    for framing in FRAMINGS:
        octets = encode(Framed(9, pdu), framing)
        assert Framed(9, pdu) == decode(octets, framing)
        exchange = Exchange(ReadRequest(pdu[0] % 4 + 1, 0, 1), unit=9, framing=framing)
        exchange.octets_to_send()
        exchange.feed(octets)


def main() -> None:
    """Run until the time given on the command line is over."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
