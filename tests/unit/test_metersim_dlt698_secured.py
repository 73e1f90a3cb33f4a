"""Simulated DL/T 698.45 meters obey whom they should: envelopes, relay, money, and what refuses them."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from metersim.dlt698.messages import CHARACTERS_MAX, MESSAGES_MAX
from metersim.dlt698.meter import FACTORY_PASSWORD
from metersim.dlt698.modes import EXPLICIT_MAX, Modes
from metersim.security.provider import Wallet698
from metersim.security.suite698 import Level
from metersim.works.account import AccountLimits
from metersim.works.cost_control import LOCAL, PLAIN, REMOTE
from metersim.works.switch import Command, State
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.apdus.association import ReleaseRequest, ReleaseResponse
from meterwire.dlt698.apdus.get import GetRequestNext, GetRequestNormal, GetRequestRecord
from meterwire.dlt698.apdus.parts import SUCCESS, Dar, RecordRequest, SetItem
from meterwire.dlt698.apdus.security import CipherUnit, PlainUnit, Rn, SecurityRequest, SecurityResponse
from meterwire.dlt698.apdus.set import SetRequestNormal
from meterwire.dlt698.axdr.selection import Oad, SelectAll, Sid, SidMac
from meterwire.dlt698.axdr.values import NULL, BitString, Data, DateTimeS
from meterwire.dlt698.link.address import AddressKind, ServerAddress
from meterwire.dlt698.sessions.association import Association, Offer
from tests.support.meter698 import AT, found
from tests.support.secured698 import (
    ADDRESS,
    CUSTOMER,
    Secured,
    close_data,
    trip_data,
    works_of,
)
from tests.wire.dlt698 import peer

MINUTE = timedelta(minutes=1)
CONTROL, GUARANTEE, ESAM, MODES = 0x8000, 0x8001, 0xF100, 0xF101
RELAY_1 = Data("bit-string", BitString(b"\x80", 8))
NO_RELAY = Data("bit-string", BitString(b"\x00", 8))
YUAN_100 = 10_000


def _double(*numbers: int) -> Data:
    return Data("structure", tuple(Data("double-long-unsigned", number) for number in numbers))


def _associated(**wanted: Any) -> Secured:
    client = Secured(**wanted)
    assert 0 == client.associate().result
    return client


def _bent(octets: bytes) -> bytes:
    return octets[:-1] + bytes((octets[-1] ^ 1,))


# --- association and envelopes --------------------------------------------------------------------------


def test_a_connect_by_keys_is_proved_both_ways() -> None:
    """The provider takes the meter's session data, and F100 tells counter, limit and time left."""
    client = Secured()
    answer = client.associate(counter=15)
    assert (0, 7200) == (answer.result, answer.timeout_s)
    assert _double(15, 0, 0) == client.get("F1000700")
    assert Data("double-long-unsigned", 120) == client.get("F1000500")
    client.at += 10 * MINUTE
    assert Data("double-long-unsigned", 110) == client.get("F1000600")
    assert Data("octet-string", client.meter.envelopes.module.serial) == client.get("F1000200")
    assert Data("octet-string", bytes(16)) == client.get("F1000400")


def test_a_connect_that_was_recorded_opens_nothing() -> None:
    """Whoever plays a CONNECT again, or an older one, gets no session data."""
    client = Secured()
    assert 0 == client.associate(counter=5).result
    for counter in (5, 4):
        answer = client.associate(counter=counter)
        assert (2, None) == (answer.result, answer.security_data)
    assert 0 == client.associate(counter=6).result


@pytest.mark.parametrize("level", Level)
def test_requests_are_opened_and_answers_sealed(level: Level) -> None:
    """A read and a trip at every level, and answers that the provider opens."""
    client = _associated()
    request = GetRequestNormal(piid=client.association.next_piid(), oad=Oad.of("80000500"))
    assert NO_RELAY == client.sealed(request, level).result.result
    assert SUCCESS == client.order(CONTROL, 129, trip_data(), level).dar
    assert RELAY_1 == client.sealed(request, level).result.result
    assert 1 == client.works.memory.count("trip")


def test_reads_are_proved_without_an_association() -> None:
    """The daily read with a random number: the meter's MAC is for it."""
    client = Secured()
    assert NO_RELAY == client.proved("80000500")
    assert Dar(6) == client.proved("20990200")


@pytest.mark.parametrize("part", ["data", "mac", "sid", "additional"])
def test_one_bit_changed_is_refused_counted_and_not_done(part: str) -> None:
    """An envelope that was changed on its way must not move the contact."""
    client = _associated()
    whole = client.envelope(client.action(CONTROL, 129, trip_data()))
    assert isinstance(whole.unit, CipherUnit)
    assert isinstance(whole.verify, SidMac)
    changed = {
        "data": dataclasses.replace(whole, unit=CipherUnit(_bent(whole.unit.octets))),
        "mac": dataclasses.replace(whole, verify=whole.verify._replace(mac=_bent(whole.verify.mac))),
        "sid": dataclasses.replace(whole, verify=whole.verify._replace(id=whole.verify.id ^ 1)),
        "additional": dataclasses.replace(whole, verify=whole.verify._replace(data=b"\x00\x00")),
    }[part]
    answer = client.send(changed)
    assert isinstance(answer, SecurityResponse)
    assert (Dar(22), 1) == (answer.unit, client.meter.envelopes.module.failures.total)
    assert (State.CLOSED, ()) == (client.works.switch.state, client.works.memory.controls)
    assert SUCCESS == client.order(CONTROL, 129, trip_data()).dar


