"""The octets of orders in DL/T 698.45: published frames, somebody else's decoder, and words of meters."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from meterlink.drivers.control import Command, Standing
from meterlink.drivers.dlt698.control_looks import (
    COMMAND,
    GUARANTEE,
    OVERDRAFT,
    RELAYS,
    STATUS_WORDS,
    TRIP_TIMES,
    WALLET,
    YEARS,
    clock_shows,
    meter_number,
    purse,
    standing,
)
from meterlink.drivers.dlt698.control_orders import (
    METHODS,
    TAG_UNITS_MAX,
    TASKS,
    action_item,
    check,
    time_tag,
)
from meterlink.drivers.dlt698.control_verdict import CAUSES, ERROR_CAUSES, UNDECIDED
from meterlink.errors import BadAnswer
from meterlink.model.order import OrderKind
from meterlink.model.zone import CHINA_TIME
from metersim.security.suite698 import Level, SessionKey, additional_of, purse_mac, seal_request
from metersim.works.cost_control import LOCAL
from meterwire.dlt698.apdus.action import ActionRequestNormal
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.apdus.parts import Dar
from meterwire.dlt698.apdus.security import CipherUnit, SecurityRequest
from meterwire.dlt698.axdr.selection import Oad, SidMac
from meterwire.dlt698.axdr.values import NULL, BitString, Data, DateTimeS
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.objects.bit_words import bit_words
from meterwire.dlt698.sessions.association import Association
from tests.support.ordered698 import Ordered, plain
from tests.support.project import ROOT
from tests.support.secured698 import ADDRESS, CUSTOMER
from tests.wire.dlt698 import peer

_LINES = (ROOT / "tests" / "vectors" / "control.jsonl").read_text(encoding="utf-8").splitlines()
VECTORS = {one["id"]: bytes.fromhex(one["hex"]) for one in map(json.loads, _LINES)}
"""Also what is disputed about their meaning: their octets are not."""
SESSION_KEY = SessionKey(bytes.fromhex("af7c08e8c1ec013a6ce7cbdd594e9dc0"))
SID = 0x4C414201
UNTIL = datetime(2026, 11, 22, 15, 35, tzinfo=CHINA_TIME)


def command(kind: OrderKind, **fields: Any) -> Command:
    """An order of the vectors: sent at 15:30, good for five minutes."""
    made = {
        "kind": kind,
        "expires_at": UNTIL,
        "valid_for": timedelta(minutes=5),
        "operator_code": "00000000",
        "meter_number": ADDRESS,
    }
    return Command(**{**made, **fields})


def request(kind: OrderKind, piid: int, **item: Any) -> tuple[Association, ActionRequestNormal]:
    """An order to meter 000000000001 with a service number."""
    fields = {"amount_cents": 10_000, "purchase_count": 5, "customer_number": CUSTOMER}
    order = command(kind, **(fields if kind is OrderKind.TOP_UP else {}))
    check(order)
    association = Association(ServerAddress("000000000001"), preamble=0, first_number=piid - 1)
    made = ActionRequestNormal(
        piid=association.next_piid(), item=action_item(order, **item), time_tag=time_tag(order, CHINA_TIME)
    )
    return association, made


PURSE = SidMac(SID, bytes((0, 0x12)), purse_mac(SESSION_KEY, amount_cents=10_000, count=5, customer=CUSTOMER))


@pytest.mark.parametrize(
    ("name", "kind", "piid", "item"),
    [
        ("CTL698-003", OrderKind.TRIP, 0x05, {}),
        ("CTL698-004", OrderKind.DIRECT_CLOSE, 0x06, {}),
        ("CTL698-007", OrderKind.GUARANTEE_ON, 0x07, {}),
        ("CTL698-009", OrderKind.PERMIT_CLOSE, 0x09, {"password": "12345678"}),
        ("CTL698-012", OrderKind.PERMIT_CLOSE, 0x2E, {}),
        ("CTL698-013", OrderKind.ALARM_ON, 0x3E, {}),
        ("CTL698-014", OrderKind.ALARM_OFF, 0x3E, {}),
        ("CTL698-015", OrderKind.GUARANTEE_OFF, 0x04, {}),
        ("PAY698-002", OrderKind.TOP_UP, 0x0D, {"proof": PURSE}),
    ],
)
def test_published_frames(name: str, kind: OrderKind, piid: int, item: dict[str, Any]) -> None:
    """A field in another place, or a number that is turned round, switches something else."""
    association, made = request(kind, piid, **item)
    assert VECTORS[name].hex() == association.exchange(made).octets_to_send().hex()


def test_the_published_envelope() -> None:
    """SEC698-005: the trip of CTL698-003, enciphered and with a MAC."""
    association, made = request(OrderKind.TRIP, 0x05)
    sealed = seal_request(SESSION_KEY, Level.CIPHER_MAC, encode_apdu(made))
    assert sealed.mac is not None
    verify = SidMac(SID, additional_of(*sealed), sealed.mac)
    envelope = SecurityRequest(unit=CipherUnit(sealed.data), verify=verify)
    session = association.exchange(envelope, inside=made)
    assert VECTORS["SEC698-005"].hex() == session.octets_to_send().hex()


def test_every_order_has_one_form() -> None:
    """An order without a method, or with an unknown task, would be found in the field."""
    assert set(OrderKind) == set(METHODS) == set(TASKS)
    assert {3, 8} == set(TASKS.values())


@pytest.mark.parametrize("seconds", [1, 59, 60, 61, 300, TAG_UNITS_MAX])
def test_a_tag_holds_as_long_as_the_order(seconds: int) -> None:
    """One second longer, and a meter obeys after the deadline."""
    order = command(OrderKind.TRIP, valid_for=timedelta(seconds=seconds))
    check(order)
    tag = time_tag(order, CHINA_TIME)
    civil = tag.sent_at.civil()
    assert civil is not None
    unit = {0: timedelta(seconds=1), 1: timedelta(minutes=1)}[tag.delay.unit]
    assert UNTIL.replace(tzinfo=None) == civil + unit * tag.delay.value


def test_the_tables_of_results_know_the_words() -> None:
    """A cause of a bit that has another name would never be told."""
    assert {bit.name for bit in bit_words()["control_error"]} >= set(ERROR_CAUSES)
    assert not UNDECIDED & set(CAUSES)


# --- a witness ------------------------------------------------------------------------------------


def _sent(kind: OrderKind, *, in_plain: bool) -> list[bytes]:
    """Every APDU that one order costs, those in envelopes too."""
    here = Ordered(LOCAL, enforced=not in_plain)
    here.order(here.command(kind), plain() if in_plain else None)
    return [*here.octets_heard, *here.lab.protected]


@pytest.mark.parametrize("kind", list(OrderKind))
def test_somebody_else_reads_every_proved_order_as_we_do(kind: OrderKind) -> None:
    """Our simulator shares our codec and our misreadings; ``dlt698`` is another's work."""
    assert [] == _disagreements(_sent(kind, in_plain=False))


