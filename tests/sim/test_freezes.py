"""The daily freezes of a plant through the whole daemon: one reading a meter, item and night, and right."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Literal

import pytest
from structlog.testing import capture_logs

from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.journal.ledger_looks import standings
from meterlink.journal.reader import JournalReader
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.reading import Reading
from meterlink.model.slot import Reason, Standing, State
from metersim import Faults, Meter, Station
from metersim.dlt698 import Meter698
from metersim.works.load import Load
from metersim.works.moments import INSTALLED_AT, PLANT_TIME
from metersim.works.plate import Plate
from metersim.works.works import Works
from meterwire.dlt645.link.functions import Edition
from tests.support.agreement import readings_of, repeated_keys
from tests.support.simulated import START, SimulatedGateway

_DAY = timedelta(days=1)
_HOUR_S = 3600
_EVERY_S = 900
_NIGHT = datetime(2026, 11, 22, tzinfo=PLANT_TIME)
"""The newest midnight at ``START``, which is 11:00 of the plant's time."""
_TIME_DI, _FORWARD_DI = 0x05060001, 0x05060101
_ITEMS = tuple(f"forward_active_energy{tariff}" for tariff in ("", ".t1", ".t2", ".t3", ".t4"))
_PLAN: Mapping[str, object] = {"class": DAILY_FREEZE, "every_s": _EVERY_S}


def _meter(
    address: str, protocol: str, ahead: timedelta, since: datetime, phases: Literal[1, 3]
) -> Meter | Meter698:
    growth_kw = Decimal(7200)
    if protocol == "dlt698.45":
        return Meter698(address, seed=7, growth_kw=growth_kw, clock_ahead=ahead, since=since)
    if phases == 1:
        plate, load = Plate(address=address, phases=1), Load(mean_kw=growth_kw)
        return Meter(address, seed=7, works=Works(plate, seed=7, load=load, since=since, clock_ahead=ahead))
    edition: Edition = "dlt645-1997" if protocol == "dlt645-1997" else "dlt645-2007"
    return Meter(address, seed=7, growth_kw=growth_kw, clock_ahead=ahead, protocol=edition, since=since)


class _Plant:
    """Meters on a line, each with a clock of its own, and the gateway that reads them."""

    def __init__(
        self,
        folder: Path,
        *,
        clocks: Sequence[timedelta] = (timedelta(),) * 3,
        since: Mapping[int, datetime] | None = None,
        faults: Mapping[int, Faults] | None = None,
        seed: int = 1,
        plans: Sequence[Mapping[str, object]] = (_PLAN,),
        start: datetime = START,
        protocols: Mapping[int, str] | None = None,
        phases: Literal[1, 3] = 3,
    ) -> None:
        self.meters: dict[str, tuple[Meter | Meter698, timedelta]] = {}
        stations = []
        for number, ahead in enumerate(clocks):
            address = f"{number:012d}"
            protocol = (protocols or {}).get(number, "dlt645-2007")
            meter = _meter(address, protocol, ahead, (since or {}).get(number, INSTALLED_AT), phases)
            self.meters[f"m{address}"] = meter, ahead
            stations.append(Station(meter=meter, faults=(faults or {}).get(number, Faults())))
        self.gateway = SimulatedGateway(
            folder,
            stations,
            seed=seed,
            plans=plans,
            start=start,
            protocols={f"{number:012d}": name for number, name in (protocols or {}).items()},
        )

    def readings(self) -> list[Reading]:
        """The freezes in the journal."""
        return readings_of(row for row in self.gateway.rows() if row.record.data_class == DAILY_FREEZE)

    def nights_of(self, number: int, item: str = _ITEMS[0]) -> list[int]:
        """For which nights, counted from the first, a meter's item was kept."""
        kept = [r for r in self.readings() if (r.meter, r.item) == (f"m{number:012d}", item)]
        return sorted(round((reading.slot - _NIGHT) / _DAY) for reading in kept)

    def check(self, *, true_time: bool = True) -> None:
        """Nothing twice; each value is the register's at the instant; the database is the journal.

        Args:
            true_time: the gateway's clock was right all the time.

        """
        readings = self.readings()
        assert [] == repeated_keys(readings)
        for reading in readings:
            meter, ahead = self.meters[reading.meter]
            assert reading.slot.astimezone(PLANT_TIME).time() == _NIGHT.time(), "a freeze of no midnight"
            assert meter.value(reading.item, reading.slot - ahead) == reading.value, reading
            assert not true_time or reading.taken_at >= reading.slot - ahead
        self.gateway.check_database()

    def standing(self, number: int, night: int) -> Standing:
        """Where a meter's slot of a night stands in the ledger."""
        slot = _NIGHT + night * _DAY
        with JournalReader(self.gateway.folder / JOURNAL_FILE) as reader:
            [found] = reader.look(partial(standings, meter=f"m{number:012d}", slot=slot))
        return found

    def asked(self, number: int) -> Counter[int | str | None]:
        """How often a meter was asked for each identifier."""
        address = f"{number:012d}"
        return Counter(answer.di for answer in self.gateway.answers if answer.address == address)