def test_ciphers_without_mac_tell_that_they_cannot_be_read() -> None:
    """At level 3 nothing but the padding shows a wrong key: DAR 28."""
    client = _associated()
    rubbish = SecurityRequest(unit=CipherUnit(bytes(16)), verify=Sid(0x4C414201, b"\x00\x10"))
    answer = client.send(rubbish)
    assert Dar(28) == answer.unit


def test_the_third_wrong_mac_ends_the_association_and_the_fifteenth_suspends() -> None:
    """Guessing must not go on for ever: DAR 22, 22, 22, then 23; and 31 at last."""
    client = Secured()
    module = client.meter.envelopes.module
    dars = []
    counter = 0
    while module.failures.total < 15:
        if not module.association.valid(client.works.clock.shows(client.at)):
            counter += 1
            client.associate(counter)
        whole = client.envelope(client.action(CONTROL, 129, trip_data()))
        assert isinstance(whole.verify, SidMac)
        wrong = dataclasses.replace(whole, verify=whole.verify._replace(mac=bytes(4)))
        dars.append(client.send(wrong).unit)
    assert [Dar(22)] * 15 == dars
    assert 5 == counter
    assert 255 == client.associate(counter + 1).result
    assert Dar(31) == client.send(wrong).unit
    assert () == client.works.memory.controls
    client.at += timedelta(hours=1)
    assert 0 == client.associate(counter + 1).result


def test_envelopes_end_with_their_association() -> None:
    """After RELEASE, another CONNECT, method 5 of F100, or too long a time, keys of before open nothing."""
    for way in ("release", "connect", "method", "time", "silence"):
        client = _associated()
        request = client.action(CONTROL, 129, trip_data())
        whole = client.envelope(request)
        match way:
            case "release":
                client.run(client.association.release())
            case "connect":
                client.connect()
            case "method":
                ended = client.order(ESAM, 5)
                assert (SUCCESS, "date_time_s") == (ended.dar, ended.data and ended.data.type)
            case "time":
                client.meter.envelopes.module.association.set_limit(1)
                client.at += MINUTE
            case _:
                client.at += timedelta(seconds=7201)
        assert Dar(23) == client.send(whole).unit, way
        assert () == client.works.memory.controls


def test_an_order_that_comes_twice_is_obeyed_twice_until_its_time_is_over() -> None:
    """LAB-SM4 has no counter in an envelope: a sender that repeats itself must not look better than it is."""
    client = _associated()
    whole = client.envelope(client.action(CONTROL, 129, trip_data()))
    first = client.send(whole)
    assert first == client.send(whole)
    assert 2 == client.works.memory.count("trip")
    assert 2 == client.works.events.count("relay_trip", client.at), (
        "the contact moved once, and once in trial"
    )
    client.at += timedelta(hours=1)
    late = client.send(whole)
    opened = client.provider.open698(client.session, Level.CIPHER_MAC, late.unit.octets, late.verify.mac)
    assert Dar(32) == decode_apdu(opened).item.dar, "its time tag is too old"  # type: ignore[union-attr]
    assert 2 == client.works.memory.count("trip")


def test_an_envelope_with_something_else_in_it_is_answered_in_one() -> None:
    """What was deciphered and is no APDU gets its ERROR, and the line goes on."""
    client = _associated()
    made = client.provider.protect698(client.session, Level.CIPHER_MAC, b"\x00")
    verify = SidMac(int.from_bytes(made.sid, "big"), made.additional, made.mac or b"")
    answer = client.send(SecurityRequest(unit=CipherUnit(made.data), verify=verify))
    opened = client.provider.open698(client.session, Level.CIPHER_MAC, answer.unit.octets, answer.verify.mac)
    assert opened.startswith(b"\xee")


# --- the relay --------------------------------------------------------------------------------------------


