"""What people see of a roster's changes, in either language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from meterlink.config import MeterSettings
from meterlink.model.roster_change import EntryChange
from meterlink.roster.columns import BY_KEY
from meterlink.roster.entries import Meters
from meterlink.roster.faults import Fault
from meterlink.roster.plan import Plan, changes, fields

LISTED_MAX: Final = 20
"""Meters of one kind that a person is shown; programs get all."""

_Language = Literal["en", "zh"]
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "counts": (
        "roster of revision {0}: {1} new, {2} changed, {3} out of service, {4} as they are",
        "档案第 {0} 版:新增 {1},变更 {2},退运 {3},不变 {4}",
    ),
    "more": ("  ... and {0} more", "  ……另有 {0} 条"),
    "gb18030": (
        "{0}: read as GB18030, because it is no UTF-8; look whether the names are right",
        "{0}:不是 UTF-8,按 GB18030(GBK)读取,请核对汉字",
    ),
    "refused": (
        "{0} faults: nothing was changed. Mend the rows above and try again",
        "共 {0} 处错误,未做任何修改。请改正上述各行后重试",
    ),
    "refused_exchange": (
        "{0} faults: no exchange was noted. Tell of the new meter what is right, and try again",
        "共 {0} 处错误,换表未登记。请改正新表的信息后重试",
    ),
    "field": ("{0}: {1} ({2}): {3}", "{0}:{2}({1}):{3}"),
    "whole": ("{0}: {1}", "{0}:{1}"),
    "row": ("{0}:{1}: {2} ({3}): {4}", "{0}:第 {1} 行:{3}({2}):{4}"),
    "nothing": ("nothing to change", "没有需要修改的内容"),
    "ask": ("apply this?", "确认导入?"),
    "not_confirmed": (
        "not confirmed, nothing was changed (--yes does not ask)",
        "未确认,未做任何修改(--yes 可不询问)",
    ),
    "done": (
        "done: the roster is of revision {0} ({1} new, {2} changed, {3} of them out of service)",
        "完成:档案为第 {0} 版(新增 {1},变更 {2},其中退运 {3})",
    ),
    "doubt": (
        "look again: {0} {1}: {2} was told, {3} was read last, and no more than {4} is usual since: what is "
        "billed of it is suspect until somebody has looked (`meterlink roster correct`)",
        "请复核:表 {0} {1} 登记示数 {2},最近抄见 {3},其间通常不超过 {4};核实前相关电量标为存疑"
        "(更正:`meterlink roster correct`)",
    ),
    "daemon": (
        "rules of orders know it now; the lines that it concerns begin anew after what they have in hand, "
        "and until then no order goes to a meter that came, went or is reached otherwise",
        "控制规则即刻生效;相关线路完成手头工作后更新,此前不向新增、退运或改变通信方式的表发命令",
    ),
    "reading": ("reading {0}", "读取 {0}"),
    "writing": ("writing", "写入"),
    "revision_is": (
        "the roster is of revision {0}, not {1}: plan again",
        "档案现为第 {0} 版,不是第 {1} 版:请重新比对",
    ),
    "added": ("+ {0}  {1}  {2}", "+ {0}  {1}  {2}"),
    "retired": ("- {0}  {1}  {2}", "- {0}  {1}  {2}"),
}


def said(lang: _Language, key: str, *values: object) -> str:
    """One sentence."""
    return _WORDS[key][lang == "zh"].format(*values)


def plan_lines(lang: _Language, plan: Plan, before: Meters, revision: int) -> Iterator[str]:
    """A plan for people: counts, and the first meters of each kind."""
    counts = (len(plan.added), len(plan.changed), len(plan.retired), plan.unchanged)
    yield said(lang, "counts", revision, *counts)
    yield from _listed(lang, "added", plan.added)
    for change in changes(before, plan.changed[:LISTED_MAX]):
        yield f"~ {change.meter}  {fields_in_words(lang, change)}"
    if len(plan.changed) > LISTED_MAX:
        yield said(lang, "more", len(plan.changed) - LISTED_MAX)
    yield from _listed(lang, "retired", plan.retired)


def plan_json(plan: Plan, before: Meters, revision: int) -> dict[str, Any]:
    """A plan for programs: whole."""
    changed = {
        change.meter: {key: list(pair) for key, pair in fields(change).items()}
        for change in changes(before, plan.changed)
    }
    return {
        "revision": revision,
        "added": [meter.id for meter in plan.added],
        "changed": changed,
        "retired": [meter.id for meter in plan.retired],
        "unchanged": plan.unchanged,
    }


def fields_in_words(lang: _Language, change: EntryChange) -> str:
    """What became other in an entry."""
    return ", ".join(
        f"{named(lang, key)}: {_value(old)} -> {_value(new)}" for key, (old, new) in fields(change).items()
    )


def named(lang: _Language, key: str) -> str:
    """A field's name."""
    return BY_KEY[key].zh if lang == "zh" and key in BY_KEY else key


def fault_lines(lang: _Language, file: object, faults: Sequence[Fault]) -> Iterator[str]:
    """Every fault that is told, in a line; both languages, because who mends a row may read the other."""
    for fault in faults:
        column = BY_KEY.get(fault.column)
        words = (fault.words.zh, fault.words.en) if lang == "zh" else (fault.words.en, fault.words.zh)
        both, key = " / ".join(words), fault.column or "row"
        zh = column.zh if column else "整行"
        if fault.row:
            yield said(lang, "row", file, fault.row, key, zh, both)
        elif fault.column:
            yield said(lang, "field", file, key, zh, both)
        else:
            yield said(lang, "whole", file, both)


def _listed(lang: _Language, key: str, meters: Sequence[MeterSettings]) -> Iterator[str]:
    for meter in meters[:LISTED_MAX]:
        yield said(lang, key, meter.id, meter.address, meter.line)
    if len(meters) > LISTED_MAX:
        yield said(lang, "more", len(meters) - LISTED_MAX)


def _value(value: object) -> str:
    if value is None:
        return "-"
    return ";".join(map(str, value)) if isinstance(value, list) else str(value)
