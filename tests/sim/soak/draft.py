"""What a seed says of a simulated gateway: its lines, its meters, and everything that befalls them and it.

A draft is a value: the same seed, days and meters give the same one, and it says all that the plant must know
to tell afterwards what could have been read. Times are seconds since the simulation began.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from metersim import NO_FAULTS, Faults
from metersim.works.moments import PLANT_TIME
from tests.sim.soak.spans import Span, after, without

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

_PASSING_BY_SEED: Final = {2: 3_600, 5: 900, 12: 3_600}
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
    what: Literal["add", "remove", "exchange"]
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

    @classmethod
    def of(cls, seed: int, *, days: int, meters: int) -> Draft:
        """What a seed says.

        Args:
            seed: 0 or more.
            days: 1 or more.
            meters: 12 or more, so that there is one of each line.

        """
        return _Drawing(seed, days, meters).draft()


def _entries(one: MeterDraft) -> tuple[MeterDraft, ...]:
    if one.told_at is None or one.exchanged_at is None:
        return (one,)
    new = replace(one, id=f"{one.id}n", replaces=one.id, comes_at=one.exchanged_at, known_at=one.told_at)
    return replace(one, leaves_at=one.exchanged_at), new


class _Drawing:
    """Draws a draft; each part has its own chance, so that one does not move another."""

    def __init__(self, seed: int, days: int, meters: int) -> None:
        self._seed, self._days, self._count = seed, days, meters
        is_week = seed % 20 == 1
        self._outage_s = 7 * DAY_S if is_week else DAY_S * (seed % 4 == 0)
        self._ends_at = days * DAY_S + self._outage_s * is_week + TAIL_S
        self._busy_until = self._ends_at - TAIL_S

    def draft(self) -> Draft:
        lines = self._lines()
        chance = self._chance("gateway")
        lives = self._lives(chance)
        tight, full = self._disk(lives)
        clock_off = self._clock_off(chance)
        return Draft(
            seed=self._seed,
            days=round(self._busy_until / DAY_S),
            lines=lines,
            meters=self._told_of(self._meters(lines), lives, clock_off),
            lives=lives,
            clock_off=clock_off,
            broker_away=self._spans(chance, 2, 6 * HOUR_S),
            tight=tight,
            full=full,
            replanned_at=self._moment(self._chance("plans")) if self._seed % 3 == 0 else None,
            curve_s=900 if self._seed % 3 == 1 else 3_600,
            passing_s=_PASSING_BY_SEED.get(self._seed % 20, PASSING_S),
            with_database=self._seed % 10 == 0,
            ends_at=self._ends_at,
        )

    def _chance(self, what: str) -> random.Random:
        return random.Random(f"soak/{self._seed}/{what}")  # repeatable is what it has to be

    def _moment(self, chance: random.Random) -> float:
        return chance.uniform(SETTLING_S, self._busy_until)

    def _spans(self, chance: random.Random, count: int, longest_s: float) -> tuple[Span, ...]:
        begins = sorted(self._moment(chance) for _ in range(count))
        return tuple(
            Span(begin, min(begin + chance.uniform(0.02, 1) * longest_s, self._busy_until))
            for begin in begins
        )

    def _nights(self, chance: random.Random) -> tuple[Span, ...]:
        """Some hours around one midnight, when most is asked for."""
        midnight_s = chance.randrange(round(self._busy_until / DAY_S)) * DAY_S
        begin = max(0.0, midnight_s - chance.uniform(0, 2 * HOUR_S))
        return (Span(begin, midnight_s + chance.uniform(0.5, 20) * HOUR_S),)

    def _lines(self) -> tuple[LineDraft, ...]:
        shared = max(2, -(-(self._count - PACED_METERS - 2) // METERS_A_LINE))
        ways: list[Way] = [
            *("tcp" if number % 2 else "serial" for number in range(shared)),
            "paced",
            "dial",
            "dial",
        ]
        return tuple(self._line(f"line{number}", way) for number, way in enumerate(ways))

    def _line(self, name: str, way: Way) -> LineDraft:
        chance = self._chance(name)
        return LineDraft(
            name=name,
            way=way,
            baud=chance.choice(BAUDS) if way == "paced" else 0,
            echo=way in {"serial", "paced"} and chance.random() < 0.5,
            turn_noise=chance.choice((0.0, 0.0, 0.1)) if way == "serial" else 0.0,
            gone=self._spans(chance, chance.randint(0, 2), 8 * HOUR_S),
            mute=self._spans(chance, chance.randint(0, 1), 3 * HOUR_S),
            cuts=tuple(sorted(self._moment(chance) for _ in range(chance.randint(0, 3)))),
        )

    def _meters(self, lines: Sequence[LineDraft]) -> tuple[MeterDraft, ...]:
        alone = [line for line in lines if line.way == "dial"]
        paced = [line for line in lines if line.way == "paced"]
        shared = [line for line in lines if line.way in {"tcp", "serial"}]
        rest = self._count - len(alone) - PACED_METERS * len(paced)
        places = [*alone, *paced * PACED_METERS, *(shared[n % len(shared)] for n in range(rest))]
        return tuple(self._meter(number, line) for number, line in enumerate(places))

    def _meter(self, number: int, line: LineDraft) -> MeterDraft:
        chance = self._chance(f"meter{number}")
        protocol: Protocol = "dlt698.45"
        if line.way != "dial":
            protocol = chance.choice(("dlt645-2007", "dlt645-2007", "dlt698.45", "dlt698.45", "dlt645-1997"))
        natures = [nature for nature, _ in NATURES]
        nature = chance.choices(natures, [share for _, share in NATURES])[0]
        return MeterDraft(
            id=f"m{number:04d}",
            address=f"{number + 1 - (number % 20 == 19):012d}",  # one in twenty has that of one elsewhere
            line=line.name,
            protocol=protocol,
            model=chance.choice(MODELS[protocol]),
            nature=nature,
            reply_delay_ms=chance.choice((20, 20, 60, 200)),
            opened=self._opened(number),
            **self._troubles(chance, nature),  # type: ignore[arg-type]
        )

    def _opened(self, number: int) -> tuple[Span, ...]:
        chance = self._chance(f"cover{number}")
        return self._spans(chance, chance.choice((0, 0, 0, 1, 2)), 6 * HOUR_S)

    def _troubles(self, chance: random.Random, nature: Nature) -> dict[str, object]:
        troubles: dict[Nature, Callable[[], dict[str, object]]] = {
            "noisy": lambda: {"faults": _noisy(chance)},
            "garbage": lambda: {"faults": Faults.garbage(chance.randrange(1_000_000))},
            "absent": lambda: {"away": self._spans(chance, 2, 14 * HOUR_S)},
            "vanished": lambda: {"away": (Span(self._moment(chance), self._ends_at + DAY_S),)},
            "drifting": lambda: {"drift_s_per_day": chance.choice((-120, -20, 20, 120))},
            "ahead": lambda: {"clock_ahead_s": chance.choice((3, 40)) * DAY_S},
            "behind": lambda: {"clock_ahead_s": -chance.choice((600.0, 5 * HOUR_S, 2 * DAY_S))},
            "set": lambda: {
                "jump": (self._moment(chance), chance.choice((-1, 1)) * chance.choice((300, 4_000, 30_000)))
            },
            "exchanged": lambda: {"exchanged_at": float(round(self._moment(chance)))},
            "cut_off": lambda: {"powerless": self._spans(chance, 1, 6 * HOUR_S)},
            "denying": lambda: {"denies": self._nights(chance)},
        }
        return troubles[nature]() if nature in troubles else {}

    def _lives(self, chance: random.Random) -> tuple[Life, ...]:
        """Runs of the daemon with pauses between them, one of which may last a day or a week."""
        ends = sorted(self._moment(chance) for _ in range(chance.randint(2, 4)))
        long_one = chance.randrange(len(ends)) if self._outage_s else -1
        lives, begin = list[Life](), 0.0
        for number, end in enumerate(ends):
            if end <= begin + 1:
                continue
            lives.append(Life(Span(begin, end), chance.choice(("stop", "cancel", "torn"))))
            begin = end + chance.choice((1.0, 60.0, 1_800.0, 5_400.0))
            if number == long_one:
                begin = end + self._outage_s
        begin = min(begin, self._busy_until)
        return (*lives, Life(Span(max(begin, lives[-1].span.end + 1), self._ends_at), "stop"))

    def _told_of(
        self,
        meters: Sequence[MeterDraft],
        lives: Sequence[Life],
        clock_off: Sequence[tuple[Span, float]],
    ) -> tuple[MeterDraft, ...]:
        """The same meters with what people tell of the roster: some come, some leave, some were exchanged."""
        works = [Span(life.span.begin + OFFICE_S, life.span.end - OFFICE_S) for life in lives]
        works = without([span for span in works if span.seconds > 0], [span for span, _ in clock_off])
        movable = [one.id for one in meters if not one.exchanged_at and one.nature != "garbage"]
        moving = self._chance("office").sample(movable[len(movable) // 4 :], 4) if self._seed % 2 else []
        found = []
        for one in meters:
            chance = self._chance(f"office/{one.id}")
            begin = one.exchanged_at or self._moment(chance)
            later_s = chance.choice((60.0, 2 * HOUR_S, 20 * HOUR_S)) if one.exchanged_at else 0.0
            open_at = next((round(span.begin) for span in after(works, begin + later_s)), None)
            if open_at is None or open_at > self._busy_until:
                found.append(one)
            elif one.exchanged_at and chance.random() < 0.6:
                found.append(replace(one, told_at=open_at))
            elif one.id in moving[:2]:
                found.append(replace(one, comes_at=open_at, known_at=open_at))
            elif one.id in moving:
                found.append(replace(one, leaves_at=open_at))
            else:
                found.append(one)
        return tuple(found)

    def _disk(self, lives: Sequence[Life]) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
        """Hours with a tight disk, and some after a start which finds no room to put aside."""
        if self._seed % 4 != 2:
            return (), ()
        chance = self._chance("disk")
        begin = lives[1].span.begin
        full = Span(begin - 1, min(begin + chance.uniform(0.1, 3) * HOUR_S, self._busy_until))
        tight = self._spans(chance, 1, 5 * HOUR_S)
        return (*tight, full), (full,)

    def _clock_off(self, chance: random.Random) -> tuple[tuple[Span, float], ...]:
        if self._seed % 2:
            return ()
        by_s = chance.choice((-1, 1)) * chance.choice((1_800.0, 5 * HOUR_S, 2 * DAY_S))
        return tuple((span, by_s) for span in self._spans(chance, 1, 8 * HOUR_S))


def _noisy(chance: random.Random) -> Faults:
    seed = chance.randrange(1_000_000)
    return Faults(
        seed=seed,
        loss=0.03,
        silence=0.03,
        abnormal=0.04,
        error_word=PASSING_WORDS[seed % len(PASSING_WORDS)],
        bit_flip=0.05,
        half_frame=0.04,
        truncation=0.02,
        random_octets=0.02,
        other_identifier=0.02,
        stale=0.02,
        noise=0.1,
        split=0.02,
        late=0.03,
        double=0.03,
        duplicate=0.02,
    )


def at(seconds: float) -> datetime:
    """The true time so many seconds after the start."""
    return START + timedelta(seconds=seconds)
