"""The simulator's own list of what it answered: one JSON line an answer, written before the octets leave.

Whoever received an answer therefore finds it here. ``values`` holds what a careful reader may take from
the answer: it is empty for a refusal and for an answer that a fault spoiled, and ``faults`` names every
fault, also those that leave the answer itself whole (`metersim.line.faults.AROUND`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from metersim.line.private_file import open_private
from metersim.line.written_lines import WrittenLines


class AnswerRecord(NamedTuple):
    """One answer given.

    A ``NamedTuple``, because there is one for every answer; fields are given by name.

    Args:
        at: simulator's wall time at which the values were taken, aware, UTC.
        address: the meter's own address, whatever the answer says.
        di: the identifier that was asked for, in DL/T 698.45 the descriptors as text; ``None`` for its
            address and for what names nothing.
        octets: all that went onto the line, echo and noise included.
        values: item to value.
        faults: names of the faults that befell it, as in `metersim.line.faults.Faults`, or ``"collision"``.

    """

    at: datetime
    address: str
    di: int | str | None
    octets: bytes
    values: Mapping[str, Decimal]
    faults: tuple[str, ...] = ()

    def to_json(self, n: int) -> str:
        """One line without its end.

        Args:
            n: its number in the list, from 1.

        """
        line = {
            "n": n,
            "at": self.at.isoformat(timespec="microseconds"),
            "address": self.address,
            "di": f"{self.di:08X}" if isinstance(self.di, int) else self.di,
            "octets": self.octets.hex().upper(),
            "values": {item: str(value) for item, value in self.values.items()},
            "faults": list(self.faults),
        }
        return json.dumps(line, separators=(",", ":"))


Recorder = Callable[[AnswerRecord], None]
"""Takes each answer just before it leaves; ``list.append`` is one, an `AnswerFile` another."""


class AnswerFile(WrittenLines):
    """Appends answers to a file; each line is with the operating system before the call returns.

    So the list survives the end of the simulator, also a SIGKILL. An existing list is continued.

    Args:
        path: the file, made for its owner alone if it is not there: answers to an authentication are in it.

    Raises:
        OSError: the file cannot be opened.

    """

    def __init__(self, path: Path) -> None:
        self._file = open_private(path, "a+")
        self._file.seek(0)
        self._n = sum(1 for _ in self._file)

    def __call__(self, record: AnswerRecord) -> None:
        """Append one answer."""
        self._n += 1
        self._file.write(record.to_json(self._n) + "\n")
