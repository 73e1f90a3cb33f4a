"""What a seed says of a simulated gateway: its lines, its meters, and everything that befalls them and it.

A draft is a value: the same seed, days and meters give the same one, and it says all that the plant must know
to tell afterwards what could have been read. Times are seconds since the simulation began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from metersim import NO_FAULTS, Faults
from metersim.works.moments import PLANT_TIME
from tests.sim.soak.spans import Span

START: Final = datetime(2026, 11, 29, tzinfo=PLANT_TIME)
"""A month ends within three days, so that there is a settlement."""
DAY_S: Final = 86_400.0
HOUR_S: Final = 3_600.0
TAIL_S: Final = 10 * HOUR_S
"""Quiet time at the end, in which everything that can still be had is fetched."""
CURVE_ITEM: Final = "forward_active_energy"
GATHER_S: Final = 43_200
"""Curves are fetched twice a day."""
EVENTS_EVERY_S: Final = 28_800
"""How often meters are asked what has happened to them."""
STATUS_S: Final = 86_400
"""How often they are asked for words of state."""
PASSING_S: Final = 86_400
"""How often for values of the moment, by most seeds."""
PASSING_ITEMS: Final = ("forward_active_energy", "voltage.a", "current.a")
"""What they are asked for then; meters of DL/T 698.45 tell it in a list."""
PASSING_ITEM_LATER: Final = "active_power"
"""What they are asked for besides when the plans have been changed."""
EVENT_KINDS: Final = ("power_down", "cover_open")
FREEZE_ITEMS: Final = ("forward_active_energy.*", "reverse_active_energy.*")
"""What is read of every night; until the plans are changed only the first of them."""
DENIED_FREEZE: Final = "reverse_active_energy"
DENIED_PASSING: Final = "voltage.a"
"""Of what a denying meter says for some hours that it has no such data."""
METERS_A_LINE: Final = 18
PACED_METERS: Final = 3
BAUDS: Final = (600, 1200, 2400, 9600)
PASSING_WORDS: Final = (1, 33, 65)
"""With which noisy meters refuse now and then: other errors of DL/T 645, and DAR of 698.45; none says that
there is no such data."""
OFFICE_S: Final = 120.0
"""Behind a start, and before an end, until people come to the gateway."""
SETTLING_S: Final = 2 * HOUR_S
"""The first hours of all: a meter that is in trouble from the first second has no history."""

PASSING_BY_SEED: Final = {2: 3_600, 5: 900, 12: 3_600}
"""Interval of values of the moment in some of twenty seeds: what it costs is a third of the others' work."""

Nature = Literal[
    "sound",
    "noisy",
    "garbage",
    "absent",
    "vanished",
    "drifting",
    "ahead",
    "behind",
    "set",
    "exchanged",
    "cut_off",
    "denying",
]
Protocol = Literal["dlt645-2007", "dlt645-1997", "dlt698.45"]
Way = Literal["tcp", "serial", "paced", "dial"]
End = Literal["stop", "cancel", "torn"]

