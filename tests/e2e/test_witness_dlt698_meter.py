"""PyPI's ``dlt698`` at the other end of a socket: its meter before our driver and our daemon.

Each association profile that it has: the preset one, CONNECT on a line of ours, and LINK then CONNECT of a
terminal that dials in. Disagreements that are tolerated are the first five of ``foreign_meter698``; each
has a test here, so that it is seen when one goes away. Its services one by one, and the other two:
``test_witness_dlt698_services``.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import SystemClock
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.drivers.base import MeterAnswer, StoredAnswer, StoredRecord, Wanted, Window
from meterlink.drivers.dlt698.driver import Dlt698Driver
from meterlink.drivers.probe import find_meter
from meterlink.errors import Refused, ReplyTimeout
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.line_text import parse_line_url
from meterlink.model.zone import CHINA_TIME
from meterlink.trace import TraceRing
from meterlink.transports.open import open_line
from meterprofiles import AssociationTraits, generic
from meterwire.dlt698.apdus.apdu import decode_apdu
from meterwire.dlt698.apdus.get import GetRequestNext, GetRequestNormalList
from meterwire.dlt698.link.deframer import Deframer
from tests.support.agreement import readings_of, rows_in
from tests.support.foreign_meter698 import (
    ADDRESS,
    APDU_OCTETS,
    ENERGIES,
    FREQUENCY,
    NIGHTS,
    VOLTAGES,
    foreign_meter698,
    frozen,
)
from tests.support.gateway import Process
from tests.support.processes import LOOPBACK, wait_until

_PROFILES = {
    "local_preset": AssociationTraits(),
    "local_public": AssociationTraits(connect="null", version=16),
}
_SMALL_APDU_OCTETS = 300
_FIRST_NIGHT = datetime(2026, 11, NIGHTS[0], tzinfo=timezone(timedelta(hours=8)))
_LAST_NIGHT = NIGHTS[-1]
_NEWEST = _FIRST_NIGHT.replace(day=_LAST_NIGHT)


class _Talk:
    """Our driver and a line to its meter."""

    def __init__(self, line: Line, driver: Dlt698Driver, trace: TraceRing) -> None:
        self.line, self.driver, self.trace = line, driver, trace

    def count(self, service: type) -> int:
        """How many requests of a service were sent."""
        sent = Deframer().feed(b"".join(entry.octets for entry in self.trace if entry.direction == "out"))
        return sum(isinstance(decode_apdu(frame.user_data), service) for frame in sent)

    async def read(self, item: str, window: Window | None = None) -> MeterAnswer:
        return await self.driver.read(self.line, ADDRESS, item, window=window, priority=Priority.ON_DEMAND)

    async def stored(self, slots: Sequence[datetime], *items: str) -> StoredAnswer:
        return await self.driver.read_stored(
            self.line, ADDRESS, Wanted(DAILY_FREEZE, items, slots), priority=Priority.BILLING
        )


async def _with_line(url: str, traits: AssociationTraits, ask: object) -> object:
    where = parse_line_url(url)
    timing = Timing(reply_timeout_s=1.0)
    trace = TraceRing(SystemClock())
    line = Line(url, opener=lambda: open_line(where), timing=timing, rng=random.Random(1), trace=trace)
    profile = replace(generic("dlt698.45"), association=traits)
    driver = Dlt698Driver(SystemClock(), profile=profile, random_octets=random.Random(1).randbytes)
    async with asyncio.TaskGroup() as group:
        owner = group.create_task(line.run(), name="owner")
        try:
            return await ask(_Talk(line, driver, trace))  # type: ignore[operator]
        finally:
            owner.cancel()


def _decimals(raw: tuple[int, ...], decimals: int) -> list[Decimal]:
    return [Decimal(value).scaleb(-decimals) for value in raw]


def _numbers(answer: MeterAnswer | StoredRecord) -> list[Decimal | None]:
    return [value.value for value in answer.values if value.item != "frozen_at"]


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("profile", _PROFILES)
def test_our_driver_reads_its_meter(tmp_path: Path, profile: str, blocks: bool) -> None:
    """Values, records and long answers of a foreign meter would be refused, cut or misread."""

    async def ask(talk: _Talk) -> None:
        assert _decimals(ENERGIES, 2) == _numbers(await talk.read("forward_active_energy.*"))
        assert _decimals(ENERGIES[1:2], 2) == _numbers(await talk.read("forward_active_energy.t1"))
        assert _decimals(VOLTAGES, 1) == _numbers(await talk.read("voltage.*"))
        assert _decimals((FREQUENCY,), 2) == _numbers(await talk.read("frequency"))
        [night] = (await talk.stored([_NEWEST], "forward_active_energy.*")).records
        assert _decimals(frozen(_LAST_NIGHT), 2) == _numbers(night)
        assert "2026-11-21T16:00:00+00:00" == night.slot.isoformat()
        window = Window(count=len(NIGHTS), since=_FIRST_NIGHT)
        nights = await talk.read("forward_active_energy.*@daily_freeze", window)
        expected = [value for day in NIGHTS for value in _decimals(frozen(day), 2)]
        assert expected == _numbers(nights)
        slots = [_FIRST_NIGHT.replace(day=day) for day in (NIGHTS[0] - 1, *NIGHTS)]
        stored = await talk.stored(slots, "forward_active_energy.*")
        assert slots[:0:-1] == [record.slot for record in stored.records]
        told = [value.value for record in reversed(stored.records) for value in record.values]
        assert expected == told
        assert slots[:1] == list(stored.gone)
        assert blocks == (talk.count(GetRequestNext) > 0)
        with pytest.raises(Refused):
            await talk.read("active_power")

    apdu_octets = _SMALL_APDU_OCTETS if blocks else APDU_OCTETS
    with foreign_meter698(tmp_path, profile=profile, blocks=blocks, apdu_octets=apdu_octets) as meter:
        asyncio.run(_with_line(meter.url, _PROFILES[profile], ask))


@pytest.mark.parametrize("profile", _PROFILES)
def test_lists_of_its_meter(tmp_path: Path, profile: str) -> None:
    """Scaler and value come as a list; its meter has no scalers, which leaves those of the standard."""

    async def ask(talk: _Talk) -> None:
        assert _decimals(VOLTAGES, 1) == _numbers(await talk.read("voltage.*"))
        assert 1 == talk.count(GetRequestNormalList)

    with foreign_meter698(tmp_path, profile=profile) as meter:
        asyncio.run(_with_line(meter.url, replace(_PROFILES[profile], ask_scalers=True), ask))


def test_a_column_that_its_meter_does_not_keep(tmp_path: Path) -> None:
    """One unknown column must not cost the night, however a foreign meter says so."""

    async def ask(talk: _Talk) -> None:
        items = ("forward_active_energy.*", "reverse_active_energy.*")
        [night] = (await talk.stored([_NEWEST], *items)).records
        assert _decimals(frozen(_LAST_NIGHT), 2) == _numbers(night)
        assert {"reverse_active_energy.*"} == set(night.refused)

    with foreign_meter698(tmp_path, profile="local_preset") as meter:
        asyncio.run(_with_line(meter.url, AssociationTraits(), ask))


def test_its_meter_without_the_connect_that_it_wants(tmp_path: Path) -> None:
    """People must see that the profile is wrong, not a crash."""

    async def ask(talk: _Talk) -> None:
        with pytest.raises((Refused, ReplyTimeout)):
            await talk.read("frequency")

    with foreign_meter698(tmp_path, profile="local_public") as meter:
        asyncio.run(_with_line(meter.url, AssociationTraits(), ask))


@pytest.mark.parametrize(("ours", "theirs"), [(0x10, 0x10), (0x00, 0x00), (0x10, 0x00)])
def test_one_client_address(tmp_path: Path, ours: int, theirs: int) -> None:
    """Disagreement 2: the standard has meters answer any client; the profile says which one we are."""

    async def ask(talk: _Talk) -> None:
        if ours == theirs:
            assert _decimals((FREQUENCY,), 2) == _numbers(await talk.read("frequency"))
        else:
            with pytest.raises(ReplyTimeout):
                await talk.read("frequency")

    with foreign_meter698(tmp_path, profile="local_preset", client=theirs) as meter:
        asyncio.run(_with_line(meter.url, AssociationTraits(client=ours), ask))


def test_its_meter_takes_one_version_of_the_protocol(tmp_path: Path) -> None:
    """Disagreement 4: people must be told that the version is wrong, which a profile can say."""

    async def ask(talk: _Talk) -> None:
        with pytest.raises(Refused, match="protocol version mismatch 协议版本不匹配"):
            await talk.read("frequency")

    with foreign_meter698(tmp_path, profile="local_public") as meter:
        asyncio.run(_with_line(meter.url, AssociationTraits(connect="null"), ask))


def test_its_tables_refuse_the_last_records(tmp_path: Path) -> None:
    """Disagreement 5: selector 10 is the standard's; the newest night comes by selector 9."""

    async def ask(talk: _Talk) -> None:
        with pytest.raises(Refused, match="read or write denied 拒绝读写"):
            await talk.read("forward_active_energy.*@daily_freeze", Window(count=2))

    with foreign_meter698(tmp_path, profile="local_preset") as meter:
        asyncio.run(_with_line(meter.url, AssociationTraits(), ask))


