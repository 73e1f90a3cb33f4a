"""The ten facts about a model that could hurt a person if they were wrong: keys of ``control:`` in a profile.

Nothing is known of a model until somebody says it. ``unknown`` is no value of a fact but the lack of one, and
is what every key stands at where a profile says nothing. A qualification at a meter finds them out.
Source: control-and-prepayment, "The ten facts that could hurt a person if wrong".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact, as a profile names it.

    Args:
        number: of the fact in the reference, 1 to 10.
        values: what it can be.
        says: what it is about, one sentence.

    """

    number: int
    values: tuple[str, ...]
    says: str


FACTS: Final[Mapping[str, Fact]] = MappingProxyType(
    {
        "permit_waits_for_key": Fact(
            number=1,
            values=("yes", "no"),
            says="A permit to close waits until somebody presses the key; `no`: it closes at once.",
        ),
        "close_numbers": Fact(
            number=2,
            values=("permit_direct", "direct_permit"),
            says="What 0 and 1 of method 130 mean, in this order (DL/T 698.45).",
        ),
        "contact_bit": Fact(
            number=3,
            values=("open_is_one", "open_is_zero"),
            says="How the contact stands in status word 3, or in F205.",
        ),
        "command_bit": Fact(
            number=3,
            values=("state_grid", "vendor"),
            says="Which bit of status word 3 is the command: 6, or 1 (DL/T 645-2007).",
        ),
        "records": Fact(
            number=4,
            values=("kept", "none"),
            says="Trips and closings are counted and recorded: the third witness beside word and current.",
        ),
        "guarantee_on": Fact(
            number=5,
            values=("closes", "permits", "cancels_trip"),
            says="What the beginning of a power guarantee does to an open contact.",
        ),
        "guarantee_off": Fact(
            number=5,
            values=("nothing", "opens"),
            says="What the end of a power guarantee does to the contact.",
        ),
        "obeys_everybody": Fact(
            number=6,
            values=("yes", "no"),
            says="It obeys control sent to everybody; nobody may try, so a maker has to say it.",
        ),
        "answers_late": Fact(
            number=7,
            values=("no", "yes"),
            says="Answers come later than the line waits, so that one is taken for another's.",
        ),
        "alarm_is_breaker": Fact(
            number=8,
            values=("no", "yes"),
            says="The alarm commands switch a breaker.",
        ),
        "attr5_bits": Fact(
            number=9,
            values=("first", "last", "command_code"),
            says="How relay 1 stands in 8000 attribute 5: 80H, 01H, or as a command code (DL/T 698.45).",
        ),
        "bit_order": Fact(
            number=9,
            values=("msb_first", "number"),
            says="In which order 2014 sends the bits of a status word (DL/T 698.45).",
        ),
        "expiry": Fact(
            number=10,
            values=("obeyed", "ignored", "no_clock"),
            says="Whether a command whose time is over is refused.",
        ),
    }
)
"""Every fact by its key, in the order of the reference."""

Known = tuple[tuple[str, str], ...]
"""Facts of which something is known: pairs of key and value, in the order of ``FACTS``."""
