"""What a receiver makes of the levels on a wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterprofiles.schema import PARITIES
from metersim.line.port import BAUDS, Port, parity_bit
from metersim.line.uart import BAD_OCTET, Transmission, _sampled, mistuned, received

PORTS = st.builds(Port, st.sampled_from(BAUDS), st.sampled_from(PARITIES))
OCTETS = st.binary(min_size=1, max_size=24)


def levels(text: str, port: Port) -> list[int]:
    """The levels at the middle of each bit, from a drawing."""
    return [int(bit) for bit in text if bit in "01"]


@pytest.mark.parametrize(
    ("octet", "parity", "drawing"),
    [
        (0x68, "even", "0 00010110 1 1"),  # three ones
        (0x68, "odd", "0 00010110 0 1"),
        (0x68, "none", "0 00010110 1"),
        (0x16, "even", "0 01101000 1 1"),
        (0xFE, "even", "0 01111111 1 1"),
        (0x00, "even", "0 00000000 0 1"),
        (0xFF, "odd", "0 11111111 1 1"),
    ],
)
def test_an_octet_is_drawn_as_the_books_draw_it(octet: int, parity: str, drawing: str) -> None:
    """Sender and receiver of the simulator could be wrong in the same way, and nobody would see it."""
    port = Port(2400, parity)  # type: ignore[arg-type]
    sent = Transmission(1000, bytes([octet]), port)
    middles = [1000 + port.bit_ticks // 2 + k * port.bit_ticks for k in range(port.octet_bits)]
    assert levels(drawing, port) == [sent.level(tick) for tick in middles]
    assert (1, 1) == (sent.level(999), sent.level(sent.end))


@given(octets=OCTETS, port=PORTS, start=st.integers(0, 10**9), gap=st.integers(0, 10**6))
def test_a_receiver_with_the_same_settings_hears_what_is_sent(
    octets: bytes, port: Port, start: int, gap: int
) -> None:
    """The way that looks at levels and the one that need not would give different octets or times."""
    sent = Transmission(start, octets, port, gap)
    assert sent.as_sent() == list(_sampled([sent], port, None)) == received([sent], port)
    assert octets == bytes(heard.octet for heard in sent.as_sent())
    assert sent.end == sent.as_sent()[-1].at


@given(octets=st.binary(min_size=4, max_size=40), sent=PORTS, heard=PORTS)
def test_other_settings_never_stop_a_receiver(octets: bytes, sent: Port, heard: Port) -> None:
    """A wrong setting in a plant would hang the line, or fill the memory."""
    there = mistuned(octets, sent=sent, heard=heard)
    assert there == mistuned(octets, sent=sent, heard=heard), "garbage is the same each time"
    airtime = len(octets) * sent.octet_ticks
    assert len(there) <= airtime // (heard.octet_ticks - heard.bit_ticks) + 1
    assert (sent == heard) <= (octets == there)


def test_a_wrong_baud_is_garbage() -> None:
    """A daemon with a wrong rate in its configuration would read well here and fail in the field."""
    frame = bytes.fromhex("6861010000000068110433333433B116")
    for sent in BAUDS:
        for heard in BAUDS:
            there = mistuned(frame, sent=Port(sent), heard=Port(heard))
            assert (sent == heard) == (frame == there)
            assert sent == heard or frame not in there
    faster = mistuned(b"\x68\x68", sent=Port(1200), heard=Port(9600))
    assert 2 < len(faster), "eight bits of the fast port are one of the slow"
    assert len(mistuned(bytes(8), sent=Port(9600), heard=Port(1200))) < 8


def test_half_the_rate_by_hand() -> None:
    """What a receiver of half the rate sees can be drawn: every second bit.

    68H at 9600 8N1 is 0 00010110 1; at 4800 the start bit is sampled at the edge of bits 0 and 1, the
    others two sender's bits on: 0 | 0 0 1 1 and then idle.
    """
    assert bytes([0b11111100]) == mistuned(b"\x68", sent=Port(9600, "none"), heard=Port(4800, "none"))


@given(octet=st.integers(0, 255))
def test_a_wrong_parity_is_a_bad_octet(octet: int) -> None:
    """Even for odd would pass unseen, as the data bits are the same."""
    for sent, heard in (("even", "odd"), ("odd", "even")):
        ports = {"sent": Port(9600, sent), "heard": Port(9600, heard)}  # type: ignore[arg-type]
        assert bytes([BAD_OCTET]) == mistuned(bytes([octet]), **ports)
    assert parity_bit(octet, "even") != parity_bit(octet, "odd")
    without = mistuned(bytes([octet]), sent=Port(9600, "even"), heard=Port(9600, "none"))
    kept = (
        octet if parity_bit(octet, "even") else BAD_OCTET
    )  # the parity bit stands where the stop bit is due
    assert kept == without[0]


@given(first=OCTETS, second=OCTETS, port=PORTS)
def test_a_0_wins_over_a_1(first: bytes, second: bytes, port: Port) -> None:
    """Answers that collide would be heard as if each were alone."""
    length = min(len(first), len(second))
    one, other = Transmission(0, first[:length], port), Transmission(0, second[:length], port)
    heard = received([one, other], port)
    for at, mixed in enumerate(heard):
        wanted = first[at] & second[at]
        bits = port.pattern(first[at]) & port.pattern(second[at])
        whole = port.parity == "none" or bits >> 9 & 1 == parity_bit(wanted, port.parity)
        assert (wanted if whole else BAD_OCTET) == mixed.octet


@given(first=OCTETS, second=OCTETS, port=PORTS)
def test_answers_one_after_the_other_are_both_heard(first: bytes, second: bytes, port: Port) -> None:
    """Two meters that do not overlap would spoil each other all the same."""
    one = Transmission(0, first, port)
    other = Transmission(one.end + port.octet_ticks, second, port)
    assert first + second == bytes(heard.octet for heard in received([one, other], port))
    assert not one.overlaps(other.start, other.end)


@given(octets=st.binary(min_size=6, max_size=24), port=PORTS, cut=st.integers(0, 5))
def test_who_is_deaf_at_first_loses_the_head(octets: bytes, port: Port, cut: int) -> None:
    """A driver that lets the bus go late would cost nothing."""
    sent = Transmission(0, octets, port, gap=10 * port.octet_ticks)  # so that each octet is found for itself
    pitch = sent.as_sent()[1].at - sent.as_sent()[0].at
    heard = received([sent], port, deaf_until=cut * pitch)
    assert octets[cut:] == bytes(each.octet for each in heard)
    in_the_middle = received([sent], port, deaf_until=cut * pitch + port.octet_ticks // 2)
    assert bytes(each.octet for each in in_the_middle).endswith(octets[cut + 1 :])
    assert len(in_the_middle) in {len(octets) - cut - 1, len(octets) - cut}
