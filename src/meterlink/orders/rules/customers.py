"""Whom nobody cuts off, and when nobody is cut off. Source: CTRL-08, CTRL-09."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from meterlink.orders.limits.calendar import Calm
from meterlink.orders.rules.facts import Facts
from meterlink.orders.rules.verdict import Finding, passes, stops

_CALM: Final = {
    Calm.NIGHT: ("outside the hours for trips", "不在允许停电的时段"),
    Calm.WEEKEND: ("a weekend", "周末"),
    Calm.HOLIDAY: ("a public holiday", "法定节假日"),
    Calm.DAY_BEFORE: ("the day before a public holiday", "法定节假日前一天"),
    Calm.UNCOVERED: ("a day that the file of holidays does not cover", "节假日文件未覆盖该日期"),
}


def not_protected(facts: Facts) -> Finding:
    """CTRL-08: a protected customer is never cut off."""
    kinds: set[str] = {kind for kind in facts.meter.protected if facts.calendar.in_season(kind, facts.now)}
    kinds |= facts.told.protections()
    if kinds:
        return stops(
            "a protected customer ({kinds}): cutting off is impossible",
            "受保护用户({kinds}):禁止停电",
            kinds=", ".join(sorted(kinds)),
        )
    return passes("no protected customer", "非受保护用户")


def not_now(facts: Facts) -> Finding:
    """CTRL-09: nobody is cut off at night, at weekends, around holidays, or in a declared freeze."""
    local = f"{facts.now.astimezone(facts.calendar.zone):%Y-%m-%d %H:%M}"
    if calm := facts.calendar.calm(facts.now):
        en, zh = _CALM[calm]
        return stops("{local} is " + en, "{local}:" + zh, local=local, calm=calm.value)
    if facts.limited.frozen:
        return stops(
            "trips are frozen: {why}", "已暂停停电:{why}", why=facts.limited.frozen, area=facts.meter.area
        )
    found = passes("{local} is a time for trips", "{local}允许停电", local=local)
    return replace(found, until=facts.calendar.calm_from(facts.now))
