"""A freeze as text: what is put together by hand for speed is what the encoders would write."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.billing.formats import lines_of, texts_of, writer_of
from meterlink.billing.freeze_json import json_of
from meterlink.billing.freezes import FreezeRow, Place
from meterlink.errors import RowUnreadable
from meterlink.model.marks import Marks
from meterlink.model.payload import time_out
from meterlink.model.register import EXACT, QUALITY, Register
from tests.support.billing import FIRST_DAY, JOURNAL, TOTAL, plant

_MARKS = st.integers(min_value=0, max_value=sum(Marks)).map(Marks)
_TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
_NUMBERS = st.decimals(min_value=-(10**14), max_value=10**14, places=8) | st.sampled_from(
    [Decimal("0E-8"), Decimal("1E+3"), Decimal("-0.00"), Decimal("100.50")]
)
_TIMES = st.integers(946_684_800, 32_472_144_000).map(lambda second: datetime.fromtimestamp(second, UTC))
_REGISTERS = st.builds(Register, _TEXTS, st.none() | _NUMBERS, _TEXTS, _MARKS)
_PLACES = st.builds(
    Place,
    meter_number=_TEXTS,
    customer_number=_TEXTS,
    area=_TEXTS,
    multiplier=st.decimals(min_value=Decimal("0.000001"), max_value=10**5, places=6),
)
_ROWS = st.builds(
    FreezeRow,
    seq=st.integers(1, 2**63 - 1),
    meter=_TEXTS,
    place=_PLACES,
    day=st.dates(date(2000, 1, 1), date(2999, 1, 1)),
    frozen_at=_TIMES,
    registers=st.lists(_REGISTERS, min_size=1, max_size=6).map(tuple),
    source=st.sampled_from(["read", "backfill"]),
    taken_at=_TIMES,
    kept_at=_TIMES,
    route=_TEXTS,
    supersedes=st.none() | st.integers(1, 2**63 - 1),
)


def _plain(number: Decimal | None) -> str | None:
    return None if number is None else format(number, "f")


def _text(cell: object) -> str:
    match cell:
        case None:
            return ""
        case Decimal():
            return format(cell, "f")
        case datetime():
            return time_out(cell)
        case _:
            return str(cell)


def _times(value: Decimal | None, ratio: Decimal) -> Decimal | None:
    return None if value is None else EXACT.multiply(value, ratio)


def _as_mapping(row: FreezeRow) -> dict[str, Any]:
    """What the object says, told without haste."""
    place = row.place
    return {
        "seq": row.seq,
        "supersedes": row.supersedes,
        "meter": row.meter,
        "meter_number": place.meter_number,
        "customer_number": place.customer_number,
        "area": place.area,
        "day": row.day.isoformat(),
        "frozen_at": time_out(row.frozen_at),
        "multiplier": _plain(place.multiplier),
        "quality": row.quality,
        "source": row.source,
        "taken_at": time_out(row.taken_at),
        "kept_at": time_out(row.kept_at),
        "route": row.route,
        "registers": [
            {
                "item": one.item,
                "value": _plain(one.value),
                "unit": one.unit,
                "multiplied": _plain(_times(one.value, place.multiplier)),
                "quality": QUALITY[one.marks.standing],
                "marks": list(one.marks.names),
            }
            for one in row.registers
        ],
    }


@given(_ROWS)
def test_a_freeze_is_written_as_the_encoder_would(row: FreezeRow) -> None:
    """A name with a quotation mark, or a number with an exponent, would break the document."""
    expected = json.dumps(_as_mapping(row), ensure_ascii=False, separators=(",", ":"))
    assert expected == json_of(row)
    file = io.BytesIO()
    writer_of("json", file).add(row)
    assert expected.encode() + b"\n" == file.getvalue()


@given(_ROWS)
def test_each_cell_is_the_text_of_what_parquet_gets(row: FreezeRow) -> None:
    """Two formats of one seal that differ are two bills."""
    told = [[_text(cell) for cell in line] for line in lines_of(row)]
    assert told == list(texts_of(row))
    file = io.BytesIO()
    writer = writer_of("csv", file)
    writer.add(row)
    writer.close()
    assert len(row.registers) == writer.rows
    assert told == list(csv.reader(io.StringIO(file.getvalue().decode(), newline="")))[1:]


def _spoil(folder: Path, column: str) -> None:
    """Octets that are no Unicode, as a damaged disk leaves them, in the place of the first row's text."""
    with sqlite3.connect(folder / JOURNAL) as db:
        db.execute("DROP TRIGGER reading_keeps_values")
        spoil = f"UPDATE reading SET {column} = CAST(X'31FF32' AS TEXT)"
        db.execute(f"{spoil} WHERE log_id IN (SELECT min(log_id) FROM reading)")
    db.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("column", ["value", "route", "unit", "item", "meter"])
async def test_a_damaged_text_is_named_with_its_row_and_costs_no_other(tmp_path: Path, column: str) -> None:
    """SQLite ends a look at the first text that is no Unicode: all rows of the page would go with one."""
    async with plant(tmp_path) as at:
        await at.put(1, area="east")
        await at.put(2, area="west")
        at.after(FIRST_DAY)
        spoilt = await at.keep("m1", FIRST_DAY, {TOTAL: "100.00"})
        whole = await at.keep("m2", FIRST_DAY, {TOTAL: "7.50"})
        _spoil(at.folder, column)
        with at.freezes() as freezes:
            with pytest.raises(RowUnreadable) as caught:
                freezes.after(0)
            assert spoilt == caught.value.log_id
            assert [whole] == [row.seq for row in freezes.after(spoilt)[0]]
            assert [whole] == [row.seq for row in freezes.after(0, area="west")[0]]