def test_trip_permit_key_close() -> None:
    """Command and contact are told apart by 8000, F205, 2014 and 2040, as a head-end reads them back."""
    client = _associated()

    def told() -> tuple[object, ...]:
        [relay] = client.get("F2050200").value  # type: ignore[union-attr]
        words = client.get("20140203")
        assert isinstance(words, Data)
        return (
            client.get("80000300"),
            client.get("80000500"),
            relay.value[1].value,
            [bit for bit in (4, 6, 13) if words.value.bit(bit)],
        )

    assert (NO_RELAY, NO_RELAY, 0, [13]) == told()
    assert SUCCESS == client.order(CONTROL, 129, trip_data()).dar
    assert (RELAY_1, RELAY_1, 1, [4, 6, 13]) == told()
    assert Data("bit-string", BitString.of("0010000000000000")) == client.get("20400200")
    assert SUCCESS == client.order(CONTROL, 130, close_data(0)).dar
    assert (RELAY_1, NO_RELAY, 1, [4, 13]) == told()
    assert client.works.switch.press_key(client.at)
    assert (NO_RELAY, NO_RELAY, 0, [13]) == told()
    assert SUCCESS == client.order(CONTROL, 129, trip_data()).dar
    assert SUCCESS == client.order(CONTROL, 130, close_data(1)).dar
    assert (NO_RELAY, NO_RELAY, 0, [13]) == told()
    assert {"trip": 2, "permit_close": 1, "direct_close": 1} == client.works.memory.counts()
    assert {"698.45"} == {one.came_by for one in client.works.memory.controls}


def test_delay_while_and_automatic_close() -> None:
    """An alarm delay in minutes, then open for a while, then closed by itself, each at its instant."""
    client = _associated()
    order = trip_data(delay_min=2, limit_min=10, auto_close=True)
    assert SUCCESS == client.order(CONTROL, 129, order).dar
    assert (NO_RELAY, RELAY_1, RELAY_1) == tuple(map(client.get, ("80000300", "80000400", "80000500")))
    client.at += 2 * MINUTE
    assert (RELAY_1, NO_RELAY, RELAY_1) == tuple(map(client.get, ("80000300", "80000400", "80000500")))
    client.at += 10 * MINUTE
    assert NO_RELAY == client.get("80000300")
    assert [AT + 2 * MINUTE, AT + 12 * MINUTE] == [move.moved_at for move in client.works.memory.moves[2:]]
    assert SUCCESS == client.order(CONTROL, 129, trip_data(limit_min=10)).dar
    client.at += 10 * MINUTE
    assert (RELAY_1, NO_RELAY) == tuple(map(client.get, ("80000300", "80000500")))


def test_a_guarantee_refuses_trips_and_says_why() -> None:
    """While it is on a trip is DAR 3 and bit 5 of the error word; other meters say that they did it."""
    client = _associated()
    assert SUCCESS == client.order(GUARANTEE, 127).dar
    assert Data("enum", 1) == client.get("80010200")
    assert Dar(3) == client.order(CONTROL, 129, trip_data()).dar
    assert Data("bit-string", BitString.of("0000010000000000")) == client.get("20410200")
    assert Dar(3) == client.order(CONTROL, 129, trip_data(limit_min=5)).dar
    assert SUCCESS == client.order(GUARANTEE, 129).dar
    assert SUCCESS == client.order(GUARANTEE, 128).dar
    assert SUCCESS == client.order(CONTROL, 129, trip_data()).dar
    assert Data("bit-string", BitString.of("0" * 16)) == client.get("20410200")
    dropping = _associated(works=works_of(dataclasses.replace(REMOTE, trip_under_guarantee="drops")))
    assert SUCCESS == dropping.order(GUARANTEE, 127).dar
    assert SUCCESS == dropping.order(CONTROL, 129, trip_data()).dar
    assert NO_RELAY == dropping.get("80000300")


def test_alarm_and_protection() -> None:
    """The alarm goes on and off; a trip waits while more than the limit flows, and not for ever."""
    client = _associated()
    assert (SUCCESS, RELAY_1) == (client.order(CONTROL, 127).dar, client.get("80000400"))
    assert (SUCCESS, NO_RELAY) == (client.order(CONTROL, 128).dar, client.get("80000400"))
    half = int(client.works.current_a(client.at) * 5_000)
    limit = Data("structure", (Data("double-long-unsigned", half), Data("long-unsigned", 5)))
    request = SetRequestNormal(piid=client.association.next_piid(), item=SetItem(Oad(CONTROL, 2, 0), limit))
    assert SUCCESS == client.sealed(request).item.dar
    assert limit == client.get("80000200")
    assert SUCCESS == client.order(CONTROL, 129, trip_data()).dar
    assert Data("bit-string", BitString.of("0000010000000000")) == client.get("20400200")
    assert (NO_RELAY, RELAY_1) == tuple(map(client.get, ("80000300", "80000500")))
    client.at += 5 * MINUTE
    assert RELAY_1 == client.get("80000300")


@pytest.mark.parametrize(
    ("method", "data", "dar"),
    [
        (129, Data("array", ()), 8),
        (129, Data("array", trip_data().value * 2), 8),
        (129, trip_data().value[0], 7),
        (129, trip_data(relay=Data("OAD", Oad(0xF206, 2, 1))), 8),
        (129, trip_data(relay=Data("OAD", Oad(0xF205, 3, 1))), 8),
        (129, trip_data(relay=NULL), 7),
        (130, close_data(2), 8),
        (130, close_data(0x1C), 8),
        (130, NULL, 7),
        (127, Data("bool", True), 7),
        (131, close_data(1, password="wrong"), 15),
        (99, NULL, 4),
    ],
)
def test_parameters_that_do_not_fit_move_nothing(method: int, data: Data, dar: int) -> None:
    """A wrong close code that were taken for "direct" would put a house under power."""
    client = _associated()
    assert Dar(dar) == client.order(CONTROL, method, data).dar
    assert ((), 2) == (client.works.memory.controls, len(client.works.memory.moves))


