"""The whole daemon in simulated time: what it does when the world misbehaves."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from meterlink.acquisition.poller import WORKERS
from meterlink.daemon.daemon import STOP_LINES_S
from meterlink.journal.store import Store
from metersim import Faults, Meter, Station
from metersim.dlt645.meter import Answer
from meterwire.dlt645.link.frame import Frame
from tests.support.agreement import readings_of, repeated_keys
from tests.support.faulty_line import MIDNIGHT, FaultyLine
from tests.support.simulated import ITEMS, START, Duplex, SimulatedGateway, slots_between

_EVERY_S = 30
_ADDRESSES = [f"{number:012d}" for number in range(1, 6)]


def _gateway(
    tmp_path: Path, *, seed: int = 1, faults: Mapping[str, Faults] | None = None
) -> SimulatedGateway:
    """Five meters on a line; ``faults`` by address."""
    stations = [
        Station(
            meter=Meter(address, seed=7, growth_kw=Decimal(7200)),
            faults=(faults or {}).get(address, Faults()),
        )
        for address in _ADDRESSES
    ]
    return SimulatedGateway(tmp_path, stations, every_s=_EVERY_S, seed=seed)


def _due(slots: int) -> dict[tuple[str, str], list[datetime]]:
    """So many slots from the start, of each item of each meter."""
    return {
        (address, item): slots_between(START, _EVERY_S, slots) for address in _ADDRESSES for item in ITEMS
    }


def _kept(gateway: SimulatedGateway) -> dict[tuple[str, str], list[datetime]]:
    """The slots in which a reading of each item of each meter was kept."""
    return {(address, item): gateway.slots_of(address, item) for address in _ADDRESSES for item in ITEMS}


def test_every_slot_of_every_meter(tmp_path: Path) -> None:
    """The plain case: nothing missing, nothing twice, all of it in the database."""
    gateway = _gateway(tmp_path)
    gateway.run(seconds=10 * _EVERY_S - 1)
    assert _due(10) == _kept(gateway)
    gateway.check()


def test_meters_of_both_editions_share_a_line(tmp_path: Path) -> None:
    """An old meter would be asked in the new way, or its neighbours would not be read at all."""
    old = _ADDRESSES[1::2]
    stations = [
        Station(meter=Meter(address, seed=7, protocol="dlt645-1997" if address in old else "dlt645-2007"))
        for address in _ADDRESSES
    ]
    protocols = dict.fromkeys(old, "dlt645-1997")
    gateway = SimulatedGateway(tmp_path, stations, every_s=_EVERY_S, protocols=protocols)
    gateway.run(seconds=3 * _EVERY_S - 1)
    assert _due(3) == _kept(gateway)
    gateway.check()
    volts = {len(str(r.value)) for r in readings_of(gateway.rows()) if r.item == "voltage.a"}
    assert {3, 5} == volts, "an old meter shows no tenths of a volt"


def test_what_an_old_meter_lacks_is_read_from_the_others(tmp_path: Path) -> None:
    """One old meter on a line of new ones would keep all of them from being read."""
    old = _ADDRESSES[0]
    stations = [
        Station(meter=Meter(address, seed=7, protocol="dlt645-1997" if address == old else "dlt645-2007"))
        for address in _ADDRESSES[:2]
    ]
    plans = [{"class": "instant", "items": ["voltage.a", "frequency"], "every_s": _EVERY_S}]
    gateway = SimulatedGateway(tmp_path, stations, plans=plans, protocols={old: "dlt645-1997"})
    gateway.run(seconds=_EVERY_S - 1)
    kept = Counter((reading.meter, reading.item) for reading in readings_of(gateway.rows()))
    new = {("m000000000002", "voltage.a"): 1, ("m000000000002", "frequency"): 1}
    assert {("m000000000001", "voltage.a"): 1} | new == dict(kept)


@pytest.mark.parametrize("seed", range(8))
def test_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    """After a crash in the middle of a slot the rest of the slot is read, and nothing of it twice."""
    gateway = _gateway(tmp_path, seed=seed)
    moments = random.Random(seed)
    for _ in range(12):
        gateway.run(seconds=moments.uniform(0.0, 0.6 * _EVERY_S), kill=True)
    gateway.run(seconds=2 * _EVERY_S)
    assert [] == repeated_keys(readings_of(gateway.rows()))
    gateway.check()


@pytest.mark.parametrize("milliseconds", range(0, 700, 25))
def test_killed_at_each_moment_of_a_round(tmp_path: Path, milliseconds: int) -> None:
    """A crash between two steps that nobody thought of loses or doubles a reading."""
    gateway = _gateway(tmp_path)
    gateway.run(seconds=milliseconds / 1000, kill=True)
    gateway.run(seconds=_EVERY_S - 1 - milliseconds / 1000)
    assert _due(1) == _kept(gateway)
    assert [] == repeated_keys(readings_of(gateway.rows()))
    gateway.check()


def test_a_silent_meter_costs_its_neighbours_two_timeouts(tmp_path: Path) -> None:
    """Three dead meters of thirty-two would eat the line."""
    silent = _ADDRESSES[2]
    gateway = _gateway(tmp_path, faults={silent: Faults(silence=1.0)})
    gateway.run(seconds=4 * _EVERY_S - 1)
    assert [] == gateway.slots_of(silent, ITEMS[0])
    last = max(
        reading.taken_at - reading.slot for reading in readings_of(gateway.rows()) if reading.slot > START
    )
    assert last < timedelta(seconds=1.5), "the others were read before it was asked again"


def test_a_refused_item_is_not_asked_again_the_same_day(tmp_path: Path) -> None:
    """A meter without an item would be asked for it 1,440 times a day."""
    refusing = _ADDRESSES[0]
    gateway = _gateway(tmp_path, faults={refusing: Faults(abnormal=1.0, error_word=0x02)})

    def asked() -> list[int]:
        counts = Counter(answer.di for answer in gateway.answers if answer.address == refusing)
        return sorted(counts.values())

    on_the_first_day: list[int] = []

    async def meanwhile() -> None:
        await asyncio.sleep(3.5 * _EVERY_S)
        on_the_first_day.extend(asked())
        gateway.sim.clock.step_wall(timedelta(days=1))

    gateway.run(seconds=6 * _EVERY_S - 1, meanwhile=meanwhile)
    # Two of each, and between them two of what every meter has: of the energy, or of the time for the energy.
    assert [2, 2, 2, 2 + 2 * 2] == on_the_first_day, "refusals behind something else are believed"
    assert [4, 4, 4, 4 + 4 * 2] == asked()


class _RefusesOnce(Meter):
    """A meter that answers the first question for each item with a refusal that belongs to another."""

    def __init__(self, address: str) -> None:
        super().__init__(address, seed=7)
        self.refused: set[int] = set()

    def answer(self, frame: Frame, at: datetime) -> Answer | None:
        said = super().answer(frame, at)
        if said is None or said.di is None or said.di in self.refused:
            return said
        self.refused.add(said.di)
        no = Frame(address=self.address, function=0x11, data=b"\x02", from_meter=True, abnormal=True)
        return said._replace(frame=no, values={})


def test_a_refusal_that_comes_once_loses_no_night(tmp_path: Path) -> None:
    """The freeze of a billing day would be told refused, and its item not asked for until midnight."""
    meter = _RefusesOnce(_ADDRESSES[0])
    plans = [{"class": "daily_freeze", "every_s": 3_600}]
    gateway = SimulatedGateway(tmp_path, [Station(meter=meter)], plans=plans)
    gateway.run(seconds=60)
    assert {"forward_active_energy"} == {
        reading.item.partition(".")[0] for reading in readings_of(gateway.rows())
    }
    assert 1 == len({reading.slot for reading in readings_of(gateway.rows())})


@pytest.mark.parametrize(
    ("data_class", "items", "questions"),
    [("instant", ITEMS, len(ITEMS)), ("status", ["meter_status_word_3", "meter_status_word_1"], 1)],
)
def test_a_refusal_that_comes_once_closes_no_day(
    tmp_path: Path, data_class: str, items: Sequence[str], questions: int
) -> None:
    """It says not what it refuses: one late answer would cost a meter its item until midnight."""
    meter = _RefusesOnce(_ADDRESSES[0])
    plans = [{"class": data_class, "every_s": _EVERY_S, "items": items}]
    gateway = SimulatedGateway(tmp_path, [Station(meter=meter)], plans=plans)
    gateway.run(seconds=3 * _EVERY_S - 1)
    assert len(meter.refused) >= questions, "words of state come together"
    slots = {reading.slot for reading in readings_of(gateway.rows())}
    assert {START + timedelta(seconds=number * _EVERY_S) for number in range(3)} == slots
    told = {reading.item.partition(".")[0] for reading in readings_of(gateway.rows())}
    assert {item.partition(".")[0] for item in items} == told


def test_a_line_that_vanishes_and_returns(tmp_path: Path) -> None:
    """An adapter pulled out at night would stop the reading until somebody restarts the daemon."""
    gateway = _gateway(tmp_path)

    async def meanwhile() -> None:
        await asyncio.sleep(2.5 * _EVERY_S)
        gateway.unplug()
        await asyncio.sleep(3 * _EVERY_S)
        gateway.plugged = True

    gateway.run(seconds=10 * _EVERY_S - 1, meanwhile=meanwhile)
    due = slots_between(START, _EVERY_S, 10)
    for address in _ADDRESSES:
        assert due[:3] + due[6:] == gateway.slots_of(address, ITEMS[0])
    assert gateway.dialled < 60, "a lost line is not dialled without pause"
    gateway.check()


@pytest.mark.parametrize("hours", [-25, -1, 1, 25])
def test_f27_the_wall_clock_is_set(tmp_path: Path, hours: int) -> None:
    """F27: a clock that is set would stop the reading, or have a slot read twice."""
    gateway = _gateway(tmp_path)

    async def meanwhile() -> None:
        await asyncio.sleep(2.5 * _EVERY_S)
        gateway.sim.clock.step_wall(timedelta(hours=hours))

    gateway.run(seconds=6 * _EVERY_S - 1, meanwhile=meanwhile)
    assert [] == repeated_keys(readings_of(gateway.rows()))
    before = slots_between(START, _EVERY_S, 3)
    after = slots_between(START + timedelta(hours=hours, seconds=3 * _EVERY_S), _EVERY_S, 3)
    for address in _ADDRESSES:
        assert sorted([*before, *after]) == gateway.slots_of(address, ITEMS[0])


def test_the_wall_clock_is_set_back_into_slots_that_were_read(tmp_path: Path) -> None:
    """What was read before must not be read again under the same slot, and the next new slot must be read."""
    gateway = _gateway(tmp_path)

    async def meanwhile() -> None:
        await asyncio.sleep(3.5 * _EVERY_S)
        gateway.sim.clock.step_wall(timedelta(seconds=-2 * _EVERY_S))

    gateway.run(seconds=8 * _EVERY_S - 1, meanwhile=meanwhile)
    assert _due(6) == _kept(gateway)
    assert [] == repeated_keys(readings_of(gateway.rows()))


def test_f28_a_gateway_that_starts_in_1970_reads_as_soon_as_it_knows_the_time(tmp_path: Path) -> None:
    """F28: a gateway without a clock would wait for 56 years, or keep freezes under days that never were."""
    line = FaultyLine(tmp_path, count=2)
    line.gateway.clock.ahead = datetime(1970, 1, 1, tzinfo=UTC) - MIDNIGHT

    async def learn() -> None:
        await asyncio.sleep(1_800)
        assert [] == line.gateway.answers, "no meter is asked for what it had in 1970"
        assert [] == readings_of(line.gateway.rows()), "no meter has a record of 1970"
        line.gateway.clock.ahead = timedelta()

    line.run(hours=1.5, meanwhile=learn)
    assert [] == line.differences(hours=1.25)


def test_a_full_disk_stops_reading_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readings taken while the disk was full would be answered by the meter and gone."""
    gateway = _gateway(tmp_path)
    full = False
    commit = Store.commit

    def commit_if_there_is_room(store: Store, steps: object) -> object:
        pages = 1 if full else 2**30
        store._db.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own "disk full"
        return commit(store, steps)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "commit", commit_if_there_is_room)
    during: list[int] = []

    async def meanwhile() -> None:
        nonlocal full
        await asyncio.sleep(0.2)
        full = True
        await asyncio.sleep(1)
        during.append(len(gateway.answers))
        await asyncio.sleep(10)
        during.append(len(gateway.answers))
        full = False

    gateway.run(seconds=_EVERY_S - 1, meanwhile=meanwhile)
    assert during[0] == during[1], "meters are not asked for what cannot be kept"
    assert _due(1) == _kept(gateway)
    assert len(gateway.answers) == len(ITEMS) * len(_ADDRESSES), "no meter was asked twice"


