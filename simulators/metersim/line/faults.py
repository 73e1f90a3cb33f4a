"""What goes wrong with a meter's answers: probabilities and a seed; the same seed gives the same octets.

Two kinds. A fault *in* the answer takes its place: silence, random octets, half a frame, another address,
another identifier, a refusal, a flipped bit; at most one befalls an answer. A fault *around* the answer
leaves it whole: it comes late, after an echo of the request, after noise, octet by octet; they add up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, Self

from metersim.line.language import Wording

IN_PLACE = (
    "silence",
    "random_octets",
    "half_frame",
    "other_address",
    "other_identifier",
    "abnormal",
    "bit_flip",
)
AROUND = ("late", "echo", "noise", "split")

_RANDOM_OCTETS_MAX = 64
_NOISE_OCTETS_MAX = 4  # what a driver leaves behind when it turns round is one or two


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often what happens to the answers of one meter.

    Args:
        seed: of this meter's mischance; its address is mixed in, so meters differ.
        silence: probability, 0 to 1, of no answer; the others likewise.
        random_octets: 1 to 64 random octets in place of the answer.
        half_frame: the first half of the answer.
        other_address: a good frame that names another meter.
        other_identifier: a good frame for another identifier.
        abnormal: a refusal, D1.
        bit_flip: one bit of the frame is wrong.
        late: the answer leaves ``late_ms`` later, and the line is free meanwhile.
        echo: the request comes back before the answer, and also when there is none.
        noise: 1 to 4 random octets before the answer.
        split: the answer leaves octet by octet, ``split_gap_ms`` apart.
        late_ms: delay of a late answer in ms, 0 or more.
        split_gap_ms: pause between the octets of a split answer in ms, 0 or more.

    Raises:
        ValueError: a probability outside 0 to 1, or a negative time.

    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}  # of those in a file

    seed: int = 0
    silence: float = 0.0
    random_octets: float = 0.0
    half_frame: float = 0.0
    other_address: float = 0.0
    other_identifier: float = 0.0
    abnormal: float = 0.0
    bit_flip: float = 0.0
    late: float = 0.0
    echo: float = 0.0
    noise: float = 0.0
    split: float = 0.0
    late_ms: int = 1500
    split_gap_ms: int = 1

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in IN_PLACE + AROUND:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"fault {name}: a probability of {getattr(self, name)} is outside 0..1")
        for name in ("late_ms", "split_gap_ms"):
            if getattr(self, name) < 0:
                raise ValueError(f"fault {name}: {getattr(self, name)} ms is negative")

    @classmethod
    def garbage(cls, seed: int) -> Self:
        """A meter of which nothing can be relied on; now and then an answer is sound.

        Args:
            seed: of its mischance.

        """
        return cls(
            seed=seed,
            silence=0.1,
            random_octets=0.2,
            half_frame=0.2,
            other_address=0.2,
            other_identifier=0.2,
            abnormal=0.05,
            bit_flip=0.2,
            late=0.1,
            echo=0.2,
            noise=0.3,
            split=0.1,
        )


NO_FAULTS = Faults()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How an answer leaves.

    Args:
        octets: what goes onto the line; empty for silence.
        faults: names of what happened to it.
        spoiled: nothing may be read from it.
        late_ms: it leaves so much later.
        gap_ms: pause between its octets; ``None``: all at once.

    """

    octets: bytes
    faults: tuple[str, ...] = ()
    spoiled: bool = False
    late_ms: int = 0
    gap_ms: int | None = None


class Mischance:
    """Does to one meter's answers what its `Faults` say.

    Args:
        faults: how often what happens.
        address: the meter's.

    """

    def __init__(self, faults: Faults, address: str) -> None:
        self._faults = faults
        self._random = Random(f"{faults.seed}/{address}")  # noqa: S311  # repeatable is what it has to be
        self._replace: dict[str, Callable[[Wording], bytes]] = {
            "silence": lambda _: b"",
            "random_octets": lambda _: self._noise(_RANDOM_OCTETS_MAX),
            "half_frame": _half,
            "other_address": lambda answer: answer.under_other_address(self._random),
            "other_identifier": lambda answer: answer.with_other_identifier(self._random),
            "abnormal": lambda answer: answer.refused(self._random),
            "bit_flip": self._flipped,
        }

    def deliver(self, answer: Wording, *, echo: bytes, preamble: int) -> Delivery:
        """Turn an answer into what goes onto the line.

        Args:
            answer: what the meter says.
            echo: the octets of the request.
            preamble: FEH octets before the answer, 0 to 16.

        """
        if self._faults is NO_FAULTS:
            return Delivery(octets=answer.encode(preamble))
        befallen = [name for name in IN_PLACE + AROUND if self._random.random() < getattr(self._faults, name)]
        in_place = next((name for name in befallen if name in IN_PLACE and answer.can_be(name)), None)
        around = tuple(name for name in befallen if name in AROUND)
        octets = self._replace[in_place](answer) if in_place else answer.encode()
        before = echo if "echo" in around else b""
        if octets:
            before += self._noise(_NOISE_OCTETS_MAX) if "noise" in around else b""
            before += b"\xfe" * preamble
        return Delivery(
            octets=before + octets,
            faults=((in_place,) if in_place else ()) + around,
            spoiled=in_place is not None,
            late_ms=self._faults.late_ms if "late" in around else 0,
            gap_ms=self._faults.split_gap_ms if "split" in around else None,
        )

    def _noise(self, most: int) -> bytes:
        return self._random.randbytes(self._random.randint(1, most))

    def _flipped(self, answer: Wording) -> bytes:
        octets = bytearray(answer.encode())
        octets[self._random.randrange(len(octets))] ^= 1 << self._random.randrange(8)
        return bytes(octets)


def _half(answer: Wording) -> bytes:
    octets = answer.encode()
    return octets[: len(octets) // 2]
