"""What chance draws for a seed: the lines and meters of a draft, and everything that befalls them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from metersim import Faults
from tests.sim.soak.draft import (
    BAUDS,
    DAY_S,
    HOUR_S,
    METERS_A_LINE,
    MODELS,
    NATURES,
    OFFICE_S,
    PACED_METERS,
    PASSING_BY_SEED,
    PASSING_S,
    PASSING_WORDS,
    SETTLING_S,
    TAIL_S,
    Draft,
    Life,
    LineDraft,
    MeterDraft,
    Nature,
    Protocol,
    Way,
)
from tests.sim.soak.spans import Span, after, without


def drawn(seed: int, *, days: int, meters: int) -> Draft:
    """What a seed says.

    Args:
        seed: 0 or more.
        days: 1 or more.
        meters: 12 or more, so that there is one of each line.

    """
    return _Drawing(seed, days, meters).draft()


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
            passing_s=PASSING_BY_SEED.get(self._seed % 20, PASSING_S),
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
        moving = self._chance("office").sample(movable[len(movable) // 4 :], 5) if self._seed % 2 else []
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
            elif one.id in moving[4:]:
                found.append(replace(one, moves=self._new_line(one, meters, float(open_at))))
            elif one.id in moving[:2]:
                found.append(replace(one, comes_at=open_at, known_at=open_at))
            elif one.id in moving:
                found.append(replace(one, leaves_at=open_at))
            else:
                found.append(one)
        return tuple(found)

    def _new_line(
        self, one: MeterDraft, meters: Sequence[MeterDraft], at_s: float
    ) -> tuple[float, str] | None:
        """When and to which line a meter moves; ``None``: there is no other one without its address."""
        taken = {other.line for other in meters if other.address == one.address}
        ways = {line.name for line in self._lines() if line.way in {"tcp", "serial"}}
        free = sorted(ways - taken)
        return (at_s, self._chance(f"move/{one.id}").choice(free)) if one.line in ways and free else None

    def _disk(self, lives: Sequence[Life]) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
        """Hours with a tight disk, and some after a start which finds no room to put aside."""
        if self._seed % 4 != 2:
            return (), ()
        chance = self._chance("disk")
        begin = lives[1].span.begin
        full = Span(begin - 1, min(begin + chance.uniform(0.1, 1) * HOUR_S, self._busy_until))
        tight = self._spans(chance, 1, 3 * HOUR_S)
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