@pytest.mark.parametrize("kind", [kind for kind in OrderKind if kind is not OrderKind.TOP_UP])
def test_somebody_else_reads_every_order_in_plain_as_we_do(kind: OrderKind) -> None:
    """The same for what goes under a password; money never does."""
    assert [] == _disagreements(_sent(kind, in_plain=True))


def _disagreements(sent: list[bytes]) -> list[str]:
    """APDUs in which one reads other values or writes other octets than the other; none is known."""
    assert 1 == sum(isinstance(decode_apdu(apdu), ActionRequestNormal) for apdu in sent)
    found = []
    for apdu in sent:
        theirs = peer.decode(apdu)
        if (peer.our_row(decode_apdu(apdu)), apdu) != (peer.its_row(theirs), peer.encode(theirs, apdu)):
            found.append(apdu.hex())
    return found


# --- words that are not certain -------------------------------------------------------------------


def _seen(**words: Data) -> dict[Oad, Data | Dar]:
    places = {"command": COMMAND, "relays": RELAYS, "words": STATUS_WORDS, "guarantee": GUARANTEE}
    return {places[name]: data for name, data in words.items()}


def _stands(order: Any = None, **words: Data) -> Standing:
    return standing(_seen(**words), taken_at=UNTIL, zone=CHINA_TIME, order=order)