def test_orders_need_a_time_tag_that_is_not_over() -> None:
    """A frame that hung in a terminal must not trip hours later: DAR 32, and nothing is done."""
    client = _associated()
    untagged = client.action(CONTROL, 129, trip_data(), tagged=False)
    assert Dar(32) == client.sealed(untagged).item.dar
    late = client.action(GUARANTEE, 127)
    client.at += timedelta(minutes=5, seconds=1)
    assert Dar(32) == client.sealed(late).item.dar
    assert Data("bit-string", BitString.of("0000100000000000")) == client.get("20410200")
    assert () == client.works.memory.controls


def test_some_meters_do_not_look_at_the_end_of_an_order() -> None:
    """Nobody's gateway would be seen to take such a meter for one that forgets what comes late."""
    client = _associated(works=works_of(dataclasses.replace(REMOTE, checks_expiry=False)))
    untagged = client.action(GUARANTEE, 128, tagged=False)
    assert Dar(32) == client.sealed(untagged).item.dar, "an order without an end is none"
    late = client.action(GUARANTEE, 127)
    client.at += timedelta(minutes=5, seconds=1)
    assert SUCCESS == client.sealed(late).item.dar


def test_closing_with_a_password_needs_no_keys() -> None:
    """Method 131 carries its own proof, and is taken in plain even where modes are enforced."""
    client = Secured(enforced=True)
    client.works.switch.obey(Command(kind="trip"), client.at)
    wrong = client.action(CONTROL, 131, close_data(1, password="00000001"))
    assert Dar(15) == client.send(wrong).item.dar
    right = client.action(CONTROL, 131, close_data(1, password=FACTORY_PASSWORD))
    assert SUCCESS == client.send(right).item.dar
    assert not client.works.switch.contact_open


def test_orders_to_everybody_are_refused_but_by_the_meters_that_obey_them() -> None:
    """Nobody may send them; a plant can hold the kind of meter for which that rule is made."""
    everybody = ServerAddress("AA", kind=AddressKind.BROADCAST)
    for obeys in (False, True):
        client = Secured(works_of(dataclasses.replace(REMOTE, obeys_everybody=obeys)))
        client.connect(FACTORY_PASSWORD)
        order = client.action(CONTROL, 129, trip_data())
        assert client.say(found(order, everybody)) == b""
        assert obeys == client.works.switch.contact_open
        modes = client.action(MODES, 127, _mode(0x8000, 0x8888))
        assert client.say(found(modes, everybody)) == b""
        assert 0x8110 == client.meter.modes.mode(0x8000)


def test_strangers_order_nothing() -> None:
    """Without password and keys a client may read, and no more."""
    client = Secured()
    for request in (
        client.action(CONTROL, 129, trip_data()),
        client.action(MODES, 127, _mode(0x8000, 0x8888)),
        client.action(ESAM, 5),
    ):
        assert Dar(15) == client.send(request).item.dar
    order = encode_apdu(client.action(CONTROL, 129, trip_data()))
    wrapped = SecurityRequest(unit=PlainUnit(order), verify=Rn(bytes(16)))
    client.send(wrapped)
    assert () == client.works.memory.controls
    client.connect(FACTORY_PASSWORD)
    assert SUCCESS == client.send(client.action(CONTROL, 129, trip_data())).item.dar


def test_trips_and_closings_are_events_with_the_energy_of_the_moment() -> None:
    """Records of 301F and 3020 tell how often, when, and what the registers showed."""
    client = _associated()
    times = []
    for _ in range(2):
        client.at += timedelta(minutes=30)
        times.append(client.at)
        client.order(CONTROL, 129, trip_data())
        client.at += MINUTE
        client.order(CONTROL, 130, close_data(1))
    columns = ("20220200", "201E0200", "20200200", "00100201")
    opened = client.records("301F0200", SelectAll(), *columns)
    shown = [f"{client.works.clock.shows(at):%Y-%m-%d %H:%M:%S}" for at in times]
    energy = [client.meter.value("forward_active_energy", at) for at in times]
    told = [[value.content for value in row.values] for row in opened.rows[1:]]  # one is the factory's
    assert [[Decimal(n), at, at, kwh] for n, at, kwh in zip((2, 3), shown, energy, strict=True)] == told
    assert 3 == len(client.records("30200200", SelectAll(), *columns).rows)


