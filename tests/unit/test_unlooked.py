"""What the journal remembers of freezes that were kept without a look at their meter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from meterlink.journal.journal import Journal
from meterlink.journal.ledger_rows import Due, Planned
from meterlink.journal.series import Series
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.reading import Reading, Record
from meterlink.model.slot import DAY_S, LOOK_OF_DAY, lacking, lacking_note, looked_note, unlooked_note
from tests.support.billing import ToldClock

_SLOT = datetime(2026, 11, 22, 16, tzinfo=UTC)
_DAY = timedelta(days=1)
_SERIES = Series("m1", DAILY_FREEZE, DAY_S)
_ITEM = "forward_active_energy"


def _record(slot: datetime) -> Record:
    reading = Reading(
        meter="m1", item=_ITEM, value=Decimal(1), unit="kWh", slot=slot, taken_at=slot + _DAY / 24
    )
    return Record(meter="m1", data_class=DAILY_FREEZE, readings=(reading,))


@pytest.mark.asyncio
async def test_a_freeze_without_a_look_is_found_again_until_it_is_settled(tmp_path: Path) -> None:
    """A killed daemon would forget it, or each start look again; nor may what else it lacks be lost."""
    clock = ToldClock(_SLOT + _DAY / 12)
    nights = [_SLOT - 2 * _DAY, _SLOT - _DAY, _SLOT]
    late = _SLOT + timedelta(minutes=7)  # some meters freeze past midnight
    async with Journal.open(tmp_path / "j.db", clock=clock) as journal:
        dues = tuple(Due(int(slot.timestamp()), int(slot.timestamp())) for slot in nights)
        await journal.ledger.plan([Planned(meter="m1", data_class=DAILY_FREEZE, every_s=DAY_S, slots=dues)])
        for slot, shown in zip(nights, [*nights[:2], late], strict=True):
            keys = [] if slot == nights[1] else [_SERIES.key(slot)]
            await journal.keep_all([(_record(shown), _SERIES.key(slot))], unlooked=keys)
        await journal.ledger.lack(
            [_SERIES.key(_SLOT)], note=lacking_note(["reverse_active_energy"], "no such")
        )

    async with Journal.open(tmp_path / "j.db", clock=clock) as journal:
        meters = [f"x{number}" for number in range(1_000)] + ["m1"]
        found = await journal.unlooked.of(meters, since=_SLOT - _DAY)
        assert {"m1": [(DAILY_FREEZE, late)]} == found
        [standing] = await journal.ledger.standings("m1", _SLOT)
        assert {LOOK_OF_DAY, "reverse_active_energy"} == lacking(standing.note)
        assert f"without {LOOK_OF_DAY}" in standing.sentence("en")
        await journal.unlooked.settle("m1", found["m1"])
        assert {} == await journal.unlooked.of(meters, since=_SLOT - _DAY)
        [standing] = await journal.ledger.standings("m1", _SLOT)
        assert "reverse_active_energy: no such" == standing.note
        [older] = (await journal.unlooked.of(["m1"], since=_SLOT - 3 * _DAY))["m1"]
        await journal.unlooked.settle("m1", [older])
        [standing] = await journal.ledger.standings("m1", nights[0])
        assert not standing.note


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("items", "lacks"), [([], 0), (["reverse_active_energy"], 1), (["clock", "reverse_active_energy"], 1)]
)
async def test_a_freeze_without_a_look_lacks_no_item(tmp_path: Path, items: list[str], lacks: int) -> None:
    """A day whose meters have told all that they were asked for would be told as one that lacks items."""
    async with Journal.open(tmp_path / "j.db", clock=ToldClock(_SLOT + _DAY / 12)) as journal:
        due = (Due(int(_SLOT.timestamp()), int(_SLOT.timestamp())),)
        await journal.ledger.plan([Planned(meter="m1", data_class=DAILY_FREEZE, every_s=DAY_S, slots=due)])
        key = _SERIES.key(_SLOT)
        await journal.keep_all([(_record(_SLOT), key)], unlooked=[key])
        if items:
            await journal.ledger.lack([key], note=lacking_note(items, "no such"))
        [tally] = await journal.ledger.tallies([DAILY_FREEZE], since=_SLOT, until=_SLOT + _DAY)
        assert (1, lacks) == (tally.slots, tally.lacking)
        await journal.unlooked.settle("m1", [(DAILY_FREEZE, _SLOT)])
        [tally] = await journal.ledger.tallies([DAILY_FREEZE], since=_SLOT, until=_SLOT + _DAY)
        assert lacks == tally.lacking


@pytest.mark.parametrize("note", ["", "a, b: its words: of two parts"])
def test_a_look_stands_beside_what_else_is_lacking(note: str) -> None:
    """Taking it out would lose an item, or leave something that was never lacking."""
    noted = unlooked_note(note)
    assert unlooked_note(noted) == noted
    assert looked_note(noted) == note
    assert looked_note(note) == note