NATURES: Final[Sequence[tuple[Nature, float]]] = (
    ("sound", 0.35),
    ("noisy", 0.18),
    ("garbage", 0.05),
    ("absent", 0.10),
    ("vanished", 0.05),
    ("drifting", 0.05),
    ("ahead", 0.02),
    ("behind", 0.02),
    ("set", 0.03),
    ("exchanged", 0.05),
    ("cut_off", 0.05),
    ("denying", 0.05),
)
"""What meters are like, and how many of them."""
MODELS: Final[Mapping[Protocol, Sequence[str]]] = {
    "dlt645-2007": ("", "generic-single-phase", "generic-three-phase"),
    "dlt645-1997": ("",),
    "dlt698.45": ("", "generic-single-phase", "generic-three-phase"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterDraft:
    """One meter.

    Args:
        id: ours.
        address: 12 digits.
        line: name of its line.
        protocol: what it speaks.
        model: of the profile; empty: the generic one.
        nature: what it is like, in a word.
        faults: what chance does to its answers.
        reply_delay_ms: how long it thinks.
        away: when it hears nothing.
        powerless: when it has no power; it hears nothing then, and writes no curve.
        clock_ahead_s: its clock, at the start.
        drift_s_per_day: what its clock gains.
        jump: when its clock jumps, and by how much.
        exchanged_at: when another meter takes its place; ``None``: never.
        opened: when its cover is open.
        denies: when it says of some items that it has no such data.
        told_at: when people tell the gateway of its exchange; ``None``: nobody does.
        comes_at: since when the roster has it in its place; 0: from the start.
        known_at: when the gateway is told of that.
        leaves_at: when it leaves its place, with or without another in it.
        replaces: id of the meter whose place it took.
        moves: when it is hung on another line, and on which.

    """

    id: str
    address: str
    line: str
    protocol: Protocol
    model: str = ""
    nature: Nature = "sound"
    faults: Faults = NO_FAULTS
    reply_delay_ms: int = 20
    away: tuple[Span, ...] = ()
    powerless: tuple[Span, ...] = ()
    clock_ahead_s: float = 0.0
    drift_s_per_day: int = 0
    jump: tuple[float, float] | None = None
    exchanged_at: float | None = None
    opened: tuple[Span, ...] = ()
    denies: tuple[Span, ...] = ()
    told_at: float | None = None
    comes_at: float = 0.0
    known_at: float = 0.0
    leaves_at: float = float("inf")
    replaces: str = ""
    moves: tuple[float, str] | None = None

    @property
    def hangs(self) -> Mapping[str, Span]:
        """By line, from when to when it hangs on it."""
        if self.moves is None:
            return {self.line: Span(0.0, float("inf"))}
        at_s, to = self.moves
        return {self.line: Span(0.0, at_s), to: Span(at_s, float("inf"))}

    @property
    def place(self) -> str:
        """Id of the meter that stood in its place first; the plant has one meter a place."""
        return self.replaces or self.id

    @property
    def deaf(self) -> tuple[Span, ...]:
        """When it answers nothing at all."""
        return (*self.away, *self.powerless)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDraft:
    """One line.

    Args:
        name: of it.
        way: how it is reached.
        baud: on the wire of a paced line.
        echo: the adapter gives back what is said.
        turn_noise: probability of rubbish before an answer.
        gone: when it cannot be opened, and what was open is cut off.
        mute: when nothing comes through, although it is open.
        cuts: when a connection ends, and can be made again at once.

    """

    name: str
    way: Way
    baud: int = 0
    echo: bool = False
    turn_noise: float = 0.0
    gone: tuple[Span, ...] = ()
    mute: tuple[Span, ...] = ()
    cuts: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Life:
    """One run of the daemon.

    Args:
        span: when.
        ends: told to stop; cancelled at once; or killed, so that its files stay as they stood.

    """

    span: Span
    ends: End


@dataclass(frozen=True, slots=True)
class Act:
    """What people tell the gateway of its roster.

    Args:
        at_s: when.
        what: which.
        meter: that comes or leaves; of an exchange the one that leaves.

    """

    at_s: float
    what: Literal["add", "remove", "move", "exchange"]
    meter: MeterDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """All that a seed says.

    Args:
        seed: of everything.
        days: of which the slots are looked at.
        lines: of the gateway.
        meters: of all lines.
        lives: runs of the daemon, in order.
        clock_off: when the gateway's clock is wrong, and by how many seconds.
        broker_away: when the broker refuses.
        tight: when there is little room on the gateway's disk.
        full: when, besides, the room is gone that was put aside, so that nothing is kept but acts.
        replanned_at: when the plans are changed, and the configuration is read again; ``None``: never.
        curve_s: interval of the curve.
        passing_s: of values of the moment.
        with_database: whether the daemon runs the ingest too.

    """

    seed: int
    days: int
    lines: tuple[LineDraft, ...]
    meters: tuple[MeterDraft, ...]
    lives: tuple[Life, ...]
    clock_off: tuple[tuple[Span, float], ...] = ()
    broker_away: tuple[Span, ...] = ()
    tight: tuple[Span, ...] = ()
    full: tuple[Span, ...] = ()
    replanned_at: float | None = None
    curve_s: int = 3_600
    passing_s: int = PASSING_S
    with_database: bool = False
    ends_at: float = field(default=0.0)

    @property
    def entries(self) -> tuple[MeterDraft, ...]:
        """The entries of the roster: of an exchange that is told, the old meter's and the new one's."""
        return tuple(entry for one in self.meters for entry in _entries(one))

    @property
    def acts(self) -> tuple[Act, ...]:
        """What people tell of the roster, in order."""
        found = [Act(one.known_at, "add", one) for one in self.meters if one.known_at]
        found += [Act(one.leaves_at, "remove", one) for one in self.meters if one.leaves_at < float("inf")]
        found += [Act(one.moves[0], "move", one) for one in self.meters if one.moves is not None]
        found += [Act(one.told_at, "exchange", one) for one in self.meters if one.told_at is not None]
        return tuple(sorted(found, key=lambda act: act.at_s))

    def is_replanned(self, seconds: float) -> bool:
        """Whether the plans are the later ones, of which there are none other where they never change."""
        return self.replanned_at is None or seconds >= self.replanned_at

    def freeze_items(self, seconds: float) -> tuple[str, ...]:
        """What is read of each night at a time."""
        return FREEZE_ITEMS if self.is_replanned(seconds) else FREEZE_ITEMS[:1]

    def passing_items(self, seconds: float) -> tuple[str, ...]:
        """What is asked for of the moment at a time."""
        is_later = self.replanned_at is not None and self.is_replanned(seconds)
        return (*PASSING_ITEMS, PASSING_ITEM_LATER) if is_later else PASSING_ITEMS

    def plans_at(self, seconds: float) -> list[Mapping[str, object]]:
        """What is read at a time, as in the configuration."""
        return [
            {"class": "daily_freeze", "every_s": 3_600, "items": list(self.freeze_items(seconds))},
            {"class": "monthly_freeze", "items": ["forward_active_energy"]},
            {
                "class": "curve",
                "every_s": self.curve_s,
                "items": ["forward_active_energy"],
                "gather_s": GATHER_S,
            },
            {"class": "instant", "every_s": self.passing_s, "items": list(self.passing_items(seconds))},
            {"class": "status", "every_s": STATUS_S},
            {"class": "event", "every_s": EVENTS_EVERY_S, "items": list(EVENT_KINDS)},
        ]

    def every_s(self, data_class: str) -> int:
        """Interval of the slots of the moment of a class."""
        return self.passing_s if data_class == "instant" else STATUS_S


def _entries(one: MeterDraft) -> tuple[MeterDraft, ...]:
    if one.told_at is None or one.exchanged_at is None:
        return (one,)
    new = replace(one, id=f"{one.id}n", replaces=one.id, comes_at=one.exchanged_at, known_at=one.told_at)
    return replace(one, leaves_at=one.exchanged_at), new


def at(seconds: float) -> datetime:
    """The true time so many seconds after the start."""
    return START + timedelta(seconds=seconds)
