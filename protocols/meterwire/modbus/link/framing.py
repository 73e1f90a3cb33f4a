"""Either kind of frame under one name: what a requester and a meter need of RTU and TCP alike."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

from meterwire.modbus.link import rtu, tcp
from meterwire.modbus.link.deframer import RTU, TCP, Deframer, Grammar
from meterwire.modbus.pdus.functions import NONE, Direction

Framing = Literal["rtu", "tcp"]
FRAMINGS: Final[tuple[Framing, ...]] = get_args(Framing)
GRAMMARS: Final[dict[Framing, Grammar]] = {"rtu": RTU, "tcp": TCP}


class Framed(NamedTuple):
    """What a frame carries, whatever stands around it.

    Args:
        unit: who is asked or answers.
        pdu: function and its fields.
        transaction: which request and answer belong together; on a serial line always 0.

    """

    unit: int
    pdu: bytes
    transaction: int = 0


def encode(framed: Framed, framing: Framing) -> bytes:
    """Octets of one frame.

    Raises:
        LocalProtocolError: a field out of its range.

    """
    if framing == "tcp":
        return tcp.encode(tcp.Frame(framed.transaction, framed.unit, framed.pdu))
    return rtu.encode(rtu.Frame(framed.unit, framed.pdu))


def decode(octets: bytes, framing: Framing) -> Framed:
    """Parse exactly one frame.

    Raises:
        RemoteProtocolError: it is none.

    """
    if framing == "tcp":
        frame = tcp.decode(octets)
        return Framed(frame.unit, frame.pdu, frame.transaction)
    return Framed(*rtu.decode(octets))


def _of_one(grammar: Grammar, asked: Framed) -> Grammar:
    """A grammar that knows no frames but those of a unit, and on TCP of a transaction."""
    transaction, unit_at = (asked.transaction.to_bytes(2, "big"), 6) if grammar is TCP else (b"", 0)

    def size(octets: bytes | bytearray, start: int, direction: Direction) -> int:
        if not transaction.startswith(octets[start : start + len(transaction)]):
            return NONE
        if octets[start + unit_at : start + unit_at + 1] not in (b"", bytes((asked.unit,))):
            return NONE
        return grammar.size(octets, start, direction)

    return grammar._replace(size=size)


class Receiver:
    """Frames of one direction out of a stream.

    Args:
        framing: of the line.
        direction: which are looked for.
        asked: only those of its unit, and on TCP of its transaction; half a frame of another one cannot
            swallow the beginning of theirs. ``None``: everybody's.

    """

    def __init__(self, framing: Framing, direction: Direction, asked: Framed | None = None) -> None:
        self._framing: Framing = framing
        grammar = GRAMMARS[framing] if asked is None else _of_one(GRAMMARS[framing], asked)
        self._deframer = Deframer(grammar, (direction,))

    def feed(self, octets: bytes) -> list[Framed]:
        """Take octets in any pieces; whole frames come out. Never raises."""
        return [decode(span.octets, self._framing) for span in self._deframer.feed(octets)]

    def clear(self) -> None:
        """Forget what is incomplete."""
        self._deframer.clear()
