"""What ``meterlink work list`` and ``show`` do: acts out of the journal, for people or for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, Literal

from rich.table import Table
from rich.text import Text

from meterlink.cli.saying import say
from meterlink.cli.tables import print_table
from meterlink.journal.acts import READ_MAX
from meterlink.journal.reader import JournalReader
from meterlink.model.act import Topic
from meterlink.model.payload import time_out
from meterlink.orders.attention.alarms import Alarm, Severity
from meterlink.orders.attention.work import WorkItem
from meterlink.orders.attention.work_kinds import WorkKind

_Language = Literal["en", "zh"]
_HEADS: Final = {
    "en": ("id", "what", "meter", "since", "state", "why"),
    "zh": ("编号", "类别", "电表", "起始时间", "状态", "原因"),
}
_STATES: Final = {
    "en": {"open": "open", "acknowledged": "acknowledged", "closed": "closed"},
    "zh": {"open": "未结", "acknowledged": "已确认", "closed": "已结"},
}
_KINDS: Final = {
    WorkKind.UNKNOWN_OUTCOME: "核实结果",
    WorkKind.RELAY_FAULT: "继电器故障",
    WorkKind.FIELD_ORDER: "现场工单",
    WorkKind.HOLD: "封存",
    WorkKind.SECURE: "看守现场",
    WorkKind.CUT_OFF: "误停用户",
    WorkKind.MANUAL: "款项处理",
    WorkKind.CONTACT: "联系用户",
    WorkKind.REMINDER: "提醒按键",
    WorkKind.IDENTITY: "核对电表",
    WorkKind.DRIFT: "账款差异",
    WorkKind.SILENT: "电表失联",
    WorkKind.MISSING_HOUSEHOLD: "失联户",
    WorkKind.MANUAL_READ: "人工补抄",
    WorkKind.OTHER: "其他",
}
"""In Chinese, beside the word by which pages and programs call a kind."""
_SEVERITIES: Final = {
    Severity.MINOR: "轻微",
    Severity.GENERAL: "一般",
    Severity.SERIOUS: "严重",
    Severity.MAJOR: "重大",
}
_NOBODY: Final = {"en": "nothing waits for a person", "zh": "没有待办"}


def show_all(reader: JournalReader, *, everything: bool, meter: str, as_json: bool, lang: _Language) -> None:
    """List work items, then alarms.

    Raises:
        JournalError: the journal cannot be read.

    """
    found = [one for one in _all(reader, everything=everything) if not meter or _meter_of(one) == meter]
    if as_json:
        for one in found:
            say(json.dumps(one.as_json(), ensure_ascii=False))
        return
    if not found:
        say(_NOBODY[lang])
        return
    table = Table(*_HEADS[lang], box=None, pad_edge=False)
    for one in found:
        table.add_row(*map(Text, _row(one, lang)))  # a reason in brackets is no colour
    print_table(table)


def show(reader: JournalReader, name: str, *, as_json: bool, lang: _Language) -> bool:
    """Show one; whether it is there.

    Raises:
        JournalError: the journal cannot be read.

    """
    one = _one(reader, name)
    if one is None:
        return False
    if as_json:
        say(json.dumps(one.as_json(), ensure_ascii=False))
        return True
    for head, cell in zip(_HEADS[lang], _row(one, lang), strict=True):
        say(f"{head}: {cell}")
    for line in _story(reader, one):
        say(f"  {line}")
    return True


def _one(reader: JournalReader, name: str) -> WorkItem | Alarm | None:
    if acts := reader.acts_of_subject(Topic.WORK, name):
        return WorkItem.of(acts)
    last = reader.last_act_of(Topic.ALARM, name)
    return Alarm.of(last) if last else None


def _all(reader: JournalReader, *, everything: bool) -> Iterator[WorkItem | Alarm]:
    for topic in (Topic.WORK, Topic.ALARM):
        after = ""
        while names := reader.subjects(topic, only_open=not everything, after=after, limit=READ_MAX):
            for name in names:
                if (one := _one(reader, name)) is not None:
                    yield one
            after = names[-1]


def _meter_of(one: WorkItem | Alarm) -> str:
    return one.meter if isinstance(one, WorkItem) else one.seen.meter


def _row(one: WorkItem | Alarm, lang: _Language) -> tuple[str, ...]:
    states = _STATES[lang]
    if isinstance(one, WorkItem):
        state = states["open" if one.is_open else "closed"]
        who = f" ({one.assignee})" if one.assignee else ""
        kind = one.kind.value if lang == "en" else f"{_KINDS[one.kind]} {one.kind.value}"
        return one.id, kind, one.meter, time_out(one.opened_at), state + who, one.why
    severity = one.severity.value if lang == "en" else _SEVERITIES[one.severity]
    what = f"{one.seen.rule} ({severity}, {one.count})"
    why = " / ".join(filter(None, (one.seen.value, one.seen.threshold)))
    return one.id, what, one.seen.meter, time_out(one.first_seen), states[one.state.value], why


def _story(reader: JournalReader, one: WorkItem | Alarm) -> Iterator[str]:
    if isinstance(one, WorkItem):
        for note in one.notes:
            yield f"{time_out(note.at)} {note.actor} {note.verb} {note.text}".rstrip()
        return
    for kept in reader.acts_of_subject(Topic.ALARM, one.id):
        told: dict[str, Any] = dict(kept.act.body["closing"])
        yield f"{time_out(kept.act.at)} {kept.act.actor} {kept.act.verb} {' '.join(told.values())}".rstrip()