def test_a_contact_that_does_not_break_is_an_event() -> None:
    """302B and the log would be silent about a trip that left the customer his power."""
    client = _associated()
    client.works.history.change(client.at, bridged_per_mille=1000)
    assert 0 == client.works.events.count("relay_malfunction", client.at), "a closed contact hides it"
    client.at += MINUTE
    client.order(CONTROL, 129, trip_data())
    tripped_at, client.at = client.at, client.at + MINUTE
    columns = ("20220200", "201E0200", "20200200")
    [row] = client.records("302B0200", SelectAll(), *columns).rows
    began = f"{client.works.clock.shows(tripped_at):%Y-%m-%d %H:%M:%S}"
    assert [Decimal(1), began, None] == [value.content for value in row.values]
    client.order(CONTROL, 130, close_data(1))
    [event] = client.works.events.events("relay_malfunction", client.at)
    assert (tripped_at, client.at) == (event.started_at, event.ended_at)


# --- security modes ---------------------------------------------------------------------------------------


def _mode(oi: int, mode: int) -> Data:
    return Data("structure", (Data("OI", oi), Data("long-unsigned", mode)))


def test_enforced_modes_want_cipher_and_mac_for_control() -> None:
    """With F101 in force a trip in less than cipher and MAC is DAR 20; energy stays open to all."""
    client = _associated(enforced=True)
    assert isinstance(client.get("00100200"), Data)
    for level, dar in ((Level.PLAIN_MAC, 20), (Level.CIPHER, 20), (Level.CIPHER_MAC, 0)):
        assert Dar(dar) == client.order(CONTROL, 129, trip_data(), level).dar
    assert Dar(20) == client.send(client.action(CONTROL, 130, close_data(1))).item.dar
    assert client.works.switch.contact_open


def test_modes_of_single_objects_go_first() -> None:
    """What was set for one object holds until it is taken away; 0 lets nobody in."""
    client = _associated(enforced=True)
    assert SUCCESS == client.order(MODES, 127, _mode(0x0010, 0x4000)).dar
    assert Data("array", (_mode(0x0010, 0x4000),)) == client.get("F1010300")
    assert Dar(20) == client.get("00100200")
    assert isinstance(client.proved("00100200"), Data)
    assert SUCCESS == client.order(MODES, 129, Data("array", (_mode(0x0010, 0x0000),))).dar
    assert Dar(20) == client.proved("00100200")
    assert SUCCESS == client.order(MODES, 128, Data("OI", 0x0010)).dar
    assert Dar(6) == client.order(MODES, 128, Data("OI", 0x0010)).dar
    assert isinstance(client.get("00100200"), Data)
    off = SetRequestNormal(
        piid=client.association.next_piid(), item=SetItem(Oad(MODES, 2, 0), Data("enum", 0))
    )
    assert SUCCESS == client.sealed(off).item.dar
    assert Data("enum", 0) == client.get("F1010200")
    assert SUCCESS == client.send(client.action(CONTROL, 129, trip_data())).item.dar


def test_modes_are_bounded() -> None:
    """A list that grows without end would fill a meter's memory."""
    client = _associated()
    full = Data("array", tuple(_mode(0x1000 + number, 0) for number in range(EXPLICIT_MAX)))
    assert SUCCESS == client.order(MODES, 129, full).dar
    assert Dar(8) == client.order(MODES, 127, _mode(0x2000, 0)).dar
    assert SUCCESS == client.order(MODES, 127, _mode(0x1000, 0x8888)).dar
    assert Dar(7) == client.order(MODES, 127, NULL).dar


def test_default_modes_are_the_printed_ones() -> None:
    """Rights that a head-end reads in the standard's table are those of the meter."""
    printed = {
        0x0010: 0x8004,
        0x1010: 0x8000,
        0x202C: 0x8004,
        0x2000: 0x8080,
        0x3016: 0x8110,
        0x4000: 0x8184,
        0x4800: 0x8110,
        0x5000: 0x8140,
        0x5004: 0x8110,
        0x6000: 0x8887,
        0x8000: 0x8110,
        0xF100: 0x8414,
        0xF101: 0x8124,
    }
    assert printed == {oi: Modes().mode(oi) for oi in printed}


# --- money ------------------------------------------------------------------------------------------------


def _local(cents: int = 1, **limits: int) -> Secured:
    """A meter that was switched on this moment with so much money, its account opened by a cent more."""
    works = works_of(LOCAL, preset_cents=cents, since=AT)
    assert works.account is not None
    works.account.limits = AccountLimits(**limits)
    assert works.account.open_account(1, 1, CUSTOMER, AT).done
    return _associated(works=works)


