"""The daemon and its roster: taken over once, told where the file differs, changed while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from meterlink.config.meters import MeterSettings
from meterlink.daemon import roster_requests
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.daemon.roster_requests import PUT_MAX, TICKET_IDLE_S, TICKETS_MAX
from meterlink.errors import BadRequest, BusFull, ConfigError, NotAllowed, StepTaken
from meterlink.journal.reader import JournalReader
from meterlink.model.order import OrderKind
from meterlink.roster.entries import entry_of
from meterlink.roster.history import fault_in
from metersim import Meter, Station
from tests.support.order_gateway import one_meter
from tests.support.simulated import SimulatedGateway

ADDRESSES: Final = ("000000000001", "000000000002")


def _gateway(folder: Path, **more: Any) -> SimulatedGateway:
    return SimulatedGateway(folder, [Station(meter=Meter(address, seed=1)) for address in ADDRESSES], **more)


def _kept(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    with JournalReader(folder / JOURNAL_FILE) as reader:
        assert fault_in(reader) is None
        return reader.roster().entries


def test_the_first_start_takes_the_file_over_and_no_other_does(tmp_path: Path) -> None:
    """A line that somebody left in the file would undo what was applied to the journal."""
    with capture_logs() as logs:
        _gateway(tmp_path).run(seconds=40)
    [told] = [line for line in logs if line["event"] == "roster_imported"]
    assert (2, "info") == (told["meters"], told["log_level"])
    first = _kept(tmp_path)
    assert {f"m{address}" for address in ADDRESSES} == set(first)
    changed = _gateway(tmp_path, meter_keys={ADDRESSES[0]: {"area": "east"}})
    del changed.addresses[f"m{ADDRESSES[1]}"]
    with capture_logs() as logs:
        changed.run(seconds=40)
    [told] = [line for line in logs if line["event"] == "roster_differs_from_file"]
    assert ([f"m{ADDRESSES[0]}"], [f"m{ADDRESSES[1]}"], [0, 1, 1]) == (
        told["other_in_file"],
        told["only_in_journal"],
        told["counts"],
    )
    assert "meterlink roster apply" in told["told"]
    assert first == _kept(tmp_path)
    with capture_logs() as logs:
        same = _gateway(tmp_path)
        same.run(seconds=40)
    assert [] == [line for line in logs if line["event"].startswith("roster_")]
    assert len(same.slots_of(ADDRESSES[1], "voltage.a")) > 2, "who is not in the file is read all the same"


def test_without_any_meter_nothing_starts(tmp_path: Path) -> None:
    """A gateway that reads nothing would look like one that works."""
    gateway = _gateway(tmp_path)
    gateway.addresses.clear()
    with pytest.RaisesGroup(
        pytest.RaisesExc(ConfigError, match="there are no meters"), flatten_subgroups=True
    ):
        gateway.run(seconds=1)
    assert (0, False) == (gateway.dialled, gateway.desk_opened.is_set())


def test_a_meter_out_of_service_is_not_read(tmp_path: Path) -> None:
    """A meter on a scrap heap would cost its line a time-out in every round."""
    keys = {ADDRESSES[1]: {"in_service_until": "2026-11-22T00:00:00+08:00"}}
    gateway = _gateway(tmp_path, meter_keys=keys)
    gateway.run(seconds=65)
    assert [3, 0] == [len(gateway.slots_of(address, "voltage.a")) for address in ADDRESSES]


# --- while it runs ---


def _told(folder: Path, script: Callable[[SimulatedGateway], Awaitable[None]]) -> None:
    gateway = _gateway(folder)

    async def meanwhile() -> None:
        await gateway.desk_opened.wait()
        await script(gateway)
        done.set()

    done = asyncio.Event()
    gateway.run(seconds=TICKET_IDLE_S + 60, meanwhile=meanwhile)
    assert done.is_set()


async def _put(gateway: SimulatedGateway, *entries: Mapping[str, Any]) -> str:
    ticket = str((await gateway.ask("li", "roster.begin"))["ticket"])
    await gateway.ask("li", "roster.put", ticket=ticket, entries=list(entries))
    return ticket


def _entry(number: int, **keys: Any) -> dict[str, Any]:
    told = {"id": f"x{number}", "address": f"{number:012d}", "line": "line1"}
    return entry_of(MeterSettings.model_validate({**told, **keys}))


def test_a_change_in_pieces_is_one_change(tmp_path: Path) -> None:
    """A daemon that dies between two pieces would have half a roster."""

    async def script(gateway: SimulatedGateway) -> None:
        ticket = await _put(gateway, _entry(71), _entry(72))
        answer = await gateway.ask("li", "roster.put", ticket=ticket, entries=[_entry(72, area="east")])
        assert {"entries": 2} == answer
        assert 2 == len(_kept(tmp_path))
        with pytest.raises(BadRequest, match="no such ticket"):
            await gateway.ask("wang", "roster.commit", ticket=ticket, revision=1)
        answer = await gateway.ask("li", "roster.commit", ticket=ticket, revision=1, note="two more")
        assert {"revision": 2, "added": 2, "changed": 0, "retired": 0} == answer
        assert "east" == _kept(tmp_path)["x72"]["area"]
        with pytest.raises(BadRequest, match="no such ticket"):
            await gateway.ask("li", "roster.commit", ticket=ticket, revision=2)

    _told(tmp_path, script)


def test_what_is_wrong_with_a_change_is_told(tmp_path: Path) -> None:
    """The daemon trusts nobody's check but its own."""

    async def script(gateway: SimulatedGateway) -> None:
        ticket = await _put(gateway, _entry(71, line="nowhere"), _entry(1))
        answer = await gateway.ask("li", "roster.commit", ticket=ticket, revision=1)
        assert 2 == answer["count"]
        assert {("x71", "line"), ("x1", "address")} == {
            (one["meter"], one["column"]) for one in answer["refused"]
        }
        ticket = await _put(gateway, _entry(71))
        with pytest.raises(StepTaken, match="revision 7, but of 1"):
            await gateway.ask("li", "roster.commit", ticket=ticket, revision=7)
        assert 2 == len(_kept(tmp_path))
        ticket = str((await gateway.ask("li", "roster.begin"))["ticket"])
        for entries in (
            [],
            [1],
            [{"id": "x"}],
            [{**_entry(71), "speed": 1}],
            "x",
            [_entry(1)] * (PUT_MAX + 1),
        ):
            with pytest.raises(BadRequest):
                await gateway.ask("li", "roster.put", ticket=ticket, entries=entries)
        await gateway.ask("li", "roster.put", ticket=ticket, entries=[_entry(1)] * PUT_MAX)
        for args in ({}, {"meter": "x"}, {"meter": "x", "meter_number": "1", "removed_at": "noon"}):
            with pytest.raises(BadRequest):
                await gateway.ask("li", "roster.exchange", **args)

    _told(tmp_path, script)


