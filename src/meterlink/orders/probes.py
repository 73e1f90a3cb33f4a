"""How a person at a meter finds out the ten facts that could hurt somebody: probes, in one fixed order.

Each probe is a row of ``PROBES``: what must be so before it, what is sent, and what the looks at the meter
before and after it mean. Harmless ones come first. What is sent is an order like every other, and goes
through the same machine; nothing here does anything. A probe finds values of facts, or a *stop*: something
that cannot be if the program understands this model. After a stop the model is not qualified.

What is not told stays unknown and stops nothing: a fact that nobody found refuses the orders that depend on
it. Never sent is what would show whether a meter obeys everybody (fact 6).
Source: decision 33; control-and-prepayment, "The ten facts that could hurt a person if wrong".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Final

from meterlink.drivers.control import ClockLook, Identity, Standing, Verdict
from meterlink.model.order import OrderKind, OrderState
from meterlink.orders import witnesses
from meterprofiles.schema import DLT698

Facts = Mapping[str, str]

CLOCK_WATCHED: Final = timedelta(seconds=5)
"""Between two looks at a clock: a clock that shows seconds has moved in that time."""
SHOWN_AFTER: Final = timedelta(seconds=15)
"""After its frame a contact that moved is believed."""
UNMOVED_AFTER: Final = timedelta(seconds=60)
"""After its frame an order that shows nothing is taken for one that does nothing."""
TRIP_UNMOVED_AFTER: Final = timedelta(minutes=12)
"""The same of a trip, which may have been told to wait: the usual longest delay and two minutes."""
_REFUSED: Final = frozenset(
    {OrderState.REJECTED, OrderState.REFUSED, OrderState.EXPIRED, OrderState.CANCELLED}
)
_WORD_645: Final = "meter_status_word_3"
_COMMAND_698: Final = "relay_command"
_WORDS_698: Final = "meter_status_words"
_COMMAND_BIT, _VENDOR_BIT = 6, 1
_WORD_3_AT: Final = slice(2 + 2 * 4 + 2, 2 + 3 * 4)
"""The octets of the third word in an array of bit-strings of 16 bits: two before it, four each."""
_ALARM_WORDS: Final[Mapping[str, int]] = {"msb_first": 0x0100, "number": 0x0080}
"""Bit 7 of a status word as two octets, highest first, by the order of its bits."""
_ATTR5: Final[Mapping[tuple[str, str], str]] = {("00", "80"): "first", ("00", "01"): "last"}
_CODES: Final = frozenset({"1A", "9A"})
"""A trip as a model shows it that shows its last command: waiting, or carried out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A sentence for people.

    Args:
        en: in English.
        zh: in Chinese.

    """

    en: str
    zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a probe found.

    Args:
        facts: values of facts.
        stop: a contradiction: the qualification ends here.
        again: something at the meter has to be done first; the probe is repeated.

    """

    facts: Facts = field(default_factory=dict)
    stop: Words | None = None
    again: Words | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What a meter says before anything is sent.

    Args:
        identity: who it says to be, at the beginning and at the end.
        expected: what the file says: address and number of the meter.
        firmware: maker and versions; empty: it does not tell.
        clocks: its clock, ``CLOCK_WATCHED`` apart; ``None``: it refuses, or shows no time.
        standing: how it stands.

    """

    identity: tuple[Identity, Identity]
    expected: Identity
    firmware: str
    clocks: tuple[ClockLook | None, ClockLook | None]
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What an order of a probe led to.

    Args:
        protocol: of the meter.
        state: where the order stands.
        verdict: what came back for its frame; ``None``: none left, or nobody saw an answer.
        told: what the order's end says, for people.
        before: how the meter stood; ``None``: no frame left.
        after: how it stood in the newest look; ``None``: nobody could look.
        known: what was found before.

    """

    protocol: str
    state: OrderState
    verdict: Verdict | None
    told: str
    before: Standing | None
    after: Standing | None
    known: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One probe.

    Args:
        name: of it; an order's id ends with it.
        kind: of the order that is sent.
        judge: what the looks mean.
        needs: whether it is done at all, by what is known and what the newest look shows.
        says: what happens, for the person at the meter.
        is_stale: it goes out with an expiry that is over by the meter's clock.

    """

    name: str
    kind: OrderKind
    judge: Callable[[Shown], Found]
    needs: Callable[[Facts, Standing, str], bool]
    says: Words
    is_stale: bool = False


def greeting(seen: Greeting, basic_current_a: Decimal) -> Found:
    """What may be concluded before anything is sent. Source: facts 3, 6, 7 and 10.

    Args:
        seen: what the meter says.
        basic_current_a: its basic current, in A.

    """
    standing = seen.standing
    loaded = witnesses.is_loaded(standing, basic_current_a)
    for shows, words in _GREETED:
        if shows(seen, loaded):
            return Found(stop=words)
    if standing.contact_open is not False or not loaded or standing.guarantee is not False:
        return Found(again=_PREPARE)
    moves = _runs(seen.clocks)
    return Found(facts={"answers_late": "no", **({} if moves else {"expiry": "no_clock"})})


def next_probe(done: Sequence[str], known: Facts, standing: Standing, protocol: str) -> Probe | None:
    """The next one to be done; ``None``: all are.

    Args:
        done: names of those that were.
        known: what was found.
        standing: how the meter stands now.
        protocol: of the meter.

    """
    last = max((place for place, probe in enumerate(PROBES) if probe.name in done), default=-1)
    waiting = (probe for probe in PROBES[last + 1 :] if probe.needs(known, standing, protocol))
    return next(waiting, None)


def is_shown(kind: OrderKind, *, is_over: bool, before: Standing, after: Standing, age: timedelta) -> bool:
    """Whether a look tells what became of an order, or nothing more will.

    Args:
        kind: of the order.
        is_over: whether the order has come to its end, or waits for the key.
        before: how the meter stood.
        after: how it stands.
        age: of the frame when this look began.

    """
    if is_over or age >= (TRIP_UNMOVED_AFTER if kind is OrderKind.TRIP else UNMOVED_AFTER):
        return True
    return before.contact_open is not after.contact_open and age >= SHOWN_AFTER


# --- what each kind of look means --------------------------------------------------------------------


def _of_alarm(seen: Shown) -> Found:
    """Facts 8 and 9: the contact stays where it is, and one known bit moves."""
    if seen.before is None or seen.after is None or seen.state in _REFUSED:
        return Found()
    if seen.before.contact_open is not seen.after.contact_open:
        return Found(facts={"alarm_is_breaker": "yes"}, stop=_BREAKER)
    found = {"alarm_is_breaker": "no"} if seen.verdict is Verdict.ACCEPTED else {}
    return Found(facts={**found, **_bit_order(seen.before, seen.after)})


def _of_alarm_off(seen: Shown) -> Found:
    found = _of_alarm(seen)
    return Found(stop=found.stop, facts=found.facts if found.stop else {})


def _of_stale(seen: Shown) -> Found:
    """Fact 10: a command whose time is over is refused, or it is not."""
    moved = seen.before is not None and seen.after is not None and seen.after.alarm and not seen.before.alarm
    if moved or seen.verdict is Verdict.ACCEPTED:
        return Found(facts={"expiry": "ignored"})
    return Found(facts={"expiry": "obeyed"} if seen.verdict is Verdict.REJECTED else {})


def _of_trip(seen: Shown) -> Found:
    """Facts 3, 4 and 9: contact and current say the same, and the words that moved are the right ones."""
    if (stop := _unmoved(seen)) is not None:
        return Found(stop=stop)
    before, after = _both(seen)
    if after.contact_open is not True:
        return Found(stop=_NOTHING_MOVED)
    if witnesses.is_loaded(after, LEAST_A) is not False:
        return Found(facts={"contact_bit": "open_is_zero"}, stop=_LOAD_ON_OPEN)
    kept = witnesses.is_recorded(OrderKind.TRIP, before, after)
    records = {None: {}, True: {"records": "kept"}, False: {"records": "none"}}[kept]
    words = _attr5(before, after) if seen.protocol == DLT698 else _command_bit(before, after)
    return Found(facts={"contact_bit": "open_is_one", **records, **words})


def _of_trip_again(seen: Shown) -> Found:
    if (stop := _unmoved(seen)) is not None:
        return Found(stop=stop)
    return Found() if _both(seen)[1].contact_open is True else Found(stop=_NOTHING_MOVED)


def _of_permit(seen: Shown) -> Found:
    """Facts 1 and 2: the contact stays open until the key, or closes at once."""
    if seen.state in _REFUSED or seen.before is None or seen.after is None:
        return Found()
    if seen.after.contact_open is False:
        return Found(facts={"permit_waits_for_key": "no"})
    waits = seen.state is OrderState.WAITING_FOR_KEY or seen.after.command_open is False
    return Found(facts={"permit_waits_for_key": "yes"} if waits else {})


def _of_direct(seen: Shown) -> Found:
    """Fact 2: the other number closes at once."""
    if (stop := _unmoved(seen)) is not None:
        return Found(stop=stop)
    if _both(seen)[1].contact_open is not False:
        numbers = {"close_numbers": "direct_permit"} if seen.protocol == DLT698 else {}
        return Found(facts=numbers, stop=_NOT_CLOSED)
    return Found(facts={"close_numbers": "permit_direct"} if seen.protocol == DLT698 else {})


def _of_guarantee(seen: Shown) -> Found:
    """Fact 5: a guarantee moves no closed contact."""
    if seen.before is None or seen.after is None or seen.state in _REFUSED:
        return Found()
    opened = seen.before.contact_open is False and seen.after.contact_open is True
    return Found(stop=_GUARANTEE_OPENS) if opened else Found()


def _of_guarantee_end(seen: Shown) -> Found:
    """Fact 5: what its end does to a closed contact."""
    if seen.before is None or seen.after is None or seen.after.guarantee is not False:
        return Found()
    if seen.before.guarantee is not True or seen.before.contact_open is not False:
        return Found()
    return Found(facts={"guarantee_off": "opens" if seen.after.contact_open is not False else "nothing"})


def _of_guarantee_over_open(seen: Shown) -> Found:
    """Fact 5: what its beginning does to an open one."""
    if seen.before is None or seen.after is None or seen.after.guarantee is not True:
        return Found()
    stands = (seen.after.contact_open, seen.after.command_open)
    if stands[0] is False:
        return Found(facts={"guarantee_on": "closes"})
    return Found(facts={"guarantee_on": "permits" if stands[1] is False else "cancels_trip"})


def _of_clean_up(_: Shown) -> Found:
    return Found()


def _both(seen: Shown) -> tuple[Standing, Standing]:
    assert seen.before is not None, "it was looked at first"
    assert seen.after is not None, "it was looked at first"
    return seen.before, seen.after


def _unmoved(seen: Shown) -> Words | None:
    """Why an order that has to move the contact cannot have; ``None``: it may have."""
    if seen.state in _REFUSED or seen.before is None or seen.after is None:
        return Words(
            en=f"the order was not carried out ({seen.state.value}): {seen.told}",
            zh=f"命令未执行({seen.state.value}):{seen.told}",
        )
    return None


def _runs(clocks: tuple[ClockLook | None, ClockLook | None]) -> bool:
    first, second = clocks
    if first is None or second is None:
        return False
    return abs(second.offset - first.offset) <= first.error + second.error


def _raw(standing: Standing, item: str) -> str:
    return dict(standing.raw).get(item, "")


def _command_bit(before: Standing, after: Standing) -> dict[str, str]:
    words = [_raw(one, _WORD_645) for one in (before, after)]
    if not all(words):
        return {}
    was, stands = (int.from_bytes(bytes.fromhex(word), "little") for word in words)
    turned = ~was & stands
    if turned >> _COMMAND_BIT & 1:
        return {"command_bit": "state_grid"}
    return {"command_bit": "vendor"} if turned >> _VENDOR_BIT & 1 else {}


def _attr5(before: Standing, after: Standing) -> dict[str, str]:
    was, stands = (_raw(one, _COMMAND_698)[-2:] for one in (before, after))
    if stands in _CODES:
        return {"attr5_bits": "command_code"}
    value = _ATTR5.get((was, stands))
    return {"attr5_bits": value} if value else {}


def _bit_order(before: Standing, after: Standing) -> dict[str, str]:
    words = [bytes.fromhex(_raw(one, _WORDS_698))[_WORD_3_AT] for one in (before, after)]
    if any(len(word) != 2 for word in words):
        return {}
    turned = int.from_bytes(words[0]) ^ int.from_bytes(words[1])
    return next(({"bit_order": order} for order, bit in _ALARM_WORDS.items() if bit == turned), {})


# --- sentences ---------------------------------------------------------------------------------------

LEAST_A: Final = Decimal(5)
"""Basic current of the smallest usual meter: half a percent of it is current."""
_PREPARE: Final = Words(
    en="the contact must be closed, a load switched on and the guarantee off: prepare that and go on",
    zh="须合闸、接通负荷且解除保电:准备好后继续",
)
_BREAKER: Final = Words(
    en="the alarm command moved the contact: this model takes it for a breaker's; close it by hand",
    zh="报警命令使开关动作:该型号将其视为断路器命令;请手动合闸",
)
_NOTHING_MOVED: Final = Words(
    en="the meter took the order and its contact did not move: its answers mean nothing",
    zh="电表已应答但开关未动作:其应答不可信",
)
_LOAD_ON_OPEN: Final = Words(
    en="the meter says that its contact is open and current flows: the word is read the wrong way round",
    zh="电表显示开关断开但仍有电流:状态字方向相反",
)
_NOT_CLOSED: Final = Words(
    en="a direct close left the contact open: the numbers of this model mean something else; close by hand",
    zh="直接合闸后开关仍断开:该型号命令含义不同;请手动合闸",
)
_GUARANTEE_OPENS: Final = Words(en="a power guarantee opened the contact", zh="投入保电后开关断开")
_GREETED: Final[Sequence[tuple[Callable[[Greeting, bool | None], bool], Words]]] = (
    (
        lambda seen, _: any(one != seen.expected for one in seen.identity),
        Words(en="another meter answers than the file says", zh="应答电表与档案不符"),
    ),
    (
        lambda seen, _: not seen.firmware,
        Words(en="the meter does not tell its firmware", zh="电表不提供软件版本"),
    ),
    (
        lambda seen, _: seen.standing.contact_open is None,
        Words(en="the meter does not tell how its contact stands", zh="电表不提供开关状态"),
    ),
    (lambda seen, loaded: seen.standing.contact_open is True and loaded is True, _LOAD_ON_OPEN),
)


def _always(known: Facts, standing: Standing, protocol: str) -> bool:
    del known, standing, protocol
    return True


def _is_alarm(known: Facts, standing: Standing, protocol: str) -> bool:
    del standing, protocol
    return known.get("alarm_is_breaker") == "no"


def _may_be_stale(known: Facts, standing: Standing, protocol: str) -> bool:
    return _is_alarm(known, standing, protocol) and "expiry" not in known


def _was_stale(known: Facts, standing: Standing, protocol: str) -> bool:
    return _is_alarm(known, standing, protocol) and known.get("expiry") == "ignored"


def _is_guaranteed(known: Facts, standing: Standing, protocol: str) -> bool:
    del known, protocol
    return standing.guarantee is True


def _is_closed(known: Facts, standing: Standing, protocol: str) -> bool:
    del known, protocol
    return standing.contact_open is False


def _is_open(known: Facts, standing: Standing, protocol: str) -> bool:
    del known, protocol
    return standing.contact_open is True


def _is_open_by_command(known: Facts, standing: Standing, protocol: str) -> bool:
    return _is_open(known, standing, protocol) and standing.command_open is not False


_TRIPS: Final = Words(en="The contact opens: the load goes out.", zh="开关断开,负荷失电。")
_GUARDS: Final = Words(en="A power guarantee begins.", zh="投入保电。")
_ENDS: Final = Words(en="The power guarantee ends.", zh="解除保电。")
_WARNS_NOT: Final = Words(en="The alarm goes off.", zh="报警解除。")

PROBES: Final[tuple[Probe, ...]] = (
    Probe(
        name="alarm_on",
        kind=OrderKind.ALARM_ON,
        judge=_of_alarm,
        needs=_always,
        says=Words(
            en="The alarm goes on; on some models this opens the contact.",
            zh="投入报警;某些型号会因此断开开关。",
        ),
    ),
    Probe(name="alarm_off", kind=OrderKind.ALARM_OFF, judge=_of_alarm_off, needs=_is_alarm, says=_WARNS_NOT),
    Probe(
        name="stale_alarm",
        kind=OrderKind.ALARM_ON,
        judge=_of_stale,
        needs=_may_be_stale,
        is_stale=True,
        says=Words(
            en="An alarm command whose time is over is sent: the meter should refuse it.",
            zh="发送已过期的报警命令:电表应当拒绝。",
        ),
    ),
    Probe(
        name="stale_alarm_off",
        kind=OrderKind.ALARM_OFF,
        judge=_of_clean_up,
        needs=_was_stale,
        says=_WARNS_NOT,
    ),
    Probe(
        name="guarantee_on",
        kind=OrderKind.GUARANTEE_ON,
        judge=_of_guarantee,
        needs=_is_closed,
        says=_GUARDS,
    ),
    Probe(
        name="guarantee_off",
        kind=OrderKind.GUARANTEE_OFF,
        judge=_of_guarantee_end,
        needs=_is_guaranteed,
        says=Words(
            en="The power guarantee ends; some models open the contact by that.",
            zh="解除保电;某些型号会因此断开开关。",
        ),
    ),
    Probe(name="trip", kind=OrderKind.TRIP, judge=_of_trip, needs=_is_closed, says=_TRIPS),
    Probe(
        name="guarantee_over_open",
        kind=OrderKind.GUARANTEE_ON,
        judge=_of_guarantee_over_open,
        needs=_is_open_by_command,
        says=Words(
            en="A power guarantee begins; some models close the contact by that.",
            zh="投入保电;某些型号会因此合闸。",
        ),
    ),
    Probe(
        name="guarantee_end",
        kind=OrderKind.GUARANTEE_OFF,
        judge=_of_clean_up,
        needs=_is_guaranteed,
        says=_ENDS,
    ),
    Probe(
        name="trip_for_permit",
        kind=OrderKind.TRIP,
        judge=_of_trip_again,
        needs=lambda _known, standing, _: standing.contact_open is False or standing.command_open is False,
        says=_TRIPS,
    ),
    Probe(
        name="permit",
        kind=OrderKind.PERMIT_CLOSE,
        judge=_of_permit,
        needs=_is_open,
        says=Words(
            en="Closing is permitted: do not touch the key yet. Some models close at once.",
            zh="发送合闸允许:请先勿按键。某些型号会立即合闸。",
        ),
    ),
    Probe(
        name="trip_for_direct",
        kind=OrderKind.TRIP,
        judge=_of_trip_again,
        needs=lambda known, standing, _: standing.contact_open is False or "permit_waits_for_key" in known,
        says=Words(
            en="The contact opens, or stays open: the load goes out.", zh="开关断开或保持断开,负荷失电。"
        ),
    ),
    Probe(
        name="direct",
        kind=OrderKind.DIRECT_CLOSE,
        judge=_of_direct,
        needs=_is_open,
        says=Words(en="The contact closes at once: the load comes back.", zh="立即合闸,负荷得电。"),
    ),
)
"""Every probe, in the order in which they are done."""