def test_a_top_up_is_credited_once() -> None:
    """Count and amount are read back in 202C; the same count again is DAR 21 and changes nothing."""
    client = _local(12_344)
    assert _double(12_345, 1) == client.get("202C0200")
    assert SUCCESS == client.order(ESAM, 6, client.purse(1, YUAN_100, 2)).dar
    assert _double(22_345, 2) == client.get("202C0200")
    assert Dar(21) == client.order(ESAM, 6, client.purse(1, YUAN_100, 2)).dar
    assert Dar(25) == client.order(ESAM, 6, client.purse(1, YUAN_100, 4)).dar
    assert Dar(24) == client.order(ESAM, 6, client.purse(1, YUAN_100, 3, customer="000012345679")).dar
    assert Dar(22) == client.order(ESAM, 6, client.purse(1, YUAN_100, 3, proof_of=YUAN_100 - 1)).dar
    assert _double(22_345, 2) == client.get("202C0200")
    assert Data("double-long-unsigned", YUAN_100 + 1) == client.get("202E0200")
    assert 1 == client.meter.envelopes.module.failures.total
    assert 1 == client.works.memory.count("top_up")


def test_hoarding_refund_and_initialisation() -> None:
    """More than the meter may hold is DAR 26; a refund names the last count; a new wallet has none."""
    client = _local(99, hoarding=YUAN_100 + 100)
    assert Dar(26) == client.order(ESAM, 6, client.purse(1, YUAN_100 + 1, 2)).dar
    assert SUCCESS == client.order(ESAM, 6, client.purse(1, YUAN_100, 2)).dar
    assert Dar(25) == client.order(ESAM, 6, client.purse(2, 4_000, 3)).dar
    assert SUCCESS == client.order(ESAM, 6, client.purse(2, 4_000, 2)).dar
    assert _double(6_100, 2) == client.get("202C0200")
    shown = f"{client.works.clock.shows(client.at):%Y-%m-%d %H:%M:%S}"
    refunds = client.records("30290200", SelectAll(), "20220200", "201E0200")
    assert [[Decimal(1), shown]] == [[value.content for value in row.values] for row in refunds.rows]
    assert ["4000"] == [
        one.details["amount_cents"] for one in client.works.events.events("refund", client.at)
    ]
    made = client.provider.purse698(
        client.session, kind=Wallet698.INITIALISE, amount=500, count=0, customer=CUSTOMER
    )
    proof = SidMac(int.from_bytes(made.sid, "big"), made.additional, made.mac)
    wrong = Data("structure", (Data("double-long-unsigned", 501), Data("SID_MAC", proof)))
    assert Dar(22) == client.order(ESAM, 10, wrong).dar
    right = Data("structure", (Data("double-long-unsigned", 500), Data("SID_MAC", proof)))
    assert SUCCESS == client.order(ESAM, 10, right).dar
    assert _double(500, 0) == client.get("202C0200")


def test_an_account_is_opened() -> None:
    """The first purchase brings the customer; 2014 tells the account's state."""
    client = _associated(works=works_of(LOCAL, preset_cents=1, since=AT))
    word = client.get("20140203")
    assert isinstance(word, Data)
    assert (True, True) == (word.value.bit(14), word.value.bit(15))
    assert SUCCESS == client.order(ESAM, 6, client.purse(0, YUAN_100, 1)).dar
    word = client.get("20140203")
    assert isinstance(word, Data)
    assert (False, True) == (word.value.bit(14), word.value.bit(9))
    assert _double(YUAN_100 + 1, 1) == client.get("202C0200")


@pytest.mark.parametrize(
    ("member", "data", "dar"),
    [
        (0, Data("integer", 3), 8),
        (1, Data("long-unsigned", 1), 7),
        (3, Data("octet-string", bytes(5)), 8),
        (3, Data("octet-string", b"\xff" * 6), 8),
        (5, Data("octet-string", bytes(8)), 8),
        (5, Data("octet-string", bytes(6)), 255),
    ],
)
def test_wallet_orders_that_do_not_fit(member: int, data: Data, dar: int) -> None:
    """An order for another meter, or of another layout, must not touch the wallet: no MAC was wrong."""
    client = _local()
    before = client.works.memory.controls
    members = list(client.purse(1, YUAN_100, 2).value)
    members[member] = data
    assert Dar(dar) == client.order(ESAM, 6, Data("structure", tuple(members))).dar
    assert (0, before) == (client.meter.envelopes.module.failures.total, client.works.memory.controls)


def test_money_needs_keys_and_a_wallet() -> None:
    """A password opens no wallet, and a remote meter has none."""
    client = _local()
    order = client.purse(1, YUAN_100, 2)
    client.connect(FACTORY_PASSWORD)
    assert Dar(23) == client.send(client.action(ESAM, 6, order)).item.dar
    remote = _associated()
    assert Dar(5) == remote.order(ESAM, 6, remote.purse(1, YUAN_100, 1)).dar
    assert Dar(6) == remote.get("202C0200")


