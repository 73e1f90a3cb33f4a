"""Years later: what is sealed is still what the API says, and what nobody sealed or pulled is still there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from meterlink.errors import JournalError
from meterlink.journal.removal import AGEING, FIRST
from meterlink.model.data_classes import FREEZES
from meterlink.model.marks import Marks
from tests.support.billing import FIRST_DAY, TOTAL, Plant, plant
from tests.support.records import event, record
from tests.support.web import served

_UNSEALED = FIRST_DAY + timedelta(days=1)
_YEARS = timedelta(days=5 * 365)


async def _everything_goes(at: Plant) -> int:
    """All that age and a full disk may take is taken, whatever is left in the end; how many rows."""
    room, newest, count = at.journal.room, at.journal.newest_id, 0
    for data_class in AGEING:
        count += (
            await room.remove_aged(data_class, after=FIRST, before=room.clock.utc_now(), floor=newest)
        ).rows
    while (swath := await room.remove_oldest()).rows:
        count += swath.rows
    for data_class in FREEZES:  # the file itself says no
        with pytest.raises(JournalError, match="is kept"):
            await room.remove_aged(data_class, after=FIRST, before=room.clock.utc_now(), floor=newest)
    return count


@pytest.mark.asyncio
async def test_retention_takes_nothing_that_a_bill_rests_on(tmp_path: Path) -> None:
    """A customer disputes a bill of last year, and the API has no row of what the seal says."""
    url = f"/v1/daily-freeze?day={FIRST_DAY}&area="
    async with plant(tmp_path) as at, served(tmp_path) as api:
        await at.put(1, 2)
        settler = at.settler(formats=("csv",))
        at.after(FIRST_DAY)
        for n, data_class in enumerate(("instant", "curve", "status")):
            await at.journal.keep(record(n, data_class=data_class))
        await at.keep("m1", FIRST_DAY, {TOTAL: "1.00"})
        await settler.settle(FIRST_DAY, "")
        await at.keep("m1", FIRST_DAY, {TOTAL: "1.10"}, marks=Marks.CONFLICT)
        await at.keep("m2", FIRST_DAY, {TOTAL: "2.00"}, marks=Marks.BACKFILL)
        await at.journal.keep(event(1))
        await settler.settle(FIRST_DAY, "")
        await at.keep("m1", _UNSEALED, {TOTAL: "3.00"})
        await at.journal.keep(record(8, data_class="monthly_freeze"))
        await at.journal.keep(record(9, data_class="curve"))
        await at.journal.keep(record(10, data_class="curve"))
        async with api.client(api.token()) as client:
            before = (await client.get(url)).json()
            behind = (await client.get("/v1/daily-freeze?limit=2")).json()["cursor"]
            at.clock.now += _YEARS
            api.clock.now += timedelta(days=1)
            await at.journal.sinks.advance("mqtt", at.journal.newest_id)
            assert 5 == await _everything_goes(at), "and the newest row stays"
            assert before == (await client.get(url)).json()
            since = (await client.get(f"/v1/daily-freeze?cursor={behind}")).json()["freezes"]
        sealed = "".join(
            (one.folder / "daily-freeze.csv").read_text("utf-8") for one in at.settlements().list(FIRST_DAY)
        )
        assert [str(row["seq"]) for row in before["freezes"]] == [
            line.partition(",")[0] for line in sealed.splitlines() if not line.startswith("seq")
        ]
        assert [("m2", str(FIRST_DAY)), ("m1", str(_UNSEALED))] == [
            (row["meter"], row["day"]) for row in since
        ]
        late = await settler.settle(_UNSEALED, "")
        assert late.manifest is not None and 1 == late.manifest.freezes
        assert (await settler.settle(FIRST_DAY, "")).manifest is None, "nothing is new"
