"""What ``meterlink events`` does: events out of the journal, each once, for people or for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

from rich.table import Table
from rich.text import Text

from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.explained import explained
from meterlink.cli.journal_file import looking_into
from meterlink.cli.language import Lang, chosen
from meterlink.cli.saying import say
from meterlink.cli.tables import print_table
from meterlink.config import load_settings
from meterlink.drivers.event_words import words_of
from meterlink.model.days import FIRST_YEAR, LAST_YEAR, moment_in
from meterlink.model.event import NUMBER, Event, EventContent
from meterlink.model.payload import time_out

_Language = Literal["en", "zh"]
_ROWS_OF_ONE: Final = 2
"""Rows that an event has at most: it began, and it ended."""
_SHOWN_VALUES: Final = 4
"""Values of an event in a line for people; JSON has all."""
_TEXT_SHOWN: Final = 40
"""Characters of one text in it."""
_HEADS: Final = {
    "en": ("began", "meter", "event", "no.", "ended", "lasted", "with"),
    "zh": ("发生时刻", "电表", "事件", "序号", "结束时刻", "持续", "附带数据"),
}
_NONE: Final = {"en": "no events", "zh": "没有事件"}
_LASTS: Final = {"en": "lasts", "zh": "未结束"}
_TOLD: Final = {"en": "(told)", "zh": "(上报)"}
_WRONG: Final = {
    "en": "--since {text!r}: write a day, 2026-11-21, or a time, 2026-11-21T13:15, "
    "of the years {first} to {last}",
    "zh": "--since {text!r}:请写日期 2026-11-21 或时刻 2026-11-21T13:15,年份 {first} 至 {last}",
}


def show_events(
    config: Path, *, meter: str, since: str, kind: str, limit: int, as_json: bool, lang: Lang | None
) -> int:
    """Show events; the exit code.

    Args:
        config: the daemon's configuration.
        meter: of which; empty: of all.
        since: a day or time; empty: all.
        kind: with or without part; empty: all.
        limit: at most so many, the newest.
        as_json: one object a line.
        lang: asked for; ``None``: the locale's.

    """
    language = chosen(lang)
    with explained():
        zone = load_settings(config).gateway.plant_time
    moment = moment_in(since, zone)
    if since and moment is None:
        say(_WRONG[language].format(text=since, first=FIRST_YEAR, last=LAST_YEAR), err=True)
        return ExitCode.USAGE
    with looking_into(None, config) as reader:
        rows = reader.events(meter=meter, kind=kind, since=moment, limit=_ROWS_OF_ONE * limit)
        found = once_each(rows)[-limit:]
    if as_json:
        for event in found:
            say(json.dumps(_document(event), ensure_ascii=False))
    else:
        _table(found, zone, language)
    return ExitCode.OK


def once_each(events: Iterable[Event]) -> list[Event]:
    """Events without the rows that tell their beginnings, where their ends are known.

    Args:
        events: as the journal has them, in the order of their times.

    """
    found: list[Event] = []
    places: dict[tuple[str, str, datetime], list[int]] = {}
    for event in events:
        if not event.is_record:
            found.append(event)
            continue
        mine = places.setdefault((event.meter, event.kind, event.at), [])
        same = [place for place in mine if found[place].telling.is_of(event.telling)]
        if same:
            found[same[-1]] = event if event.ended_at is not None else found[same[-1]]
        else:
            mine.append(len(found))
            found.append(event)
    return found


def _document(event: Event) -> dict[str, Any]:
    return {
        "meter": event.meter,
        "kind": event.kind,
        "en": words_of(event.kind, "en"),
        "zh": words_of(event.kind, "zh"),
        "number": event.number,
        "began_at": None if event.occurred_at is None else time_out(event.occurred_at),
        "ended_at": None if event.ended_at is None else time_out(event.ended_at),
        "taken_at": time_out(event.taken_at),
        "route": event.route,
        "source": event.source,
        "values": [
            {"item": value.item, "unit": value.unit, "value": _written(value.content)}
            for value in event.values
        ],
    }


def _table(events: list[Event], zone: tzinfo, lang: _Language) -> None:
    if not events:
        say(_NONE[lang])
        return
    table = Table(*_HEADS[lang], box=None, pad_edge=False)
    for event in events:
        table.add_row(*map(Text, _row(event, zone, lang)))  # a text in brackets is no colour
    print_table(table)


def _row(event: Event, zone: tzinfo, lang: _Language) -> tuple[str, ...]:
    began = _local(event.at, zone) + ("" if event.occurred_at else f" {_TOLD[lang]}")
    ended, lasted = "", ""
    if event.is_record and event.ended_at is None:
        ended = _LASTS[lang]
    elif event.ended_at is not None and event.occurred_at is not None and event.ended_at != event.occurred_at:
        ended = _local(event.ended_at, zone)
        lasted = str(event.ended_at - event.occurred_at) if event.ended_at > event.occurred_at else ""
    values = [value for value in event.values if value.item != NUMBER]
    shown = [f"{value.item}={_short(value.content, zone)}{value.unit}" for value in values[:_SHOWN_VALUES]]
    more = ["…"] if len(values) > _SHOWN_VALUES else []
    number = "" if event.number is None else str(event.number)
    return began, event.meter, words_of(event.kind, lang), number, ended, lasted, " ".join(shown + more)


def _local(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _short(content: EventContent, zone: tzinfo) -> str:
    if isinstance(content, datetime):
        return _local(content, zone)
    text = _written(content)
    return text if len(text) <= _TEXT_SHOWN else f"{text[:_TEXT_SHOWN]}…"


def _written(content: EventContent) -> str:
    match content:
        case Decimal():
            return format(content, "f")
        case datetime():
            return time_out(content)
        case _:
            return content