def test_a_stop_is_orderly(tmp_path: Path) -> None:
    """What has been read at the moment of a stop must be kept and published."""
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        gateway = _gateway(folder)
        gateway.run(seconds=0.05 + 0.04 * number)
        kept = gateway.rows()
        assert len(gateway.answers) == len(kept), "an answer in hand was thrown away"
        gateway.check()


def test_a_line_that_is_too_slow_serves_all_in_turn(tmp_path: Path) -> None:
    """Meters at the end of a busy line would never be read, and nobody would notice."""
    stations = [
        Station(meter=Meter(address, seed=7, growth_kw=Decimal(7200)), reply_delay_ms=400)
        for address in _ADDRESSES
    ]
    gateway = SimulatedGateway(tmp_path, stations, every_s=2, seed=1)  # 5 x 3 x 0.4 s a round
    gateway.run(seconds=60)
    served = {address: len(gateway.slots_of(address, ITEMS[0])) for address in _ADDRESSES}
    assert min(served.values()) > 0.7 * max(served.values()), served
    readings = readings_of(gateway.rows())
    in_the_queue = timedelta(seconds=0.45 * WORKERS)  # asked for before the slot's end
    end = timedelta(seconds=2)
    assert all(reading.taken_at < reading.slot + end + in_the_queue for reading in readings)


