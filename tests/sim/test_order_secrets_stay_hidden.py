"""Whole runs with orders of every kind: nothing that anybody sees holds a password, key, cipher or MAC.

Log at debug, trace of the line, MQTT messages, journal (files, WAL, rows and what `meterlink journal` and
`meterlink export` make of it), database, answers and errors.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import structlog

from meterlink.bus.line import Line
from meterlink.cli.logs import set_up_logs
from meterlink.model.order import OrderKind
from metersim.line.fault_rules import FaultRule
from tests.sim.crash_points.plan import FAULTS
from tests.support.secret_town import ADDRESSES, GUARDED, SHOPS, TRIPPED, TROUBLES, SecretTown, Troubles

OTHERS: Final = (
    OrderKind.ALARM_ON,
    OrderKind.ALARM_OFF,
    OrderKind.GUARANTEE_ON,
    OrderKind.GUARANTEE_OFF,
)
USED: Final = {"password of 645", "ctx", "rand1", "cipher1", "rand2", "block", "mac1", "mac2"} | {
    *("password of 698", "r1", "sign1", "session", "data", "mac", "wallet key"),
}
PLANTED: Final = "an address, which is no secret"
PLACES: Final = {
    "answers",
    "errors",
    "export",
    "journal",
    "log",
    "mqtt",
    "rows",
    "trace",
    "database",
    "journal.sqlite3",
    "journal.sqlite3-wal",
}


def run(
    town: SecretTown,
    script: Callable[[], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
    *,
    seconds: float = 40 * 60,
) -> None:
    """Run the town for a while, with a trace on its line, which the daemon itself has none of."""
    monkeypatch.setattr("meterlink.daemon.lines.Line", partial(Line, trace=town.trace))
    set_up_logs("debug", "json", town.log)

    async def watched() -> None:
        await town.up()
        structlog.get_logger().info("planted", meter=SHOPS[0])
        await town.refused("david", "order.operate", id=f"none-{SHOPS[0]}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await script()
        town.keep_files()

    town.run(seconds=seconds + 60, meanwhile=watched)


async def tripped(town: SecretTown, address: str, ends: list[str]) -> None:
    """A meter is cut off and, when its customer has paid, reconnected; ``ends`` gets how each ended."""
    await town.told_for_trip(f"m{address}")
    if address in TRIPPED[::3]:
        await town.consented(address)
    ends.append(await town.attempt(OrderKind.TRIP, address, f"trip-{address}"))
    for order in (await town.paid(f"m{address}", f"pay-{address}"))["orders"]:
        key = asyncio.ensure_future(pressed(town, address))
        ends.append((await town.until(order))["state"])
        key.cancel()


async def guarded(town: SecretTown, address: str, ends: list[str]) -> None:
    """Alarms and guarantees."""
    await town.told_for_trip(f"m{address}")
    for kind in OTHERS:
        ends.append(await town.attempt(kind, address, f"{kind}-{address}"))


async def pressed(town: SecretTown, address: str) -> None:
    """Somebody comes home again and again."""
    while True:
        await asyncio.sleep(30)
        town.press_key(address)


async def shopping(town: SecretTown, address: str, ends: list[str]) -> None:
    """Two purchases."""
    for name in ("first", "second"):
        for order in (await town.paid(f"m{address}", f"{name}-{address}"))["orders"]:
            ends.append(str((await town.until(order))["state"]))


async def everything(town: SecretTown, ends: list[str]) -> None:
    """All of it, at all meters at once; orders for a meter that is shut wait for whoever opens it."""
    async with asyncio.TaskGroup() as group:
        for address in TRIPPED:
            group.create_task(tripped(town, address, ends))
        for address in GUARDED:
            group.create_task(guarded(town, address, ends))
        for address in SHOPS:
            group.create_task(shopping(town, address, ends))


def check_hidden(town: SecretTown) -> None:
    """No secret anywhere, in places that were all spoken in: what is no secret is found in each of them."""
    assert town.secrets.names >= USED, "what was used is not known, so it was not searched for"
    town.secrets.add(PLANTED, bytes.fromhex(SHOPS[0]))
    leaks = town.secrets.found_in(town.said())
    assert PLACES == {leak.where for leak in leaks if leak.secret == PLANTED} & PLACES
    assert [] == [leak for leak in leaks if leak.secret != PLANTED]


def test_orders_that_are_obeyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that is sent around would hold the password of every meter."""
    town = SecretTown(tmp_path)
    ends: list[str] = []

    async def script() -> None:
        await everything(town, ends)

    run(town, script, monkeypatch)
    assert {"done"} == set(ends)
    obeyed = [town.kinds(address) for address in ADDRESSES]
    assert [{"trip", back} for back in ("direct_close", "permit_close")] * 2 == sorted_pairs(obeyed[:4])
    assert [set(map(str, OTHERS))] * len(GUARDED) == obeyed[4:8]
    assert [{"top_up"}] * len(SHOPS) == obeyed[8:]
    check_hidden(town)


def sorted_pairs(kinds: list[set[str]]) -> list[set[str]]:
    """Meters of one protocol, those that are closed directly first."""
    return [one for pair in (kinds[:2], kinds[2:]) for one in sorted(pair, key=sorted)]


def test_a_provider_that_fails_and_passwords_that_are_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What went wrong is what gets logged, and a provider's own words hold what it was asked."""
    troubles = Troubles()
    town = SecretTown(tmp_path, troubles)
    (tmp_path / "password").write_text("975310")
    town.secrets.add_password("a wrong password", "975310", level=2)
    ends: list[str] = []

    async def script() -> None:
        await everything(town, ends)

    run(town, script, monkeypatch, seconds=110 * 60)
    assert set(TROUBLES) == set(troubles.met)
    assert {"rejected", "refused"} <= set(ends)
    assert set() == town.kinds(TRIPPED[0]) | town.kinds(GUARDED[0]), "under a wrong password"
    check_hidden(town)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_line_on_which_everything_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Octets that come late, twice, in halves or from another meter would stand in a log as they came."""
    town = SecretTown(tmp_path)
    chance = random.Random(seed)
    for what in FAULTS:
        for item, probability in (("*", 0.004), ("1CH", 0.05), ("070102FF", 0.05)):
            ms = chance.choice((700, 1_500, 4_000)) if what in ("late", "double") else None
            town.strikes.rules.add(
                FaultRule(what=what, probability=probability, item=item, ms=ms), at=town.started_at
            )

    async def script() -> None:
        await everything(town, [])

    run(town, script, monkeypatch)
    struck = {fault for answer in town.answers for fault in answer.faults}
    assert len(struck) > len(FAULTS) // 2, struck
    check_hidden(town)
