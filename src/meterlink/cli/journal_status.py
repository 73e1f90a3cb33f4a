"""What ``meterlink journal status`` tells: the journal's numbers, and the disk that it stands on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from meterlink.cli.waiting import waiting_bar
from meterlink.clock import SystemClock
from meterlink.daemon.audited import RESERVE_FILE
from meterlink.errors import JournalError
from meterlink.journal.figures import Figures, SinkFigures, figures
from meterlink.journal.reader import JournalReader
from meterlink.journal.reserve import RESERVE_OCTETS
from meterlink.model.payload import time_out

_Language = Literal["en", "zh"]
_SIZES: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_SAID: Final = {
    "en": {
        "file": "{path}: {octets}, {unused} of it unused; write-ahead log {wal}",
        "rows": "{count} rows, {boots} starts; oldest {oldest} ago, newest {newest} ago",
        "empty": "no rows yet, {boots} starts",
        "kind": "  {kind} {data_class}: {count}",
        "behind": "sink {name}: {waiting} rows wait, {hours:.1f} hours of data; {poisoned} poisoned",
        "level": "sink {name}: has everything; {poisoned} poisoned",
        "no_sink": "no sink has followed the log yet",
        "age": "removed by age: {rows} of {data_class}, up to {slot}",
        "room": "SHED to make room: {rows} of {data_class}, up to {slot}",
        "reserve": "reserve: {octets} of {of}",
        "disk": "disk: {free} free",
        "days": "room for {days:.0f} days at {rate} a day (an estimate)",
        "young": "too young to tell for how long there is room",
    },
    "zh": {
        "file": "{path}:{octets},其中未用 {unused};预写日志 {wal}",
        "rows": "共 {count} 行,启动 {boots} 次;最早 {oldest} 前,最新 {newest} 前",
        "empty": "尚无数据,启动 {boots} 次",
        "kind": "  {kind} {data_class}:{count}",
        "behind": "去向 {name}:待发 {waiting} 行,约 {hours:.1f} 小时数据;无法接收 {poisoned} 行",
        "level": "去向 {name}:已全部发出;无法接收 {poisoned} 行",
        "no_sink": "尚无去向读取过日志",
        "age": "按期限清除:{data_class} {rows} 行,至 {slot}",
        "room": "因磁盘不足丢弃:{data_class} {rows} 行,至 {slot}",
        "reserve": "保留空间:{octets}(应为 {of})",
        "disk": "磁盘:剩余 {free}",
        "days": "按每天 {rate} 估算,剩余空间可用约 {days:.0f} 天",
        "young": "数据太少,无法估算可用天数",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The journal and its disk.

    Args:
        path: of the file.
        at: when it was looked at.
        figures: of the journal.
        wal_octets: of the write-ahead log beside it.
        reserve_octets: that are put aside beside it; of a copy: none.
        free_octets: of the disk, for us.

    """

    path: Path
    at: datetime
    figures: Figures
    wal_octets: int
    reserve_octets: int
    free_octets: int

    @property
    def days_left(self) -> float | None:
        """Until there is no room, if nobody takes or removes anything; ``None``: nobody can tell."""
        if not self.figures.octets_a_day:
            return None
        return (self.free_octets + self.figures.unused_octets) / self.figures.octets_a_day

    def hours_waiting(self, sink: SinkFigures) -> float:
        """Of data that a sink does not have: from the oldest row that waits until now."""
        since = sink.waiting_since
        return max(0.0, (self.at - since).total_seconds() / 3600) if since else 0.0


def look(reader: JournalReader, path: Path) -> Seen:
    """Count it, and look at the disk.

    Raises:
        JournalError: it cannot be read.

    """
    with waiting_bar("rows") as bar:
        counted = figures(reader, bar)
    try:
        disk = os.statvfs(path.parent)
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from None
    return Seen(
        path=path,
        at=SystemClock().utc_now(),
        figures=counted,
        wal_octets=_size(path.with_name(f"{path.name}-wal")),
        reserve_octets=_size(path.with_name(RESERVE_FILE)),
        free_octets=disk.f_bavail * disk.f_frsize,
    )


