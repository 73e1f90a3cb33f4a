"""Another meter at the place of the old one is another one in everything that a head-end can see of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from metersim import Meter
from metersim.dlt645.passwords import ERRORS_MAX
from metersim.plant.effects import begin, strike
from metersim.plant.happenings import Happening
from metersim.security.keys import diversifier_of
from metersim.works.conditions import HISTORY_MAX, USUAL, HistoryFull
from metersim.works.controlled import Wallet
from metersim.works.cost_control import LOCAL, PLAIN, CostControl
from metersim.works.plate import Plate
from metersim.works.switch import State
from metersim.works.works import Works
from meterwire.dlt645 import BROADCAST, AbnormalReply
from meterwire.dlt645.messages.command import Acknowledgement
from meterwire.dlt645.messages.control import SecurityReply
from meterwire.dlt645.messages.time_and_terminals import BroadcastTime
from meterwire.dlt698.apdus.association import SymmetricSecurity
from meterwire.dlt698.apdus.parts import SUCCESS
from tests.support.head_end645 import HeadEnd
from tests.support.secured698 import ADDRESS as ADDRESS_698
from tests.support.secured698 import Secured, trip_data

ADDRESS, OLD, NEW, CUSTOMER = "000000000161", "000000990161", "000000990162", "000012345678"
T0 = datetime(2026, 5, 1, 4, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TRIP = 0x1A


def a_head_end(control: CostControl = LOCAL) -> HeadEnd:
    """Before a meter that hangs there for a day."""
    wallet = Wallet(preset_cents=500) if control.payment == "local" else None
    plate = Plate(address=ADDRESS, meter_number=OLD)
    works = Works(plate, seed=1, control=control, since=T0 - DAY, wallet=wallet)
    return HeadEnd(Meter(ADDRESS, seed=1, works=works), T0)


def exchange(works: Works, at: datetime, number: str = NEW) -> None:
    strike(Happening(what="meter_exchange", at=HOUR, meter=ADDRESS, meter_number=number), works, at)


def test_another_meter_has_other_keys_and_no_session() -> None:
    """A head-end that keeps the old meter's keys would go on trip and bill through the new one."""
    here = a_head_end()
    assert isinstance(here.authenticate(OLD), SecurityReply)
    old = here.sealed_message(TRIP)
    exchange(here.meter.works, here.now)
    assert isinstance(here.say(old), AbnormalReply)
    assert isinstance(here.authenticate(OLD), AbnormalReply)
    assert isinstance(here.authenticate(NEW), SecurityReply)
    assert isinstance(here.sealed(TRIP), Acknowledgement)


def test_another_meter_has_a_closed_contact_that_never_moved() -> None:
    """A home with a new meter would stay dark, and its trips be counted for the old one."""
    here = a_head_end(PLAIN)
    works = here.meter.works
    assert isinstance(here.plain(TRIP), Acknowledgement)
    here.now += HOUR
    assert ["0050"] == here.read("meter_status_word_3")
    exchange(works, here.now)
    assert (State.CLOSED, False) == (works.switch.state, works.history.last.conditions.contact_open)
    assert ["0000"] == here.read("meter_status_word_3")
    assert [Decimal(0)] == here.read("relay_trip_count@item") == here.read("relay_close_count@item")
    assert (0, 0) == tuple(works.events.count(kind, here.now) for kind in ("relay_trip", "relay_close"))
    here.now += HOUR
    assert isinstance(here.plain(TRIP), Acknowledgement)
    assert [Decimal(1)] == here.read("relay_trip_count@item")
    assert [(1, OLD), (2, NEW)] == [(one.number, one.meter_number) for one in works.memory.controls]
    assert 2 == works.memory.count("trip")


def test_another_meter_has_a_wallet_of_its_own() -> None:
    """Money of the old meter would be spent twice, or the first purchase of the new one be refused."""
    here = a_head_end()
    here.authenticate()
    assert isinstance(here.buy(10_000, 1, customer=CUSTOMER, opens=True), SecurityReply)
    assert 1 == here.meter.value("purchase_count", here.now)
    exchange(here.meter.works, here.now)
    assert 0 == here.meter.value("purchase_count", here.now)
    assert 5 == here.meter.value("remaining_balance", here.now)
    here.authenticate()
    assert isinstance(here.buy(200, 1, customer=CUSTOMER, opens=True), SecurityReply)
    assert 7 == here.meter.value("remaining_balance", here.now)