@pytest.mark.timeout(60)
def test_a_month(tmp_path: Path) -> None:
    """One reading a meter, item and night, however many minutes clocks are wrong: bills rest on it."""
    minutes = (0, 3, -3, 12, -12, 40, -40)
    plant = _Plant(tmp_path, clocks=[timedelta(minutes=number) for number in minutes])
    plant.gateway.run(seconds=30 * _DAY.total_seconds())
    plant.check()
    for number in range(len(minutes)):
        for item in _ITEMS:
            assert list(range(31)) == plant.nights_of(number, item)
    assert 31 == plant.asked(0)[_FORWARD_DI], "what is kept is not asked for again"
    assert 62 == plant.asked(0)[_TIME_DI]


def test_freezes_come_soon_after_midnight(tmp_path: Path) -> None:
    """People look at the night's freezes before seven o'clock."""
    plant = _Plant(tmp_path, clocks=[timedelta()] * 20, plans=[{**_PLAN, "every_s": 60}])
    plant.gateway.run(seconds=1.5 * _DAY.total_seconds())
    plant.check()
    tonight = [reading for reading in plant.readings() if reading.slot > _NIGHT]
    assert 20 * len(_ITEMS) == len(tonight)
    waited = [reading.taken_at - reading.slot for reading in tonight]
    assert timedelta(minutes=5) < min(waited), "a clock may be some minutes behind"
    assert max(waited) < timedelta(minutes=5, seconds=5)


@pytest.mark.parametrize("seed", range(5))
def test_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    """A start must know which freezes are kept, those under another instant than the expected one too."""
    clocks = [timedelta(), timedelta(minutes=20), timedelta(hours=-30)] * 2
    plant = _Plant(tmp_path, clocks=clocks, seed=seed, start=_NIGHT)
    moments = random.Random(seed)
    for _ in range(15):
        plant.gateway.run(seconds=moments.choice([0.2, 0.5, 60, _HOUR_S, 9 * _HOUR_S]), kill=True)
    plant.gateway.run(seconds=2 * _DAY.total_seconds())
    plant.check()
    for number in range(6):
        nights = plant.nights_of(number)
        assert list(range(nights[0], nights[-1] + 1)) == nights


@pytest.mark.parametrize("milliseconds", range(0, 400, 20))
def test_killed_at_each_moment_of_a_round(tmp_path: Path, milliseconds: int) -> None:
    """A crash between the exchanges of a freeze leaves nothing half, and nothing is read twice after it."""
    plant = _Plant(tmp_path)
    plant.gateway.run(seconds=milliseconds / 1000, kill=True)
    plant.gateway.run(seconds=60)
    plant.check()
    assert [[0]] * 3 == [plant.nights_of(number) for number in range(3)]


@pytest.mark.parametrize(("hours", "first"), [(-49, -2), (-25, -1), (-1, 0), (1, 0), (49, 0)])
def test_the_gateways_clock_is_set(tmp_path: Path, hours: int, first: int) -> None:
    """With a wrong time it keeps each freeze under the meter's, once, and goes on when it is mended.

    A clock that is behind takes the freezes of nights to come for false ones; they are fetched later. To a
    clock that is set back over midnight, the nights before the first are such as it was there for.
    """
    plant = _Plant(tmp_path)

    async def meanwhile() -> None:
        await asyncio.sleep(6.5 * _HOUR_S)
        plant.gateway.clock.ahead = timedelta(hours=hours)
        await asyncio.sleep(3 * _DAY.total_seconds())
        plant.gateway.clock.ahead = timedelta()

    plant.gateway.run(seconds=6 * _DAY.total_seconds(), meanwhile=meanwhile)
    plant.check(true_time=False)
    for number in range(3):
        assert list(range(first, 7)) == plant.nights_of(number)


