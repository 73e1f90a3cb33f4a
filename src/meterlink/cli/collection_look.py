"""What ``meterlink why`` and ``meterlink completeness`` do: ask the daemon or the journal, and show it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_FLOOR, Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from meterlink.acquisition.explaining import WAYS, Place, check_area, completeness, slot_of, spans_of, why
from meterlink.acquisition.undue import undue
from meterlink.cli.desk import DaemonAway, Desk, Refusal, leave
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.explained import explained
from meterlink.cli.journal_file import looking_into
from meterlink.cli.language import Lang, chosen
from meterlink.cli.saying import say
from meterlink.daemon.collection_requests import COMPLETENESS, WHY, places_of
from meterlink.model.days import within
from meterlink.model.slot import DAY_S

if TYPE_CHECKING:
    from meterlink.config import MeterSettings, Settings
    from meterlink.journal.reader import JournalReader
    from meterlink.model.slot import Tally

_HEADS: Final = {
    "en": (
        "",
        "due",
        "kept",
        "lacking",
        "success rate",
        "completeness",
        "missing",
        "refused",
        "lost",
        "not counted",
    ),
    "zh": ("", "应采", "已采", "缺项", "采集成功率", "完整率", "缺失", "拒绝", "丢失", "不计"),
}
_TOTAL: Final = {"en": "all", "zh": "合计"}
_FREEZE_VALID: Final = {
    "en": "{valid} of {in_service} meters in service have a valid freeze of the day's end: {share} (FRZ-01)",
    "zh": "在运 {in_service} 块表中 {valid} 块有该日日终的有效日冻结:{share}(FRZ-01)",
}
_SHOWN: Final = Decimal("0.01")
"""Of a share in percent."""
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
        with explained():
            at = slot_of(slot, zone)
        told = self._asked(settings, WHY, meter=meter, slot=at.isoformat())
        if told is None:
            with looking_into(None, self._config) as reader:
                told = self._why_at_rest(reader, settings, meter, at)
        self._show_why(told)
        is_there = all(one["state"] == "kept" or not one["is_due"] for one in told["found"])
        return ExitCode.OK if is_there else ExitCode.FAILURE

    def _why_at_rest(
        self, reader: JournalReader, settings: Settings, named: str, at: datetime
    ) -> dict[str, Any]:
        """What the daemon would answer."""
        from meterlink.clock import SystemClock
        from meterlink.daemon.collection_requests import scene_of
        from meterlink.journal import ledger_looks
        from meterlink.journal.ledger_folding import forgotten
        from meterlink.journal.ledger_rows import moment
        from meterlink.journal.rows import select_marks
        from meterlink.journal.series import Series

        now = datetime.now(UTC)
        found = self._meter(reader, settings, named, now)
        standings = reader.look(partial(ledger_looks.standings, meter=found.id, slot=at))
        marks = reader.look(partial(select_marks, meter=found.id, slot=at))
        told = why(standings, marks, found.id, at, settings.gateway.plant_time, now)
        if not standings:
            began = reader.look(partial(ledger_looks.began, meter=found.id))
            series = {Series(*one): first for one, first in began.items()}
            old = {one: moment(before) for one, before in reader.look(forgotten).items()}
            told |= undue(found.id, at, scene_of(settings, found, series, old, SystemClock()))
        return told

    def _meter(self, reader: JournalReader, settings: Settings, named: str, now: datetime) -> MeterSettings:
        """The meter that is meant; ends the command where there is none."""
        from meterlink.daemon.collection_requests import names_of
        from meterlink.roster.entries import meter_of, meters_of

        entries = reader.roster().entries
        with explained():
            if named in entries:  # without a look at all the others, of which there may be 100,000
                return meter_of(entries[named])
            meters = meters_of(entries.values()) or {meter.id: meter for meter in settings.meters}
            return names_of(meters).find(named, at=now)

    def completeness(self, day: date, by: str, area: str | None) -> int:
        """Show how complete a day is; the exit code."""
        from meterlink.billing.source import Freezes
        from meterlink.billing.standing import freeze_valid, places_on

        settings = self._settings()
        with explained():
            within(day)
        asked = {"day": day.isoformat(), "by": by} | ({} if area is None else {"area": area})
        told = self._asked(settings, COMPLETENESS, **asked)
        if told is None:
            with looking_into(None, self._config) as reader:
                today, tallies = self._places(reader, settings), _tallies(reader, day, settings)
                freezes = Freezes(reader, settings.gateway.plant_time)
                places = places_on(freezes, day, today, {tally.meter for tally in tallies})
                with explained():
                    check_area([*today.values(), *places.values()], area or "")
                valid = freeze_valid(freezes, day, area)
            way = next(one for one in WAYS if one == by)
            told = {**completeness(tallies, places, day=day, by=way, area=area), "freeze_valid": valid}
        if self._as_json:
            say(json.dumps(told, ensure_ascii=False))
        else:
            self._show_table(told)
            valid = told["freeze_valid"]
            say(_FREEZE_VALID[self._lang].format(**valid, share=in_percent(valid["rate"])))
        return ExitCode.OK

    def _places(self, reader: JournalReader, settings: Settings) -> dict[str, Place]:
        """Where the meters stand today."""
        from meterlink.roster.entries import meters_of

        with explained():
            meters = meters_of(reader.roster().entries.values())
            return places_of(settings, meters.values() if meters else settings.meters)

    def _settings(self) -> Settings:
        from meterlink.config import load_settings

        with explained():
            return load_settings(self._config)

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
            say(json.dumps(told, ensure_ascii=False))
            return
        for one in told["found"]:
            say(f"{told['meter']}  {_series(one)}  {told['slot']}  {one[self._lang]}")
        if not told["found"]:
            say(told[self._lang])

    def _show_table(self, told: Mapping[str, Any]) -> None:
        from rich.table import Table
        from rich.text import Text

        from meterlink.cli.tables import print_table

        heads = [head.replace(" ", "\n") if sys.stdout.isatty() else head for head in _HEADS[self._lang]]
        table = Table(box=None, pad_edge=False)
        table.add_column(heads[0])
        for head in heads[1:]:
            table.add_column(head, justify="right", no_wrap=True, vertical="bottom")
        for row in (*told["rows"], {"name": _TOTAL[self._lang], **told["total"]}):
            table.add_row(
                Text(row["name"] or _NONE[self._lang]),
                *(str(row[key]) for key in ("due", "kept", "lacking")),
                *(in_percent(row[key]) for key in ("success_rate", "completeness")),
                *(str(row[key]) for key in ("missing", "refused", "lost", "waived")),
            )
        print_table(table)


def _series(one: Mapping[str, Any]) -> str:
    """The class of a slot, and its period where there may be several."""
    every_s = one["every_s"]
    return f"{one['class']} {every_s} s" if 0 < every_s < DAY_S else one["class"]


def in_percent(share: float | None) -> str:
    """Never rounded up: 100 % is whole; and 57 of 100 are 57 %, which no product of floats says."""
    return "-" if share is None else f"{(Decimal(str(share)) * 100).quantize(_SHOWN, ROUND_FLOOR)} %"


def _tallies(reader: JournalReader, day: date, settings: Settings) -> list[Tally]:
    from meterlink.journal import ledger_looks
    from meterlink.journal.ledger_asked import SERIES_AT_ONCE
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