def test_another_meter_is_not_locked_by_wrong_passwords() -> None:
    """Whoever locked the old meter would have locked the new one for a day too."""
    here = a_head_end(PLAIN)
    for _ in range(ERRORS_MAX):
        assert isinstance(here.plain(TRIP, password="111111"), AbnormalReply)
    assert isinstance(here.plain(TRIP), AbnormalReply)
    exchange(here.meter.works, here.now)
    assert isinstance(here.plain(TRIP), Acknowledgement)


def test_another_meter_has_a_clock_of_its_own() -> None:
    """An exchange would mend no clock, and a broadcast of the day not be taken by the new one."""
    here = a_head_end(PLAIN)
    clock = here.meter.works.clock
    clock.go_wrong(here.now, by=MINUTE, drift_s_per_day=Decimal(60))

    def broadcast(ahead: timedelta) -> None:
        shown = clock.shows(here.now) - clock.ahead(here.now) + ahead
        here.say(BroadcastTime(address=BROADCAST, clock=f"{shown:%Y-%m-%d %H:%M:%S}"))

    broadcast(MINUTE / 2)
    assert MINUTE / 2 == clock.ahead(here.now)
    exchange(here.meter.works, here.now)
    assert timedelta() == clock.ahead(here.now) == clock.ahead(here.now + DAY)
    here.now += HOUR
    broadcast(MINUTE)
    assert MINUTE == clock.ahead(here.now)


def test_what_was_wrong_with_a_meter_is_gone_with_it_and_what_was_done_to_the_wiring_stays() -> None:
    """A new meter would stand still like the old one, or an exchange would end every theft."""
    works = a_head_end(PLAIN).meter.works
    for what in ("registers_stuck", "clock_battery_low", "relay_stuck"):
        begin(Happening(what=what, at=HOUR, meter=ADDRESS), works, T0)
    begin(Happening(what="tampering", theft="THEFT-10", at=HOUR, meter=ADDRESS), works, T0)
    exchange(works, T0 + HOUR)
    held = works.history.last.conditions
    assert (1000, False, 0) == (
        held.register_rate_per_mille,
        held.clock_battery_low,
        held.bridged_per_mille,
    )
    assert held != USUAL
    assert 1000 == held.bypassed_per_mille


def test_an_exchange_in_an_outage_leaves_a_meter_without_power() -> None:
    """The new meter would count and answer while the street is dark."""
    here = a_head_end(PLAIN)
    begin(Happening(what="power_outage", at=HOUR, meter=ADDRESS), here.meter.works, T0)
    exchange(here.meter.works, T0 + HOUR)
    here.now += 2 * HOUR
    assert not here.meter.works.switch.has_power
    assert here.plain(TRIP) is None


@pytest.mark.parametrize("rows_left", [1, 2])
def test_an_exchange_that_has_no_room_changes_nothing(rows_left: int) -> None:
    """A meter would be half exchanged: its contact closed, its registers and keys the old one's."""
    works = a_head_end(PLAIN).meter.works
    for number in range(HISTORY_MAX - 1 - rows_left):
        works.history.change(T0, load_per_mille=900 + number % 2)
    works.history.change(T0, contact_open=False)
    if rows_left == 2:
        exchange(works, T0)
        assert NEW == works.plate.meter_number
        return
    with pytest.raises(HistoryFull, match="begin with a new meter"):
        exchange(works, T0)
    assert (OLD, HISTORY_MAX - 1) == (works.plate.meter_number, len(works.history.rows))


def test_another_meter_of_698_has_other_keys_no_association_and_a_closed_contact() -> None:
    """A head-end could go on in an association with a meter that is gone."""
    client = Secured()
    assert 0 == client.associate().result
    assert SUCCESS == client.order(0x8000, 129, trip_data()).dar
    assert client.works.switch.contact_open
    old = client.envelope(client.action(0x8000, 129, trip_data()))
    exchange(client.works, client.at)
    assert not client.works.switch.contact_open
    client.send(old)
    assert not client.works.switch.contact_open
    assert 1 == client.works.memory.count("trip")
    serial = client.meter.envelopes.module.serial
    assert Secured().meter.envelopes.module.serial != serial  # of the old number
    assert 0 != client.associate(2).result
    diversifier = diversifier_of(NEW)
    begun = client.provider.init698(0, diversifier, 1)
    answer = client.run(client.association.connect(SymmetricSecurity(begun.cipher1, begun.sign1)))
    data, sign = answer.security_data
    client.session = client.provider.verify698(0, diversifier, begun.r1, data=data, sign=sign)
    assert SUCCESS == client.order(0x8000, 129, trip_data()).dar
    assert [ADDRESS_698, NEW] == [one.meter_number for one in client.works.memory.controls]