def test_probe_finds_its_meter_by_address_alone(tmp_path: Path) -> None:
    """Disagreement 3: wildcards get no answer; who knows the address finds it all the same."""

    async def ask(talk: _Talk) -> None:
        found = await find_meter(talk.line, address=ADDRESS, tell=lambda _: None)
        assert found is not None
        assert ("dlt698.45", ADDRESS) == (found.protocol, found.address)
        assert None is await find_meter(talk.line, tell=lambda _: None)

    with foreign_meter698(tmp_path, profile="local_preset") as meter:
        asyncio.run(_with_line(meter.url, AssociationTraits(), ask))


_OWN_PROFILE = """
profile: terminal-with-connect
matches: {protocol: dlt698.45, model: TERMINAL}
line: {baud: 9600, parity: even, preamble: 0}
timing: {reply_timeout_ms: 2000, octet_gap_ms: 500, turnaround_ms: 0}
association: {connect: "null", version: 16, ask_scalers: %s}
"""


def _config(folder: Path, *, lists: bool) -> Path:
    (folder / "profiles").mkdir()
    (folder / "profiles" / "terminal.yaml").write_text(_OWN_PROFILE % str(lists).lower(), encoding="utf-8")
    text = f'[gateway]\nid = "gw"\nsite = "test"\ndata_dir = "{folder / "data"}"\n'
    text += f'profiles = "{folder / "profiles"}"\n'
    text += f'[[meters]]\nid = "terminal"\naddress = "{ADDRESS}"\nprotocol = "dlt698.45"\n'
    text += 'model = "TERMINAL"\n'
    text += f'line = "listen://{LOOPBACK}:0?terminal={ADDRESS}"\n'
    text += f"[[plans]]\nevery_s = 1\nitems = {json.dumps(['forward_active_energy.*', 'voltage.*'])}\n"
    text += '[[plans]]\nclass = "daily_freeze"\nevery_s = 1\n'
    path = folder / "meterlink.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _classes(journal: Path) -> set[str]:
    return {row.record.data_class for row in rows_in(journal) if readings_of([row])}


