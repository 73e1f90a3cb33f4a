"""What happened at a module since the daemon began: numbers that its owner notes and others only read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from meterlink.drivers.carrier.outstanding import Strays


@dataclass(slots=True)
class Counts:
    """What happened at one module since the daemon began.

    Attributes:
        strays: answers that nobody wanted.
        denied: denials by code.
        starts: how often it was started.
        resets: how often it said that it began anew.
        calls: what it began itself, by AFN and Fn.
        repeated: reports that it told again while the first waited for the journal.

    """

    strays: Strays = field(default_factory=Strays)
    denied: Counter[int] = field(default_factory=Counter)
    starts: int = 0
    resets: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
