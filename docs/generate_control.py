"""The tables of the rules that guard orders, of who may do what, and of evidence, made from the code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from meterlink.model.order import NOT_ORDERED, OrderKind
from meterlink.orders.evidence.admission import SENDERS, WITHDRAWABLE
from meterlink.orders.evidence.records import Evidence, Record
from meterlink.orders.people import DEEDS
from meterlink.orders.rules import RULES, Rule, Stage
from meterlink.orders.rules.verdict import Check

_COMMON = tuple(Record.model_fields)


def rules() -> str:
    """Every rule: what it demands, of which orders, when, where else, and which input it lacks."""
    head = ("rule", "what it demands", "orders", "asked at", "looks", "elsewhere", "input that it lacks")
    return _table(head, (_row(rule) for rule in RULES.values()))


def not_ordered() -> str:
    """What meters know and nothing here sends, and what is lacking."""
    return _table(("what", "why not"), ((f"`{name}`", why) for name, why in NOT_ORDERED.items()))


def deeds() -> str:
    """Who may do what."""
    return _table(
        ("deed", "roles"),
        (
            (f"`{deed.value}`", ", ".join(sorted(role.value for role in roles)))
            for deed, roles in DEEDS.items()
        ),
    )


def records() -> str:
    """Every kind of evidence with its own keys."""
    parts = [_keys("Every record", {name: Record.model_fields[name] for name in _COMMON})]
    for kind in get_args(Evidence):
        name = kind.model_fields["kind"].default
        own = {key: value for key, value in kind.model_fields.items() if key not in (*_COMMON, "kind")}
        roles = ", ".join(sorted(role.value for role in SENDERS[kind]))
        back = "can be taken back" if issubclass(kind, WITHDRAWABLE) else "cannot be taken back"
        parts.append(f"{_keys(f'`{name}`', own, kind.__doc__ or '')}\nTaken in by {roles}; {back}.\n")
    return "\n".join(parts)


def _row(rule: Rule) -> tuple[str, ...]:
    return (
        rule.id,
        rule.says,
        _kinds(rule.checks),
        _stages(rule.checks),
        ", ".join(f"`{_name(check)}`" for check in rule.checks) or "-",
        rule.elsewhere or "-",
        rule.lacks or "-",
    )


def _name(check: Check) -> str:
    return f"{check.look.__module__.rpartition('.')[2]}.{check.look.__name__}"


def _kinds(checks: Iterable[Check]) -> str:
    kinds = {kind for check in checks for kind in check.kinds}
    if len(kinds) == len(OrderKind):
        return "all"
    return ", ".join(f"`{kind.value}`" for kind in OrderKind if kind in kinds) or "-"


def _stages(checks: Iterable[Check]) -> str:
    stages = {stage for check in checks for stage in check.stages}
    if len(stages) == len(Stage):
        return "each stage"
    return ", ".join(f"`{stage.value}`" for stage in Stage if stage in stages) or "-"


def _keys(title: str, fields: dict[str, FieldInfo], says: str = "") -> str:
    rows = ((f"`{key}`", _default(value), value.description or "") for key, value in fields.items())
    table = _table(("key", "default", "what it is"), rows) if fields else ""
    return "\n".join([f"### {title}", "", *([says, ""] if says else []), table])


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if value is PydanticUndefined:
        return "required"
    return "" if value in (None, "", ()) else f"`{value}`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