def test_a_meter_with_an_old_freeze_is_asked_for_no_more_than_its_time(tmp_path: Path) -> None:
    """A meter whose clock is days behind: its freeze comes when its clock does, and costs little."""
    plant = _Plant(tmp_path, clocks=[timedelta(), -2 * _DAY])
    with capture_logs() as logs:
        plant.gateway.run(seconds=2 * _DAY.total_seconds())
    plant.check()
    assert [0] == plant.nights_of(1)
    assert [0, 1, 2] == plant.nights_of(0)
    rounds = 2 * _DAY // timedelta(seconds=_EVERY_S)
    assert 1 == plant.asked(1)[_FORWARD_DI]
    assert 0.9 * rounds <= plant.asked(1)[_TIME_DI] <= rounds + 2 * 3, "it stays due"
    told = [entry for entry in logs if entry["event"] == "record_not_taken"]
    assert {"m000000000001"} == {entry["meter"] for entry in told}
    assert 3 >= len(told), "told once until something comes, not at each interval"
    missing = plant.standing(1, 2)
    assert (State.DUE, Reason.NOT_TAKEN) == (missing.state, missing.reason)


def test_a_new_meter_has_no_freeze_until_its_first_midnight(tmp_path: Path) -> None:
    """It refuses, is not asked again in the same interval, and is read when it has one."""
    plant = _Plant(tmp_path, since={1: START}, clocks=[timedelta()] * 2)
    with capture_logs() as logs:
        plant.gateway.run(seconds=_DAY.total_seconds())
    plant.check()
    assert [1] == plant.nights_of(1)
    told = [entry for entry in logs if entry["event"] == "no_freeze"]
    assert ["m000000000001"] == [entry["meter"] for entry in told]
    vain = 13 * _HOUR_S // _EVERY_S
    assert vain <= plant.asked(1)[_TIME_DI] <= 2 * vain + 5, "each no of 11:00 to midnight twice, then whole"
    before = plant.standing(1, 0)
    assert (State.EXPIRED, Reason.GONE) == (before.state, before.reason), "it was not there"


def test_a_clock_far_ahead_gives_no_readings(tmp_path: Path) -> None:
    """Freezes of days to come would stand in the database as the truth when these come."""
    plant = _Plant(tmp_path, clocks=[timedelta(), timedelta(days=40)])
    with capture_logs() as logs:
        plant.gateway.run(seconds=_DAY.total_seconds())
    plant.check()
    assert [] == plant.nights_of(1)
    assert [0, 1] == plant.nights_of(0)
    assert any("more than a day ahead" in entry.get("reason", "") for entry in logs)
    missing = plant.standing(1, 1)
    assert (State.DUE, Reason.CLOCK_WRONG) == (missing.state, missing.reason)


def test_a_refused_item_is_asked_once_a_day(tmp_path: Path) -> None:
    """A meter without a register would be asked for it four times an hour; its other items must come."""
    plan = {**_PLAN, "items": ["forward_active_energy", "combined_reactive_energy_1.*"]}
    plant = _Plant(tmp_path, plans=[plan], phases=1)
    plant.gateway.run(seconds=2 * _DAY.total_seconds())
    plant.check()
    for number in range(3):
        assert [0, 1, 2] == plant.nights_of(number)
        assert 2 * 3 == plant.asked(number)[0x05060301], "two refusals in a row are believed"
    assert {"forward_active_energy"} == {reading.item for reading in plant.readings()}


def test_a_silent_meter_costs_its_neighbours_one_timeout(tmp_path: Path) -> None:
    """Dead meters would push the others' freezes out of the night."""
    plant = _Plant(tmp_path, clocks=[timedelta()] * 5, faults={1: Faults(silence=1.0)})
    plant.gateway.run(seconds=60)
    plant.check()
    assert [] == plant.nights_of(1)
    assert 4 * len(_ITEMS) == len(plant.readings())
    assert max(reading.taken_at for reading in plant.readings()) < START + timedelta(seconds=1)


@pytest.mark.parametrize("seed", range(6))
def test_a_bad_line(tmp_path: Path, seed: int) -> None:
    """Lost, cut and garbled answers: what is kept is right, and at the end nothing is missing."""
    storm = Faults(seed=seed, silence=0.2, bit_flip=0.2, half_frame=0.1, late=0.1, echo=0.1)
    plant = _Plant(tmp_path, clocks=[timedelta()] * 4, faults=dict.fromkeys(range(4), storm), seed=seed)
    plant.gateway.run(seconds=5 * _DAY.total_seconds())
    plant.check()
    for number in range(4):
        assert list(range(6)) == plant.nights_of(number)


def test_beside_values_of_the_moment_and_meters_without_freezes(tmp_path: Path) -> None:
    """Two plans share a line and an item's name; an old meter takes part in one of them."""
    plans = [_PLAN, {"every_s": _HOUR_S, "items": ["forward_active_energy"]}]
    plant = _Plant(tmp_path, plans=plans, protocols={1: "dlt645-1997"}, start=_NIGHT - timedelta(hours=5))
    plant.gateway.run(seconds=_DAY.total_seconds() - 1)
    plant.check()
    assert [-1, 0] == plant.nights_of(0)
    assert [] == plant.nights_of(1)
    instants = [row for row in plant.gateway.rows() if row.record.data_class == "instant"]
    assert 3 * 24 == len(instants), "at midnight too, when both have a reading of that time"


