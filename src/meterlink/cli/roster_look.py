"""What the commands of ``meterlink roster`` that only look do: entries and their history."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import typer
from rich.table import Table
from rich.text import Text

from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.explained import explained
from meterlink.cli.journal_file import looking_into
from meterlink.cli.language import Lang, chosen
from meterlink.cli.roster_words import fields_in_words, named
from meterlink.cli.saying import say
from meterlink.cli.tables import print_table
from meterlink.clock import SystemClock
from meterlink.config import MeterSettings, load_settings
from meterlink.errors import ConfigError
from meterlink.journal.reader import JournalReader
from meterlink.model.act import Topic
from meterlink.model.payload import time_out
from meterlink.model.roster_change import SUBJECT, KeptChange
from meterlink.model.zone import CHINA_TIME
from meterlink.roster.book import EXCHANGE, Held
from meterlink.roster.columns import COLUMNS
from meterlink.roster.correction import CORRECT
from meterlink.roster.entries import entry_of, is_gone
from meterlink.roster.files import headers_of, table_of
from meterlink.roster.history import fault_in
from meterlink.roster.table import write_csv
from meterlink.roster.turns import RATIO, REMOVE
from meterlink.roster.workbook import write_xlsx

_LIST: Final = ("id", "address", "line", "meter_number", "customer_number", "customer", "area", "model")
_TEMPLATE: Final = (
    "id",
    "address",
    "meter_number",
    "customer_number",
    "customer",
    "area",
    "line",
    "protocol",
    "model",
    "phases",
    "ct",
    "pt",
    "reading_day",
    "cost_control",
    "protected",
    "important",
    "residential",
)
_EXAMPLE: Final = {
    "id": "m000012345678",
    "address": "000012345678",
    "meter_number": "000012345678",
    "customer_number": "000000000001",
    "customer": "李雷",
    "area": "east",
    "line": "tcp://127.0.0.1:5000",
    "protocol": "dlt645-2007",
    "phases": "1",
    "ct": "1",
    "pt": "1",
    "reading_day": "1",
    "residential": "yes",
}


class RosterLook:
    """One command that looks at the roster.

    Args:
        reader: of the journal.
        config: the configuration; gives the zone of times.
        as_json: for programs.
        lang: asked for; ``None``: the locale's.

    """

    def __init__(self, reader: JournalReader, config: Path, *, as_json: bool, lang: Lang | None) -> None:
        self._reader = reader
        self._config = config
        self._as_json = as_json
        self._lang = chosen(lang)
        self._held = Held.of(reader.roster())
        self._now = SystemClock().utc_now()

    @classmethod
    @contextmanager
    def into(cls, journal: Path | None, config: Path, *, as_json: bool, lang: Lang | None) -> Iterator[Self]:
        """A look into a journal; ends the command where there is none, or it cannot be read.

        Args:
            journal: the file; ``None``: that of the configuration.
            config: the configuration.
            as_json: for programs.
            lang: asked for.

        """
        with looking_into(journal, config) as reader:
            yield cls(reader, config, as_json=as_json, lang=lang)

    def list(self, *, area: str, line: str, everything: bool) -> None:
        """List meters."""
        found = [
            meter
            for meter in self._meters(everything=everything)
            if area in {"", meter.area} and line in {"", meter.line}
        ]
        if self._as_json:
            for meter in found:
                say(json.dumps(entry_of(meter), ensure_ascii=False))
            return
        table = Table(*(named(self._lang, key) for key in _LIST), box=None, pad_edge=False)
        for meter in found:
            table.add_row(*(Text(str(getattr(meter, key))) for key in _LIST))
        print_table(table)

    def show(self, meter_id: str) -> None:
        """Show an entry."""
        entry = entry_of(self._meter(meter_id))
        if self._as_json:
            say(json.dumps(entry, ensure_ascii=False))
            return
        for key, value in entry.items():
            told = ";".join(value) if isinstance(value, list) else value
            say(f"{named(self._lang, key)}: {told}")

    def history(self, meter_id: str) -> None:
        """Show every change of an entry."""
        self._meter(meter_id)
        for kept in self._reader.roster_changes_of(meter_id):
            exchange, turn = self._body(kept, {EXCHANGE}), self._body(kept, {RATIO, REMOVE, CORRECT})
            if self._as_json:
                told = {**_change_json(kept), "exchange": exchange, "turn": turn}
                say(json.dumps(told, ensure_ascii=False))
                continue
            words = fields_in_words(self._lang, kept.change)
            say(f"{kept.revision}  {time_out(kept.at)}  {kept.actor}  {kept.verb}  {words}")
            if exchange is not None:
                say(f"   {exchange['old']} -> {exchange['new']}  {_registers(exchange)}")
            if turn is not None:
                shown = ", ".join(f"{item}: {value}" for item, value in turn["registers"].items())
                at = "时刻" if self._lang == "zh" else "at"
                say(f"   {at} {turn['at']}  {shown}".rstrip())

    def export(self, out: Path | None, *, everything: bool) -> None:
        """Write the roster as a table."""
        meters = self._meters(everything=everything)
        if out is not None and out.suffix.lower() == ".json":
            document = {"revision": self._held.revision, "meters": [entry_of(meter) for meter in meters]}
            _write(out, json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n")
            return
        zone = CHINA_TIME if not self._config.exists() else load_settings(self._config).gateway.plant_time
        headers, rows = table_of(meters, zone, lang=self._lang)
        _write_table(out, headers, rows)

    def verify(self) -> None:
        """Say whether the roster is what its changes make of it."""
        fault = fault_in(self._reader)
        if self._as_json:
            told = None if fault is None else {"en": fault.en, "zh": fault.zh}
            say(json.dumps({"revision": self._held.revision, "fault": told}, ensure_ascii=False))
        elif fault is None:
            words = ("whole: {} revisions, {} meters", "完整:共 {} 版,{} 条档案")[self._lang == "zh"]
            say(words.format(self._held.revision, len(self._held.meters)))
        else:
            say(fault.zh if self._lang == "zh" else fault.en, err=True)
        if fault is not None:
            raise typer.Exit(ExitCode.TAMPERED)

    def _meters(self, *, everything: bool) -> Sequence[MeterSettings]:
        meters = self._held.meters.values()
        return [meter for meter in meters if everything or not is_gone(meter, self._now)]

    def _meter(self, meter_id: str) -> MeterSettings:
        meter = self._held.meters.get(meter_id)
        if meter is None:
            say(f"{meter_id}: there is no such meter in the roster / 档案中没有该表", err=True)
            raise typer.Exit(ExitCode.USAGE)
        return meter

    def _body(self, kept: KeptChange, verbs: Collection[str]) -> dict[str, Any] | None:
        """What was told of an exchange or a turn; ``None``: it was none."""
        if kept.verb not in verbs:
            return None
        acts = self._reader.acts_of_subject(Topic.ROSTER, SUBJECT)
        return next(dict(one.act.body) for one in acts if one.act.step == kept.revision)


def write_template(out: Path | None, lang: Lang | None) -> None:
    """Write a first table."""
    language = chosen(lang)
    columns = [column for column in COLUMNS if column.key in _TEMPLATE]
    row = [_EXAMPLE.get(column.key, "") for column in columns]
    notes = [("column", "列名", "takes", "填写要求")]
    notes += [(column.key, column.zh, column.cell.rule.en, column.cell.rule.zh) for column in COLUMNS]
    with explained():
        _write_table(out, headers_of(columns, language), [row], notes)


def _write_table(
    out: Path | None, headers: Sequence[str], rows: Any, notes: Sequence[Sequence[str]] = ()
) -> None:
    kind = ".csv" if out is None else out.suffix.lower()
    if kind == ".csv":
        _write(out, write_csv(headers, rows))
    elif kind == ".xlsx":
        _write(out, write_xlsx(headers, rows, notes))
    else:
        raise ConfigError(
            f"{out}: a roster is written as .csv, .xlsx or .json", f"{out}: 档案可导出为 .csv、.xlsx 或 .json"
        )


def _write(out: Path | None, octets: bytes) -> None:
    if out is None:
        sys.stdout.buffer.write(octets)
        sys.stdout.flush()
        return
    try:
        out.write_bytes(octets)
    except OSError as error:
        say(f"{out}: cannot be written: {error.strerror}", err=True)
        raise typer.Exit(ExitCode.FAILURE) from None


def _change_json(kept: KeptChange) -> dict[str, Any]:
    return {
        "revision": kept.revision,
        "at": time_out(kept.at),
        "actor": kept.actor,
        "verb": kept.verb,
        "old": kept.change.old,
        "new": kept.change.new,
    }


def _registers(exchange: dict[str, Any]) -> str:
    last, first = exchange["last"], exchange["first"]
    return ", ".join(f"{item}: {last[item]} -> {first[item]}" for item in last)
