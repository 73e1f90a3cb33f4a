"""The simulated meter of DL/T 698.45: what it shows, who may change it, and what it says to nonsense."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metersim.dlt698 import FACTORY_PASSWORD, Limits, Meter698
from metersim.dlt698.admission import TIMEOUT_S_MAX
from metersim.dlt698.reporting import REPORTS_ALLOWED
from metersim.dlt698.services import BROADCAST_STEP_MAX, BROADCAST_TIME, CLOCK
from metersim.works.clock import CLOCK_AHEAD_MAX, SETTINGS_MAX
from metersim.works.items import ENERGIES, POWERS, items_of
from metersim.works.moments import PLANT_TIME
from metersim.works.switch import Command
from meterwire.dlt698.apdus.action import (
    ActionRequestNormal,
    ActionRequestNormalList,
    ActionThenGetRequestNormalList,
)
from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu, encode_apdu
from meterwire.dlt698.apdus.association import ReleaseRequest, SymmetricSecurity
from meterwire.dlt698.apdus.get import GetRequestMD5, GetRequestNormal, GetRequestNormalList
from meterwire.dlt698.apdus.link_management import ServerErrorResponse
from meterwire.dlt698.apdus.parts import (
    SUCCESS,
    ActionItem,
    ActionThenGetItem,
    Dar,
    Piid,
    SetItem,
    SetThenGetItem,
    TimeTag,
)
from meterwire.dlt698.apdus.proxy import ProxyGetRequestRecord
from meterwire.dlt698.apdus.security import PlainUnit, Rn, SecurityRequest
from meterwire.dlt698.apdus.set import (
    SetRequestNormal,
    SetRequestNormalList,
    SetThenGetRequestNormalList,
)
from meterwire.dlt698.axdr.data import data_to_octets
from meterwire.dlt698.axdr.selection import Oad, Omd, SelectAll, Sid, SidMac, Ti
from meterwire.dlt698.axdr.values import Data, DateTimeS
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ANY, BROADCAST, ServerAddress
from meterwire.dlt698.link.deframer import Found
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.sessions.association import Offer
from meterwire.dlt698.sessions.transfer import FRAME_OCTETS_LEAST, Sizes
from tests.support.meter698 import AT, Client, found
from tests.wire.dlt698.apdu_strategies import BY_SERVICE

ADDRESS = "000000000161"
OWN = ServerAddress(ADDRESS)
PIID = Piid.of(9)
ENERGY = Oad.of("00100200")
DENIED, NO_ATTRIBUTE, NO_OBJECT, TYPE, RANGE, RIGHTS, LATE = map(Dar, (3, 4, 6, 7, 8, 15, 32))
NOON = DateTimeS(2026, 10, 1, 12, 0, 0)


def meter(**arguments: Any) -> Meter698:
    return Meter698(ADDRESS, seed=1, **arguments)


def time(value: DateTimeS) -> Data:
    return Data("date_time_s", value)


def set_clock(client: Client, data: Data, **tail: Any) -> Dar:
    request = SetRequestNormal(piid=PIID, item=SetItem(CLOCK, data), **tail)
    dar: Dar = client.ask(request).item.dar
    return dar


# --- what it shows --------------------------------------------------------------------------------------


def test_every_attribute_that_it_offers_reads_as_its_items() -> None:
    """An attribute would carry another value than the meter shows, by scaler, order or name."""
    here = meter()
    client = Client(here)
    seen = set()
    offered = here.offered(AT)
    for oad, data in offered.items():
        assert data == client.get(str(oad)), oad
        entry = dictionary().entry(oad)
        assert entry is not None, oad
        values = entry.decode(data)
        known = [value for value in values if value.period != "source"]  # NULL: of no source in particular
        assert all(value.problem in {None, "empty"} for value in known), oad
        for value in values:
            if (shown := here.value(value.item, AT)) is not None:
                assert shown == value.value, (oad, value.item)
                assert shown == client.values[value.label.key], (oad, value.item)
                seen.add(value.item)
    measured = (*ENERGIES, *POWERS, "voltage", "current", "frequency", "demand_period")
    assert {item for name in measured for item in items_of(name)} <= seen
    assert len(offered) > 40


def test_an_element_of_an_array_is_what_the_array_has_there() -> None:
    """The total would be taken for a tariff, or phase b for phase a."""
    here = meter()
    client = Client(here)
    for number, item in enumerate(items_of("forward_active_energy"), start=1):
        entry = dictionary().entry(Oad(0x0010, 2, number))
        data = client.get(f"001002{number:02X}")
        assert entry is not None
        assert isinstance(data, Data)
        assert [here.value(item, AT)] == [value.value for value in entry.decode(data)]
    assert NO_ATTRIBUTE == client.get("00100206")


@pytest.mark.parametrize(
    ("oad", "dar"),
    [
        ("03000200", NO_OBJECT),
        ("10110200", NO_OBJECT),
        ("7FFF0200", NO_OBJECT),
        ("00100900", NO_ATTRIBUTE),
        ("00100000", NO_ATTRIBUTE),
        ("20140300", NO_ATTRIBUTE),
        ("50040200", DENIED),
        ("30110200", DENIED),
    ],
)
def test_what_it_does_not_have_is_refused_by_the_word_for_it(oad: str, dar: Dar) -> None:
    """A reader would try again what can never be read, or give up an object that is there."""
    assert dar == Client(meter()).get(oad)


def test_its_clock_and_identity_are_its_own() -> None:
    """A clock that is ahead would be shown as right, and the wrong meter be billed."""
    client = Client(meter(clock_ahead=timedelta(minutes=7)))
    assert time(DateTimeS(2026, 10, 1, 11, 7, 0)) == client.get("40000200")
    for oad in ("40010200", "40020200", "40030200"):
        assert Data("octet-string", bytes.fromhex(ADDRESS)) == client.get(oad)


def test_status_words_say_which_power_is_negative() -> None:
    """Phase c feeds back; a status word that never tells it could not be tested with."""
    here = meter()
    data = Client(here).get("20140200")
    assert isinstance(data, Data)
    words = [str(word.value) for word in data.value]
    assert (here.value("active_power.c", AT) or 0) < 0 < (here.value("active_power", AT) or 0)
    no_account = "0" * 14 + "10"
    assert ["0" * 16, "0010" + "0" * 12, no_account, *["0" * 16] * 4] == words


def test_a_list_is_answered_one_by_one() -> None:
    """One refusal would take the rest of a list along."""
    oads = tuple(map(Oad.of, ("00100201", "03000200", "20000200")))
    answer = Client(meter()).ask(GetRequestNormalList(piid=PIID, oads=oads))
    assert oads == tuple(result.oad for result in answer.results)
    assert [Data, Dar, Data] == [type(result.result) for result in answer.results]


def test_an_md5_is_that_of_the_attribute_as_sent() -> None:
    """A client that only compares would see changes where there are none."""
    client = Client(meter())
    data = client.get("40010200")
    assert isinstance(data, Data)
    answer = client.ask(GetRequestMD5(piid=PIID, oad=Oad.of("40010200")))
    assert hashlib.md5(data_to_octets(data), usedforsecurity=False).digest() == answer.result
    assert NO_OBJECT == client.ask(GetRequestMD5(piid=PIID, oad=Oad.of("03000200"))).result


# --- who may change what ----------------------------------------------------------------------------------


def test_without_a_password_nothing_can_be_set() -> None:
    """Anybody on the line could set clocks."""
    here = meter()
    client = Client(here)
    assert RIGHTS == set_clock(client, time(NOON))
    assert 0 == client.connect().result
    assert RIGHTS == set_clock(client, time(NOON))
    assert 1 == client.connect("12345678").result
    assert RIGHTS == set_clock(client, time(NOON))
    assert () == here.clock.settings


def test_with_the_password_the_clock_is_set_until_release() -> None:
    """The clock could not be set at all, or by those who come after."""
    here = meter()
    client = Client(here)
    assert 0 == client.connect(FACTORY_PASSWORD).result
    assert SUCCESS == set_clock(client, time(NOON))
    assert time(NOON) == client.get("40000200")
    client.ask(ReleaseRequest(piid=PIID))
    assert RIGHTS == set_clock(client, time(NOON))


def test_an_association_that_was_silent_too_long_is_over() -> None:
    """Whoever comes to the line hours later would have the rights of the one before."""
    client = Client(meter(limits=Limits(timeout_s=60)))
    assert 60 == client.connect(FACTORY_PASSWORD).timeout_s
    client.at += timedelta(seconds=60)
    assert SUCCESS == set_clock(client, time(NOON))
    client.at += timedelta(seconds=61)
    assert RIGHTS == set_clock(client, time(NOON))


def test_a_meter_without_password_admits_nobody_by_one() -> None:
    """No password would be any password."""
    assert 1 == Client(meter(password=None)).connect(FACTORY_PASSWORD).result


def test_who_has_not_the_keys_is_not_admitted() -> None:
    """Anybody could open an association that looks proved."""
    client = Client(meter())
    auth = SymmetricSecurity(ciphertext=b"\x01" * 32, signature=b"\x02" * 4)
    assert 4 == client.run(client.association.connect(auth)).result


@pytest.mark.parametrize(
    ("oad", "data", "dar"),
    [
        ("40000200", Data("unsigned", 1), TYPE),
        ("40000200", time(DateTimeS(2026, 17, 1, 0, 0, 0)), RANGE),
        ("40000200", time(DateTimeS(2024, 1, 1, 0, 0, 0)), RANGE),
        ("43000800", Data("unsigned", 1), TYPE),
        ("43000800", Data("bool", True), SUCCESS),
        ("40010200", Data("octet-string", b"\x01"), DENIED),
        ("40000900", time(NOON), NO_ATTRIBUTE),
        ("03000200", time(NOON), NO_OBJECT),
    ],
)
def test_what_is_written_is_checked(oad: str, data: Data, dar: Dar) -> None:
    """A clock of month 17, or an address, could be written."""
    here = meter()
    client = Client(here)
    client.connect(FACTORY_PASSWORD)
    items = (SetItem(Oad.of(oad), data), SetItem(REPORTS_ALLOWED, Data("bool", dar == SUCCESS)))
    answer = client.ask(SetRequestNormalList(piid=PIID, items=items))
    assert [dar, SUCCESS] == [one.dar for one in answer.items]
    assert (dar == SUCCESS) is here.reports_allowed


def test_a_write_is_followed_by_its_read() -> None:
    """The read would show what was before."""
    client = Client(meter())
    client.connect(FACTORY_PASSWORD)
    item = SetThenGetItem(CLOCK, time(NOON), CLOCK, 1)
    [done] = client.ask(SetThenGetRequestNormalList(piid=PIID, items=(item,))).items
    assert (SUCCESS, time(NOON)) == (done.dar, done.get.result)


def test_methods_are_refused_by_the_word_for_it() -> None:
    """A method that does nothing would be answered as done."""
    client = Client(meter())
    reset = ActionItem(Omd(0x4300, 1), Data("null", None))
    assert RIGHTS == client.ask(ActionRequestNormal(piid=PIID, item=reset)).item.dar
    client.connect(FACTORY_PASSWORD)
    items = (
        reset,
        ActionItem(Omd(0x4300, 99), Data("null", None)),
        ActionItem(Omd(0x8107, 127), Data("null", None)),
        ActionItem(BROADCAST_TIME, time(NOON)),
    )
    answer = client.ask(ActionRequestNormalList(piid=PIID, items=items))
    assert [DENIED, NO_ATTRIBUTE, NO_OBJECT, RANGE] == [item.dar for item in answer.items]


def test_a_method_is_followed_by_its_read() -> None:
    """The read would show what was before."""
    client = Client(meter())
    client.connect(FACTORY_PASSWORD)
    soon = DateTimeS(2026, 10, 1, 11, 1, 0)
    item = ActionThenGetItem(BROADCAST_TIME, time(soon), CLOCK, 0)
    [done] = client.ask(ActionThenGetRequestNormalList(piid=PIID, items=(item,))).items
    assert (SUCCESS, time(soon)) == (done.dar, done.get.result)


def broadcast(here: Meter698, to: DateTimeS, at: Any = AT) -> None:
    request = ActionRequestNormal(piid=PIID, item=ActionItem(BROADCAST_TIME, time(to)))
    assert here.answer(found(request, BROADCAST), at) is None


def test_a_broadcast_moves_the_clock_a_little_once_a_day() -> None:
    """A forged or repeated broadcast could set every clock of an area."""
    here = meter()
    limit = AT.astimezone(PLANT_TIME) + BROADCAST_STEP_MAX
    broadcast(here, DateTimeS.of(limit + timedelta(seconds=1)))
    assert timedelta() == here.clock.ahead(AT)
    broadcast(here, DateTimeS.of(limit))
    assert timedelta(minutes=5) == here.clock.ahead(AT)
    broadcast(here, DateTimeS.of(limit), at=AT + timedelta(hours=1))
    assert timedelta(minutes=5) == here.clock.ahead(AT + timedelta(hours=1))
    tomorrow = AT + timedelta(days=1)
    broadcast(here, DateTimeS.of(tomorrow.astimezone(PLANT_TIME)), at=tomorrow)
    assert timedelta() == here.clock.ahead(tomorrow)


def test_a_broadcast_of_anything_else_does_nothing() -> None:
    """Everybody's clock could be set by the method that is for one."""
    here = meter()
    request = SetRequestNormal(piid=PIID, item=SetItem(CLOCK, time(NOON)))
    assert here.answer(found(request, BROADCAST), AT) is None
    assert () == here.clock.settings