def document(seen: Seen) -> dict[str, Any]:
    """All of it as JSON."""
    counted = seen.figures
    return {
        "file": str(seen.path),
        "octets": counted.octets,
        "unused_octets": counted.unused_octets,
        "wal_octets": seen.wal_octets,
        "rows": [
            {"kind": kind, "class": data_class, "count": count}
            for (kind, data_class), count in counted.rows.items()
        ],
        "newest_id": counted.newest_id,
        "oldest_at": time_out(counted.oldest_at) if counted.oldest_at else None,
        "newest_at": time_out(counted.newest_at) if counted.newest_at else None,
        "boots": counted.boots,
        "sinks": [
            {
                "name": sink.name,
                "last_id": sink.last_id,
                "waiting": sink.waiting,
                "waiting_since": time_out(sink.waiting_since) if sink.waiting_since else None,
                "hours_waiting": round(seen.hours_waiting(sink), 2),
                "poisoned": sink.poisoned,
            }
            for sink in counted.sinks
        ],
        "removed": [
            {
                "class": each.data_class,
                "reason": each.reason,
                "count": each.rows,
                "newest_slot": time_out(each.last_slot),
                "last_at": time_out(each.last_at),
            }
            for each in counted.removed
        ],
        "reserve_octets": seen.reserve_octets,
        "reserve_octets_wanted": RESERVE_OCTETS,
        "free_octets": seen.free_octets,
        "octets_a_day": counted.octets_a_day,
        "days_left": None if seen.days_left is None else round(seen.days_left, 1),
    }


def lines(seen: Seen, lang: _Language) -> Iterator[str]:
    """All of it for a person."""
    said, counted = _SAID[lang], seen.figures
    unused, wal = size_words(counted.unused_octets), size_words(seen.wal_octets)
    yield said["file"].format(path=seen.path, octets=size_words(counted.octets), unused=unused, wal=wal)
    if counted.oldest_at is None or counted.newest_at is None:
        yield said["empty"].format(boots=counted.boots)
    else:
        oldest, newest = age_words(seen.at - counted.oldest_at), age_words(seen.at - counted.newest_at)
        yield said["rows"].format(count=counted.row_count, boots=counted.boots, oldest=oldest, newest=newest)
    for (kind, data_class), count in counted.rows.items():
        yield said["kind"].format(kind=kind, data_class=data_class, count=count)
    for sink in counted.sinks:
        words = said["behind" if sink.waiting else "level"]
        hours = seen.hours_waiting(sink)
        yield words.format(name=sink.name, waiting=sink.waiting, hours=hours, poisoned=sink.poisoned)
    if not counted.sinks:
        yield said["no_sink"]
    for each in counted.removed:
        yield said[each.reason].format(
            data_class=each.data_class, rows=each.rows, slot=time_out(each.last_slot)
        )
    yield said["reserve"].format(octets=size_words(seen.reserve_octets), of=size_words(RESERVE_OCTETS))
    yield said["disk"].format(free=size_words(seen.free_octets))
    if seen.days_left is None or counted.octets_a_day is None:
        yield said["young"]
    else:
        yield said["days"].format(days=seen.days_left, rate=size_words(counted.octets_a_day))


def size_words(octets: int) -> str:
    """A size as people say it: ``1.5 GiB``."""
    size, unit = float(octets), 0
    while size >= 1024 and unit < len(_SIZES) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} {_SIZES[unit]}" if unit == 0 or size >= 100 else f"{size:.1f} {_SIZES[unit]}"


def age_words(age: timedelta) -> str:
    """An age in its largest unit: ``3.2 d``; what lies ahead of a clock that was set back is 0."""
    seconds = max(0.0, age.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