def test_a_late_answer_is_not_taken_for_the_next_slot(tmp_path: Path) -> None:
    """At short intervals the answer to the last slot's question would be kept under this slot."""
    late = _ADDRESSES[0]
    stations = [
        Station(
            meter=Meter(address, seed=7, growth_kw=Decimal(7200)),
            faults=Faults(late=1.0, late_ms=800) if address == late else Faults(),
        )
        for address in _ADDRESSES
    ]
    gateway = SimulatedGateway(tmp_path, stations, every_s=1, seed=1)
    gateway.run(seconds=30)
    assert [] == gateway.slots_of(late, ITEMS[0])
    assert 25 <= len(gateway.slots_of(_ADDRESSES[1], ITEMS[0])), "its neighbours are read all the same"


def test_a_stop_dials_no_line_that_is_down(tmp_path: Path) -> None:
    """Thousands of lines whose servers end each connection would be dialled on until the stop is cut off."""
    gateway = _gateway(tmp_path)
    gateway.dial_s = 3.0

    async def ends_at_once(duplex: Duplex) -> None:
        await duplex.aclose()

    gateway.serve = ends_at_once
    gateway.run(seconds=1)
    assert 1 == gateway.dialled, "the one that was in hand; four meters more waited behind it"
    assert gateway.sim.clock.monotonic_s() < 1 + STOP_LINES_S, "and it was not cut off"
