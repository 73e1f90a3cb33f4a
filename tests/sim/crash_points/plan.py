"""What a seed decides: the meters, who wants what and when, what goes wrong on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, Literal

from meterlink.model.order import OrderKind
from metersim.line.fault_rules import FaultRule

WORLDS: Final = 3
"""The make of the worlds: a seed means another world in each, and results are counted apart."""
WIDE_FROM: Final = 100_000
"""From this seed on the worlds are wide: cases, closings, readings in between, clocks that are set."""
WALKS_FROM: Final = 200_000
"""From this seed on somebody walks a model's probes, and orders follow that nobody may send before."""
OFTEN_FROM: Final = 1_000_000
"""From this seed on the program dies again and again; the rest is that of the seed without this."""
NOBODY_COMES: Final = timedelta(days=30)
"""No customer presses a key."""
LEAVES_AT: Final = ("",) * 5 + ("alarm_off", "trip", "guarantee_over_open", "permit", "direct")
"""Most stay until the end."""
APART: Final = (3.0, 60.0)
"""Points between two deaths there, in the middle; each world draws its own from between these."""
PAUSES: Final = ((0, 0, 0.05, 2), (0, 2, 7, 20), (1, 7, 60, 300))
"""Seconds between two lives there; each world draws its own from one of these."""
PAUSES_DRAWN: Final = 7
"""So many, which then come again."""
START: Final = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
"""A Tuesday, 10:00 in the plant, no holiday."""
RELAY: Final = "000000000161"
"""Address of a meter with a relay."""
SHOP: Final = "000000000162"
"""Of one with a relay and a wallet."""
STARTED: Final = 9
"""Before this point of a life the disk refuses nothing: the program would not start."""
CONTROLS: Final = ("1CH", "070102FF")
"""What switches, and what credits."""
FAULTS: Final = (
    "loss",
    "silence",
    "half_frame",
    "stale",
    "late",
    "double",
    "duplicate",
    "other_address",
    "echo",
)
"""Not among them: a meter that obeys and says no (``abnormal``); a no to a switch is believed."""
THEMES: Final[tuple[tuple[OrderKind | Literal["payment"], ...], ...]] = (
    (OrderKind.TRIP,),
    (OrderKind.TRIP, "payment"),
    (OrderKind.TOP_UP, OrderKind.TOP_UP),
    (OrderKind.GUARANTEE_ON, OrderKind.GUARANTEE_OFF),
    (OrderKind.ALARM_ON, OrderKind.ALARM_OFF),
)
"""What follows on each other; a seed takes the one of its remainder."""

What = OrderKind | Literal["payment", "case", "field_close", "walk", "protection"]
WIDE_THEMES: Final[tuple[tuple[What, ...], ...]] = (
    (OrderKind.TRIP, "payment"),
    (OrderKind.TRIP, OrderKind.PERMIT_CLOSE),
    ("case", "payment"),
    (OrderKind.TRIP, OrderKind.DIRECT_CLOSE),
    (OrderKind.TOP_UP, OrderKind.TOP_UP, OrderKind.TOP_UP),
    ("case",),
    (OrderKind.TRIP, "field_close"),
    (OrderKind.TRIP, OrderKind.GUARANTEE_ON, "payment"),
)
"""The same of the wide worlds."""

WALK_THEMES: Final[tuple[tuple[What, ...], ...]] = (
    ("walk",),
    ("walk", OrderKind.TRIP),
    ("walk", OrderKind.GUARANTEE_OFF),
    ("walk", "payment"),
    ("walk", OrderKind.ALARM_ON),
)
"""The same of the worlds with walks."""
UNLIKE: Final[tuple[Mapping[str, Any], ...]] = (
    *({},) * 4,
    {"checks_expiry": False},
    {"guarantee_off": "opens"},
    {"guarantee_on": "closes"},
    {"guarantee_on": "cancels_trip"},
    {"keeps_records": False},
    {"alarm_is_breaker": True},
)
"""In what the meter of a walk is otherwise than most; none of these says what is not so."""

STEPS: Final = (
    "authorised",
    "queued",
    "precheck",
    "sending",
    "accepted",
    "unconfirmed",
    "readback",
    "not_done",
    "done",
)
"""Of an order, at which somebody may pay or want the opposite."""