# --- time tags, envelopes, errors ---------------------------------------------------------------------


def test_a_time_tag_is_repeated_and_what_is_late_not_done() -> None:
    """A command that hung in a concentrator for an hour would still be obeyed."""
    here = meter()
    client = Client(here)
    client.connect(FACTORY_PASSWORD)
    sent = DateTimeS(2026, 10, 1, 10, 59, 0)
    for delay, dar in ((Ti(0, 60), SUCCESS), (Ti(0, 59), LATE), (Ti(1, 0), SUCCESS), (Ti(9, 1), LATE)):
        tag = TimeTag(sent, delay)
        request = SetRequestNormal(piid=PIID, item=SetItem(REPORTS_ALLOWED, Data("bool", True)), time_tag=tag)
        answer = client.ask(request)
        assert (dar, tag) == (answer.item.dar, answer.time_tag)
    late = TimeTag(sent, Ti(0, 59))
    assert LATE == client.get("00100200", late)
    assert isinstance(client.get("00100200", TimeTag(DateTimeS(2027, 1, 1, 0, 0, 0), Ti(0, 1))), Data)


@pytest.mark.parametrize(
    ("verify", "dar"),
    [(SidMac(0x4C414201, bytes(2), bytes(4)), 23), (Sid(0x4C414201, bytes(2)), 22), (Rn(bytes(15)), 8)],
)
def test_an_envelope_is_refused_and_what_is_in_it_not_done(verify: SidMac | Sid | Rn, dar: int) -> None:
    """A meter would obey what it cannot check: without an association by keys no MAC can be right."""
    here = meter()
    client = Client(here)
    client.connect(FACTORY_PASSWORD)
    inner = SetRequestNormal(piid=PIID, item=SetItem(CLOCK, time(NOON)))
    request = SecurityRequest(unit=PlainUnit(encode_apdu(inner)), verify=verify)
    answer = decode_apdu(link.decode(client.say(found(request, OWN))).user_data)
    assert Dar(dar) == answer.unit  # type: ignore[union-attr]
    assert () == here.clock.settings


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        ("0501", 1),
        ("050109 00100200", 1),
        ("0F01", 2),
        ("0507 09 00", 2),
        ("850109 00100200 00 04 00 00", 2),
    ],
)
def test_what_is_no_request_is_answered_with_an_error(octets: str, error: int) -> None:
    """A broken request would be waited for until its time is over."""
    answer = Client(meter()).say(found(bytes.fromhex(octets), OWN))
    apdu = decode_apdu(link.decode(answer).user_data)
    assert isinstance(apdu, ServerErrorResponse)
    assert error == apdu.error


