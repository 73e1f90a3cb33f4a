"""What forbids a step of an order, in words for whoever asked for it; programs read its name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from meterlink.errors import NotAllowed, with_chinese
from meterlink.model.order import OrderState
from meterlink.orders.life.machine import Signal

_WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "state": ("not in this state", "该状态下不能"),
        "ended": ("it has ended, and nothing more of it is sent", "工单已结束,不会再发送"),
        "unclear": (
            "the meter said no and may obey the frame all the same: look at the meter",
            "电表已拒绝,但仍可能执行该帧:请先核实电表状态",
        ),
        "approved_before": ("this person has approved it already", "该人员已审批过"),
        "approved_often": ("enough people have approved it", "审批人数已满"),
        "deadline": ("its deadline is over", "已过截止时间"),
        "too_early": ("it was put off, and its time has not come", "已推迟，时间未到"),
        "not_for_arming": ("nobody arms what no person has created", "非人员创建，无需预置"),
        "not_armed": ("it is not armed", "尚未预置"),
        "arm_lapsed": ("it was armed too long ago: arm it again", "预置已失效：请重新预置"),
        "armed_by_another": ("another person has armed it", "由他人预置"),
        "found": ("a finding of it is confirmed already", "核实结论已确认"),
        "not_found": ("nobody has said yet what he found", "尚无核实结论"),
        "no_finding": ("a finding needs evidence, 4,096 octets at most", "核实须有依据，最多4096字节"),
        "same_person": (
            "who found it does not confirm it: another person does",
            "核实人不能自己确认，须由他人确认",
        ),
    }
)
"""By the name of a guard that people meet; of the others the name stands in the sentence."""
_FRAME_IS_OUT: Final = (
    "a frame is out that the meter may still obey, and nobody takes that back: it is read back first",
    "命令帧已发出,电表仍可能执行,无法撤回:须先回读结果",
)
_OUT: Final = frozenset(
    {OrderState.SENDING, OrderState.ACCEPTED, OrderState.UNCONFIRMED, OrderState.READBACK}
)


def objected(order: str, state: OrderState, signal: Signal, why: str) -> NotAllowed:
    """What whoever asked for a step is told that is not taken.

    Args:
        order: its id.
        state: where it is.
        signal: the step.
        why: the name of what forbids it.

    """
    en, zh = _WORDS.get(why, (why, why))
    if why == "state" and signal is Signal.CANCEL and state in _OUT:
        en, zh = _FRAME_IS_OUT
    error = NotAllowed(f"order {order} is {state.value} and takes no {signal.value}: {en}", why=why)
    return with_chinese(error, f"命令 {order}({state.value},{signal.value}):{zh}")
