"""Where a reading can be seen on its way: the simulator's list, the journal, MQTT, the files.

Each station keeps, for (meter, slot, item), the value that was seen there; the oldest go first.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from meterlink.journal.reader import JournalReader
from meterlink.model.reading import Record

SEEN_MAX = 20_000
"""Values a station remembers; a demonstration may run for days."""

_ROWS_AT_ONCE = 1_000


class Key(NamedTuple):
    """One reading."""

    meter: str
    slot: datetime
    item: str


class Station:
    """Values seen at one place."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self._seen: OrderedDict[Key, Decimal] = OrderedDict()

    def see(self, key: Key, value: Decimal) -> None:
        """Remember a value."""
        self.count += 1
        self._seen[key] = value
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)

    def see_record(self, record: Record) -> None:
        """Remember the values of a record."""
        for reading in record.readings:
            if reading.value is not None:
                self.see(Key(reading.meter, reading.slot, reading.item), reading.value)

    def value(self, key: Key) -> Decimal | None:
        """What was seen for a key."""
        return self._seen.get(key)

    def __iter__(self) -> Iterator[Key]:
        """All keys, oldest first."""
        return iter(tuple(self._seen))

    def latest(self, meter: str, item: str) -> Decimal | None:
        """The newest value of an item of a meter."""
        for key in reversed(self._seen):
            if (key.meter, key.item) == (meter, item):
                return self._seen[key]
        return None


class Tail:
    """Complete new lines of a file that somebody else appends to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def lines(self) -> list[str]:
        """What has come since the last call; a line without its end waits."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                octets = file.read()
        except FileNotFoundError:
            return []
        whole = octets[: octets.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.decode().splitlines()


class Simulator(Station):
    """What the simulator says it answered, by the slot in which it did.

    Args:
        path: its list of answers.
        meters: our ids by address.
        every_s: length of a slot.

    """

    def __init__(self, path: Path, meters: dict[str, str], every_s: int) -> None:
        super().__init__("simulator")
        self._tail = Tail(path)
        self.meters = tuple(meters.values())
        self._meter_at = meters
        self._every_s = every_s
        self._values: OrderedDict[Key, set[Decimal]] = OrderedDict()

    def look(self) -> None:
        """Take in what is new."""
        for line in self._tail.lines():
            answer = json.loads(line)
            at = datetime.fromisoformat(answer["at"]).timestamp()
            slot = datetime.fromtimestamp(at // self._every_s * self._every_s, UTC)
            for item, value in answer["values"].items():
                self.see(Key(self._meter_at[answer["address"]], slot, item), Decimal(value))

    def see(self, key: Key, value: Decimal) -> None:
        """Remember every value of a slot: a meter may have been asked twice."""
        super().see(key, value)
        self._values.setdefault(key, set()).add(value)
        if len(self._values) > SEEN_MAX:
            self._values.popitem(last=False)

    def reported(self, key: Key) -> set[Decimal]:
        """Values answered in a reading's slot, or in the next: one asked at its end is answered there."""
        after = Key(key.meter, key.slot + timedelta(seconds=self._every_s), key.item)
        return self._values.get(key, set()) | self._values.get(after, set())


class Journal(Station):
    """What the journal has kept; read without disturbing the daemon."""

    def __init__(self, path: Path) -> None:
        super().__init__("journal")
        self._path = path
        self._reader: JournalReader | None = None
        self._last_id = 0

    def look(self) -> None:
        """Take in what is new."""
        if self._reader is None:
            if not self._path.exists():
                return
            self._reader = JournalReader(self._path)
        for row in self._reader.rows_after(self._last_id, _ROWS_AT_ONCE):
            self._last_id = row.id
            if isinstance(row.record, Record):
                self.see_record(row.record)

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()


class Files(Station):
    """What stands in the line-protocol files."""

    def __init__(self, folder: Path) -> None:
        super().__init__("files")
        self.folder = folder
        self._tails: dict[Path, Tail] = {}

    def look(self) -> None:
        """Take in what is new."""
        for path in sorted(self.folder.glob("*.lp")):
            for line in self._tails.setdefault(path, Tail(path)).lines():
                self._see_line(line)

    def _see_line(self, line: str) -> None:
        if line.startswith("#"):
            return
        series, fields, seconds = line.split(" ")
        tags = dict(tag.split("=", 1) for tag in series.split(",")[1:])
        slot = datetime.fromtimestamp(int(seconds), UTC)
        for field in fields.split(","):
            name, number = field.split("=", 1)
            if not name.endswith("marks"):
                self.see(Key(tags["meter"], slot, name), Decimal(number))


def field_name(item: str) -> str:
    """The database's name of an item (decision 16)."""
    return item.replace(".", "_")
