"""Meters of a plant file that are ordered about on their line: trip, close with the key, top-up."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from metersim import Meter, Simulation
from metersim.plant.built import BuiltPlant
from metersim.plant.happenings import Happening
from metersim.plant.plant import read_plant
from meterwire.dlt645 import Deframer, Frame, encode
from meterwire.dlt645.messages.command import Acknowledgement
from meterwire.dlt645.messages.control import SecurityReply
from tests.support.head_end645 import HeadEnd
from tests.support.ordered645 import bits

START = datetime.fromisoformat("2026-10-01T08:00:00+08:00")
TRIP, PERMIT = 0x1A, 0x1B
OPEN_BITS, COMMAND_BIT, AUTHENTICATED_BIT = 1 << 4, 1 << 6, 1 << 13
PLANT = """\
plant: switched
lines:
  - name: street
    at: listen
    meters:
      - {address: 161, profile: dlt645-2007/remote-cost-control}
      - {address: 163, passwords: {2: 123456}}
      - {address: 162, profile: dlt645-2007/local-prepayment, customer_number: "000012345678"}
"""


class _Street:
    """A plant's line, and a head-end for each of its meters."""

    def __init__(self) -> None:
        self.sim = Simulation(seed=1, start=START)
        self.built: BuiltPlant = BuiltPlant(read_plant(PLANT, "plant.yaml"), clock=self.sim.clock)

    def head_end(self, address: str) -> HeadEnd:
        numbers = {"meter_number": address}
        far = SimpleNamespace(address=address, answer=self._exchange, text=numbers.get)
        return HeadEnd(cast(Meter, far), self.sim.clock.utc_now())

    def _exchange(self, frame: Frame, _: datetime) -> Any:
        heard = self.sim.run(self._ask(encode(frame, preamble=4)))
        return SimpleNamespace(frame=heard)

    async def _ask(self, octets: bytes) -> Frame:
        deframer = Deframer()
        async with self.built.lines["street"].connect() as client, asyncio.timeout(5):
            await client.send(octets)
            while True:
                for frame in deframer.feed(await client.receive()):
                    return frame

    def wait(self, here: HeadEnd, seconds: float) -> None:
        self.sim.run(asyncio.sleep(seconds))
        here.now = self.sim.clock.utc_now()


def _word(here: HeadEnd) -> int:
    (word,) = here.read("meter_status_word_3") or [None]
    return int(str(word), 16)


@pytest.mark.parametrize("address", ["000000000161", "000000000162"])
def test_a_trip_and_a_close_that_waits_for_the_key(address: str) -> None:
    """A head-end's rehearsal with a plant would end at the first order, or close with nobody there."""
    street = _Street()
    here = street.head_end(address)
    meter = street.built.meters[address]
    assert 0 == _word(here) & (OPEN_BITS | COMMAND_BIT)
    assert isinstance(here.authenticate(), SecurityReply)
    assert isinstance(here.sealed(TRIP), Acknowledgement)
    street.wait(here, 60)
    assert OPEN_BITS | COMMAND_BIT == _word(here) & (OPEN_BITS | COMMAND_BIT)
    assert isinstance(here.sealed(PERMIT), Acknowledgement)
    street.wait(here, 60)
    assert OPEN_BITS == _word(here) & (OPEN_BITS | COMMAND_BIT)
    assert meter.press_key()
    assert 0 == _word(here) & (OPEN_BITS | COMMAND_BIT)
    assert ["trip", "permit_close"] == [one.kind for one in meter.obeyed()]
    assert "21436587" == (here.read("relay_trip_record@items/last.1") or [])[1]


def test_a_meter_has_the_passwords_of_its_file() -> None:
    """A client that sends the factory's password to every meter would pass every test."""
    street = _Street()
    here = street.head_end("000000000163")
    assert not isinstance(here.plain(TRIP), Acknowledgement)
    assert isinstance(here.plain(TRIP, password="123456"), Acknowledgement)
    assert ["trip"] == [one.kind for one in street.built.meters["000000000163"].obeyed()]


def test_a_wallet_that_is_topped_up() -> None:
    """A plant's prepayment meter would take no money, or take it twice."""
    street = _Street()
    here = street.head_end("000000000162")
    before = (here.read("remaining_balance") or [None])[0]
    here.authenticate()
    assert isinstance(here.buy(10_000, 1, customer="000012345678"), SecurityReply)
    after = (here.read("remaining_balance") or [None])[0]
    assert 100 == cast(Any, after) - cast(Any, before)
    street.wait(here, 1)
    assert not isinstance(here.buy(10_000, 1, customer="000012345678"), SecurityReply)
    assert ["top_up"] == [one.kind for one in street.built.meters["000000000162"].obeyed("top_up")]


def test_a_meter_whose_head_end_keeps_the_money_has_no_wallet() -> None:
    """A remote meter would be given money that nobody could find again."""
    street = _Street()
    here = street.head_end("000000000161")
    here.authenticate()
    assert here.read("remaining_balance") is None
    assert not isinstance(here.buy(10_000, 1, customer="000000000161"), SecurityReply)
    assert () == street.built.meters["000000000161"].obeyed()


@pytest.mark.parametrize("what", ["power_outage", "reboot"])
def test_an_authentication_ends_with_the_power(what: str) -> None:
    """A head-end that does not authenticate anew after a power cut would be obeyed here, and in no field."""
    street = _Street()
    here = street.head_end("000000000161")
    meter = street.built.meters["000000000161"]
    assert isinstance(here.authenticate(), SecurityReply)
    meter.befall(Happening(what=what, at=timedelta(), lasts=timedelta(seconds=30)))
    street.wait(here, 60)
    assert 0 == _word(here) & AUTHENTICATED_BIT
    assert ["identity_auth_failed"] == bits(here.sealed(TRIP))
    assert () == meter.obeyed()
    assert isinstance(here.authenticate(), SecurityReply)
    assert AUTHENTICATED_BIT == _word(here) & AUTHENTICATED_BIT
    assert isinstance(here.sealed(TRIP), Acknowledgement)
