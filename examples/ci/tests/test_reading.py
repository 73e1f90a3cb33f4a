"""Reading a meter, also when an answer is lost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from headend import NoAnswer, read_energy_kwh
from metersim.testing import RunningMeter


def test_we_read_what_the_meter_shows(metersim_meter: RunningMeter) -> None:
    metersim_meter.set("forward_active_energy", "1234.56")
    read = read_energy_kwh(metersim_meter.host, metersim_meter.port, metersim_meter.address)
    assert Decimal("1234.56") == read == metersim_meter.value("forward_active_energy")


def test_a_lost_answer_is_asked_for_again(metersim_meter: RunningMeter) -> None:
    lost = metersim_meter.fault("silence", times=3)
    read_energy_kwh(metersim_meter.host, metersim_meter.port, metersim_meter.address)
    assert (3, 4) == (lost.struck, lost.seen)  # the meter heard four questions, and three answers were lost


def test_we_give_up_on_a_dead_meter(metersim_meter: RunningMeter) -> None:
    dead = metersim_meter.fault("silence")
    with pytest.raises(NoAnswer, match="2 tries"):
        read_energy_kwh(metersim_meter.host, metersim_meter.port, metersim_meter.address)
    assert 4 == dead.struck