def test_a_line_that_is_too_slow_for_its_interval(tmp_path: Path) -> None:
    """A round that is cut off goes on where it stopped: the last meters of a long line have freezes too."""
    plant = _Plant(tmp_path, clocks=[timedelta()] * 40, plans=[{**_PLAN, "every_s": 1}])
    plant.gateway.run(seconds=10)
    plant.check()
    assert [[0]] * 40 == [plant.nights_of(number) for number in range(40)]


# --- meters of both protocols on one line ------------------------------------------------------------


_MIXED = dict.fromkeys(range(1, 20, 2), "dlt698.45")
"""Every second meter of a line."""


@pytest.mark.timeout(60)
def test_a_month_of_both_protocols_on_one_line(tmp_path: Path) -> None:
    """Both drivers share a line that is changed over meter by meter; each night is one point a meter."""
    minutes = (0, 0, 3, 3, -12, -12, 40, 40)
    plant = _Plant(tmp_path, clocks=[timedelta(minutes=number) for number in minutes], protocols=_MIXED)
    plant.gateway.run(seconds=30 * _DAY.total_seconds())
    plant.check()
    for number in range(len(minutes)):
        for item in _ITEMS:
            assert list(range(31)) == plant.nights_of(number, item)


@pytest.mark.parametrize("seed", range(4))
def test_both_protocols_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    """A start must know which freezes are kept, whatever the meter speaks and however its clock goes."""
    clocks = [timedelta()] * 2 + [timedelta(minutes=20)] * 2 + [timedelta(hours=-30)] * 2
    plant = _Plant(tmp_path, clocks=clocks, seed=seed, start=_NIGHT, protocols=_MIXED)
    moments = random.Random(seed)
    for _ in range(15):
        plant.gateway.run(seconds=moments.choice([0.2, 0.5, 60, _HOUR_S, 9 * _HOUR_S]), kill=True)
    plant.gateway.run(seconds=2 * _DAY.total_seconds())
    plant.check()
    for number in range(len(clocks)):
        nights = plant.nights_of(number)
        assert list(range(nights[0], nights[-1] + 1)) == nights


def test_both_protocols_with_faults_on_the_line(tmp_path: Path) -> None:
    """Lost, late, cut and doubled answers of one protocol must not become readings of the other."""
    often = dict.fromkeys(
        ["silence", "random_octets", "half_frame", "other_address", "other_identifier", "bit_flip"], 0.05
    )
    faults = Faults(seed=3, **often, late=0.1, echo=0.1, noise=0.1)  # type: ignore[arg-type]
    plant = _Plant(
        tmp_path, clocks=[timedelta()] * 6, protocols=_MIXED, faults=dict.fromkeys(range(6), faults)
    )
    plant.gateway.run(seconds=10 * _DAY.total_seconds())
    plant.check()
    for number in range(6):
        assert list(range(11)) == plant.nights_of(number)


def test_values_of_the_moment_and_freezes_of_both_protocols(tmp_path: Path) -> None:
    """Two plans share each driver and the line; neither starves the other, over midnight too."""
    instant = {"name": "moment", "every_s": 60, "items": ["forward_active_energy", "voltage.*"]}
    start = _NIGHT - timedelta(minutes=30)
    plant = _Plant(tmp_path, clocks=[timedelta()] * 4, protocols=_MIXED, plans=[instant, _PLAN], start=start)
    plant.gateway.run(seconds=_HOUR_S - 1)
    plant.check()
    assert [[-1, 0]] * 4 == [plant.nights_of(number) for number in range(4)]
    kept = Counter(
        reading.meter for reading in readings_of(plant.gateway.rows()) if reading.item == "voltage.a"
    )
    assert dict.fromkeys(plant.meters, 60) == kept, "a reading each minute"


def test_clocks_far_ahead_of_both_protocols(tmp_path: Path) -> None:
    """Freezes of days to come would stand in the database as the truth when these come."""
    plant = _Plant(
        tmp_path, clocks=[timedelta(), timedelta(days=40)] * 2, protocols={2: "dlt698.45", 3: "dlt698.45"}
    )
    with capture_logs() as logs:
        plant.gateway.run(seconds=_DAY.total_seconds())
    plant.check()
    assert [[0, 1], [], [0, 1], []] == [plant.nights_of(number) for number in range(4)]
    told = {entry["meter"] for entry in logs if entry["event"] == "no_freeze"}
    assert {"m000000000001", "m000000000003"} == told
    for number in (1, 3):
        assert Reason.CLOCK_WRONG is plant.standing(number, 1).reason
