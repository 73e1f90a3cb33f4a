"""The tables of the rules of collection, made from the code."""

from __future__ import annotations

from collections.abc import Iterable

from meterlink.alarms.rules import RULES, Rule


def rules() -> str:
    """Every rule: what it demands, its alarm, its marks, its work, what keeps it besides."""
    head = ("rule", "what it demands", "alarm", "raised when", "marks", "work item", "elsewhere")
    return _table(
        head,
        (
            (rule.id, rule.says, _code(rule.alarm), rule.when or "-", *_both(rule), rule.elsewhere or "-")
            for rule in RULES.values()
        ),
    )


def rules_zh() -> str:
    """The same for those who read Chinese: rule, alarm, marks, work."""
    head = ("规则", "要求", "告警", "含义", "标记", "工单")
    return _table(
        head,
        (
            (rule.id, rule.zh, _code(rule.alarm), rule.alarm_zh or "-", *_both(rule))
            for rule in RULES.values()
        ),
    )


def lacks() -> str:
    """What nothing gives us, rule by rule."""
    return _table(
        ("rule", "input that it lacks"), ((rule.id, rule.lacks) for rule in RULES.values() if rule.lacks)
    )


def lacks_zh() -> str:
    """The same for those who read Chinese."""
    return _table(("规则", "缺少的输入"), ((rule.id, rule.lacks_zh) for rule in RULES.values() if rule.lacks))


def _both(rule: Rule) -> tuple[str, str]:
    marks = ", ".join(f"`{name}`" for name in rule.marks.names) or "-"
    return marks, ", ".join(f"`{kind.value}`" for kind in rule.work) or "-"


def _code(name: str) -> str:
    return f"`{name}`" if name else "-"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