def _bits(octets: str, bits: int = 8) -> Data:
    return Data("bit-string", BitString(bytes.fromhex(octets), bits))


def _relay(state: int = 0, kind: int = 1, wiring: int = 0, count: int = 1) -> Data:
    members = (Data("visible-string", "r"), Data("enum", state), Data("enum", kind), Data("enum", wiring))
    return Data("array", (Data("structure", members),) * count)


def _words(word_3: str) -> Data:
    return Data("array", (*[_bits("0000", 16)] * 2, _bits(word_3, 16), *[_bits("0000", 16)] * 4))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (_bits("80"), True),
        (_bits("00"), False),
        (_bits("01"), None),
        (_bits("9A"), None),
        (_bits("9C"), None),
        (_bits("C0"), None),
        (_bits("8000", 16), None),
        (_bits("80", 7), None),
        (Data("unsigned", 0x80), None),
        (Data("null", None), None),
    ],
)
def test_the_command_word_in_two_forms_alone(word: Data, expected: bool | None) -> None:
    """Fact 9: 9A to 9C are command codes of a firmware, and a closed meter would look tripped."""
    assert expected is _stands(command=word).command_open
    assert expected is _stands(command=word, relays=_relay()).command_open
    assert _stands(command=word, relays=_relay(count=2)).command_open is None


@pytest.mark.parametrize(
    ("relay", "expected"),
    [
        (_relay(0), False),
        (_relay(1), True),
        (_relay(2), None),
        (_relay(1, kind=0), None),
        (_relay(1, wiring=1), None),
        (_relay(1, count=2), None),
        (_relay(1, count=0), None),
        (Data("array", (Data("enum", 1),)), None),
        (Data("array", (Data("structure", (Data("enum", 1),)),)), None),
        (Data("enum", 1), None),
    ],
)
def test_the_relay_s_state(relay: Data, expected: bool | None) -> None:
    """A pulse output falls back to 0 with the breaker still open (section 4.4)."""
    assert expected is _stands(relays=relay).contact_open


@pytest.mark.parametrize(
    ("word", "order", "contact", "guarantee"),
    [
        ("0A00", "bit0_first", True, False),
        ("0050", "number", True, False),
        ("0050", "bit0_first", False, False),
        ("0800", "number", False, False),
        ("0008", "bit0_first", False, True),
        ("0A00", None, None, None),
    ],
)
def test_status_word_3_by_its_order(
    word: str,
    order: Any,
    contact: bool | None,
    guarantee: bool | None,
) -> None:
    """Read the wrong way round, a session opened by a terminal looks like a disconnection (section 4.5)."""
    seen = _stands(order, words=_words(word))
    assert (contact, guarantee) == (seen.contact_open, seen.guarantee)


def test_a_contradiction_is_no_word() -> None:
    """Fact 3: then the profile is wrong or the relay at fault, and no order may stand on it."""
    seen = _stands("bit0_first", relays=_relay(0), words=_words("0A00"), command=_bits("00"))
    assert (None, None) == (seen.contact_open, seen.command_open)
    agreed = _stands("bit0_first", relays=_relay(1), words=_words("0A00"), command=_bits("80"))
    assert (True, True) == (agreed.contact_open, agreed.command_open)


def test_a_word_of_another_length_is_no_word() -> None:
    """A meter with other words at that place would be believed to stand as its neighbours' bits say."""
    words = Data("array", (*[_bits("0000", 16)] * 2, _bits("0A"), _bits("0000", 16)))
    assert _stands("bit0_first", words=words).contact_open is None


