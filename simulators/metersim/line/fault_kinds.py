"""Which faults there are, where in an exchange each befalls, and the one figure that some of them have.

*Before*: the request, or how soon the meter begins. *In place*: the answer gives way to something else, at
most one a time. *Around*: the answer stays whole, and they add up. One table for probabilities
(`metersim.line.faults.Faults`) and for rules (`metersim.line.fault_rules.FaultRule`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Place = Literal["before", "in_place", "around"]


class Figure(NamedTuple):
    """A figure of a fault.

    Args:
        key: what a rule calls it: ``ms``, ``octets``, ``bits`` or ``word``.
        field: what `metersim.line.faults.Faults` calls it.
        low: smallest.
        high: largest.
        usual: where nothing is said; ``None``: chance says it.

    """

    key: str
    field: str
    low: int
    high: int
    usual: int | None

    def check(self, fault: str, name: str, value: int | None) -> None:
        """Refuse a figure out of its range.

        Args:
            fault: of which it is.
            name: how whoever wrote it calls it.
            value: the figure; ``None`` where nothing is said.

        Raises:
            ValueError: it is no whole number in the range.

        """
        if value is None:
            return
        if not isinstance(value, int) or isinstance(value, bool) or not self.low <= value <= self.high:
            raise ValueError(f"fault {fault}: {name} {value} is no whole number of {self.low} to {self.high}")


class Kind(NamedTuple):
    """A kind of fault.

    Args:
        place: where in an exchange it befalls.
        figure: that it has, or ``None``.
        says: what it does, for people.

    """

    place: Place
    says: str
    figure: Figure | None = None


_MINUTE_MS = 60_000
OCTETS_MAX: Final = 4_096  # longer than any answer
PIECE_OCTETS_MAX: Final = 195  # what a frame of DL/T 645 has room for

KINDS: Final[Mapping[str, Kind]] = {
    "loss": Kind("before", "the request is lost before the meter, which does nothing"),
    "delay": Kind(
        "before",
        "the meter begins so much later, and the line waits for it",
        Figure("ms", "delay_ms", 0, _MINUTE_MS, 300),
    ),
    "silence": Kind("in_place", "the meter does what it was asked, and no answer comes"),
    "random_octets": Kind("in_place", "1 to 64 random octets in place of the answer"),
    "half_frame": Kind("in_place", "the first half of the answer"),
    "other_address": Kind("in_place", "a good frame that names another meter"),
    "other_identifier": Kind("in_place", "a good frame for another identifier"),
    "abnormal": Kind(
        "in_place",
        "a refusal, although the meter did what it was asked; word: ERR of DL/T 645, DAR of 698.45",
        Figure("word", "error_word", 0, 0xFFFF, None),
    ),
    "bit_flip": Kind(
        "in_place", "so many bits of the frame are wrong", Figure("bits", "flipped_bits", 1, 64, 1)
    ),
    "truncation": Kind(
        "in_place",
        "the answer ends after so many octets",
        Figure("octets", "truncation_octets", 1, OCTETS_MAX, None),
    ),
    "stale": Kind("in_place", "the answer to the client's last question, in place of the one to this"),
    "follow_up": Kind(
        "in_place",
        "the answer comes in pieces of so many octets, which the client has to ask for",
        Figure("octets", "piece_octets", 1, PIECE_OCTETS_MAX, 4),
    ),
    "late": Kind(
        "around",
        "the answer leaves so much later, and the line is free meanwhile",
        Figure("ms", "late_ms", 0, 60 * _MINUTE_MS, 1_500),
    ),
    "echo": Kind("around", "the request comes back before the answer, and also when there is none"),
    "noise": Kind("around", "1 to 4 random octets before the answer"),
    "split": Kind(
        "around",
        "the answer leaves octet by octet, so far apart",
        Figure("ms", "split_gap_ms", 0, _MINUTE_MS, 1),
    ),
    "duplicate": Kind("around", "the answer comes twice, one behind the other"),
    "double": Kind(
        "around",
        "the answer comes once more, so much later, and the line is free meanwhile",
        Figure("ms", "double_ms", 0, _MINUTE_MS, 200),
    ),
}


def _of(place: Place) -> tuple[str, ...]:
    return tuple(name for name, kind in KINDS.items() if kind.place == place)


IN_PLACE: Final = _of("in_place")
AROUND: Final = _of("around")
FIGURES: Final = tuple(dict.fromkeys(kind.figure.key for kind in KINDS.values() if kind.figure))
"""Every key of a figure in a rule."""
