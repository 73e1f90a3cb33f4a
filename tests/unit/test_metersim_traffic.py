"""What a line's traffic keeps of the octets that pass, whatever the batches in which it hashes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import pack

import pytest

from metersim.plant.watched import UNHASHED_OCTETS_MAX, Traffic

_START = datetime(2026, 3, 1, tzinfo=UTC)
_HEAD_OCTETS = 13


class _Clock:
    """Goes on by 1 ms each time that somebody asks."""

    def __init__(self) -> None:
        self.asked = 0

    def utc_now(self) -> datetime:
        self.asked += 1
        return _START + timedelta(milliseconds=self.asked)


def _us(milliseconds: int) -> int:
    return int(_START.timestamp()) * 1_000_000 + milliseconds * 1_000


@pytest.mark.parametrize("size", [1, UNHASHED_OCTETS_MAX - _HEAD_OCTETS, UNHASHED_OCTETS_MAX, 5_000])
def test_the_digest_is_that_of_every_piece_by_itself(size: int) -> None:
    """A batch of pieces must not change the digest, or runs before and after could not be compared."""
    traffic, piece, expected = Traffic(_Clock()), bytes(size), sha256()
    for number in range(1, 4):
        traffic.pass_by("out" if number % 2 else "in", piece)
        expected.update(pack(">?qI", number % 2 == 0, _us(number), size) + piece)
    assert expected.hexdigest() == traffic.digest


def test_asking_for_the_digest_does_not_change_it() -> None:
    """A digest that depends on when somebody looked would tell two equal runs apart."""
    looked, unseen = Traffic(_Clock()), Traffic(_Clock())
    for traffic in (looked, unseen):
        for octets in (b"\x68", b"\x16", b"\xfe" * 2_000, b"\x11"):
            traffic.pass_by("out", octets)
            if traffic is looked:
                assert 64 == len(traffic.digest)
    assert unseen.digest == looked.digest


def test_what_is_due_happens_before_octets_are_noticed() -> None:
    """A happening that is due must come before the question that could show it."""
    traffic, seen = Traffic(_Clock()), list[tuple[datetime, int]]()
    traffic.before_question = lambda at: seen.append((at, traffic.octets_out))
    traffic.pass_by("out", b"\x68\x16")
    traffic.pass_by("in", b"\x16")
    assert [(_START + timedelta(milliseconds=1), 0)] == seen
    assert (2, 1, 1) == (traffic.octets_out, traffic.octets_in, traffic.requests)
