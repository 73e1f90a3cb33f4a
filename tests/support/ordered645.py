"""Simulated meters of DL/T 645 that are ordered about, and what they say to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from metersim import Meter
from metersim.dlt645.control import word_octets
from metersim.works.cost_control import LOCAL, REMOTE, CostControl
from metersim.works.plate import Plate
from metersim.works.switch import State
from metersim.works.works import Works
from meterwire.dlt645 import AbnormalReply, Message
from meterwire.dlt645.messages.command import Acknowledgement
from meterwire.dlt645.messages.control import SecurityReply
from tests.support.head_end645 import HeadEnd

ADDRESS, NUMBER, CUSTOMER = "000000000161", "000000990161", "000012345678"
T0 = datetime(2026, 5, 1, 4, tzinfo=UTC)  # 12:00 of the meter's zone
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=s) for s in (1, 60, 3600, 86_400))
TRIP, PERMIT, CLOSE, TRIP_THEN_CLOSE, TRIP_THEN_PERMIT = 0x1A, 0x1B, 0x1C, 0x1D, 0x1E
ALARM_ON, GUARANTEE_ON, GUARANTEE_OFF = 0x2A, 0x3A, 0x3B

TAKEN = Acknowledgement(address=ADDRESS, function=0x1C)
REFUSED = AbnormalReply(address=ADDRESS, function=0x1C, error_word=b"\x04")
UNWRITTEN = AbnormalReply(address=ADDRESS, function=0x14, error_word=b"\x04")
WRITTEN = Acknowledgement(address=ADDRESS, function=0x14)


def a_head_end(
    control: CostControl = REMOTE, *, passwords: Mapping[int, str] | None = None, **more: Any
) -> HeadEnd:
    plate = Plate(address=ADDRESS, meter_number=NUMBER)
    works = Works(plate, seed=1, control=control, **more)
    return HeadEnd(Meter(ADDRESS, seed=1, works=works, passwords=passwords), T0)


def a_shopkeeper() -> HeadEnd:
    """A head-end that is authenticated with a meter with a wallet, whose account is open."""
    here = a_head_end(LOCAL)
    here.authenticate()
    assert isinstance(here.buy(10_000, 1, customer=CUSTOMER, opens=True), SecurityReply)
    return here


def state_of(here: HeadEnd) -> State:
    here.meter.works.advance(here.now)
    return here.meter.works.switch.state


def bits(message: Message | None) -> list[str]:
    assert isinstance(message, AbnormalReply), message
    return [bit for bit in message.bits if bit]


def executed(bit: str) -> Acknowledgement:
    return replace(TAKEN, execution_word=word_octets("execution", bit))


def word_3(here: HeadEnd) -> str:
    (word,) = here.read("meter_status_word_3") or [None]
    return str(word)