@pytest.mark.parametrize("lists", [False, True])
def test_our_daemon_reads_its_terminal_that_dials_in(tmp_path: Path, lists: bool) -> None:
    """Remote profile: it logs in with LINK, wants CONNECT, and is polled for values, lists and freezes."""
    daemon = Process("run", _config(tmp_path, lists=lists))
    journal = tmp_path / "data" / JOURNAL_FILE
    today = SystemClock().utc_now().astimezone(CHINA_TIME).date()
    try:
        [endpoint] = daemon.start()["listens"]
        with foreign_meter698(tmp_path, profile="remote_public", dial=endpoint, newest_night=today):
            wait_until(
                lambda: _classes(journal) == {"instant", "daily_freeze"}, what="both plans", timeout_s=12
            )
    finally:
        daemon.terminate()
    found = {
        (row.record.data_class, reading.item): reading
        for row in rows_in(journal)
        for reading in readings_of([row])
    }
    assert Decimal("12345.67") == found["instant", "forward_active_energy"].value
    assert Decimal("219.8") == found["instant", "voltage.c"].value
    night = found["daily_freeze", "forward_active_energy.t2"]
    age = (today - night.slot.astimezone(CHINA_TIME).date()).days  # 1 in the first minutes of a day
    assert _decimals(frozen(_LAST_NIGHT - age), 2)[2] == night.value
