"""The signer: the chain is signed when it must be, and never where it is broken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from meterlink.audit.chain import CHECKPOINT_EVERY, Fault, FaultKind
from meterlink.audit.checkpoints import PAUSE_S, SIGN_WITHIN_S, Signer, signing
from meterlink.audit.keys import GatewayKey
from meterlink.audit.verify import verify
from meterlink.errors import JournalError
from meterlink.journal.journal import Journal
from meterlink.journal.reader import JournalReader
from meterlink.journal.store import Step, Store
from meterlink.model.zone import parse_zone
from metersim.loop import Simulation
from tests.support.acts import act
from tests.support.forger import forging, relink

_CHINA = parse_zone("+08:00")


class _World:
    """A journal whose chain is signed, from three in the morning of UTC on, eleven in China."""

    def __init__(self, folder: Path) -> None:
        self.sim = Simulation(start=datetime(2026, 11, 22, 3, tzinfo=UTC))
        self.path = folder / "j.db"
        self.key = GatewayKey.open(folder)
        self.told: list[Fault] = []
        self.opener: Callable[[Path], Store] = Store.open
        self.acts = 0

    def run(self, body: Callable[[Journal], Awaitable[None]], *, stops: bool = True) -> None:
        async def tell(fault: Fault) -> None:
            self.told.append(fault)

        async def main() -> None:
            async with Journal.open(self.path, clock=self.sim.clock, opener=self.opener) as journal:
                signer = Signer(journal.acts, self.key, self.sim.clock, zone=_CHINA, tell=tell)
                if stops:
                    async with signing(signer):
                        await body(journal)
                    return
                async with asyncio.TaskGroup() as tasks:  # as killed: no orderly stop
                    running = tasks.create_task(signer.run(), name="signer")
                    await body(journal)
                    running.cancel()

        self.sim.run(main())

    async def append(self, journal: Journal, many: int) -> None:
        while many:
            some = min(many, 64)
            await journal.acts.append(*(act(self.acts + n, subject="o") for n in range(1, some + 1)))
            self.acts += some
            many -= some

    def signed_at(self) -> list[int]:
        with JournalReader(self.path) as reader:
            found = verify(reader, keys=[self.key.public_hex])
            assert found.fault is None, found.fault.en
            return [mark.number for mark in reader.checkpoints()]


def test_every_thousand_acts_are_signed(tmp_path: Path) -> None:
    """A day of many orders would rest on one signature in its night."""
    world = _World(tmp_path)

    async def body(journal: Journal) -> None:
        await world.append(journal, CHECKPOINT_EVERY - 1)
        await asyncio.sleep(PAUSE_S + 1)
        assert [] == await journal.acts.checkpoints()
        await world.append(journal, 1)
        await asyncio.sleep(PAUSE_S + 1)
        assert [1_000] == [mark.number for mark in await journal.acts.checkpoints()]
        await world.append(journal, 2 * CHECKPOINT_EVERY + 5)
        await asyncio.sleep(PAUSE_S + 1)

    world.run(body, stops=False)
    assert [1_000, 2_000, 3_000] == world.signed_at()


def test_each_day_is_signed_at_its_end(tmp_path: Path) -> None:
    """What was done on a quiet day could be written anew for weeks."""
    world = _World(tmp_path)

    async def body(journal: Journal) -> None:
        await asyncio.sleep(13 * 3600 - 60)
        await world.append(journal, 2)
        await asyncio.sleep(55)  # to 23:59:55 in China
        assert [] == await journal.acts.checkpoints()
        await asyncio.sleep(6)
        (mark,) = await journal.acts.checkpoints()
        assert (2, datetime(2026, 11, 22, 16, tzinfo=UTC)) == (mark.number, mark.at)
        await asyncio.sleep(2 * 86_400)  # two days without an act
        assert 1 == len(await journal.acts.checkpoints())
        await world.append(journal, 1)
        await asyncio.sleep(86_400)

    world.run(body, stops=False)
    assert [2, 3] == world.signed_at()


def test_the_first_act_waits_ten_minutes_at_most(tmp_path: Path) -> None:
    """What was done on a working day could be written anew until its night."""
    world = _World(tmp_path)
    start = world.sim.clock.utc_now()

    async def body(journal: Journal) -> None:
        await world.append(journal, 2)
        await asyncio.sleep(SIGN_WITHIN_S / 2)
        await world.append(journal, 1)
        assert [] == await journal.acts.checkpoints()
        await asyncio.sleep(SIGN_WITHIN_S / 2 + 1)
        (mark,) = await journal.acts.checkpoints()
        assert 3 == mark.number
        assert mark.at - start <= timedelta(seconds=SIGN_WITHIN_S)
        await asyncio.sleep(3600)  # without an act
        assert 1 == len(await journal.acts.checkpoints())
        await world.append(journal, 1)
        await asyncio.sleep(SIGN_WITHIN_S + 1)

    world.run(body, stops=False)
    assert [3, 4] == world.signed_at()


def test_an_orderly_stop_is_signed_and_the_next_start_goes_on(tmp_path: Path) -> None:
    """While the daemon is away anybody could write the last acts anew."""
    world = _World(tmp_path)

    async def three(journal: Journal) -> None:
        await world.append(journal, 3)

    async def nothing(journal: Journal) -> None:
        await asyncio.sleep(PAUSE_S + 1)

    world.run(three)
    world.run(nothing)
    world.run(three)
    assert [3, 6] == world.signed_at()


def test_after_a_kill_the_thousands_are_signed_late(tmp_path: Path) -> None:
    """A kill before the signature would leave a gap that looks like a forger's."""
    world = _World(tmp_path)

    async def many(journal: Journal) -> None:
        await world.append(journal, 2_500)

    async def nothing(journal: Journal) -> None:
        await asyncio.sleep(PAUSE_S + 1)

    world.run(many, stops=False)
    world.run(nothing, stops=False)
    assert [1_000, 2_000] == world.signed_at()