def test_as_many_tickets_as_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who begins and never ends would fill the memory, or shut everybody else out for good."""
    monkeypatch.setattr(roster_requests, "CHANGES_MAX", 2)

    async def script(gateway: SimulatedGateway) -> None:
        tickets = [await _put(gateway, _entry(70 + n)) for n in range(TICKETS_MAX)]
        with pytest.raises(BusFull):
            await gateway.ask("li", "roster.begin")
        await gateway.ask("li", "roster.put", ticket=tickets[0], entries=[_entry(80)])
        with pytest.raises(BadRequest, match="at most 2 entries"):
            await gateway.ask("li", "roster.put", ticket=tickets[0], entries=[_entry(81)])
        await asyncio.sleep(TICKET_IDLE_S + 0.001)  # a sum of seconds is not exact
        await gateway.ask("li", "roster.begin")

    _told(tmp_path, script)


def test_orders_know_a_changed_roster_at_once(tmp_path: Path) -> None:
    """A hospital marked this morning would be cut off at noon, until somebody starts the daemon anew."""
    gateway = one_meter(tmp_path)
    gateway.employ("olga", "operator")
    meter = next(iter(gateway.addresses))

    async def changed(field: str, value: object) -> None:
        with JournalReader(tmp_path / JOURNAL_FILE) as reader:
            roster = reader.roster()
        ticket = (await gateway.ask("olga", "roster.begin"))["ticket"]
        entry = {**roster.entries[meter], field: value}
        await gateway.ask("olga", "roster.put", ticket=ticket, entries=[entry])
        await gateway.ask("olga", "roster.commit", ticket=ticket, revision=roster.revision)

    async def stopped() -> set[str]:
        order = gateway.order("o-1", OrderKind.TRIP, meter)
        rules = (await gateway.ask("clara", "order.dry_run", order=order))["rules"]
        return {rule["rule"] for rule in rules if not rule["passed"]}

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(meter)
        with pytest.raises(NotAllowed, match="role of operator"):
            await gateway.ask("clara", "roster.begin")
        found.append(await stopped())
        await changed("protected", ["hospital"])
        found.append(await stopped())
        await changed("protected", [])
        await changed("address", "000000000077")
        found.append(await stopped())

    found: list[set[str]] = []
    gateway.run(seconds=600, meanwhile=script)
    before, protected, readdressed = found
    assert {"CTRL-08"} == protected - before
    assert {"CTRL-12"} == readdressed - before
