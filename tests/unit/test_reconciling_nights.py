"""What nights leave to people: wallets that were not compared for three of them, and gaps of channels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from meterlink.journal.journal import Journal
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.alarms import Alarms
from meterlink.orders.attention.work import WorkItems
from meterlink.orders.reconciliation.compare import Channel, MeterMoney, Verdict
from meterlink.orders.reconciliation.nights import NAMED_MAX, Nights
from metersim import Simulation

DAY = date(2026, 11, 24)
START = datetime(2026, 11, 24, 16, 30, tzinfo=UTC)
UNREAD = MeterMoney(meter="m1", verdict=Verdict.UNREAD, told="no answer")
WAITING = tuple(f"billing:p{number}" for number in range(NAMED_MAX + 1))
AGREES = MeterMoney(meter="m1", verdict=Verdict.AGREES, wallet_cents=1, ledger_cents=1)


class Plant:
    """A log, and what nights write into it; each night by a program that has just started."""

    def __init__(self, journal: Journal, sim: Simulation) -> None:
        self._acts, self._clock = journal.acts, sim.clock
        self.alarms = Alarms(self._acts, self._clock, zone=CHINA_TIME)
        self.work = WorkItems(self._acts, self._clock)

    async def night(self, number: int, money: MeterMoney, *channels: Channel) -> None:
        nights = Nights(self._acts, self.alarms, self.work, self._clock)
        await nights.tell(DAY + timedelta(days=number), channels, [money])

    async def told(self) -> tuple[list[str], list[str]]:
        alarms, items = await self.alarms.list(), await self.work.list()
        return [one.seen.rule for one in alarms], [one.id for one in items]

    async def rows(self) -> int:
        return len(await self._acts.after(0))


def run(folder: Path, script: Callable[[Plant], Awaitable[None]]) -> None:
    sim = Simulation(seed=1, start=START)

    async def work() -> None:
        async with Journal.open(folder / "journal.sqlite3", clock=sim.clock) as journal:
            await script(Plant(journal, sim))

    sim.run(work())


def test_a_wallet_that_cannot_be_read_for_three_nights_is_told(tmp_path: Path) -> None:
    """It would only stand in a log that nobody reads; and each restart would be the first night again."""

    async def script(plant: Plant) -> None:
        for number in (0, 0, 1, 1, 1):
            await plant.night(number, UNREAD)
        assert ([], []) == await plant.told()
        await plant.night(2, UNREAD)
        assert (["WALLET_UNREAD"], ["drift:nights:m1"]) == await plant.told()
        rows = await plant.rows()
        await plant.night(3, UNREAD)
        assert rows + 1 == await plant.rows(), "the alarm counts, and nothing else grows"
        assert (["WALLET_UNREAD"], ["drift:nights:m1"]) == await plant.told()

    run(tmp_path, script)


def test_words_of_others_do_not_stop_a_night(tmp_path: Path) -> None:
    """A channel whose name holds a wide space would keep every wallet of that night from being counted."""
    odd = Channel(name="营业厅\u3000一号", received_cents=1, settled_cents=0, waiting=())
    unread = MeterMoney(meter="m1", verdict=Verdict.UNREAD, told="no\tanswer")

    async def script(plant: Plant) -> None:
        for number in range(3):
            await plant.night(number, unread, odd)
        items = {one.id: one.why for one in await plant.work.list()}
        assert "营业厅 一号 1" in items["drift:channels:2026-11-24"]
        assert items["drift:nights:m1"].endswith("no answer")

    run(tmp_path, script)


def test_a_night_in_which_a_wallet_is_compared_ends_the_count(tmp_path: Path) -> None:
    """A line that is down now and then would be an alarm that nobody believes any more."""

    async def script(plant: Plant) -> None:
        for number, money in enumerate((UNREAD, UNREAD, AGREES, AGREES, UNREAD, UNREAD)):
            await plant.night(number, money)
        assert ([], []) == await plant.told()
        await plant.night(6, UNREAD)
        assert ["WALLET_UNREAD"] == (await plant.told())[0]

    run(tmp_path, script)


def test_which_wallets_count_as_missed(tmp_path: Path) -> None:
    """Sites without a ledger would have an alarm a meter; with an old one a loss would never be found."""
    unknown = MeterMoney(meter="m1", verdict=Verdict.UNKNOWN, wallet_cents=1)
    old = MeterMoney(meter="m2", verdict=Verdict.UNKNOWN, wallet_cents=1, ledger_cents=900)

    async def script(plant: Plant) -> None:
        for number in range(4):
            await plant.night(number, unknown)
        assert ([], []) == await plant.told()
        for number in range(3):
            await plant.night(number, old)
        assert (["WALLET_UNREAD"], ["drift:nights:m2"]) == await plant.told()

    run(tmp_path, script)


def test_the_gap_of_a_day_is_told_once(tmp_path: Path) -> None:
    """Money that never came into its meter would stand in a log that nobody reads (TOP-06)."""
    app = Channel(name="app", received_cents=12_000, settled_cents=2_000, waiting=WAITING)
    till = Channel(name="till", received_cents=500, settled_cents=500, waiting=())

    async def script(plant: Plant) -> None:
        await plant.night(0, AGREES, till)
        assert ([], []) == await plant.told()
        await plant.night(0, AGREES, app, till)
        await plant.night(0, AGREES, app, till)
        assert (["CHANNEL_GAP"], ["drift:channels:2026-11-24"]) == await plant.told()
        (alarm,) = await plant.alarms.list()
        assert ("app 10000", 10_000, tuple(f"evidence:{name}" for name in WAITING[:NAMED_MAX])) == (
            alarm.seen.value,
            alarm.seen.estimate_cents,
            alarm.seen.evidence,
        )

    run(tmp_path, script)
