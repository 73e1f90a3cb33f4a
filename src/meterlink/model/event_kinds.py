"""The kinds of event that meters record, in the words that all protocols share.

A kind is written with its part behind where it has one: ``voltage_loss.a`` (a phase),
``reactive_demand_over_limit@quadrant.2``. Kinds that are not here are told by terminals, or are no records.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Lang = Literal["en", "zh"]


class EventKind(NamedTuple):
    """What people call a kind of event, and whether it takes time.

    Args:
        en: English words.
        zh: Chinese words.
        lasts: it has an end of its own; otherwise it is over when it happens.

    """

    en: str
    zh: str
    lasts: bool = True


EVENT_KINDS: Final[Mapping[str, EventKind]] = {
    "voltage_loss": EventKind("voltage loss", "失压"),
    "under_voltage": EventKind("under-voltage", "欠压"),
    "over_voltage": EventKind("over-voltage", "过压"),
    "phase_loss": EventKind("phase loss", "断相"),
    "current_loss": EventKind("current loss", "失流"),
    "over_current": EventKind("over-current", "过流"),
    "current_cut": EventKind("current cut", "断流"),
    "flow_reversal": EventKind("power-flow reversal", "潮流反向"),
    "total_flow_reversal": EventKind("power-flow reversal of the total", "总潮流反向"),
    "overload": EventKind("overload", "过载"),
    "forward_demand_over_limit": EventKind("forward demand over limit", "正向有功需量超限"),
    "reverse_demand_over_limit": EventKind("reverse demand over limit", "反向有功需量超限"),
    "reactive_demand_over_limit": EventKind("reactive demand over limit", "无功需量超限"),
    "low_power_factor": EventKind("total power factor too low", "总功率因数超下限"),
    "all_voltage_loss": EventKind("all-voltage loss", "全失压"),
    "auxiliary_supply_loss": EventKind("auxiliary supply lost", "辅助电源失电"),
    "voltage_sequence": EventKind("voltage sequence reversed", "电压逆相序"),
    "current_sequence": EventKind("current sequence reversed", "电流逆相序"),
    "voltage_unbalance": EventKind("voltage unbalance", "电压不平衡"),
    "current_unbalance": EventKind("current unbalance", "电流不平衡"),
    "severe_current_unbalance": EventKind("severe current unbalance", "电流严重不平衡"),
    "power_down": EventKind("power down", "掉电"),
    "programming": EventKind("programming", "编程", lasts=False),
    "meter_clear": EventKind("meter clear", "电表清零", lasts=False),
    "demand_clear": EventKind("maximum demand clear", "需量清零", lasts=False),
    "event_clear": EventKind("event clear", "事件清零", lasts=False),
    "clock_set": EventKind("clock set", "校时", lasts=False),
    "broadcast_time_set": EventKind("clock set by broadcast", "广播校时", lasts=False),
    "day_tables_set": EventKind("day tables programmed", "时段表编程", lasts=False),
    "zone_tables_set": EventKind("zone tables programmed", "时区表编程", lasts=False),
    "rest_days_set": EventKind("rest days programmed", "周休日编程", lasts=False),
    "holidays_set": EventKind("holidays programmed", "节假日编程", lasts=False),
    "settlement_days_set": EventKind("settlement days set", "结算日编程", lasts=False),
    "active_combination_set": EventKind("active combination set", "有功组合方式编程", lasts=False),
    "reactive_combination_set": EventKind("reactive combination set", "无功组合方式编程", lasts=False),
    "reactive_combination_1_set": EventKind("reactive combination 1 set", "无功组合方式1编程", lasts=False),
    "reactive_combination_2_set": EventKind("reactive combination 2 set", "无功组合方式2编程", lasts=False),
    "prices_set": EventKind("tariff prices set", "费率电价编程", lasts=False),
    "steps_set": EventKind("step table set", "阶梯表编程", lasts=False),
    "key_update": EventKind("key update", "密钥更新", lasts=False),
    "abnormal_card": EventKind("abnormal card", "异常插卡", lasts=False),
    "illegal_card": EventKind("illegal card", "非法插卡", lasts=False),
    "purchase_event": EventKind("purchase", "购电", lasts=False),
    "refund": EventKind("refund", "退费", lasts=False),
    "cover_open": EventKind("meter cover opened", "开表盖"),
    "terminal_cover_open": EventKind("terminal cover opened", "开端钮盖"),
    "magnetic_field": EventKind("constant magnetic field", "恒定磁场干扰"),
    "relay_trip": EventKind("relay trip", "跳闸", lasts=False),
    "relay_close": EventKind("relay close", "合闸", lasts=False),
    "relay_malfunction": EventKind("relay malfunction", "负荷开关误动"),
    "abnormal_supply": EventKind("abnormal supply", "电源异常"),
    "clock_failure": EventKind("clock fault", "时钟故障"),
    "metering_chip_fault": EventKind("metering chip fault", "计量芯片故障"),
    "module_change": EventKind("communication module changed", "通信模块变更", lasts=False),
}
"""By name without part."""
EVENTS_GONE: Final = "event_records_gone"
"""Kind of event: a meter recorded more than its memory holds before anybody read it."""
NODE_JOINED: Final = "node_joined"
NODE_REFUSED: Final = "carrier_node_refused"
"""Kind of event: a carrier module found a node in its network."""
NODE_POWER_FAIL: Final = "node_power_fail"
"""Kind of event: a node told its carrier module, with its last breath, that its power failed."""
NODE_POWER_BACK: Final = "node_power_back"
"""Kind of event: the power of a node is back."""
NODE_MISSING: Final = "node_missing"
"""Kind of event: a meter of the roster was not in the table of its carrier module, and could not be added."""
NODE_STRANGE: Final = "node_strange"
"""Kind of event: the table of a carrier module has a node that no meter of the roster is."""
ROUTE_STATE: Final = "route_state"
"""Kind of event: a carrier module has come to the end of something (06-F3)."""
MODULE_RESET: Final = "module_reset"
"""Kind of event: a carrier module began anew."""
ARCHIVE_DIFFERS: Final = "terminal_archive_differs"
"""Kind of event: a terminal's archive and the roster of its line do not agree."""
CLOCK_IS_OFF: Final = "terminal_clock_off"
"""Kind of event: a terminal's clock is not right."""
REPORTED_VALUES: Final = "reported_values"
"""Kind of event: values that are no readings, or readings of somebody whom nobody has configured."""
PASSED_ON_FRAMES: Final = "passed_on_frames"
"""Kind of event: what came in through a port of a terminal, as octets."""
UNREAD_REPORT: Final = "unread_report"
"""Kind of event: a report, as octets, of which something could not be understood."""
EVENTS_WAIT: Final = "events_wait"
"""Kind of event: an answer said that the device has events which nobody has read (ACD)."""
_TOLD: Final[Mapping[str, EventKind]] = {
    EVENTS_GONE: EventKind("event records overwritten", "事件记录已被覆盖"),
    NODE_JOINED: EventKind("carrier node joined", "载波节点入网"),
    NODE_REFUSED: EventKind("carrier node refused after a change of area", "台区变更后载波节点被拒绝"),
    NODE_POWER_FAIL: EventKind("carrier node lost power", "载波节点停电"),
    NODE_POWER_BACK: EventKind("carrier node has power again", "载波节点复电"),
    NODE_MISSING: EventKind("meter missing in the carrier module", "载波模块档案缺表"),
    NODE_STRANGE: EventKind("stranger in the carrier module", "载波模块档案多表"),
    ROUTE_STATE: EventKind("route state of the carrier module", "载波路由工况变动"),
    MODULE_RESET: EventKind("carrier module began anew", "载波模块重启"),
    ARCHIVE_DIFFERS: EventKind("archive of the terminal differs from the roster", "终端档案与本地档案不一致"),
    CLOCK_IS_OFF: EventKind("clock of the terminal off", "终端时钟超差"),
    REPORTED_VALUES: EventKind("reported values", "上报数据"),
    PASSED_ON_FRAMES: EventKind("frames passed on", "转发报文"),
    UNREAD_REPORT: EventKind("report that nobody could read", "无法解析的上报"),
    EVENTS_WAIT: EventKind("events wait to be read", "有事件待读"),
}
"""Kinds that are no records of meters."""
CLEARS: Final = ("event_clear", "meter_clear")
"""Kinds after which a meter counts its other events from 0."""

_PARTS: Final = re.compile(r"([a-z0-9_]+)(?:\.([abc])|@quadrant\.([1-4]))?")


def base_of(kind: str) -> str:
    """A kind without its part; empty where it is none that a meter records."""
    found = _PARTS.fullmatch(kind)
    return found[1] if found and found[1] in EVENT_KINDS else ""


def words_of(kind: str, lang: Lang) -> str:
    """What people call a kind; one that is not known stands as it is."""
    if kind in _TOLD:
        return str(getattr(_TOLD[kind], lang))
    base = base_of(kind)
    if not base:
        return kind
    found = _PARTS.fullmatch(kind)
    assert found is not None
    phase, quadrant = found[2], found[3]
    words = getattr(EVENT_KINDS[base], lang)
    if phase:
        return f"{phase.upper()}相{words}" if lang == "zh" else f"{words} phase {phase.upper()}"
    if quadrant:
        return f"第{quadrant}象限{words}" if lang == "zh" else f"{words} quadrant {quadrant}"
    return str(words)
