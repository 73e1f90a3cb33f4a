"""What takes the place of an answer: octets for each fault of that kind."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from metersim.line.exchanges import Strike
from metersim.line.language import Wording

RANDOM_OCTETS_MAX: Final = 64
NOISE_OCTETS_MAX: Final = 4  # what a driver leaves behind when it turns round is one or two


def spoiled(strike: Strike, answer: Wording, last: Wording | None) -> bytes | None:
    """What leaves in place of an answer; ``None`` when this answer cannot have this fault.

    Args:
        strike: a fault in place.
        answer: what the meter says.
        last: the answer to the client's last question; ``None`` when it had none.

    """
    if strike.kind not in _FORMS or not answer.can_be(strike.kind):
        return None
    return _FORMS[strike.kind](strike, answer, last)


def noise(random: Random) -> bytes:
    """What stands before an answer."""
    return random.randbytes(random.randint(1, NOISE_OCTETS_MAX))


def _silence(_strike: Strike, _answer: Wording, _last: Wording | None) -> bytes:
    return b""


def _random_octets(strike: Strike, _answer: Wording, _last: Wording | None) -> bytes:
    return strike.random.randbytes(strike.random.randint(1, RANDOM_OCTETS_MAX))


def _half_frame(_strike: Strike, answer: Wording, _last: Wording | None) -> bytes:
    octets = answer.encode()
    return octets[: len(octets) // 2]


def _truncated(strike: Strike, answer: Wording, _last: Wording | None) -> bytes:
    octets = answer.encode()
    most = len(octets) - 1
    return octets[: strike.random.randint(1, most) if strike.figure is None else min(strike.figure, most)]


def _other_address(strike: Strike, answer: Wording, _last: Wording | None) -> bytes:
    return answer.under_other_address(strike.random)


def _other_identifier(strike: Strike, answer: Wording, _last: Wording | None) -> bytes:
    return answer.with_other_identifier(strike.random)


def _abnormal(strike: Strike, answer: Wording, _last: Wording | None) -> bytes:
    return answer.refused(strike.random, strike.figure)


def _flipped(strike: Strike, answer: Wording, _last: Wording | None) -> bytes:
    octets = bytearray(answer.encode())
    count = min(strike.figure or 1, 8 * len(octets))
    for bit in strike.random.sample(range(8 * len(octets)), count):
        octets[bit // 8] ^= 1 << bit % 8
    return bytes(octets)


def _stale(_strike: Strike, _answer: Wording, last: Wording | None) -> bytes | None:
    return None if last is None else last.encode()


_FORMS: Final[dict[str, Callable[[Strike, Wording, Wording | None], bytes | None]]] = {
    "silence": _silence,
    "random_octets": _random_octets,
    "half_frame": _half_frame,
    "truncation": _truncated,
    "other_address": _other_address,
    "other_identifier": _other_identifier,
    "abnormal": _abnormal,
    "bit_flip": _flipped,
    "stale": _stale,
}
