"""What a simulated DL/T 698.45 meter shows besides its totals: phases, variables, parameters, scalers."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from metersim.dlt698 import Meter698
from metersim.works.cost_control import LOCAL
from metersim.works.plate import Plate
from metersim.works.timetable import Timetable
from metersim.works.works import Works
from meterwire.dlt698.apdus.parts import Dar
from meterwire.dlt698.axdr.selection import Oad, ScalerUnit
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.item_value import Content
from tests.support.meter698 import AT, Client
from tests.support.secured698 import works_of

ADDRESS = "000000000161"


def works(phases: int = 3, timetable: Timetable | None = None, settlement_day: int = 1) -> Works:
    plate = Plate(
        address=ADDRESS,
        phases=phases,  # type: ignore[arg-type]
        ct_ratio=Decimal(40),
        settlement_day=settlement_day,
    )
    return Works(plate, seed=1, timetable=timetable)


def read(works: Works, oad: str) -> dict[str, Content]:
    """The contents of an attribute, by key."""
    data = Client(Meter698(works.plate.address, seed=1, works=works)).get(oad)
    entry = dictionary().entry(Oad.of(oad))
    assert isinstance(data, Data), (oad, data)
    assert entry is not None
    return {value.label.key: value.content for value in entry.decode(data)}


def single(works: Works, oad: str) -> Content:
    [content] = read(works, oad).values()
    return content


def test_each_phase_has_registers_of_its_own() -> None:
    """A phase that is tapped could not be told from the others."""
    here = works()
    for quantity, oi in (("forward_active_energy", 0x0010), ("reactive_energy_q1", 0x0050)):
        for number, phase in enumerate("abc", start=1):
            item = f"{quantity}.{phase}"
            assert {item: here.value(item, AT)} == read(here, f"{oi + number:04X}0200")


def test_a_meter_of_one_phase_has_no_other() -> None:
    """A profile with a phase too many would be taken for right."""
    client = Client(Meter698(ADDRESS, seed=1, works=works(phases=1)))
    for oad in ("00120200", "00500200", "10100200", "20260200"):
        assert Dar(6) == client.get(oad), oad


@pytest.mark.parametrize(
    ("oad", "scaler"),
    [
        ("00110300", ScalerUnit(-2, 33)),
        ("10100300", ScalerUnit(-4, 28)),
        ("10500300", ScalerUnit(-4, 32)),
        ("20080300", ScalerUnit(-1, 31)),
        ("200D0600", ScalerUnit(-2, 51)),
        ("20310300", ScalerUnit(-2, 33)),
    ],
)
def test_the_scaler_stands_beside_the_value(oad: str, scaler: ScalerUnit) -> None:
    """Who trusts the device's own scaler would read a demand 10,000 times too large."""
    assert Data("Scaler_Unit", scaler) == Client(Meter698(ADDRESS, seed=1)).get(oad)


def test_harmonics_make_the_distortion() -> None:
    """The whole of the harmonics would be told without, or against, its parts."""
    here = works()
    found = read(here, "200D0300")
    parts = [found[f"voltage_harmonic.b.h{order}"] for order in range(2, 8)]
    shown = [here.value(f"voltage_harmonic.b.h{order}", AT) for order in (3, 5, 7)]
    assert [Decimal(0), shown[0], Decimal(0), shown[1], Decimal(0), shown[2]] == parts
    total = sum((Decimal(str(part)) ** 2 for part in parts), Decimal(0)).sqrt().quantize(Decimal("0.01"))
    assert total == found["voltage_harmonic.b"] == read(here, "200B0200")["voltage_distortion.b"]
    assert Data("unsigned", 7) == Client(Meter698(ADDRESS, seed=1, works=here)).get("200D0500")


def test_the_month_begins_at_its_freeze() -> None:
    """What the customer used this month would be what he used in his life."""
    here = works()
    at = AT + timedelta(days=3)
    client = Client(Meter698(ADDRESS, seed=1, works=here), at=at)
    begun = here.freeze("monthly_freeze", 1, at)
    assert begun is not None
    now, then = (here.value("combined_active_energy", moment) for moment in (at, begun.taken_at))
    assert now is not None
    assert then is not None
    assert 0 < now - then
    assert Data("double-long-unsigned", int((now - then) * 100)) == client.get("20310200")


def test_a_lost_phase_unbalances_the_voltages() -> None:
    """An unbalance that the conditions make would not be seen."""
    here = works()
    before = single(here, "20260200")
    here.history.change(AT, voltage_per_mille=(1000, 500, 1000))
    after = single(here, "20260200")
    assert isinstance(before, Decimal)
    assert isinstance(after, Decimal)
    assert before < Decimal(6) < Decimal(45) < after < Decimal(55)


def test_an_empty_battery_shows_in_its_voltage() -> None:
    """The status word would say one thing and the voltage another."""
    here = works()
    assert Decimal("3.60") == single(here, "20110200")
    here.history.change(AT, clock_battery_low=True)
    assert Decimal("2.40") == single(here, "20110200")


def test_the_price_is_that_of_the_tariff_in_force() -> None:
    """A customer would be told the price of another hour."""
    here = works_of(LOCAL)
    assert here.account is not None
    prices = [Decimal(tariff) / 10 for tariff in range(1, 5)]
    here.account.set_prices(prices, AT)
    assert prices[2] == single(here, "201B0200"), "11:00 is flat"
    assert prices == list(read(here, "40180200").values())


def test_ratios_and_settlement_day_come_from_the_plate() -> None:
    """A reader would scale by 1, and settle on another day than the meter."""
    here = works(settlement_day=25)
    assert (Decimal(40), Decimal(1)) == (single(here, "401C0200"), single(here, "401D0200"))
    assert [Decimal(25), Decimal(0)] == list(read(here, "41160200").values())
    assert ["220V", "5A", "60A"] == [single(here, oad) for oad in ("41040200", "41050200", "41060200")]
    assert [Decimal("242.0"), Decimal("198.0")] * 2 == list(read(here, "40300200").values())
    assert Decimal(3) == single(here, "40100200")


def test_tariff_tables_are_those_that_the_registers_count_by() -> None:
    """Bills would be checked against other hours than the meter's."""
    half_hours = (4,) * 17 + (1,) * 31
    here = works(timetable=Timetable(half_hours, rest_half_hours=(4,) * 48, rest_days=frozenset({6})))
    found = read(here, "40160200")
    parts = ("hour", "minute", "tariff")
    first, second = ([found[f"day_table@set.present/number.1/number.{n}/{p}"] for p in parts] for n in (1, 2))
    assert ["0", "0", "4", "8", "30", "1"] == [str(part) for part in (*first, *second)]
    assert Decimal(4) == found["day_table@set.present/number.2/number.1/tariff"]
    assert 3 * 3 == len(found)
    assert [Decimal(1)] * 3 == list(read(here, "40140200").values())
    assert "7E" == single(here, "40120200"), "only Sunday rests"
    assert [1, 2, 2, 4, 7] == list(read(here, "400C0200").values())
