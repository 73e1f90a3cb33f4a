"""What ``meterlink case`` asks of the daemon, and how the answers are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meterlink.cli.asking import Asking, local, tell_left_out
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.saying import say
from meterlink.orders.cases.machine import CaseSignal, CaseState

STATES: Final[Mapping[CaseState, Mapping[str, str]]] = {
    state: {"en": en, "zh": zh}
    for state, en, zh in (
        (CaseState.DRAFT, "draft", "草稿"),
        (CaseState.WARNED, "warned", "已预警"),
        (CaseState.NOTICED, "notice served", "已送达通知"),
        (CaseState.PENDING_APPROVAL, "waits for approval", "待审批"),
        (CaseState.APPROVED, "approved: the last notice may go out", "已审批:可发最后通知"),
        (CaseState.FINAL_NOTICE, "last notice sent", "已发最后通知"),
        (CaseState.ORDERED, "ordered", "已生成停电工单"),
        (CaseState.REJECTED, "rejected", "已驳回"),
        (CaseState.EXPIRED, "expired", "已过期"),
        (CaseState.CANCELLED, "cancelled", "已撤销"),
    )
}
VERBS: Final[Mapping[CaseSignal, Mapping[str, str]]] = {
    signal: {"en": en, "zh": zh}
    for signal, en, zh in (
        (CaseSignal.OPEN, "begun", "发起"),
        (CaseSignal.WARN, "warnings came there", "预警已送达"),
        (CaseSignal.NOTICE, "the notice was served", "通知已送达"),
        (CaseSignal.SUBMIT, "the notice is over; up for approval", "通知期满,提交审批"),
        (CaseSignal.APPROVE, "approved", "审批通过"),
        (CaseSignal.REJECT, "rejected", "驳回"),
        (CaseSignal.ANNOUNCE, "the last notice was sent", "最后通知已发出"),
        (CaseSignal.ORDER, "the trip was ordered", "生成停电工单"),
        (CaseSignal.LAPSE, "was left lying too long", "超时"),
        (CaseSignal.CANCEL, "cancelled", "撤销"),
        (CaseSignal.PAYMENT, "paid", "已缴费"),
        (CaseSignal.DISPUTE, "in dispute", "存在争议"),
        (CaseSignal.PROTECT, "a protected customer", "受保护用户"),
    )
}
_ORDER: Final = {"en": "order", "zh": "工单"}
_WITHDRAWN: Final = {"en": "evidence taken back of late", "zh": "近期撤回的记录"}
_WAITS: Final = {"en": "does not go on because", "zh": "暂不继续,原因"}


class CaseAsking(Asking):
    """One command's way of asking about cases and showing them."""

    def listed(self, *, meter: str, everything: bool) -> int:
        """List cases; the exit code."""
        self._show(self._asked("case.list", meter=meter, all=everything), self._lines)
        return ExitCode.OK

    def _tell(self, result: Mapping[str, Any]) -> None:
        self._line(result)
        for step in result["steps"]:
            self._step(step)
        if result["order"]:
            say(f"{_ORDER[self._lang]}: {result['order']}")
        if result["withdrawn"]:
            say(f"{_WITHDRAWN[self._lang]}: {result['withdrawn']}")
        if result["waits_for"]:
            say(f"{_WAITS[self._lang]}:")
        for verdict in result["waits_for"]:
            say(f"  {verdict['rule']}: {verdict[self._lang]}")

    def _lines(self, result: Mapping[str, Any]) -> None:
        if not result["cases"]:
            say("没有停电流程" if self._lang == "zh" else "no cases")
        for case in result["cases"]:
            self._line(case)
        tell_left_out(result, self._lang)

    def _line(self, case: Mapping[str, Any]) -> None:
        state = STATES[CaseState(case["state"])][self._lang]
        say(f"{case['id']}  {case['meter']}  {state}  {local(case['since'])}  {case['reason']}")

    def _step(self, step: Mapping[str, Any]) -> None:
        verb = VERBS[CaseSignal(step["verb"])][self._lang]
        say(f"  {local(step['at'])}  {verb}  ({step['actor']})")
        if step["told"]:
            say(f"      {step['told']}")