def test_a_meter_is_no_concentrator() -> None:
    """A request for a meter behind it would look as if that one were silent."""
    request = decode_apdu(bytes.fromhex("0902 09 001E 07 05 000000000162 50040200 09 01 01 00 00100200 00"))
    assert isinstance(request, ProxyGetRequestRecord)
    answer = decode_apdu(link.decode(Client(meter()).say(found(request, OWN))).user_data)
    assert isinstance(answer, ServerErrorResponse)
    assert 2 == answer.error


# --- link and sizes -----------------------------------------------------------------------------------------


def test_it_answers_a_wildcard_under_its_own_address() -> None:
    """A line with one unknown meter could not be explored."""
    answer = Client(meter()).say(found(GetRequestNormal(piid=PIID, oad=ENERGY), ANY))
    assert OWN == link.decode(answer).server
    flagged_single = ServerAddress("A" * 12)
    assert Client(meter()).say(found(GetRequestNormal(piid=PIID, oad=ENERGY), flagged_single))


def test_it_is_deaf_to_others() -> None:
    """Two meters on a line would answer at once."""
    other = found(GetRequestNormal(piid=PIID, oad=ENERGY), ServerAddress("000000000162"))
    assert meter().answer(other, AT) is None
    answer = Client(meter()).say(found(GetRequestNormal(piid=PIID, oad=ENERGY), OWN))
    assert meter().answer(Found(link.decode(answer), answer, 0), AT) is None


