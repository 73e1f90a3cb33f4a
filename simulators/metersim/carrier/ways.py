"""How a carrier module is set up and what its network is like: figures, probabilities and a seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, Final, Literal

from metersim.terminals.port import LATENCY_S_MAX, Route
from meterwire.gdw1376.link.module_frame import MODE_BROADBAND

Leads = Literal["concentrator", "module", "both"]
"""Who decides what is read next."""
SilentReply = Literal["empty", "denied"]
"""How a module says that a meter did not answer: an answer without octets, or 00-F2."""

PROTOCOLS: Final = {"dlt645-1997": 1, "dlt645-2007": 2, "dlt698.45": 3}
"""What meters speak, as frames number it. Source: spec section A5."""
WINDOW: Final = 20
WINDOW_MAX: Final = 64
FRAMES: Final = 8
FRAMES_MAX: Final = 32
NODES: Final = 2040
"""What modules answer in 10-F1. Source: spec section A6."""
NODES_MAX: Final = 4080
PAGE: Final = 32
PAGE_MAX: Final = 64
MONITOR_S: Final = 20
MONITOR_S_MAX: Final = 255
LATE_S: Final = 45.0
PREAMBLE: Final = 4
PREAMBLE_MAX: Final = 16
LEAVES_A_DAY_MAX: Final = 1440
READS_MAX: Final = 1_000_000
RETRIES_MAX: Final = 1000
DAY_S: Final = 86_400
HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierWays:
    """A carrier module of Q/GDW 1376.2, and the network behind it.

    Args:
        seed: of its chance.
        mode: what carries the frames behind it, 0 to 63: 1 narrow band, 3 broadband, 10 radio.
        vendor: code of its maker, two characters.
        chip: code of its chip, two characters.
        main_node: its own address as delivered, 12 digits.
        archive: its meters are in its list of slaves as delivered; otherwise it has to be told.
        leads: who decides what is read next: ``concentrator``, ``module`` (it asks with 14-F1), or ``both``.
        window: meters that it reads at one time by AFN F1, 0 to 64; 0: it does not know AFN F1.
        frames: meter's frames that one request of AFN F1 may hold, 1 to 32.
        nodes_max: slaves that it can have, 1 to 4,080.
        page: slaves that it tells in one answer, 1 to 64.
        shortest_s: an exchange with a meter takes no less, 0 to 120 s.
        longest_s: nor more, ``shortest_s`` to 120 s; the time is drawn evenly over its logarithm.
        loss: probability, 0 to 1, that a request is lost on its way to the meter, and again that its answer
            is.
        command_s: what it answers by itself it answers within, 0 to 120 s.
        monitor_s: it waits no longer for a meter, 1 to 255 s, until it is told otherwise.
        silence_shortest_s: it says no sooner that a meter is silent, 0 to 120 s.
        silence_longest_s: nor later, ``silence_shortest_s`` to 120 s.
        silent_reply: how it says so: ``empty``, or ``denied``.
        broadcast_s: how long a broadcast takes to reach the meters, 0 to 120 s.
        late: probability, 0 to 1, that an answer of a meter comes only ``late_s`` after it should.
        late_s: 0 to 3,600 s.
        doubled: probability, 0 to 1, that an answer of a meter comes a second time, within 5 s.
        rubbish: probability, 0 to 1, that the reserved bits of a frame are not 0.
        preamble: octets FEH before the frame of a meter, 0 to 16.
        stray_octet: probability, 0 to 1, that one octet of rubbish stands before them.
        join_s: a slave needs no longer to join the network, 0 to 3,600 s.
        leaves_a_day: how often a slave leaves the network in a day, on average, 0 to 1,440.
        away_s: how long it stays away, on average, over 0, to 86,400 s.
        power_events: it reports slaves that leave and come back as power failures (06-F5).
        reset_every: it is reset after so many exchanges with meters, at most 1,000,000; 0: never.
        reset_s: how long it is silent then, 0 to 3,600 s.
        repeat_s: it repeats a report that nobody has confirmed after so long, 1 to 3,600 s.
        repeats: so often at most, 0 to 1,000; then it forgets it.

    Raises:
        ValueError: a figure out of its range.

    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}  # of one in a file

    seed: int = 0
    mode: int = MODE_BROADBAND
    vendor: str = "ML"
    chip: str = "01"
    main_node: str = "000000000000"
    archive: bool = True
    leads: Leads = "concentrator"
    window: int = WINDOW
    frames: int = FRAMES
    nodes_max: int = NODES
    page: int = PAGE
    shortest_s: float = 0.5
    longest_s: float = 8.0
    loss: float = 0.0
    command_s: float = 0.5
    monitor_s: int = MONITOR_S
    silence_shortest_s: float = 10.0
    silence_longest_s: float = 12.0
    silent_reply: SilentReply = "empty"
    broadcast_s: float = 5.0
    late: float = 0.0
    late_s: float = LATE_S
    doubled: float = 0.0
    rubbish: float = 0.0
    preamble: int = PREAMBLE
    stray_octet: float = 0.0
    join_s: float = 30.0
    leaves_a_day: float = 0.0
    away_s: float = 600.0
    power_events: bool = False
    reset_every: int = 0
    reset_s: float = 10.0
    repeat_s: float = 10.0
    repeats: int = 20

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, low, high in _RANGES:
            _check(name, getattr(self, name), low, high)
        for name in ("loss", "late", "doubled", "rubbish", "stray_octet"):
            _check(name, getattr(self, name), 0, 1)
        _check("longest_s", self.longest_s, self.shortest_s, LATENCY_S_MAX)
        _check("silence_longest_s", self.silence_longest_s, self.silence_shortest_s, LATENCY_S_MAX)
        for name in ("vendor", "chip"):
            text = getattr(self, name)
            if len(text) != 2 or not text.isascii() or not text.isprintable():
                raise ValueError(f"carrier {name}: {text!r} is not two printable characters of ASCII")
        if len(self.main_node) != 12 or not (self.main_node.isascii() and self.main_node.isdigit()):
            raise ValueError(f"carrier main_node: {self.main_node!r} is not 12 digits")
        if not self.away_s:
            raise ValueError("carrier away_s: 0 s would be no absence; write more")

    @property
    def route(self) -> Route:
        """The way to a meter."""
        return Route(shortest_s=self.shortest_s, longest_s=self.longest_s, loss=self.loss)

    def silence_s(self, random: Random) -> float:
        """After how long it says that a meter is silent."""
        return random.uniform(self.silence_shortest_s, self.silence_longest_s)


_RANGES: Final = (
    ("mode", 0, 63),
    ("window", 0, WINDOW_MAX),
    ("frames", 1, FRAMES_MAX),
    ("nodes_max", 1, NODES_MAX),
    ("page", 1, PAGE_MAX),
    ("shortest_s", 0, LATENCY_S_MAX),
    ("command_s", 0, LATENCY_S_MAX),
    ("monitor_s", 1, MONITOR_S_MAX),
    ("silence_shortest_s", 0, LATENCY_S_MAX),
    ("broadcast_s", 0, LATENCY_S_MAX),
    ("late_s", 0, HOUR_S),
    ("preamble", 0, PREAMBLE_MAX),
    ("join_s", 0, HOUR_S),
    ("leaves_a_day", 0, LEAVES_A_DAY_MAX),
    ("away_s", 0, DAY_S),
    ("reset_every", 0, READS_MAX),
    ("reset_s", 0, HOUR_S),
    ("repeat_s", 1, HOUR_S),
    ("repeats", 0, RETRIES_MAX),
)


def _check(name: str, figure: float, low: float, high: float) -> None:
    if not low <= figure <= high:
        raise ValueError(f"carrier {name}: {figure} is outside {low:g}..{high:g}")
