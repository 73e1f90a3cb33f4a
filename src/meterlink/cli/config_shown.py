"""What a good configuration comes to, for people and for programs: what ``meterlink config check`` says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from meterlink.cli.saying import say
from meterlink.clock import SystemClock
from meterlink.config import PlanSettings, Settings, data_dir
from meterlink.daemon.settings_check import passed_by
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import ConfigError
from meterlink.model.data_classes import INSTANT
from meterlink.roster.faults import Words

_LABELS: Final = MappingProxyType(
    {
        "meters": "电表",
        "roster": "档案",
        "profiles": "规约档案",
        "lines": "线路",
        "listens": "监听",
        "plans": "计划",
        "data_dir": "数据目录",
        "broker": "MQTT 服务器",
        "database": "数据库",
        "api": "接口",
        "control": "控制",
    }
)
"""What is told, by the keys of the document."""
_EMBEDDED: Final = Words("embedded", "内置")
_FILES: Final = Words("line-protocol files", "行协议文件")
_NO_LISTENER: Final = Words("no (no line is listen://)", "无(没有 listen:// 线路)")
_NO_API: Final = Words("none: nobody can pull ([web])", "无:无人可以取数([web])")


def facts_of(
    settings: Settings, profiles: MeterProfiles, roster: Words, control_fault: ConfigError | None
) -> dict[str, Any]:
    """What a good configuration comes to, for programs.

    Args:
        settings: with the meters that a daemon would work with.
        profiles: of them.
        roster: where they come from.
        control_fault: what keeps trips from going; ``None``: nothing does.

    """
    return {
        "ok": True,
        "meters": len(settings.meters),
        "roster": roster.en,
        "profiles": _served(settings, profiles),
        "lines": [line.url for line, _ in settings.meters_by_line()],
        "listens": settings.terminals_by_endpoint(),
        "plans": {plan.name: plan.every_s for plan in settings.plans},
        "data_dir": str(data_dir(settings)),
        "broker": settings.mqtt.url if settings.mqtt else _EMBEDDED.en,
        "database": settings.influx.url if settings.influx else _FILES.en,
        "api": [str(one) for one in (settings.web.listen, settings.web.socket) if one]
        if settings.web
        else [],
        "control": _control(settings, control_fault).en,
    }


def show(
    config: Path,
    settings: Settings,
    profiles: MeterProfiles,
    roster: Words,
    control_fault: ConfigError | None,
    lang: Literal["en", "zh"],
) -> None:
    """The same for people.

    Args:
        config: the file.
        settings: see ``facts_of``.
        profiles: see ``facts_of``.
        roster: see ``facts_of``.
        control_fault: see ``facts_of``.
        lang: of what is shown.

    """
    is_zh = lang == "zh"
    facts = facts_of(settings, profiles, roster, control_fault)
    for_ = "用于" if is_zh else "for"
    told = facts | {
        "roster": _in(roster, lang),
        "profiles": [
            f"{name} {for_} {count}{' 只电表' if is_zh else ''}" for name, count in facts["profiles"].items()
        ],
        "listens": [f"{at} {for_} {', '.join(who)}" for at, who in facts["listens"].items()]
        or [_in(_NO_LISTENER, lang)],
        "plans": [_in(_plan(settings, plan, profiles), lang) for plan in settings.plans],
        "broker": settings.mqtt.url if settings.mqtt else _in(_EMBEDDED, lang),
        "database": settings.influx.url if settings.influx else _in(_FILES, lang),
        "api": facts["api"] or [_in(_NO_API, lang)],
        "control": _in(_control(settings, control_fault), lang),
    }
    say(f"{config}: {'配置正确' if is_zh else 'good'}")
    for key, label in _LABELS.items():
        value = told[key]
        say(f"  {label if is_zh else key}: {', '.join(value) if isinstance(value, list) else value}")


def _in(words: Words, lang: Literal["en", "zh"]) -> str:
    return words.zh if lang == "zh" else words.en


def _served(settings: Settings, profiles: MeterProfiles) -> Counter[str]:
    return Counter(profiles.find(meter.protocol, meter.model).name for meter in settings.meters)


def _control(settings: Settings, fault: ConfigError | None) -> Words:
    if fault is not None:
        return Words(
            f"nobody is cut off until this is right: {fault}", f"更正之前不会停任何人的电:{fault.said('zh')}"
        )
    if settings.control:
        return Words("as [control] allows", "按 [control] 执行")
    return Words("none: no order leaves", "无:不下达任何命令")


def _plan(settings: Settings, plan: PlanSettings, profiles: MeterProfiles) -> Words:
    """What a plan reads, how often, and whom it passes by."""
    en, zh = f"{plan.name} every {plan.every_s} s", f"{plan.name} 每 {plan.every_s} 秒"
    if plan.data_class != INSTANT:
        zone = settings.gateway.zone
        en += f" ({plan.data_class}; the meters' clocks show {zone})"
        zh += f"({plan.data_class};电表时钟为 {zone})"
    if left_out := len(passed_by(settings, plan, SystemClock(), profiles)):
        count = len(settings.meters)
        en += f", passes by {left_out} of {count} meters: their protocol has none"
        zh += f",跳过 {count} 只电表中的 {left_out} 只:其规约没有该数据"
    return Words(en, zh)
