"""State diagrams and limits of orders and disconnect cases, from their tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import Enum
from typing import TypeVar

from meterlink.model.order import TRANSMISSIONS_MAX, OrderKind
from meterlink.orders.cases import machine as case
from meterlink.orders.life import machine
from meterlink.orders.life.effects import ARMED_FOR, POSTPONED_FOR, POSTPONED_FOR_OTHERS
from meterlink.orders.life.guards import POSTPONED_MAX, TOP_UP_POSTPONED_MAX
from meterlink.orders.life.money_proof import STORED_MONEY_LIVES, TOLERANCE_CENTS, TOLERANCE_PER_CENT
from meterlink.orders.life.proof import UNDECIDED_FOR
from meterlink.orders.life.switch_proof import FAULT_AFTER, LOOKS_APART

StateT = TypeVar("StateT", bound=Enum)
SignalT = TypeVar("SignalT", bound=Enum)


def order_before() -> str:
    """Where an order stands before anything has left, and how it gets there."""
    before = {state: row for state, row in machine.TRANSITIONS.items() if state in machine.BEFORE_SENDING}
    return _diagram(before, ends=("refused", "cancelled", "expired"))


def order_after() -> str:
    """Where it stands from then on."""
    after = {
        state: row
        for state, row in machine.TRANSITIONS.items()
        if state not in machine.BEFORE_SENDING and row
    }
    ends = [state.value for state in machine.ENDS if state in after]
    return _diagram(after, ends=sorted(ends), start="sending")


def case_states() -> str:
    """The disconnect case."""
    ends = sorted(state.value for state in case.CASE_ENDS)
    return _diagram({state: row for state, row in case.TRANSITIONS.items() if row}, ends=ends)


def limits() -> str:
    """The numbers that hold for every order of every configuration."""
    return _table(("what", "how much"), _limits("en"))


def limits_zh() -> str:
    """The same in Chinese."""
    return _table(("限制", "数值"), _limits("zh"))


def case_limits() -> str:
    """How long a case may lie in a state, and where it goes then."""
    return _table(("a case that lies in", "for", "goes to"), _lapses())


def case_limits_zh() -> str:
    """The same in Chinese."""
    return _table(("状态", "停留时间", "之后转到"), _lapses())


def _limits(language: str) -> Iterable[tuple[str, str]]:
    tolerance = f"{TOLERANCE_PER_CENT} % + {TOLERANCE_CENTS / 100:.2f} yuan"
    rows = (
        ("frames of one order, ever", "一个工单最多发送的帧数", str(TRANSMISSIONS_MAX)),
        ("an order stays armed for", "预置有效时间", _span(ARMED_FOR)),
        ("postponements of one order", "一个工单最多推迟次数", str(POSTPONED_MAX)),
        (
            "postponements of one top-up, the later ones as long as the third",
            "一笔充值最多推迟次数(第三次以后间隔不变)",
            str(TOP_UP_POSTPONED_MAX),
        ),
        ("a trip is postponed for", "拉闸每次推迟", _spans(POSTPONED_FOR[OrderKind.TRIP])),
        ("a close or top-up is postponed for", "合闸、充值依次推迟", _spans(POSTPONED_FOR_OTHERS)),
        (
            "command and contact may differ, beyond the trip delay, for",
            "命令与触点不一致,在跳闸延时之外最多允许",
            _span(FAULT_AFTER),
        ),
        ("looks that show a contradiction are apart, at least", "两次矛盾的回读至少相隔", _span(LOOKS_APART)),
        ("nothing decides for: then it stays unknown", "回读无结论多久后记为未知", _span(UNDECIDED_FOR)),
        ("money in a meter may be off by", "表内金额允许偏差", tolerance),
        (
            "a top-up on a line that stores is dead after",
            "经存储转发通道的充值多久后失效",
            _span(STORED_MONEY_LIVES),
        ),
    )
    return ((zh if language == "zh" else en, value) for en, zh, value in rows)


def _lapses() -> Iterable[tuple[str, ...]]:
    for state, after in case.LAPSES_AFTER.items():
        target = case.TRANSITIONS[state][case.CaseSignal.LAPSE]
        yield f"`{state.value}`", _span(after), f"`{target.value}`"


def _diagram(
    rows: Mapping[StateT, Mapping[SignalT, StateT]], *, ends: Iterable[str], start: str | None = None
) -> str:
    """One arrow between two states, with everything that leads along it."""
    first = start or str(next(iter(rows)).value)
    lines = ["```mermaid", "stateDiagram-v2", f"  [*] --> {first}"]
    for state, row in rows.items():
        arrows: dict[str, list[str]] = {}
        for signal, after in row.items():
            arrows.setdefault(str(after.value), []).append(str(signal.value))
        lines += [f"  {state.value} --> {after}: {', '.join(signals)}" for after, signals in arrows.items()]
    lines += [f"  {end} --> [*]" for end in ends]
    return "\n".join([*lines, "```"]) + "\n"


def _span(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if (seconds >= 2 * unit and seconds % unit == 0) or seconds == unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def _spans(times: Iterable[timedelta]) -> str:
    return ", ".join(_span(time) for time in times)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