def test_limits_are_read_and_written() -> None:
    """401E and 401F; who is overdrawn by a new limit is tripped, and 202D tells by how much."""
    client = _local(1, overdraft=10)
    client.at += timedelta(minutes=100)
    account = client.works.account
    assert account is not None
    assert _double(0, 1) == client.get("202C0200")
    overdrawn = account.overdraft_cents(client.at)
    assert 10 == overdrawn  # what was drawn when the contact opened
    assert Data("double-long-unsigned", overdrawn) == client.get("202D0200")
    assert RELAY_1 == client.get("80000300")
    assert _double(10, 99_999_999, 0) == client.get("401F0200")
    piid = client.association.next_piid()
    alarms = SetRequestNormal(piid=piid, item=SetItem(Oad(0x401E, 2, 0), _double(3_000, 1_500)))
    assert SUCCESS == client.sealed(alarms).item.dar
    assert _double(3_000, 1_500) == client.get("401E0200")
    assert Data("double-long-unsigned", 1_500) == client.get("401E0202")
    beyond = SetRequestNormal(piid=piid, item=SetItem(Oad(0x401F, 2, 0), _double(0, 100_000_000, 0)))
    assert Dar(8) == client.sealed(beyond).item.dar
    read_only = SetRequestNormal(piid=piid, item=SetItem(Oad(0x202C, 2, 0), _double(0, 0)))
    assert Dar(3) == client.sealed(read_only).item.dar


# --- messages, and the module's own -----------------------------------------------------------------------


def _message(number: int, text: str) -> Data:
    at = Data("date_time_s", DateTimeS(2026, 10, 1, 12, 0, 0))
    return Data("structure", (Data("unsigned", number), at, Data("visible-string", text)))


def test_messages_and_reminder_are_kept_and_bounded() -> None:
    """What a customer is to read arrives, up to so many and so long."""
    client = _associated()
    reminder = Data("structure", (Data("octet-string", b"\x00\xff\x00"), Data("visible-string", "pay")))
    assert SUCCESS == client.order(0x8002, 127, reminder).dar
    assert Data("enum", 1) == client.get("80020200")
    assert SUCCESS == client.order(0x8002, 128).dar
    assert Data("enum", 0) == client.get("80020200")
    for number in range(MESSAGES_MAX):
        assert SUCCESS == client.order(0x8003, 127, _message(number, "x" * CHARACTERS_MAX)).dar
    assert Dar(8) == client.order(0x8003, 127, _message(MESSAGES_MAX, "one more")).dar
    assert SUCCESS == client.order(0x8003, 127, _message(0, "another")).dar
    assert Dar(8) == client.order(0x8004, 127, _message(0, "x" * (CHARACTERS_MAX + 1))).dar
    gone = Data("structure", (Data("unsigned", 3),))
    assert SUCCESS == client.order(0x8003, 128, gone).dar
    assert Dar(8) == client.order(0x8003, 128, gone).dar
    assert "another" == client.meter.messages.messages[0x8003][0].text


def test_the_limit_of_associations_is_set() -> None:
    """Method 9 of F100, four octets of minutes; what is out of range stays as it was."""
    client = _associated()
    for minutes, dar in ((30, 0), (0, 8), (43_201, 8)):
        sid = Sid(0x4C414201, b"\x00\x04")
        data = Data("structure", (Data("octet-string", minutes.to_bytes(4, "big")), Data("SID", sid)))
        assert Dar(dar) == client.order(ESAM, 9, data).dar
    assert Data("double-long-unsigned", 30) == client.get("F1000500")
    assert Dar(3) == client.order(ESAM, 7, Data("structure", ())).dar


def test_nothing_secret_shows() -> None:
    """Not in what the meter keeps, nor in a failing test's words, nor in its list of answers."""
    client = _local()
    order = client.purse(1, YUAN_100, 1)
    request = client.action(ESAM, 6, order)
    envelope = client.envelope(request)
    assert isinstance(envelope.unit, CipherUnit)
    assert isinstance(envelope.verify, SidMac)
    answer = client.send(envelope)
    heard = client.meter.envelopes
    shown = " ".join(map(repr, (client.meter.envelopes.module, request, envelope, answer, client.values)))
    shown += repr(client.works.memory.controls)
    mac: bytes = order.value[4].value.mac
    for secret in (envelope.unit.octets, envelope.verify.mac, mac, answer.unit.octets, answer.verify.mac):
        assert secret.hex() not in shown.lower()
        assert repr(secret)[2:-1] not in shown
    assert "SessionKey" not in repr(vars(heard)["module"])


# --- a witness --------------------------------------------------------------------------------------------


def test_another_implementation_reads_what_goes_over_the_line() -> None:
    """PyPI's `dlt698` decodes each order and each answer of a rehearsal, in plain and in envelopes."""
    client = _local(5_000)
    orders = [
        client.action(CONTROL, 129, trip_data(delay_min=1, limit_min=5, auto_close=True)),
        client.action(CONTROL, 130, close_data(0)),
        client.action(CONTROL, 131, close_data(1, password=FACTORY_PASSWORD)),
        client.action(GUARANTEE, 127),
        client.action(ESAM, 6, client.purse(1, YUAN_100, 1)),
        client.action(MODES, 127, _mode(0x8000, 0x8110)),
        client.action(0x8003, 127, _message(1, "text")),
    ]
    reads = [
        GetRequestNormal(piid=client.association.next_piid(), oad=Oad.of(oad))
        for oad in ("80000200", "80010200", "F2050200", "20400200", "202C0200", "F1000700", "F1010300")
    ]
    asked: list[Any] = [*orders, *reads]
    asked += [client.envelope(one, level) for one in asked for level in Level]
    for request in asked:
        for ours in (request, client.send(request)):
            octets = encode_apdu(ours)
            theirs = peer.decode(octets)
            assert peer.our_row(ours) == peer.its_row(theirs)
            assert octets == peer.encode(theirs, octets)


