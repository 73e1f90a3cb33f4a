"""The parts of the documentation that are made from the code, so that they cannot lie: ``make docs``.

A page holds ``<!-- generated: NAME -->`` and ``<!-- end -->``; what stands between is replaced by what the
function of that name in ``PARTS`` returns.
"""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from docs.generate_commands import commands
from meterlink.cli.exit_codes import ExitCode
from meterlink.config.settings import Settings
from meterwire.dlt645.families import Row
from meterwire.dlt645.items import dictionary
from meterwire.dlt645.session import TRANSITIONS

DOCS = Path(__file__).resolve().parent
EXAMPLES = 4
_PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def settings_tables() -> str:
    """Every table of ``meterlink.toml`` with its keys, defaults and limits."""
    return "\n".join(_table(name, field) for name, field in Settings.model_fields.items())


def _table(name: str, field: FieldInfo) -> str:
    many = "tuple" in str(field.annotation)
    model = next(_models(field.annotation))
    header = f"[[{name}]]" if many else f"[{name}]"
    lines = [
        f"## `{header}`",
        "",
        model.__doc__ or "",
        "",
        "| key | default | what it is |",
        "| --- | --- | --- |",
    ]
    lines += [_row(key, value) for key, value in model.model_fields.items()]
    return "\n".join(lines) + "\n"


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind


def _row(key: str, field: FieldInfo) -> str:
    default = "required" if field.default is PydanticUndefined else _toml(field.default)
    limits = [_limit(rule) for rule in field.metadata]
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


def _limit(rule: Any) -> str:
    words = {"ge": "At least", "le": "At most", "min_length": "At least", "max_length": "At most"}
    units = {"min_length": " entries", "max_length": " entries"}
    found = [
        f"{words[name]} {getattr(rule, name)}{units.get(name, '')}." for name in words if hasattr(rule, name)
    ]
    return " ".join(found)


def _one_of(choices: list[str]) -> str:
    return f"One of {', '.join(f'`{choice}`' for choice in choices)}." if len(choices) > 1 else ""


def read_session() -> str:
    """The state machine of a read, as a diagram."""
    lines = ["```mermaid", "stateDiagram-v2", "  [*] --> sending"]
    for state, signals in TRANSITIONS.items():
        lines += [f"  {state.value} --> {after.value}: {signal.value}" for signal, after in signals.items()]
        if not signals:
            lines.append(f"  {state.value} --> [*]")
    return "\n".join([*lines, "```"]) + "\n"


_CLASSES = {
    "00": "energy",
    "01": "maximum demand",
    "02": "variables",
    "03": "events",
    "04": "parameters",
    "05": "freezes",
    "06": "load records",
    "10": "event sub-items",
}
_LAST_CLASS = "10"  # and all above it


def dictionary_table() -> str:
    """How many rows of the dictionary each class of identifiers has, and of which quantities."""
    families: dict[str, list[Row]] = defaultdict(list)
    for row in dictionary("dlt645-2007").rows:
        families[min(row.pattern[:2], _LAST_CLASS)].append(row)
    lines = ["| DI3 | class | rows | quantities | for example |", "| --- | --- | --- | --- | --- |"]
    for head, rows in sorted(families.items()):
        quantities = sorted({re.split(r"[@.]", row.name)[0] for row in rows})
        some = ", ".join(
            f"`{name}`" for name in quantities[:: max(1, len(quantities) // EXAMPLES)][:EXAMPLES]
        )
        span = f"{head}H and up" if head == _LAST_CLASS else f"{head}H"
        lines.append(f"| {span} | {_CLASSES[head]} | {len(rows)} | {len(quantities)} | {some} |")
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
    "dlt645-read-session": read_session,
    "dlt645-dictionary": dictionary_table,
}


def renewed(text: str) -> str:
    """A page's text with its generated parts made anew; an unknown name is a ``KeyError``."""
    return _PART.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}{found[3]}", text)


def main() -> None:
    """Renew every page."""
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        page.write_text(renewed(text), encoding="utf-8")


if __name__ == "__main__":
    main()