def test_a_disk_that_refuses_delays_the_signature_and_loses_none(tmp_path: Path) -> None:
    """One bad minute would leave a thousand acts without a witness."""
    world = _World(tmp_path)
    refusing: list[bool] = []

    class Refusing(Store):
        def commit(self, steps: Sequence[Step]) -> list[int]:
            if refusing:
                raise JournalError("the disk failed")
            return super().commit(steps)

    world.opener = Refusing.open

    async def body(journal: Journal) -> None:
        await world.append(journal, CHECKPOINT_EVERY + 1)
        refusing.append(True)
        await asyncio.sleep(13 * 3600 + 60)  # over the end of the day
        assert [] == await journal.acts.checkpoints()
        refusing.clear()
        await asyncio.sleep(PAUSE_S + 1)

    world.run(body, stops=False)
    assert [1_000, 1_001] == world.signed_at()


@pytest.mark.parametrize(
    ("row", "anew", "kind"),
    [
        (2, False, FaultKind.EDITED),
        (4, True, FaultKind.REWRITTEN),
        (5, False, FaultKind.EDITED),
    ],
)
def test_a_broken_chain_is_told_and_not_signed(
    tmp_path: Path, row: int, *, anew: bool, kind: FaultKind
) -> None:
    """The daemon would bear witness for whoever forged the file while it was away."""
    world = _World(tmp_path)
    first, then = (4, 4) if row > 2 else (0, 6)

    async def some(journal: Journal) -> None:
        await world.append(journal, first)

    async def more(journal: Journal) -> None:
        await world.append(journal, then)

    if first:
        world.run(some)  # and signed
    world.run(more, stops=False)
    with forging(world.path) as db:
        db.execute("UPDATE act SET actor = 'x' WHERE number = ?", (row,))
        if anew:
            relink(db, row)

    async def look(journal: Journal) -> None:
        await asyncio.sleep(PAUSE_S + 1)
        await world.append(journal, 1)
        await asyncio.sleep(2 * 86_400)

    world.run(look)
    assert [kind] == [fault.kind for fault in world.told]
    with JournalReader(world.path) as reader:
        assert [4][: bool(first)] == [mark.number for mark in reader.checkpoints()]


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE checkpoint SET signature = key", FaultKind.BAD_SIGNATURE),
        ("DELETE FROM act WHERE number = 3", FaultKind.CUT_OFF),
        ("UPDATE act SET body = 'x' WHERE number = 3", FaultKind.UNREADABLE),
    ],
)
def test_a_signer_begins_behind_a_good_checkpoint_only(
    tmp_path: Path, statement: str, kind: FaultKind
) -> None:
    """It would go on from a place that somebody else has chosen."""
    world = _World(tmp_path)

    async def three(journal: Journal) -> None:
        await world.append(journal, 3)

    async def nothing(journal: Journal) -> None:
        await asyncio.sleep(PAUSE_S + 1)

    world.run(three)
    with forging(world.path) as db:
        db.execute(statement)
    world.run(nothing)
    assert [kind] == [fault.kind for fault in world.told]