def test_published_orders_are_obeyed() -> None:
    """CTL698-003 and CTL698-004 move the contact of their meter, byte for byte as they are printed."""
    client = Secured()
    client.connect(FACTORY_PASSWORD)
    trip = bytes.fromhex("070105800081000101020451F2050201110012000003000107EA0B160F1E00010005")
    close = bytes.fromhex("070106800082000101020251F2050201160101 07EA0B160F1E00010005")
    client.at = AT.replace(month=11, day=22, hour=7, minute=32)
    client.connect(FACTORY_PASSWORD)
    for octets, is_open in ((trip, True), (close, False)):
        assert client.say(found(octets, ServerAddress(ADDRESS)))
        assert is_open == client.works.switch.contact_open


def test_a_meter_without_a_relay_has_no_control_objects() -> None:
    """An order to it is an order to the wrong meter: DAR 6."""
    client = _associated(works=works_of(dataclasses.replace(PLAIN, has_relay=False)))
    assert Dar(6) == client.get("80000500")
    assert Dar(6) == client.order(CONTROL, 129, trip_data()).dar


def test_a_release_in_an_envelope_ends_the_association() -> None:
    """Whoever says goodbye in cipher is heard, too; what comes after it has no key."""
    client = _associated()
    piid = client.association.next_piid()
    assert isinstance(client.sealed(ReleaseRequest(piid=piid)), ReleaseResponse)
    assert Dar(23) == client.send(client.envelope(client.action(CONTROL, 129, trip_data()))).unit


def test_a_meter_without_supply_says_nothing() -> None:
    """A meter in the dark would be read as one that works."""
    client = Secured()
    client.works.history.change(client.at, without_supply=frozenset({"a", "b", "c"}))
    order = client.action(CONTROL, 127)
    assert b"" == client.say(found(order, ServerAddress(ADDRESS)))


def test_an_association_ends_with_the_power() -> None:
    """An order would be tried with keys, or under a password, that no meter of the field knows any more."""
    by_keys, by_password = _associated(), Secured()
    assert 0 == by_password.connect(FACTORY_PASSWORD).result
    for client in (by_keys, by_password):
        client.works.history.change(client.at, without_supply=frozenset({"a", "b", "c"}))
        client.works.history.change(client.at + MINUTE, without_supply=frozenset())
        client.at += 2 * MINUTE
    assert Dar(23) == by_keys.send(by_keys.envelope(by_keys.action(CONTROL, 129, trip_data()))).unit
    assert Dar(15) == by_password.send(by_password.action(CONTROL, 129, trip_data())).item.dar
    assert () == by_keys.works.memory.controls + by_password.works.memory.controls
    assert 0 == by_keys.associate(counter=2).result
    assert SUCCESS == by_keys.order(CONTROL, 129, trip_data()).dar


def test_an_association_outlives_what_is_no_power_cut() -> None:
    """A lost phase, or a clock that is set, would end every session of a head-end."""
    client = _associated()
    client.works.history.change(client.at, without_supply=frozenset({"b", "c"}))
    client.works.clock.go_wrong(client.at, by=MINUTE)
    client.at += MINUTE
    assert SUCCESS == client.order(CONTROL, 129, trip_data()).dar


@pytest.mark.parametrize("level", Level)
def test_long_answers_in_envelopes_go_on_block_by_block(level: Level) -> None:
    """Of a table that is read under cipher only the first nights would come."""
    client = Secured(works_of(since=AT - timedelta(days=62)))
    client.association = Association(ServerAddress(ADDRESS), offer=Offer(rx_max=1000, apdu_max=300))
    assert 0 == client.associate().result
    record = RecordRequest(Oad.of("50040200"), SelectAll(), (Oad.of("20210200"), Oad.of("00100200")))
    block = client.sealed(GetRequestRecord(piid=client.association.next_piid(), record=record), level)
    rows, numbers = len(block.result.items[0].result), [block.block]
    while not block.last:
        piid = client.association.next_piid()
        block = client.sealed(GetRequestNext(piid=piid, last_block=block.block), level)
        rows += len(block.result.items[0].result)
        numbers.append(block.block)
    assert 62 == rows
    assert list(range(1, len(numbers) + 1)) == numbers
    client.sealed(GetRequestNormal(piid=client.association.next_piid(), oad=Oad.of("40000200")), level)
    piid = client.association.next_piid()
    assert 11 == client.sealed(GetRequestNext(piid=piid, last_block=1), level).result, "it is forgotten"
