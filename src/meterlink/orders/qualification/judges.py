"""What the looks at a meter mean, before anything is sent and after the order of each probe.

A look that contradicts what the program takes for true is a stop. What a meter does not tell stays unknown.
Source: control-and-prepayment, "The ten facts that could hurt a person if wrong".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from meterlink.drivers.control import ClockLook, Standing, Verdict
from meterlink.model.order import OrderKind, OrderState
from meterlink.orders.life import witnesses
from meterlink.orders.qualification.looks import Found, Greeting, Shown, Words
from meterprofiles.schema import DLT698

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
_NOT_ANSWERED: Final = Words(
    en="the order was not answered and the contact did not move: it may never have arrived; begin again",
    zh="命令未得到应答且开关未动作:命令可能未送达;请重新开始",
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
            return Found(stop=words, is_contradiction=words is _LOAD_ON_OPEN)
    if standing.contact_open is not False or not loaded or standing.guarantee is not False:
        return Found(again=_PREPARE)
    moves = _runs(seen.clocks)
    return Found(facts={"answers_late": "no", **({} if moves else {"expiry": "no_clock"})})


def left_open(seen: Greeting, basic_current_a: Decimal) -> Found:
    """What may be concluded before a contact is closed that was left open: nothing, or that none may be sent.

    Args:
        seen: what the meter says.
        basic_current_a: its basic current, in A.

    """
    loaded = witnesses.is_loaded(seen.standing, basic_current_a)
    for shows, words in (_GREETED[0], _GREETED[-1]):
        if shows(seen, loaded):
            return Found(stop=words, is_contradiction=words is _LOAD_ON_OPEN)
    return Found()


def of_alarm(seen: Shown) -> Found:
    """Facts 8 and 9: the contact stays where it is, and one known bit moves."""
    if seen.before is None or seen.after is None or seen.state in _REFUSED:
        return Found()
    if seen.before.contact_open is not seen.after.contact_open:
        return Found(facts={"alarm_is_breaker": "yes"}, stop=_BREAKER)
    has_come = seen.verdict is Verdict.ACCEPTED or {seen.before.alarm, seen.after.alarm} == {True, False}
    found = {"alarm_is_breaker": "no"} if has_come else {}
    return Found(facts={**found, **_bit_order(seen.before, seen.after)})


def of_alarm_off(seen: Shown) -> Found:
    """Only that the contact stays where it is."""
    found = of_alarm(seen)
    return Found(stop=found.stop, facts=found.facts if found.stop else {})


def of_stale(seen: Shown) -> Found:
    """Fact 10: a command whose time is over is refused, or it is not."""
    moved = seen.before is not None and seen.after is not None and seen.after.alarm and not seen.before.alarm
    if moved or seen.verdict is Verdict.ACCEPTED:
        return Found(facts={"expiry": "ignored"})
    return Found(facts={"expiry": "obeyed"} if seen.verdict is Verdict.REJECTED else {})


def of_trip(seen: Shown) -> Found:
    """Facts 3, 4 and 9: contact and current say the same, and the words that moved are the right ones."""
    if (stop := _unmoved(seen)) is not None:
        return Found(stop=stop, is_contradiction=False)
    before, after = _both(seen)
    if after.contact_open is not True:
        return Found(stop=_NOTHING_MOVED)
    if witnesses.is_loaded(after, seen.basic_current_a) is not False:
        return Found(facts={"contact_bit": "open_is_zero"}, stop=_LOAD_ON_OPEN)
    kept = witnesses.is_recorded(OrderKind.TRIP, before, after)
    records = {None: {}, True: {"records": "kept"}, False: {"records": "none"}}[kept]
    words = _attr5(before, after) if seen.protocol == DLT698 else _command_bit(before, after)
    return Found(facts={"contact_bit": "open_is_one", **records, **words})


def of_trip_again(seen: Shown) -> Found:
    """Only that the contact opens, or is open."""
    if (stop := _unmoved(seen)) is not None:
        return Found(stop=stop, is_contradiction=False)
    return Found() if _both(seen)[1].contact_open is True else Found(stop=_NOTHING_MOVED)


def of_permit(seen: Shown) -> Found:
    """Facts 1 and 2: the contact stays open until the key, or closes at once."""
    if seen.state in _REFUSED or seen.before is None or seen.after is None:
        return Found()
    if seen.after.contact_open is False:
        return Found(facts={"permit_waits_for_key": "no"})
    waits = seen.state is OrderState.WAITING_FOR_KEY or seen.after.command_open is False
    return Found(facts={"permit_waits_for_key": "yes"} if waits else {})


def of_direct(seen: Shown) -> Found:
    """Fact 2: the other number closes at once."""
    if (stop := _unmoved(seen)) is not None:
        return Found(stop=stop, is_contradiction=False)
    if _both(seen)[1].contact_open is not False:
        numbers = {"close_numbers": "direct_permit"} if seen.protocol == DLT698 else {}
        return Found(facts=numbers, stop=_NOT_CLOSED)
    return Found(facts={"close_numbers": "permit_direct"} if seen.protocol == DLT698 else {})


def of_guarantee(seen: Shown) -> Found:
    """Fact 5: a guarantee moves no closed contact."""
    if seen.before is None or seen.after is None or seen.state in _REFUSED:
        return Found()
    opened = seen.before.contact_open is False and seen.after.contact_open is True
    return Found(stop=_GUARANTEE_OPENS) if opened else Found()


def of_guarantee_end(seen: Shown) -> Found:
    """Fact 5: what its end does to a closed contact."""
    if seen.before is None or seen.after is None or seen.after.guarantee is not False:
        return Found()
    if seen.before.guarantee is not True or seen.before.contact_open is not False:
        return Found()
    return Found(facts={"guarantee_off": "opens" if seen.after.contact_open is not False else "nothing"})


def of_guarantee_over_open(seen: Shown) -> Found:
    """Fact 5: what its beginning does to an open one."""
    if seen.before is None or seen.after is None or seen.after.guarantee is not True:
        return Found()
    stands = (seen.after.contact_open, seen.after.command_open)
    if stands[0] is False:
        return Found(facts={"guarantee_on": "closes"})
    return Found(facts={"guarantee_on": "permits" if stands[1] is False else "cancels_trip"})


def of_clean_up(_: Shown) -> Found:
    """Nothing: it brings the meter back to where it was."""
    return Found()


def _both(seen: Shown) -> tuple[Standing, Standing]:
    assert seen.before is not None, "it was looked at first"
    assert seen.after is not None, "it was looked at first"
    return seen.before, seen.after


def _unmoved(seen: Shown) -> Words | None:
    """Why an order that has to move the contact cannot have; ``None``: it may have.

    Of a frame that nobody answered and that moved nothing nobody knows whether it came: that says nothing of
    the meter.
    """
    if seen.state in _REFUSED or seen.before is None or seen.after is None:
        return Words(
            en=f"the order was not carried out ({seen.state.value}): {seen.told}",
            zh=f"命令未执行({seen.state.value}):{seen.told}",
        )
    has_moved = seen.after.contact_open not in (None, seen.before.contact_open)
    return None if has_moved or seen.verdict is Verdict.ACCEPTED else _NOT_ANSWERED


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
