"""What a receiver makes of the levels on a wire: transmissions in, octets with their times out.

The wire is 1 when idle; a 0 of any sender wins over the 1 of the others. A receiver waits for a falling
edge, looks at the middle of each bit by its *own* rate, and checks parity and stop bit. So a wrong baud
rate, a wrong parity, two talkers at once and a head that was cut off need no rules of their own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from metersim.line.port import DATA_BITS, Port, parity_bit

BAD_OCTET: Final = 0x00
"""What a serial driver hands up for an octet with a wrong parity or stop bit."""


class Heard(NamedTuple):
    """An octet as a receiver has it.

    Args:
        at: tick at which its stop bit ends.
        octet: 0 to 255.

    """

    at: int
    octet: int


@dataclass(frozen=True, slots=True)
class Transmission:
    """Octets that one talker puts onto the wire.

    Args:
        start: tick of the first start bit.
        octets: what it says, one octet at least.
        port: how its port is set.
        gap: ticks of silence between two octets.

    """

    start: int
    octets: bytes
    port: Port
    gap: int = 0
    _pitch: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out the distance of two start bits."""
        object.__setattr__(self, "_pitch", self.port.octet_ticks + self.gap)

    @property
    def end(self) -> int:
        """Tick at which the last stop bit ends."""
        return self.start + len(self.octets) * self._pitch - self.gap

    def overlaps(self, start: int, end: int) -> bool:
        """Whether it is on the wire between two ticks."""
        return self.start < end and start < self.end

    def level(self, tick: int) -> int:
        """What this talker puts onto the wire at a tick."""
        index, inside = divmod(tick - self.start, self._pitch)
        if not 0 <= index < len(self.octets):
            return 1
        bit = inside // self.port.bit_ticks
        return 1 if bit >= self.port.octet_bits else self.port.pattern(self.octets[index]) >> bit & 1

    def falls(self) -> Iterator[int]:
        """Every tick at which it goes from 1 to 0."""
        bit_ticks = self.port.bit_ticks
        for index, octet in enumerate(self.octets):
            start = self.start + index * self._pitch
            pattern = self.port.pattern(octet)
            falling = ~pattern & (pattern << 1 | 1)  # a 0 behind a 1; before the start bit the wire is 1
            yield from (start + k * bit_ticks for k in range(self.port.octet_bits) if falling >> k & 1)

    def as_sent(self) -> list[Heard]:
        """The octets with their times, as a receiver with the same settings has them."""
        first = self.start + self.port.octet_ticks
        return [Heard(first + k * self._pitch, octet) for k, octet in enumerate(self.octets)]


def received(
    transmissions: Sequence[Transmission], port: Port, *, deaf_until: int | None = None
) -> list[Heard]:
    """What a receiver has of everything on the wire.

    Args:
        transmissions: what is said, by whomever.
        port: how the receiver is set.
        deaf_until: tick before which it sees nothing; ``None``: it sees everything.

    """
    alone = len(transmissions) == 1 and transmissions[0].port == port
    if alone and (deaf_until is None or deaf_until <= transmissions[0].start):
        return transmissions[0].as_sent()
    return list(_sampled(transmissions, port, deaf_until))


def mistuned(octets: bytes, *, sent: Port, heard: Port) -> bytes:
    """What octets become when sender and receiver are set differently.

    Args:
        octets: as they are sent, without pauses.
        sent: settings of the sender.
        heard: settings of the receiver.

    """
    if sent == heard or not octets:
        return octets
    return bytes(each.octet for each in received([Transmission(0, octets, sent)], heard))


def _sampled(transmissions: Sequence[Transmission], port: Port, deaf_until: int | None) -> Iterator[Heard]:
    bit, half = port.bit_ticks, port.bit_ticks // 2

    def level(tick: int) -> int:
        if deaf_until is not None and tick < deaf_until:
            return 1
        return int(all(one.level(tick) for one in transmissions))

    edges = {edge for one in transmissions for edge in one.falls()}
    if deaf_until is not None:
        edges = {max(edge, deaf_until) for edge in edges} | {deaf_until}
    falls = sorted(edges)
    position = 0
    while position < len(falls):
        edge = falls[position]
        if level(edge - 1) == 0 or level(edge + half) == 1:  # no edge of the whole wire, or too short
            position += 1
            continue
        yield Heard(edge + port.octet_bits * bit, _octet_at(level, edge + half, port))
        middle_of_stop = edge + half + (port.octet_bits - 1) * bit
        position = bisect_right(falls, middle_of_stop)


def _octet_at(level: Callable[[int], int], middle: int, port: Port) -> int:
    """The octet whose start bit has its middle at a tick."""
    bits = [level(middle + k * port.bit_ticks) for k in range(1, port.octet_bits)]
    octet = sum(bit << k for k, bit in enumerate(bits[:DATA_BITS]))
    good_parity = port.parity == "none" or bits[DATA_BITS] == parity_bit(octet, port.parity)
    return octet if good_parity and bits[-1] else BAD_OCTET
