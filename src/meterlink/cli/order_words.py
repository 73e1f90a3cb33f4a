"""The words for what happens to an order, in two languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meterlink.model.order import OrderState

ABOUT: Final[Mapping[str, Mapping[str, str]]] = {
    key: {"en": en, "zh": zh}
    for key, en, zh in (
        ("reason", "reason", "原因"),
        ("deadline_at", "deadline", "截止时间"),
        ("amount_cents", "yuan", "金额(元)"),
        ("payment", "payment", "缴费记录"),
        ("case", "case", "停电流程"),
        ("reference", "reference", "依据"),
        ("meter_number", "meter number, as read", "读出的表号"),
        ("withdrawn", "evidence taken back of late", "近期撤回的记录"),
    )
}
"""What an order was created with, in the order in which it is shown."""
STATES: Final[Mapping[OrderState, Mapping[str, str]]] = {
    state: {"en": en, "zh": zh}
    for state, en, zh in (
        (OrderState.CREATED, "created", "已创建"),
        (OrderState.AUTHORISED, "authorised", "已授权"),
        (OrderState.QUEUED, "queued", "排队中"),
        (OrderState.PRECHECK, "last check", "执行前核查"),
        (OrderState.SENDING, "being sent", "发送中"),
        (OrderState.ACCEPTED, "received by the meter", "电表已接收"),
        (OrderState.UNCONFIRMED, "unconfirmed", "未确认"),
        (OrderState.READBACK, "read back", "回读中"),
        (OrderState.DONE, "done", "已完成"),
        (OrderState.WAITING_FOR_KEY, "waits for the key at the meter", "等待按键合闸"),
        (OrderState.NOT_DONE, "not done", "未执行"),
        (OrderState.UNKNOWN, "unknown: look before anything else is done", "结果未知：先现场核实"),
        (OrderState.RELAY_FAULT, "relay fault", "继电器故障"),
        (OrderState.REJECTED, "rejected by the meter", "电表拒绝"),
        (OrderState.REFUSED, "refused by a rule", "规则拒绝"),
        (OrderState.CANCELLED, "cancelled", "已撤销"),
        (OrderState.EXPIRED, "expired", "已过期"),
    )
}
UNCLEAR: Final[Mapping[str, str]] = {
    "en": "rejected by the meter, which may have done it all the same: look before anything else is done",
    "zh": "电表拒绝，但仍可能已执行：先现场核实",
}
"""Of a rejected order of which no look proves that the meter did nothing."""

VERBS: Final[Mapping[str, Mapping[str, str]]] = {
    verb: {"en": en, "zh": zh}
    for verb, en, zh in (
        ("create", "created", "创建"),
        ("approve", "approved", "审批"),
        ("authorise", "authorised", "授权"),
        ("refuse", "refused by a rule", "规则拒绝"),
        ("cancel", "cancelled", "撤销"),
        ("expire", "its deadline passed", "超过期限"),
        ("payment", "a payment came", "收到缴费"),
        ("arm", "armed", "预置"),
        ("operate", "operated", "执行"),
        ("take", "its line is held for it", "取得通道"),
        ("postpone", "postponed", "推迟"),
        ("intend", "intent written; octets may leave", "写入意图，即将发送"),
        ("accept", "the meter received it", "电表应答已接收"),
        ("reject", "the meter said no", "电表拒绝"),
        ("lose", "no verdict", "无结论"),
        ("unsent", "no octet left", "未发出"),
        ("read_back", "read back", "回读"),
        ("look", "looked again, undecided", "再次查看，未定"),
        ("prove", "proved done", "证实已执行"),
        ("wait_for_key", "waits for the key", "等待按键"),
        ("prove_not", "proved not done", "证实未执行"),
        ("contradict", "the meter contradicts itself", "状态矛盾"),
        ("give_up", "undecided for too long", "长时间无法判定"),
        ("closed_by_key", "closed with the key", "按键合闸"),
        ("leave", "nothing more is tried", "不再尝试"),
        ("find", "found on the spot", "现场核实"),
        ("confirm", "finding confirmed", "核实确认"),
    )
}

FINDINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "done": {"en": "it was obeyed", "zh": "已执行"},
    "not_done": {"en": "it was not obeyed", "zh": "未执行"},
}
"""What two persons can find of an order whose outcome nobody knows."""

STOPS_NOW: Final[Mapping[str, str]] = {"en": "it is stopped now by:", "zh": "现在即被阻止:"}
STOPS_LATER: Final[Mapping[str, str]] = {
    "en": "as things stand, its later steps would be stopped by:",
    "zh": "按目前情况,后续步骤将被阻止:",
}
STOPS_NOT_LATER: Final[Mapping[str, str]] = {
    "en": "as things stand, no rule would stop its later steps before the meter itself is asked",
    "zh": "按目前情况,询问电表之前的后续步骤没有规则会阻止",
}
LATER_STEPS: Final[Mapping[str, Mapping[str, str]]] = {
    "approve": {"en": "when it is approved", "zh": "审批时"},
    "operate": {"en": "when it is operated", "zh": "执行时"},
    "paper": {"en": "when its turn on the line comes", "zh": "轮到发送时"},
}
"""By the stage at which rules are asked, the step that people know."""
LATER_ENDS: Final[Mapping[str, Mapping[str, str]]] = {
    "wait": {"en": " (it waits)", "zh": "(等待)"},
    "postpone": {"en": " (it is put off)", "zh": "(推迟)"},
    "hold": {"en": " (it is held until somebody releases it)", "zh": "(隔离,等待放行)"},
}
"""What becomes of an order where it does not simply end."""
