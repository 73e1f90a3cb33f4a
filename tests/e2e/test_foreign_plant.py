"""Meters that nobody here wrote beside simulated ones, read by one daemon.

The servers of PyPI's ``dlt645`` and ``dlt698`` stand each on a line of its own; beside them runs metersim.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from meterlink.clock import SystemClock
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.model.reading import LogRow
from meterlink.model.zone import CHINA_TIME
from tests.support.agreement import answers_in, readings_of, rows_in, unkept_answers
from tests.support.collection_truth import Book
from tests.support.foreign_meter import VALUES, foreign_meter
from tests.support.foreign_meter698 import ADDRESS, ENERGIES, NIGHTS, VOLTAGES, foreign_meter698, frozen
from tests.support.gateway import Process, addresses_of, write_config
from tests.support.metersim_process import running_metersim
from tests.support.processes import wait_until

_FOREIGN_645 = "000000000645"
_ITEMS = ("forward_active_energy", "voltage.a", "voltage.b")
_NIGHT_PLAN = '[[plans]]\nclass = "daily_freeze"\nevery_s = 1\n'


def test_foreign_and_simulated_meters_in_one_plant(tmp_path: Path) -> None:
    """A gateway that is right with its own simulator alone would be wrong in the field."""
    today = SystemClock().utc_now().astimezone(CHINA_TIME).date()
    with (
        running_metersim(tmp_path, "--meters=2") as plant,
        foreign_meter(tmp_path, over="tcp", address=_FOREIGN_645) as dlt645,
        foreign_meter698(tmp_path, profile="local_preset", newest_night=today) as dlt698,
    ):
        lines = {**dict(zip(plant.urls, plant.meters, strict=True)), dlt645.url: [_FOREIGN_645]}
        lines[dlt698.url] = [ADDRESS]
        config = write_config(tmp_path, lines, every_s=5, items=_ITEMS, protocols={dlt698.url: "dlt698.45"})
        config.write_text(config.read_text(encoding="utf-8") + _NIGHT_PLAN, encoding="utf-8")
        journal = tmp_path / "data" / JOURNAL_FILE
        daemon = Process("run", config)
        daemon.start()
        remembering = {f"m{ADDRESS}", *addresses_of(plant)}
        wanted = {(meter, "daily_freeze") for meter in remembering}
        wanted |= {(meter, "instant") for meter in (f"m{_FOREIGN_645}", *remembering)}
        try:
            wait_until(lambda: wanted <= _kept(journal), what="all of all meters", timeout_s=12)
        finally:
            daemon.terminate()
        rows = rows_in(journal)
        shown, expected = _shown(rows), _instants()
        assert expected == {key: shown[key][0] for key in expected}
        value, slot = shown[f"m{ADDRESS}", "daily_freeze", "forward_active_energy"]
        midnight = datetime.combine(today, datetime.min.time(), CHINA_TIME)
        age = (midnight - slot) // timedelta(days=1)  # 1 in the first minutes of a day
        assert Decimal(frozen(NIGHTS[-1] - age)[0]) / 100 == value
        with closing(Book(journal)) as book:
            night = book.slots()[f"m{_FOREIGN_645}", "daily_freeze", slot.astimezone(UTC)]
        assert (True, True) == (night.state != "kept", night.reason in {"refused", "not_taken"}), night
        addresses = addresses_of(plant)
        own = [row for row in rows if row.record.meter in addresses and row.record.data_class == "instant"]
        assert addresses.keys() == {row.record.meter for row in own}
        answers = answers_in(plant.answers_file)
        left = unkept_answers(answers, own, addresses)
        assert len(answers) == len(own) + len(left), "each row is an answer that was given"


def _kept(journal: Path) -> set[tuple[str, str]]:
    """Meters and classes of which something has come."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        asked = "SELECT DISTINCT reading.meter, data_class FROM reading JOIN log ON log.id = log_id"
        return set(db.execute(asked))


def _shown(rows: list[LogRow]) -> dict[tuple[str, str, str], tuple[Decimal | None, datetime]]:
    """The last value and slot by meter, class and item."""
    return {
        (row.record.meter, row.record.data_class, reading.item): (reading.value, reading.slot)
        for row in rows
        for reading in readings_of([row])
    }


def _instants() -> dict[tuple[str, str, str], Decimal]:
    """What the authors of the foreign meters put into them."""
    first = {(f"m{_FOREIGN_645}", "instant", item): Decimal(VALUES[item]) for item in _ITEMS}
    second = {"forward_active_energy": Decimal(ENERGIES[0]) / 100, "voltage.a": Decimal(VOLTAGES[0]) / 10}
    return first | {(f"m{ADDRESS}", "instant", item): value for item, value in second.items()}
