"""What ``meterlink why`` and ``meterlink completeness`` do: ask the daemon or the journal, and show it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from meterlink.acquisition.explaining import WAYS, Place, completeness, slot_of, spans_of, why
from meterlink.cli.desk import DaemonAway, Desk, Refusal, leave
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.journal_file import looking_into
from meterlink.cli.language import Lang, chosen
from meterlink.daemon.collection_requests import COMPLETENESS, WHY, places_of
from meterlink.errors import BadRequest, ConfigError

if TYPE_CHECKING:
    from meterlink.config import Settings
    from meterlink.journal.reader import JournalReader
    from meterlink.model.slot import Tally

_HEADS: Final = {
    "en": ("", "due", "kept", "success rate", "completeness", "missing", "refused", "lost", "not counted"),
    "zh": ("", "应采", "已采", "采集成功率", "完整率", "缺失", "拒绝", "丢失", "不计"),
}
_TOTAL: Final = {"en": "all", "zh": "合计"}
_NONE: Final = {"en": "(none)", "zh": "(无)"}


class CollectionLook:
    """One command's way of looking at the ledger.

    Args:
        config: the daemon's configuration.
        as_json: one document on standard output in place of text.
        lang: asked for; ``None``: the locale's.

    """

    def __init__(self, config: Path, *, as_json: bool, lang: Lang | None) -> None:
        self._config = config
        self._as_json = as_json
        self._lang = chosen(lang)

    def why(self, meter: str, slot: str) -> int:
        """Explain a slot; the exit code."""
        settings = self._settings()
        zone = settings.gateway.plant_time
        try:
            at = slot_of(slot, zone)
        except BadRequest as error:
            typer.echo(str(error), err=True)
            return ExitCode.USAGE
        told = self._asked(settings, WHY, meter=meter, slot=at.isoformat())
        if told is None:
            from meterlink.journal.ledger_looks import standings
            from meterlink.journal.rows import select_marks

            with looking_into(None, self._config) as reader:
                found = reader.look(partial(standings, meter=meter, slot=at))
                marks = reader.look(partial(select_marks, meter=meter, slot=at))
            told = why(found, marks, meter, at, zone)
        self._show_why(told)
        return ExitCode.OK if all(one["state"] == "kept" for one in told["found"]) else ExitCode.FAILURE

    def completeness(self, day: date, by: str, area: str) -> int:
        """Show how complete a day is; the exit code."""
        settings = self._settings()
        told = self._asked(settings, COMPLETENESS, day=day.isoformat(), by=by, area=area)
        if told is None:
            places: dict[str, Place] = places_of(settings)
            with looking_into(None, self._config) as reader:
                tallies = _tallies(reader, day, settings)
            way = next(one for one in WAYS if one == by)
            told = completeness(tallies, places, day=day, by=way, area=area)
        if self._as_json:
            typer.echo(json.dumps(told, ensure_ascii=False))
        else:
            self._show_table(told)
        return ExitCode.OK

    def _settings(self) -> Settings:
        from meterlink.config import load_settings

        try:
            return load_settings(self._config)
        except ConfigError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(ExitCode.USAGE) from None

    def _asked(self, settings: Settings, op: str, **args: str) -> dict[str, Any] | None:
        """The daemon's answer; ``None``: none runs."""
        from meterlink.config import data_dir
        from meterlink.daemon.control_socket import SOCKET_FILE

        try:
            with Desk(data_dir(settings) / SOCKET_FILE) as desk:
                return desk.ask(op, **args)
        except DaemonAway:
            return None
        except Refusal as error:
            leave(error, as_json=self._as_json, lang=self._lang)

    def _show_why(self, told: Mapping[str, Any]) -> None:
        if self._as_json:
            typer.echo(json.dumps(told, ensure_ascii=False))
            return
        for one in told["found"]:
            typer.echo(f"{told['meter']}  {one['class']}  {told['slot']}  {one[self._lang]}")
        if not told["found"]:
            typer.echo(told[self._lang])

    def _show_table(self, told: Mapping[str, Any]) -> None:
        from rich.table import Table

        from meterlink.cli.tables import print_table

        table = Table(box=None, pad_edge=False)
        for number, head in enumerate(_HEADS[self._lang]):
            table.add_column(head, justify="right" if number else "left")
        for row in (*told["rows"], {"name": _TOTAL[self._lang], **told["total"]}):
            table.add_row(
                row["name"] or _NONE[self._lang],
                *(str(row[key]) for key in ("due", "kept")),
                *(_share(row[key]) for key in ("success_rate", "completeness")),
                *(str(row[key]) for key in ("missing", "refused", "lost", "waived")),
            )
        print_table(table)


def _share(share: float | None) -> str:
    """Never rounded up: 100 % is whole."""
    return "-" if share is None else f"{int(share * 10_000) / 100:.2f} %"


def _tallies(reader: JournalReader, day: date, settings: Settings) -> list[Tally]:
    from meterlink.journal import ledger_looks
    from meterlink.journal.ledger import SERIES_AT_ONCE
    from meterlink.journal.ledger_rows import seconds

    now = seconds(datetime.now(UTC))
    found: list[Tally] = []
    for classes, since, until in spans_of(day, settings.gateway.plant_time):
        for first, last in ledger_looks.parts(reader.look(ledger_looks.last_series), SERIES_AT_ONCE):
            look = partial(
                ledger_looks.tallies,
                classes=json.dumps(classes),
                since=seconds(since),
                until=seconds(until),
                now=now,
                first=first,
                last=last,
            )
            found += reader.look(look)
    return found
