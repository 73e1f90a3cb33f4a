"""What ``meterlink read`` shows of a meter's answers, whoever asked the meter, and what it ends with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from meterlink import errors
from meterlink.cli.console import lines, stderr
from meterlink.cli.exit_codes import ExitCode
from meterlink.drivers.base import MeterAnswer
from meterlink.errors import (
    BadAnswer,
    BusFull,
    ConfigError,
    LineError,
    MeterlinkError,
    NoRecord,
    OutOfTime,
    Refused,
    ReplyTimeout,
    UnknownItem,
)
from meterlink.explain.parts import printable
from meterlink.model.marks import Marks
from meterlink.model.payload import time_in, time_out
from meterlink.trace import TraceRing

PLANT_TIME: Final = timezone(timedelta(hours=8))
"""People read times in the plant's zone (UTC+8); programs get UTC."""

_PIPE_WIDTH: Final = 200
"""Characters a line when nobody watches: a program that reads tables must not find them broken."""

_OUTCOMES: dict[type[MeterlinkError], tuple[ExitCode, str, str]] = {
    ReplyTimeout: (
        ExitCode.NO_ANSWER,
        "check address, baud rate, parity and the wires A/B",
        "表无应答：请检查表地址、波特率、校验位和 485 接线 A/B",
    ),
    OutOfTime: (
        ExitCode.NO_ANSWER,
        "the line is busy or the meter slow: give it longer with --timeout, or ask again",
        "超时：通道忙或电表响应慢，请加大 --timeout 或稍后重试",
    ),
    Refused: (ExitCode.REFUSED, "the meter knows the question and said no", "电表拒绝应答该数据项"),
    NoRecord: (ExitCode.NO_VALUE, "the meter answered, but has no such record", "电表没有该条记录或该数据"),
    BadAnswer: (ExitCode.NO_VALUE, "the answer does not fit the item", "应答数据与数据项不符"),
    BusFull: (ExitCode.LINE, "too many ask for this line at once: try again", "通道排队已满，请稍后再试"),
    LineError: (ExitCode.LINE, "the line cannot be used", "通道不可用"),
    ConfigError: (ExitCode.USAGE, "see `meterlink read --help`", "参数错误"),
    UnknownItem: (ExitCode.USAGE, "see `meterlink items --search TEXT`", "没有该数据项"),
}


_HEADINGS: tuple[tuple[str, Any], ...] = (
    ("item 数据项", "left"),
    ("value 数值", "right"),
    ("unit 单位", "left"),
    ("taken at 应答时间 (UTC+8)", "left"),
    ("marks 标记", "left"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One value.

    Args:
        item: its name, with its period.
        text: the content; ``None`` when ``marks`` says why.
        unit: of it.
        taken_at: when the answer was complete; aware.
        marks: names of what is doubtful about it.

    """

    item: str
    text: str | None
    unit: str
    taken_at: datetime
    marks: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "item": self.item,
            "value": self.text,
            "unit": self.unit,
            "taken_at": time_out(self.taken_at),
            "marks": list(self.marks),
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> Row:
        """Undo ``as_json``."""
        return cls(
            item=document["item"],
            text=document["value"],
            unit=document["unit"],
            taken_at=time_in(document["taken_at"]),
            marks=tuple(document["marks"]),
        )


def rows_of(answer: MeterAnswer) -> Iterable[Row]:
    """The values of an answer."""
    for value in answer.values:
        yield Row(
            item=value.name,
            text=value.text,
            unit=value.unit,
            taken_at=answer.taken_at,
            marks=tuple(value.marks.names),
        )


def ending(rows: Sequence[Row], failures: Sequence[str]) -> ExitCode:
    """What the command ends with.

    Args:
        rows: that came.
        failures: classes of errors, by name; the first one decides.

    """
    if failures:
        return _outcome(failures[0])[0]
    return ExitCode.OK if any(row.text is not None for row in rows) else ExitCode.NO_VALUE


def show_rows(heading: str, rows: Sequence[Row]) -> None:
    """A table of values under a heading."""
    out = _console()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, justify in _HEADINGS:
        table.add_column(name, justify=justify)
    for row in rows:
        taken_at = row.taken_at.astimezone(PLANT_TIME).strftime("%Y-%m-%d %H:%M:%S")
        shown = "-" if row.text is None else row.text
        table.add_row(row.item, Text(printable(shown)), row.unit, taken_at, ", ".join(row.marks))
    out.print(heading, markup=False)
    out.print(table)
    for sentence in _doubts(rows):
        out.print(sentence, markup=False)


def _doubts(rows: Sequence[Row]) -> list[str]:
    """What each mark of a table says, once, in both languages."""
    names = (name for row in rows for name in row.marks)
    marks = Marks.from_names(name for name in names if name.upper() in Marks.__members__)
    told = zip(marks.names, marks.words("en"), marks.words("zh"), strict=True)
    return [f"{name}: {en} {zh}" for name, en, zh in told]


def show_trace(ring: TraceRing) -> None:
    """The octets of a line, both ways."""
    out = _console()
    for entry in ring:
        at = entry.at.astimezone(PLANT_TIME).strftime("%H:%M:%S.%f")[:-3]
        arrow = "→" if entry.direction == "out" else "←"
        out.print(f"{at} {arrow} {entry.hexadecimal(' ')}", markup=False)


def show_failure(kind: str, message: str) -> None:
    """An error, with what to do, on the error stream.

    Args:
        kind: its class, by name.
        message: its words.

    """
    _, hint, chinese = _outcome(kind)
    words = f"\n{hint}（{chinese}）" if hint else ""
    stderr().print(f"error: {message}{words}", markup=False)


def _outcome(kind: str) -> tuple[ExitCode, str, str]:
    error = getattr(errors, kind, MeterlinkError)
    unknown = (ExitCode.FAILURE, "", "")
    return next((row for known, row in _OUTCOMES.items() if issubclass(error, known)), unknown)


def _console() -> Console:
    out = lines()
    if not out.is_terminal:
        out.width = _PIPE_WIDTH
    return out
