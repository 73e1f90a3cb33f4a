"""The parts of the documentation that are made from the code, so that they cannot lie: ``make docs``.

A page holds ``<!-- generated: NAME -->`` and ``<!-- end -->``; what stands between is replaced by what the
function of that name in ``PARTS`` returns.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from docs import (
    generate_alarms,
    generate_api,
    generate_control,
    generate_dlt645,
    generate_dlt645_coverage,
    generate_dlt698,
    generate_events,
    generate_gdw1376,
    generate_marks,
    generate_metersim645,
    generate_orders,
    generate_plant,
    generate_qualification,
    generate_scenarios,
    generate_web,
)
from docs.generate_commands import commands
from meterlink.cli.exit_codes import ExitCode
from meterlink.config.settings import Settings
from meterlink.config.terminal1376 import Terminal1376Settings

DOCS = Path(__file__).resolve().parent
_PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def settings_tables() -> str:
    """Every table of ``meterlink.toml`` with its keys, defaults and limits."""
    return "\n".join(_table(name, field) for name, field in Settings.model_fields.items())


def _table(name: str, field: FieldInfo) -> str:
    many = "tuple" in str(field.annotation)
    model = next(_models(field.annotation))
    header = f"[[{name}]]" if many else f"[{name}]"
    lines = _keys(f"## `{header}`", model)
    for key, value in _own_first(model):
        for inner in _models(value.annotation):
            lines += ["", *_keys(f"### `{key} = {{...}}` of `{header}`", inner)]
    return "\n".join(lines) + "\n"


def _keys(header: str, model: type[BaseModel]) -> list[str]:
    rows = [_row(value.alias or key, value) for key, value in _own_first(model)]
    return [
        header,
        "",
        inspect.cleandoc(model.__doc__ or ""),
        "",
        "| key | default | what it is |",
        "| --- | --- | --- |",
        *rows,
    ]


def _own_first(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """The fields of a model, and behind them those of the models that it is built on."""
    return sorted(model.model_fields.items(), key=lambda item: item[0] not in model.__annotations__)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind


def _row(key: str, field: FieldInfo) -> str:
    default = "required" if field.default is PydanticUndefined else _toml(field.default)
    many = (
        "characters" if "str" in str(field.annotation) and "tuple" not in str(field.annotation) else "entries"
    )
    limits = [_limit(rule, many) for rule in field.metadata]
    choices = [str(choice) for choice in get_args(field.annotation) if isinstance(choice, str)]
    said = " ".join(filter(None, [field.description or "", _one_of(choices), *limits]))
    return f"| `{key}` | {default} | {said} |".replace("\n", " ")


def _toml(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{list(value)}`".replace("'", '"')
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _limit(rule: Any, many: str) -> str:
    words = {"ge": "At least", "le": "At most", "min_length": "At least", "max_length": "At most"}
    units = {"min_length": f" {many}", "max_length": f" {many}"}
    found = [
        f"{words[name]} {getattr(rule, name)}{units.get(name, '')}." for name in words if hasattr(rule, name)
    ]
    return " ".join(found)


def _one_of(choices: list[str]) -> str:
    return f"One of {', '.join(f'`{choice}`' for choice in choices)}." if len(choices) > 1 else ""


def terminal1376_keys() -> str:
    """The keys of ``terminal = {...}`` of a Q/GDW 1376.1 concentrator."""
    fields = [(key, field) for key, field in Terminal1376Settings.model_fields.items() if key != "kind"]
    lines = ["| key | default | what it is |", "| --- | --- | --- |"]
    lines += [_row(key, field).replace("Q/GDW 1376.1 only: ", "") for key, field in fields]
    return "\n".join(lines) + "\n"


def exit_codes() -> str:
    """What the commands' exit codes mean."""
    said = dict(re.findall(r'^    (\w+) = \d+\n    """(.*?)"""', inspect.getsource(ExitCode), re.MULTILINE))
    lines = ["| code | name | what it means |", "| --- | --- | --- |"]
    lines += [f"| {code.value} | `{code.name}` | {said.get(code.name, '')} |" for code in ExitCode]
    return "\n".join(lines) + "\n"


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings_tables,
    "commands": commands,
    "exit-codes": exit_codes,
    "terminal1376-keys": terminal1376_keys,
    "dlt645-functions": generate_dlt645_coverage.functions,
    "dlt645-classes": generate_dlt645_coverage.classes,
    "dlt645-formats": generate_dlt645_coverage.formats,
    "dlt645-read-session": generate_dlt645.read_session,
    "dlt645-dialects": generate_dlt645.dialect_table,
    "dlt645-disputed": generate_dlt645.disputed,
    "dlt645-command-session": generate_dlt645.command_session,
    "dlt645-dictionaries": generate_dlt645.dictionaries,
    "dlt698-services": generate_dlt698.services,
    "dlt698-data-types": generate_dlt698.data_types,
    "dlt698-classes": generate_dlt698.classes,
    "dlt698-objects": generate_dlt698.objects,
    "dlt698-access-results": generate_dlt698.access_results,
    "gdw1376-formats": generate_gdw1376.data_formats,
    "gdw1376-terminal": generate_gdw1376.terminal_functions,
    "gdw1376-events": generate_gdw1376.events,
    "gdw1376-module": generate_gdw1376.module_functions,
    "gdw1376-denials": generate_gdw1376.denials,
    "web-endpoints": generate_web.endpoints,
    "web-parameters": generate_web.parameters,
    "web-problems": generate_web.problems,
    "marks": generate_marks.marks,
    "mark-rules": generate_marks.rules,
    "collection-rules": generate_alarms.rules,
    "collection-rules-zh": generate_alarms.rules_zh,
    "collection-lacks": generate_alarms.lacks,
    "collection-lacks-zh": generate_alarms.lacks_zh,
    "api-endpoints": generate_api.endpoints,
    "api-bodies": generate_api.bodies,
    "api-problems": generate_api.problems,
    "control-rules": generate_control.rules,
    "control-deeds": generate_control.deeds,
    "not-ordered": generate_control.not_ordered,
    "evidence-records": generate_control.records,
    "event-kinds": generate_events.kinds,
    "terminal-event-kinds": generate_events.terminal_kinds,
    "qualification-facts": generate_qualification.facts,
    "qualification-needs": generate_qualification.needs,
    "qualification-probes": generate_qualification.probes,
    "fault-kinds": generate_scenarios.faults,
    "happening-kinds": generate_scenarios.happenings,
    "metersim-dlt645": generate_metersim645.answered,
    "order-states-before": generate_orders.order_before,
    "order-states-after": generate_orders.order_after,
    "order-limits": generate_orders.limits,
    "order-limits-zh": generate_orders.limits_zh,
    "case-states": generate_orders.case_states,
    "case-limits": generate_orders.case_limits,
    "case-limits-zh": generate_orders.case_limits_zh,
    "packaged-scenarios": generate_scenarios.scenarios,
    "plant-keys": partial(generate_plant.keys, "Plant"),
    "plant-line-keys": partial(generate_plant.keys, "LineRow"),
    "plant-meter-keys": partial(generate_plant.keys, "MeterRow"),
    "plant-concentrator-keys": partial(generate_plant.keys, "ConcentratorRow"),
    "plant-terminal-keys": partial(generate_plant.keys, "TerminalRow"),
    "plant-medium-keys": partial(generate_plant.keys, "Medium"),
    "plant-server-keys": partial(generate_plant.keys, "ServerHabits"),
    "plant-carrier-keys": partial(generate_plant.keys, "CarrierWays"),
    "plant-control-keys": partial(generate_plant.keys, "CostControl"),
    "plant-tariffs-keys": partial(generate_plant.keys, "Tariffs"),
}


def pages() -> list[Path]:
    """Every page of the documentation."""
    return sorted(DOCS.rglob("*.md"))


def renewed(text: str) -> str:
    """A page's text with its generated parts made anew; an unknown name is a ``KeyError``."""
    return _PART.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}{found[3]}", text)


def main() -> None:
    """Renew every page."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        page.write_text(renewed(text), encoding="utf-8")


if __name__ == "__main__":
    main()