@pytest.mark.parametrize("first_block", [0, 1])
def test_small_sizes_bring_blocks_and_segments(first_block: int) -> None:
    """An answer would be longer than the client takes, or lose what is between two pieces."""
    here = meter(limits=Limits(first_block=first_block))
    client = Client(here, offer=Offer(rx_max=100, apdu_max=300))
    client.connect()
    table = client.records("50040200", SelectAll(), "20210200", "00000200", "00100200", "00200200")
    assert 62 == len(table.rows)
    assert max(map(len, client.heard)) <= 100
    when = f"@daily_freeze/{table.rows[-1].at:%Y-%m-%dT%H:%M:%S}"
    assert {item + when for item in items_of("forward_active_energy")} <= set(client.values)


def test_an_answer_that_cannot_be_cut_is_an_error() -> None:
    """The session would be stuck with an answer that never goes out."""
    client = Client(meter(), offer=Offer(apdu_max=FRAME_OCTETS_LEAST))
    client.connect()
    items = tuple(SetItem(CLOCK, time(NOON)) for _ in range(20))
    answer = client.ask(SetRequestNormalList(piid=PIID, items=items))
    assert isinstance(answer, ServerErrorResponse)
    assert Dar(254) == client.ask(GetRequestNormal(piid=PIID, oad=Oad.of("50020300"))).result


