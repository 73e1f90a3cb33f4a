"""Disconnecting a customer: once, whatever happens on the line."""

from __future__ import annotations

from headend import trip
from metersim.testing import RunningMeter


def test_a_trip_is_obeyed_once(metersim_meter: RunningMeter) -> None:
    assert trip(metersim_meter.host, metersim_meter.port, metersim_meter.address)
    [obeyed] = metersim_meter.obeyed("trip")
    assert "00000007" == obeyed.operator


def test_a_trip_whose_answer_is_lost_is_not_sent_again(metersim_meter: RunningMeter) -> None:
    metersim_meter.fault("silence", item="1CH", times=1)  # the meter obeys, and its answer is lost
    assert trip(metersim_meter.host, metersim_meter.port, metersim_meter.address)
    assert 1 == len(metersim_meter.obeyed("trip"))


def test_a_trip_that_never_arrives_is_seen(metersim_meter: RunningMeter) -> None:
    metersim_meter.fault("loss", item="1CH", times=1)  # the meter hears nothing
    assert not trip(metersim_meter.host, metersim_meter.port, metersim_meter.address)
    assert () == metersim_meter.obeyed("trip")
    assert not metersim_meter.contact_open
