"""Somebody puts an old copy of the journal back: what was done since is not done a second time."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.errors import NotAllowed, NotEntitled
from tests.sim.test_local_prepayment import Shop
from tests.sim.test_reconnections import M, alarms
from tests.support.order_gateway import one_meter

MARK_FILE = "journal.mark"


def copied(folder: Path) -> None:
    """A copy of the journal, as ``meterlink journal backup`` takes it."""
    with (
        closing(sqlite3.connect(folder / JOURNAL_FILE)) as one,
        closing(sqlite3.connect(folder / "c")) as two,
    ):
        one.backup(two)


def put_back(folder: Path) -> None:
    """The copy instead of the journal."""
    for file in folder.glob(JOURNAL_FILE + "*"):
        file.unlink()
    shutil.copy(folder / "c", folder / JOURNAL_FILE)


def test_nothing_goes_by_an_old_copy_before_two_people_have_looked(tmp_path: Path) -> None:
    """The money of one payment would come to the meter twice, and a payer be cut off again (decision 22)."""
    shop = Shop(tmp_path)
    gateway = shop.gateway
    top_up: list[str] = []

    async def before() -> None:
        await gateway.up()
        gateway.unplug()
        await asyncio.sleep(1)
        top_up.extend((await gateway.paid(M))["orders"])
        await asyncio.sleep(5)
        copied(tmp_path)
        gateway.plugged = True
        assert "done" == (await gateway.until(top_up[0]))["state"]

    async def after() -> None:
        await gateway.up()
        assert "JOURNAL_RESTORED" in await alarms(gateway)
        await asyncio.sleep(600)
        order = await gateway.ask("clara", "order.show", id=top_up[0])
        assert order["is_open"] and ["top_up"] == gateway.obeyed()
        await gateway.ask("clara", "order.cancel", id=top_up[0], reason="the meter has it")
        assert isinstance(await gateway.refused("anna", "control.trust", reason="so?"), NotEntitled)
        for user, is_left in (("sam", True), ("sam", True), ("steve", False)):
            told = await gateway.ask(user, "control.trust", reason="the wallet was read")
            assert is_left == bool(told["log_doubt"])
        assert isinstance(await gateway.refused("sam", "control.trust", reason="again"), NotAllowed)
        (second,) = (await gateway.paid(M, "p2"))["orders"]
        assert "done" == (await gateway.until(second))["state"]

    async def later() -> None:
        await gateway.up()
        assert not (await gateway.ask("sam", "control.status"))["log_doubt"]

    shop.run(1200, before)
    put_back(tmp_path)
    shop.run(1000, after)
    shop.run(30, later)
    assert ["top_up", "top_up"] == gateway.obeyed()


def test_a_copy_from_before_somebody_paid_lets_no_trip_go(tmp_path: Path) -> None:
    """A payer, and who lives by a machine, would be cut off by a trip that was stopped in time (LOG-01)."""
    gateway = one_meter(tmp_path)

    async def before() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        copied(tmp_path)
        told = [gateway.paid(M), gateway.ask("sam", "control.stop", reason="a flood")]
        for telling in told:
            mark = (tmp_path / MARK_FILE).read_bytes()
            await telling
            assert mark != (tmp_path / MARK_FILE).read_bytes(), "the copy is known before he is answered"
        assert "cancelled" == (await gateway.until("t-1"))["state"]

    async def after() -> None:
        await gateway.up()
        assert "JOURNAL_RESTORED" in await alarms(gateway)
        await asyncio.sleep(30)
        assert (await gateway.ask("clara", "order.show", id="t-1"))["is_open"]

    gateway.run(seconds=20, meanwhile=before)
    put_back(tmp_path)
    for _ in range(2):
        gateway.run(seconds=60, meanwhile=after)  # what is doubted is doubted after the next start, too
    assert [] == gateway.obeyed()