@pytest.mark.parametrize(
    "arguments",
    [
        {"frame": FRAME_OCTETS_LEAST - 1},
        {"frame": link.FRAME_OCTETS_MAX + 1},
        {"apdu": FRAME_OCTETS_LEAST - 1},
        {"apdu": link.FRAME_OCTETS_MAX + 1},
        {"timeout_s": 0},
        {"timeout_s": TIMEOUT_S_MAX + 1},
        {"first_block": 2},
    ],
)
def test_sizes_out_of_range_are_refused(arguments: dict[str, int]) -> None:
    """A meter would be made that can say nothing."""
    with pytest.raises(ValueError, match=r"\d"):
        Limits(**arguments)


def test_sizes_at_the_limit_are_taken() -> None:
    """The limit itself would be refused."""
    for octets in (FRAME_OCTETS_LEAST, link.FRAME_OCTETS_MAX):
        Limits(frame=octets, apdu=octets, timeout_s=TIMEOUT_S_MAX, first_block=0)
    meter(preset=Sizes(FRAME_OCTETS_LEAST, FRAME_OCTETS_LEAST))
    with pytest.raises(ValueError, match="before CONNECT"):
        meter(preset=Sizes(FRAME_OCTETS_LEAST - 1, 2000))


@pytest.mark.parametrize("address", ["", "16", "0000000001A1", "0000000000161"])
def test_an_address_of_anything_but_12_digits_is_refused(address: str) -> None:
    """Such a meter could never be asked."""
    with pytest.raises(ValueError, match="12 digits"):
        Meter698(address, seed=1)