@pytest.mark.parametrize(("code", "expected"), [(0, False), (1, True), (2, True), (3, None)])
def test_the_guarantee(code: int, expected: bool | None) -> None:
    """An automatic guarantee (2) drops trips like one that was ordered."""
    assert expected is _stands(guarantee=Data("enum", code)).guarantee


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (f"{ADDRESS}", ADDRESS),
        (f"0000{ADDRESS}", ADDRESS),
        (f"0100{ADDRESS}", ""),
        ("20261122000A", ""),
        ("2026112200", ""),
        ("", ""),
    ],
)
def test_the_meter_s_number(octets: str, expected: str) -> None:
    """Keys and customers hang on it: a number that is cut out of something longer is another meter's."""
    data = Data("octet-string", bytes.fromhex(octets))
    if expected:
        assert expected == meter_number(data, "m1")
    else:
        with pytest.raises(BadAnswer):
            meter_number(data, "m1")


@pytest.mark.parametrize(("remaining", "overdraft", "expected"), [(0, 0, 0), (0, 70, -70), (5, 0, 5)])
def test_an_overdrawn_wallet_is_below_nothing(remaining: int, overdraft: int, expected: int) -> None:
    """Guarantee off trips an overdrawn customer at once (fact 5): 0 would look like a safe account."""
    wallet = Data("structure", (_cents(remaining), _cents(3)))
    seen: dict[Oad, Data | Dar] = {WALLET: wallet, OVERDRAFT: _cents(overdraft)}
    found = purse(seen, "m1", taken_at=UNTIL, is_proven=False)
    assert (expected, 3, "", None) == (
        found.remaining_cents,
        found.purchase_count,
        found.customer_number,
        found.hoarding_limit_cents,
    )


@pytest.mark.parametrize("wallet", [Data("null", None), Data("structure", ()), Data("array", ())])
def test_a_wallet_that_is_none(wallet: Data) -> None:
    """Money that nobody can read is no money to compare with."""
    with pytest.raises(BadAnswer):
        purse({WALLET: wallet}, "m1", taken_at=UNTIL, is_proven=False)


def _cents(number: int) -> Data:
    return Data("double-long-unsigned", number)


def test_what_is_missing_is_not_told() -> None:
    """A meter that refuses everything stands nowhere: nothing of it may look like "closed"."""
    nothing = standing({COMMAND: Dar(3)}, taken_at=UNTIL, zone=CHINA_TIME, order="number")
    empty = Standing(taken_at=UNTIL)
    assert empty == nothing


def _time(year: int) -> Data:
    """The last second of the last year that there is; of another year the first."""
    parts = (12, 31, 23, 59, 59) if year == 9999 else (1, 1, 0, 0, 0)
    return Data("date_time_s", DateTimeS(year, *parts))


@pytest.mark.parametrize("year", [1, YEARS[0] - 1, YEARS[-1] + 1, 9999])
def test_a_clock_at_an_end_of_the_calendar_shows_no_time(year: int) -> None:
    """The deadline in a frame is reckoned by it: a payer's closing would fall over it and never be sent."""
    with pytest.raises(BadAnswer, match=f"shows the year {year}"):
        clock_shows(_time(year), "meter 000000000001", CHINA_TIME)


@pytest.mark.parametrize("year", [1, YEARS[0], YEARS[-1], 9999])
@pytest.mark.parametrize("hours", [8, -8])
def test_a_record_at_an_end_of_the_calendar_has_no_time(year: int, hours: int) -> None:
    """Each look at the meter would fall over it, and an order that was sent never be read back."""
    times = Data("array", (Data("structure", (NULL, Data("structure", (_time(year), NULL)))),))
    zone = timezone(timedelta(hours=hours))
    seen = standing({TRIP_TIMES: times}, taken_at=UNTIL, zone=zone, order=None)
    assert (year in YEARS) is (seen.trips.occurred_at is not None)
    assert YEARS[-1] == clock_shows(_time(YEARS[-1]), "meter 000000000001", zone).year
