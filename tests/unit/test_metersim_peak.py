"""What a plant file may hang behind a meter: nothing that the meter cannot show."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import pytest

from metersim.plant.checked import PlantError
from metersim.plant.figures import Figures
from metersim.plant.plant import read_plant
from metersim.works.load import KINDS, PARTS, VARIANTS, Load, LoadKind, _shape, course, phasors
from metersim.works.peak import HEAVIEST, peak
from metersim.works.plate import Plate
from metersim.works.readings import CURRENT_MAX, POWER_MAX, VOLTAGE_LOW_PER_MILLE

QUARTERS = 28 * 96


@pytest.mark.parametrize("kind", KINDS)
def test_the_heaviest_weight_is_known(kind: LoadKind) -> None:
    """A shape could be heavier than what the check reckons with."""
    assert HEAVIEST[kind] == max(max(_shape(kind, variant).weights) for variant in range(VARIANTS))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("phases", "volts"), [(1, 220), (3, 220), (1, 57), (3, 57), (3, 20)])
@pytest.mark.parametrize("fed", [Decimal(0), Decimal("0.1"), Decimal(1)])
def test_no_meter_has_a_load_beyond_its_bound(
    kind: LoadKind, phases: Literal[1, 3], volts: int, fed: Decimal
) -> None:
    """A load that was let through would stand at the digits full, and its registers run away from it."""
    ratio, voltage_v = Decimal(7), Decimal(volts)
    wanted = Load(kind=kind, mean_kw=Decimal(100), feed_in_share=fed)
    found = peak(wanted, phases=phases, ratio=ratio, voltage_v=voltage_v)
    assert found is not None
    fits = Load(kind=kind, mean_kw=100 * found.room, feed_in_share=fed)
    plate = Plate(address="000000000001", phases=phases, ct_ratio=ratio, voltage_v=voltage_v)
    decivolts = volts * 10 * VOLTAGE_LOW_PER_MILLE // 1000
    fullest = 0.0
    for number in range(200):
        weight, _ = course(fits, f"{number}").heaviest(0, QUARTERS)
        seen = [phasor.apparent * weight / PARTS for phasor in phasors(fits, plate, f"{number}")]
        assert sum(seen) <= POWER_MAX
        assert max(seen) * 1000 <= CURRENT_MAX * decivolts
        fullest = max(fullest, sum(seen) / POWER_MAX, max(seen) * 1000 / CURRENT_MAX / decivolts)
    assert fullest > 0.8, "it would refuse what every meter can show"


@pytest.mark.parametrize(
    ("row", "remedy"),
    [
        (
            "load: factory, mean_kw: 60",
            "a factory of 60 kW has up to 172.7 kVA, more than the meter can show",
        ),
        ("mean_kw: 10000", "or a ct_ratio of"),
        (
            "profile: dlt698.45/single-phase, load: shop, mean_kw: 50",
            "with a profile that is connected through",
        ),
        ("profile: dlt645-2007/three-phase, mean_kw: 400, ct_ratio: 10", "or a ct_ratio of 15"),
    ],
)
def test_a_file_is_refused_a_load_that_the_meter_cannot_show(row: str, remedy: str) -> None:
    """Power, voltage and current of somebody's meters would not go together, and nobody would say so."""
    with pytest.raises(PlantError) as refused:
        read_plant(f"lines:\n- meters:\n  - {{{row}}}\n", "p.yaml")
    words = str(refused.value)
    assert words.startswith("p.yaml:3: lines[1].meters[1].mean_kw: ")
    assert remedy in words
    most = Decimal(words.partition("; write ")[2].partition(" at most")[0])
    wrong = row.partition("mean_kw: ")[2].partition(",")[0]
    better = row.replace(f"mean_kw: {wrong}", f"mean_kw: {most}")
    assert read_plant(f"lines:\n- meters:\n  - {{{better}}}\n", "p.yaml").lines
    over = row.replace(f"mean_kw: {wrong}", f"mean_kw: {most + Decimal('0.01')}")
    with pytest.raises(PlantError):
        read_plant(f"lines:\n- meters:\n  - {{{over}}}\n", "p.yaml")


def test_figures_may_count_as_fast_as_they_like() -> None:
    """Tests that want registers to run would have to wait for days."""
    assert Decimal(7200) == Figures(growth_kw=Decimal(7200)).plant().lines[0].meters[0].mean_kw