def test_a_clock_may_be_400_days_off() -> None:
    """The limit itself would be refused, or nothing beyond it."""
    meter(clock_ahead=CLOCK_AHEAD_MAX)
    with pytest.raises(ValueError, match="400 days"):
        meter(clock_ahead=-CLOCK_AHEAD_MAX - timedelta(seconds=1))


def test_settings_of_the_clock_are_bounded() -> None:
    """A client that sets the clock each minute would fill the memory."""
    here = meter()
    for minute in range(SETTINGS_MAX + 10):
        at = AT + timedelta(minutes=minute)
        here.clock.set(at + timedelta(seconds=minute), at)
    assert SETTINGS_MAX == len(here.clock.settings)
    assert timedelta(seconds=SETTINGS_MAX + 9) == here.clock.ahead(at)


# --- nonsense --------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=80), max_size=6), st.booleans())
def test_any_user_data_is_survived(pieces: list[bytes], segmented: bool) -> None:
    """One wrong frame would end the simulator."""
    here = meter()
    for piece in pieces:
        here.answer(found(piece or b"\x00", OWN, segmented=segmented), AT)
    assert isinstance(Client(here).get("40010200"), Data)


@given(st.data())
@settings(max_examples=40)  # of each service, as where the codec is tried
@pytest.mark.parametrize("service", sorted(BY_SERVICE))
def test_any_apdu_is_survived(service: str, data: st.DataObject) -> None:
    """One odd request would end the simulator, or leave it deaf."""
    here = meter()
    apdu: Apdu = data.draw(BY_SERVICE[service])
    here.answer(found(apdu, OWN), AT)
    assert isinstance(Client(here).get("40010200"), Data)


def test_demands_of_phases_that_it_has_not_are_told_so() -> None:
    """A zero would look like a demand."""
    assert meter().value("forward_active_max_demand.a", AT) is None
    assert NO_OBJECT == Client(meter()).get("10110200")


def test_a_trip_that_was_due_shows_in_whatever_is_read_next() -> None:
    """A register would count on behind a contact that nobody had looked at, and later fall."""
    of_698 = meter()
    trip = Command(kind="trip", delay=timedelta(minutes=5), came_by="698.45")
    client = Client(of_698)
    of_698.works.switch.obey(trip, client.at)
    tripped_at = client.at + timedelta(minutes=5)
    client.at += timedelta(days=1)
    read = client.get("00100200")
    assert tripped_at == of_698.works.memory.moves[-1].moved_at
    of_698.works.advance(client.at)
    assert read == client.get("00100200")
    energy = of_698.works.value("forward_active_energy", tripped_at)
    assert energy == of_698.works.value("forward_active_energy", client.at)
