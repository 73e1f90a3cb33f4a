"""Rosters as JSON: what ``meterlink roster export -o FILE.json`` wrote, read again as settings of meters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from meterlink.config import MeterSettings
from meterlink.config.fault import first_of
from meterlink.errors import ConfigError
from meterlink.roster.faults import Fault, Words
from meterlink.roster.rows import ROWS_MAX
from meterlink.roster.table import octets_of


@dataclass(slots=True)
class Document:
    """What a file says.

    Args:
        meters: of the entries that nothing is wrong with, in their order.
        rows: by id, the place of its entry, from 1.
        faults: what is wrong with the others.

    """

    meters: list[MeterSettings] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


class _NoEntry(Exception):
    """What stands there can be no entry."""

    def __init__(self, words: Words) -> None:
        super().__init__(words.en)
        self.words = words


def read_json(path: Path) -> Document:
    """The meters of a file ``{"meters": [...]}`` with the keys of ``[[meters]]``.

    Raises:
        ConfigError: it cannot be read, or is another document.

    """
    found = Document()
    for number, entry in enumerate(_entries(path), start=1):
        try:
            meter = MeterSettings.model_validate(_checked(entry))
        except ValidationError as error:
            found.faults.append(_fault(number, entry, _wrong(error)))
            continue
        except _NoEntry as error:
            found.faults.append(_fault(number, entry, error.words))
            continue
        if meter.id in found.rows:
            words = Words(f"the id {meter.id!r} stands there already", f"标识 {meter.id!r} 重复")
            found.faults.append(_fault(number, entry, words))
            continue
        found.meters.append(meter)
        found.rows[meter.id] = number
    return found


def _entries(path: Path) -> Sequence[Any]:
    try:
        document = json.loads(octets_of(path))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: no JSON ({error})", f"{path}: 不是 JSON 文件({error})") from None
    entries = document.get("meters") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ConfigError(
            f'{path}: a roster as JSON is {{"meters": [...]}}, as `meterlink roster export -o FILE.json` '
            "writes it",
            f'{path}: JSON 档案的格式为 {{"meters": [...]}},与 `meterlink roster export -o FILE.json` '
            "的输出相同",
        )
    if len(entries) > ROWS_MAX:
        raise ConfigError(
            f"{path}: {len(entries)} meters, at most {ROWS_MAX}",
            f"{path}: 有 {len(entries)} 只电表,最多 {ROWS_MAX} 只",
        )
    return entries


def _checked(entry: Any) -> dict[str, Any]:
    """An entry whose texts can be kept.

    Raises:
        _NoEntry: it is no table, or holds a character that no text has.

    """
    if not isinstance(entry, dict):
        raise _NoEntry(Words("an entry is a table of keys and values", "每项应为键值表"))
    written = json.dumps(entry, ensure_ascii=False)
    try:
        written.encode()
    except UnicodeEncodeError:
        raise _NoEntry(
            Words("half of a character stands in it (a lone surrogate)", "含有不完整的字符")
        ) from None
    if "\\u0000" in written:
        raise _NoEntry(Words("a NUL character stands in it", "含有空字符"))
    return entry


def _wrong(error: ValidationError) -> Words:
    """What the rules of the configuration say of an entry."""
    place, said = first_of(error)
    return Words(*said.behind(f"{place}: " if place else ""))


def _fault(number: int, entry: Any, said: Words) -> Fault:
    name = entry.get("id") if isinstance(entry, dict) else None
    meter = name if isinstance(name, str) else ""
    words = Words(f"entry {number} of meters: {said.en}", f"meters 第 {number} 项:{said.zh}")
    return Fault(row=number, column="", meter=meter.encode(errors="backslashreplace").decode(), words=words)