Oddity = Literal["", "protected", "wrong_number"]
Protocol = Literal["dlt645-2007", "dlt698.45"]
PROTOCOLS: Final[tuple[Protocol, ...]] = ("dlt645-2007", "dlt645-2007", "dlt698.45")
"""Each for a whole round of themes."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What somebody wants.

    Args:
        id: of the order or case, or of the record of a payment or protection.
        what: an order of persons, a case, a payment, or, in no plan of a seed, a protection; a top-up is a
            payment to a meter with a wallet, and a closing of field staff is a permit that one of them
            operates.
        at: since ``START``.
        within: deadline of the order, since then.
        cents: of a payment.
        once: it is told so long after an order has come to a state; or long after ``at``, if none does.

    """

    id: str
    what: What
    at: timedelta
    within: timedelta
    cents: int
    once: tuple[str, timedelta] | None = None

    @property
    def address(self) -> str:
        """Of the meter that it is about."""
        return SHOP if self.what is OrderKind.TOP_UP else RELAY


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All of it.

    Args:
        seed: it comes from.
        protocol: of the meters.
        wishes: in the order of their times.
        oddity: of the meter with a relay: nobody may switch it, or it is another than the file says.
        has_key: a permitted close waits for it.
        has_consent: the customer wants his supply back without pressing a key.
        trip_delay: of the meter.
        is_loaded: something is drawn.
        is_plain: the meter with a relay takes orders under a password.
        is_storing: the line keeps some frames for a while, and delivers them when nobody expects them.
        key_every: the customer comes home so often, and presses what there is to press.
        pauses: between the lives of the daemon, in turn.
        faults: on the line.
        cuts: points of the first life at which the line breaks; where the program dies again and again, of
            all lives, counted through.
        refused: points, counted the same way, at which the disk refuses; not at the start of a life.
        read_every: the meters are read in between so often; ``None``: they are not.
        clock_steps: the program's clock is set: when, since ``START``, and by how much.
        unlike: in what the meter with a relay is otherwise than most (``CostControl``).
        leaves_at: the probe before which who walks goes away; empty: he stays until the end.
        apart: points between two deaths, in the middle; ``None``: it is not one to die again and again.

    """

    seed: int
    protocol: Protocol
    wishes: tuple[Wish, ...]
    oddity: Oddity
    has_key: bool
    has_consent: bool
    trip_delay: timedelta
    is_loaded: bool
    is_plain: bool
    is_storing: bool
    key_every: timedelta
    pauses: tuple[timedelta, ...]
    faults: tuple[FaultRule, ...] = ()
    cuts: frozenset[int] = frozenset()
    refused: frozenset[int] = frozenset()
    read_every: timedelta | None = None
    clock_steps: tuple[tuple[timedelta, timedelta], ...] = ()
    unlike: Mapping[str, Any] = field(default_factory=dict)
    leaves_at: str = ""
    apart: float | None = None

    @property
    def has_walk(self) -> bool:
        """What is proven of the models is what a walk has found."""
        return any(wish.what == "walk" for wish in self.wishes)

    @property
    def clock_error(self) -> timedelta:
        """So far the program's clock may be from the true time."""
        return sum((abs(by) for _, by in self.clock_steps), timedelta())

    @property
    def has_case(self) -> bool:
        """The trip comes out of a case, whose last notice is not told beforehand."""
        return any(wish.what == "case" for wish in self.wishes)

    @property
    def has_repair(self) -> bool:
        """A work order lets persons reconnect."""
        closings = (OrderKind.PERMIT_CLOSE, OrderKind.DIRECT_CLOSE, "field_close")
        return any(wish.what in closings for wish in self.wishes)

    @classmethod
    def of(cls, seed: int) -> Plan:
        """The plan of a seed; on a third of the lines nothing goes wrong."""
        if seed >= OFTEN_FROM:
            return _often(seed)
        if seed >= WALKS_FROM:
            return _walking(seed)
        return _wide(seed) if seed >= WIDE_FROM else cls._drawn(seed, Random(seed))

    @classmethod
    def _drawn(cls, seed: int, chance: Random) -> Plan:
        is_rough = chance.random() < 0.67
        protocol = PROTOCOLS[seed // len(THEMES) % len(PROTOCOLS)]
        minutes = timedelta(minutes=1)
        return cls(
            seed=seed,
            protocol=protocol,
            wishes=_wishes(seed, chance),
            oddity=chance.choice(("", "", "", "", "", "", "protected", "wrong_number")),
            has_key=chance.random() < 0.6,
            has_consent=chance.random() < 0.4,
            trip_delay=chance.choice((0, 0, 1, 3)) * minutes,
            is_loaded=chance.random() < 0.7,
            key_every=chance.choice((1, 30, 600)) * minutes,
            pauses=(chance.choice((0, 0.1, 7, 1_500)) * minutes,),
            faults=_faults(chance, protocol) if is_rough else (),
            cuts=frozenset(chance.sample(range(5, 250), 3)) if is_rough else frozenset(),
            refused=frozenset(chance.sample(range(STARTED, 250), 2)) if is_rough else frozenset(),
            is_plain=protocol == "dlt645-2007" and chance.random() < 0.4,
            is_storing=chance.random() < 0.3,
        )


def _wishes(seed: int, chance: Random) -> tuple[Wish, ...]:
    at = timedelta(seconds=5)
    found = []
    for number, what in enumerate(THEMES[seed % len(THEMES)], start=1):
        within = timedelta(minutes=chance.choice((2, 20, 40, 60)))
        cents = chance.randint(12_000, 50_000)
        found.append(Wish(id=f"w{number}", what=what, at=at, within=within, cents=cents))
        at += timedelta(seconds=chance.choice((1, 20, 60, 1_200)))
    return tuple(found)


def _wide(seed: int) -> Plan:
    """A plan of the wide worlds: most meters stand without load, so that most trips are sent."""
    chance = Random(seed)
    plan = Plan._drawn(seed, chance)
    wishes = _wide_wishes(seed, chance)
    return replace(
        plan,
        wishes=wishes,
        has_consent=plan.has_consent or any(wish.what is OrderKind.DIRECT_CLOSE for wish in wishes),
        is_loaded=chance.random() < 0.2,
        oddity=chance.choice(("",) * 14 + ("protected", "wrong_number")),
        read_every=chance.choice((None, timedelta(seconds=70), timedelta(minutes=10))),
        clock_steps=_clock_steps(chance) if chance.random() < 0.3 else (),
    )


def _often(seed: int) -> Plan:
    """A plan of a program that dies again and again; on most meters nothing keeps orders from being sent."""
    chance = Random(seed)
    nearest, farthest = APART
    pauses = chance.choice(PAUSES)
    once = Plan.of(seed - OFTEN_FROM)
    return replace(
        once,
        seed=seed,
        is_loaded=once.has_walk or chance.random() < 0.2,
        oddity=chance.choice(("",) * 14 + ("protected", "wrong_number")),
        pauses=tuple(timedelta(seconds=chance.choice(pauses)) for _ in range(PAUSES_DRAWN)),
        apart=nearest * (farthest / nearest) ** chance.random(),
    )


def _walking(seed: int) -> Plan:
    """A plan of a walk: a load burns, and nobody but who walks presses the key."""
    chance = Random(seed)
    plan = Plan._drawn(seed, chance)
    wishes = [
        Wish(
            id=f"w{number}",
            what=what,
            at=timedelta(minutes=chance.choice((6, 35, 60))) * (number - 1) + timedelta(seconds=5),
            within=timedelta(minutes=90),
            cents=chance.randint(12_000, 50_000),
        )
        for number, what in enumerate(WALK_THEMES[seed % len(WALK_THEMES)], start=1)
    ]
    return replace(
        plan,
        wishes=tuple(wishes),
        is_loaded=True,
        oddity="",
        faults=plan.faults if chance.random() < 0.4 else (),
        key_every=NOBODY_COMES,
        pauses=(timedelta(seconds=chance.choice((0, 6, 420, 1_500))),),
        read_every=chance.choice((None, None, timedelta(minutes=10))),
        unlike=chance.choice(UNLIKE),
        leaves_at=chance.choice(LEAVES_AT),
    )


def _wide_wishes(seed: int, chance: Random) -> tuple[Wish, ...]:
    """What comes second comes while the first is under way, or when it is over."""
    found = []
    for number, what in enumerate(WIDE_THEMES[seed % len(WIDE_THEMES)], start=1):
        later_s = chance.choice((1, 30, 600, 1_790, 1_830, 2_400)) if number > 1 else 5
        found.append(
            Wish(
                id=f"w{number}",
                what=what,
                at=timedelta(seconds=later_s),
                within=timedelta(minutes=chance.choice((50, 90, 180))),
                cents=chance.randint(12_000, 50_000),
                once=_once(chance) if number > 1 and chance.random() < 0.7 else None,
            )
        )
    return tuple(found)


def _once(chance: Random) -> tuple[str, timedelta]:
    return chance.choice(STEPS), timedelta(seconds=chance.choice((0, 0.01, 0.3, 2, 20)))


def _clock_steps(chance: Random) -> tuple[tuple[timedelta, timedelta], ...]:
    """Somebody sets the clock of the machine, once or twice."""
    return tuple(
        (
            timedelta(seconds=chance.choice((8, 100, 1_795, 1_805, 1_815, 2_000))),
            timedelta(seconds=chance.choice((-25, -3, -0.5, 0.5, 3, 25))),
        )
        for _ in range(chance.choice((1, 2)))
    )


def _faults(chance: Random, protocol: Protocol) -> tuple[FaultRule, ...]:
    """What befalls controls often, and everything else now and then.

    A control of DL/T 698.45 is enciphered, and cannot be told from other requests: all are struck alike.
    """
    if protocol == "dlt698.45":
        return tuple(_fault(chance, chance.choice((0.05, 0.15)), "*") for _ in range(2))
    rules = [_fault(chance, chance.choice((0.3, 0.7)), item) for item in CONTROLS if chance.random() < 0.7]
    return (*rules, *(_fault(chance, chance.choice((0.005, 0.02)), "*") for _ in range(2)))


def _fault(chance: Random, probability: float, item: str) -> FaultRule:
    what = chance.choice(FAULTS)
    ms = chance.choice((1_500, 4_000, 40_000)) if what in ("late", "double") else None
    return FaultRule(what=what, probability=probability, item=item, ms=ms)
