"""What ``meterlink case`` asks of the daemon, and how the answers are shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import typer

from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.language import Lang, chosen
from meterlink.cli.order_ask import Asking
from meterlink.model.payload import time_in
from meterlink.orders.case import CaseSignal, CaseState

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
_WAITS: Final = {"en": "does not go on because", "zh": "暂不继续,原因"}


class CaseAsking:
    """One command's way of asking about cases and showing them.

    Args:
        config: the daemon's configuration.
        as_json: one document on standard output in place of text.
        lang: asked for; ``None``: the locale's.

    """

    def __init__(self, config: Path, *, as_json: bool, lang: Lang | None) -> None:
        self._asking = Asking(config, as_json=as_json, lang=lang)
        self._as_json = as_json
        self._lang: Literal["en", "zh"] = chosen(lang)

    def shown(self, op: str, **args: Any) -> int:
        """Ask for something that ends in a case, and show it; the exit code."""
        case = self._asking.asked(op, **args)
        if self._as_json:
            typer.echo(json.dumps(case, ensure_ascii=False))
            return ExitCode.OK
        self._line(case)
        for step in case["steps"]:
            self._step(step)
        if case["order"]:
            typer.echo(f"{_ORDER[self._lang]}: {case['order']}")
        if case["waits_for"]:
            typer.echo(f"{_WAITS[self._lang]}:")
        for verdict in case["waits_for"]:
            typer.echo(f"  {verdict['rule']}: {verdict[self._lang]}")
        return ExitCode.OK

    def listed(self, *, meter: str, everything: bool) -> int:
        """List cases; the exit code."""
        result = self._asking.asked("case.list", meter=meter, all=everything)
        if self._as_json:
            typer.echo(json.dumps(result, ensure_ascii=False))
            return ExitCode.OK
        for case in result["cases"]:
            self._line(case)
        return ExitCode.OK

    def _line(self, case: Mapping[str, Any]) -> None:
        state = STATES[CaseState(case["state"])][self._lang]
        typer.echo(f"{case['id']}  {case['meter']}  {state}  {_local(case['since'])}  {case['reason']}")

    def _step(self, step: Mapping[str, Any]) -> None:
        verb = VERBS[CaseSignal(step["verb"])][self._lang]
        typer.echo(f"  {_local(step['at'])}  {verb}  ({step['actor']})")
        if step["told"]:
            typer.echo(f"      {step['told']}")


def _local(instant: str) -> str:
    return time_in(instant).astimezone().isoformat(sep=" ", timespec="seconds")
