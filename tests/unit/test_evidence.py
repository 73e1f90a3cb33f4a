"""Evidence: what is taken in, what is refused and how, and whose it is."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from meterlink.errors import EvidenceRefused, NotEntitled
from meterlink.journal.journal import Journal
from meterlink.orders.evidence.admission import AHEAD_MAX, TIMES_FROM, TIMES_UNTIL, WITHDRAWABLE
from meterlink.orders.evidence.book import EvidenceBook
from meterlink.orders.evidence.lines import LINE_OCTETS_MAX, read_lines
from meterlink.orders.evidence.one_payment import sign_of
from meterlink.orders.evidence.records import KINDS, MONEY_MAX_CENTS, Dispute, Notice, Payment, Policy, parse
from meterlink.orders.evidence.told import Kept, Told
from meterlink.orders.people import THE_DAEMON, Actor, Role
from meterlink.roster.roster import Roster
from tests.support.orders import NOON
from tests.support.rules import (
    APPROVER,
    BILLING,
    CLERK,
    CUSTOMER,
    DAYS,
    HOUR,
    INSPECTOR,
    METER,
    SECOND,
    record,
    told_at,
)

_PAYMENT: dict[str, Any] = {
    "kind": "payment",
    "id": "p1",
    "sender": "billing",
    "at": "2026-11-24T11:59:00+08:00",
    "customer": CUSTOMER,
    "amount_cents": 12_000,
    "settles": True,
}
_LIFE = {"protection": "life_support"}
_TENANT = dataclasses.replace(METER, customer_number="000087654321")
_TWO = (METER, dataclasses.replace(METER, id="m2", address="000000000162"))


class _Clock:
    def __init__(self) -> None:
        self.now = NOON

    def utc_now(self) -> datetime:
        return self.now

    def monotonic_s(self) -> float:
        return 0.0


@asynccontextmanager
async def _book(tmp_path: Path, *meters: Any) -> AsyncIterator[EvidenceBook]:
    clock = _Clock()
    async with Journal.open(tmp_path / f"{len(meters)}.db", clock=clock) as journal:
        yield EvidenceBook(journal.acts, Roster(meters or (METER,)), clock)


def _document(**changes: Any) -> dict[str, Any]:
    found = {**_PAYMENT, **changes}
    return {key: value for key, value in found.items() if value is not ...}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "bill"}, ["no kind of evidence", "balance_statement"]),
        ({"kind": ...}, ["kind is missing"]),
        ({"amount_cents": 120.5}, ["amount_cents", "whole number"]),
        ({"amount_cents": "12000"}, ["amount_cents", "whole number", "cents"]),
        ({"amount_cents": True}, ["amount_cents", "whole number"]),
        ({"amount_cents": 0}, ["amount_cents", "greater than or equal to 1"]),
        ({"amount_cents": MONEY_MAX_CENTS + 1}, ["amount_cents", str(MONEY_MAX_CENTS)]),
        ({"settles": "yes"}, ["settles", "true or false"]),
        ({"settles": ...}, ["settles", "is missing"]),
        ({"at": "2026-11-24T11:59:00"}, ["at:", "zone"]),
        ({"at": 1764000000}, ["at:", "zone"]),
        ({"at": "yesterday"}, ["at:", "zone"]),
        ({"customer": "12345678"}, ["customer", "12 digits"]),
        ({"customer": ...}, ["meter", "name the meter"]),
        ({"sender": "billing:1"}, ["sender", "1 to 32"]),
        ({"id": "a b"}, ["id:", "1 to 64"]),
        ({"id": "x" * 65}, ["id:", "1 to 64"]),
        ({"amonut": 1}, ["amonut", "unknown"]),
    ],
)
def test_a_fault_of_a_record_says_which_key_and_what_to_do(changes: dict[str, Any], words: list[str]) -> None:
    """The programmer of the billing system would have to guess."""
    with pytest.raises(EvidenceRefused) as refused:
        parse(_document(**changes))
    assert [] == [word for word in words if word not in str(refused.value)]


@pytest.mark.parametrize("document", [None, [], "x", 5, {}])
def test_what_is_no_record_is_refused_in_words(document: object) -> None:
    """Any JSON may stand in a line; the import would end in the middle of a file."""
    with pytest.raises(EvidenceRefused):
        parse(document)


def test_all_faults_of_a_record_are_told_at_once() -> None:
    """Who mends one fault a day would need a week for a record."""
    with pytest.raises(EvidenceRefused) as refused:
        parse(_document(amount_cents=-1, settles=5, at="x"))
    assert 3 == len(str(refused.value).split("; "))


def test_a_policy_is_for_areas_and_never_for_one_meter() -> None:
    """A policy that names a meter would be found with the meter and count without being named by an order."""
    document = {
        "kind": "policy",
        "id": "v1",
        "sender": "ops",
        "at": "2026-11-24T00:00:00Z",
        "areas": ["east"],
    }
    parse({**document, "until": "2027-01-01T00:00:00Z"})
    with pytest.raises(EvidenceRefused, match="not for one meter"):
        parse({**document, "until": "2027-01-01T00:00:00Z", "meter": "m1"})


def test_every_kind_comes_back_from_the_log_as_it_went_in() -> None:
    """A field lost in the log is a field that the rules do not see."""
    records = [
        record(
            "balance_statement",
            "a",
            NOON,
            balance_cents=-5,
            overdue_since="2026-01-01T00:00:00Z",
            readings=["r1"],
        ),
        record("warning", "b", NOON, channel="sms"),
        record("notice", "c", NOON, owed_cents=5),
        record("final_notice", "d", NOON, channel="in_person"),
        record("receipt", "e", NOON, of="c", outcome="failed", why="无人"),
        record("payment", "f", NOON, amount_cents=5, settles=False, channel="bank"),
        record("consent", "g", NOON, form="written", until="2027-01-01T00:00:00Z"),
        record("filing", "h", NOON, of="c", authority="市经信局", number="7"),
        record("dispute", "i", NOON, dispute="D1", state="upheld"),
        record("safety_hold", "j", NOON, hold="H1", state="set", why="窃电"),
        record("protection", "k", NOON, protection="school", state="set"),
        record("agreement", "l", NOON, automatic_trips=False, notice_days=3),
        record("work_order", "m", NOON, until="2027-01-01T00:00:00Z", why="换表"),
        record("probe_order", "o", NOON, until="2027-01-01T00:00:00Z", premises="空铺,店主已同意"),
        record("policy", "n", NOON, until="2027-01-01T00:00:00Z", areas=["east"]),
    ]
    assert sorted(KINDS) == sorted(one.record.kind for one in records)
    for one in records:
        written = json.loads(json.dumps(one.record.body))
        assert one.record == parse(written)
        assert one.record.body == parse(written).body


@pytest.mark.asyncio
async def test_a_record_is_kept_once_whatever_the_sender_repeats(tmp_path: Path) -> None:
    """One payment would undo one debt twice."""
    async with _book(tmp_path) as book:
        added = await book.add(parse(_document()), BILLING)
        assert ("billing:p1", "m1", True) == (added.full_id, added.meter, added.is_new)
        again = await book.add(parse(_document(at="2026-11-24T03:59:00Z", meter="m1")), BILLING)
        assert ("billing:p1", "m1", False) == (again.full_id, again.meter, again.is_new)
        assert 1 == len((await book.of_meter(METER)).all(Payment))


@pytest.mark.asyncio
async def test_hundred_at_once_are_one_record(tmp_path: Path) -> None:
    """Two programs of the billing system that send the same payment at once would both be "the first"."""
    async with _book(tmp_path) as book:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(book.add(parse(_document()), BILLING)) for _ in range(100)]
        assert 1 == sum(task.result().is_new for task in tasks)


@pytest.mark.asyncio
async def test_another_record_under_the_same_id_is_refused(tmp_path: Path) -> None:
    """A payment of 1.00 yuan would become one of 100.00 yuan behind everybody's back."""
    async with _book(tmp_path) as book:
        await book.add(parse(_document()), BILLING)
        with pytest.raises(EvidenceRefused, match="a record never changes"):
            await book.add(parse(_document(amount_cents=12_001)), BILLING)
        with pytest.raises(EvidenceRefused, match="a record never changes"):
            await book.add(parse(_document(sender="Billing", amount_cents=12_001)), BILLING)
        await book.add(parse(_document(sender="counter", amount_cents=12_001)), BILLING)


@pytest.mark.asyncio
async def test_a_record_that_is_ahead_of_us_is_refused(tmp_path: Path) -> None:
    """A sender with a wrong clock could serve notices in advance."""
    async with _book(tmp_path) as book:
        ahead = NOON + AHEAD_MAX
        await book.add(parse(_document(at=ahead.isoformat())), BILLING)
        with pytest.raises(EvidenceRefused, match="ahead of our clock"):
            await book.add(parse(_document(id="p2", at=(ahead + SECOND).isoformat())), BILLING)


_CONSENT: dict[str, Any] = {"kind": "consent", "form": "written", "amount_cents": ..., "settles": ...}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"at": "0001-01-01T00:00:00Z"}, "at"),
        ({"at": (TIMES_FROM - SECOND).isoformat()}, "at"),
        ({**_CONSENT, "until": (TIMES_UNTIL + SECOND).isoformat()}, "until"),
        ({**_CONSENT, "until": "9999-12-31T23:59:59Z"}, "until"),
    ],
)
@pytest.mark.asyncio
async def test_a_time_at_an_end_of_the_calendar_is_refused(
    tmp_path: Path, changes: dict[str, Any], key: str
) -> None:
    """Whatever reckons with it later falls over it, and a payer's order with it."""
    async with _book(tmp_path) as book:
        with pytest.raises(EvidenceRefused, match=rf"^{key}: .* is not between the years 1970 and 2200"):
            await book.add(parse(_document(**changes)), BILLING)


@pytest.mark.asyncio
async def test_a_time_of_the_two_centuries_is_taken(tmp_path: Path) -> None:
    """What a customer signed long ago, or what lasts long, would be refused."""
    async with _book(tmp_path) as book:
        ends = {"at": TIMES_FROM.isoformat(), "until": TIMES_UNTIL.isoformat()}
        assert (await book.add(parse(_document(**{**_CONSENT, **ends})), BILLING)).is_new


@pytest.mark.asyncio
async def test_a_record_finds_the_one_meter_that_it_can_mean(tmp_path: Path) -> None:
    """The notice of one meter would count for another one."""
    async with _book(tmp_path, *_TWO) as book:
        for changes, words in (
            ({}, "m1, m2"),
            ({"customer": "000000000000"}, "nobody in the roster"),
            ({"meter": "m3"}, "no 'm3' in the roster"),
            ({"meter": "m1", "customer": "000000000000"}, "is not the meter of"),
        ):
            with pytest.raises(EvidenceRefused, match=words):
                await book.add(parse(_document(**changes)), BILLING)
        assert "m2" == (await book.add(parse(_document(meter="m2", customer=...)), BILLING)).meter
        assert [] == (await book.of_meter(METER)).all(Payment)
    nameless = dataclasses.replace(METER, customer_number="")
    async with _book(tmp_path, nameless) as book:
        with pytest.raises(EvidenceRefused, match="no customer_number in the configuration"):
            await book.add(parse(_document(meter="m1", customer=...)), BILLING)


@pytest.mark.asyncio
async def test_a_new_customer_inherits_nothing_but_what_is_about_the_place(tmp_path: Path) -> None:
    """A tenant who moved in yesterday would be cut off for the notice of the one before."""
    async with _book(tmp_path) as book:
        await book.add(record("notice", "n1", NOON, owed_cents=5).record, BILLING)
        hold = record("safety_hold", "h1", NOON, sender="ivy", hold="H", state="set", why="窃电")
        await book.add(hold.record, INSPECTOR)
        assert 1 == len((await book.of_meter(METER)).all(Notice))
        told = await book.of_meter(_TENANT)
        assert [] == told.all(Notice)
        assert ["窃电"] == [one.why for one in told.holds()]


@pytest.mark.asyncio
async def test_each_kind_is_taken_in_by_its_post(tmp_path: Path) -> None:
    """AUD-01: a clerk would lift an inspector's hold, or billing approve a policy of its own."""
    async with _book(tmp_path) as book:
        policy = record("policy", "v1", NOON, until="2027-01-01T00:00:00Z", areas=["east"]).record
        for one, actor in ((policy, BILLING), (parse(_document(sender=INSPECTOR.name)), INSPECTOR)):
            with pytest.raises(NotEntitled, match=f"{actor.name} may not take in"):
                await book.add(one, actor)
        others = [Actor(name="pia", roles=frozenset({role})) for role in Role if role is not Role.INSPECTOR]
        for state in ("set", "released"):
            hold = record("safety_hold", "h1", NOON, sender="pia", hold="H", state=state, why="已整改").record
            for actor in others:
                with pytest.raises(NotEntitled, match="pia may not take in a safety_hold"):
                    await book.add(hold, actor)
        await book.add(record("warning", "w1", NOON, channel="meter_alarm").record, THE_DAEMON)


@pytest.mark.asyncio
async def test_nobody_speaks_for_another_sender(tmp_path: Path) -> None:
    """A clerk would tell in the billing system's name that somebody was warned, or that he has paid."""
    desk = dataclasses.replace(CLERK, senders=frozenset({"Desk-1"}))
    async with _book(tmp_path) as book:
        for actor, sender in ((CLERK, "billing"), (CLERK, "desk-1"), (desk, "clara")):
            with pytest.raises(NotEntitled, match=f"may not speak for {sender}"):
                await book.add(parse(_document(sender=sender)), actor)
        assert "clara:p1" == (await book.add(parse(_document(sender="Clara")), CLERK)).full_id
        assert "desk-1:p1" == (await book.add(parse(_document(sender="desk-1")), desk)).full_id


@pytest.mark.asyncio
async def test_senders_that_differ_in_capitals_are_one(tmp_path: Path) -> None:
    """One payment would count again for each way to write the name of its sender."""
    async with _book(tmp_path) as book:
        await book.add(parse(_document()), BILLING)
        again = await book.add(parse(_document(sender="BILLING")), BILLING)
        assert ("billing:p1", False) == (again.full_id, again.is_new)
        assert 1 == len((await book.of_meter(METER)).all(Payment))


@pytest.mark.asyncio
async def test_nobody_tells_of_an_own_account(tmp_path: Path) -> None:
    """A clerk would write himself a payment, and his own meter be filled."""
    own = dataclasses.replace(CLERK, accounts=frozenset({CUSTOMER}))
    async with _book(tmp_path) as book:
        for document in (_document(sender="clara"), _document(sender="clara", customer=..., meter="m1")):
            with pytest.raises(NotEntitled, match="account of clara's own"):
                await book.add(parse(document), own)
        assert (await book.add(parse(_document(sender="clara")), CLERK)).is_new


@pytest.mark.asyncio
async def test_nobody_takes_back_what_is_told_of_an_own_account(tmp_path: Path) -> None:
    """A clerk who owes would take back the notice against himself, and not be cut off."""
    own = dataclasses.replace(CLERK, accounts=frozenset({CUSTOMER}))
    async with _book(tmp_path) as book:
        await book.add(record("notice", "n1", NOON, owed_cents=5).record, BILLING)
        with pytest.raises(NotEntitled, match="account of clara's own") as refused:
            await book.withdraw("billing:n1", own, "a mistake")
        assert "本人账户,须由他人撤回" in refused.value.zh
        told = await book.of_meter(METER)
        assert ["n1"] == [one.id for one in told.all(Notice)]
        await book.withdraw("billing:n1", CLERK, "a mistake")
        assert [] == (await book.of_meter(METER)).all(Notice)


@pytest.mark.asyncio
async def test_an_account_whose_number_was_corrected_is_still_an_own_one(tmp_path: Path) -> None:
    """Who owes would take the notice back once his number is written down rightly."""
    corrected = "000000000777"
    own = dataclasses.replace(CLERK, accounts=frozenset({corrected}))
    async with _book(tmp_path, METER) as book:
        await book.add(record("notice", "n1", NOON, owed_cents=5).record, BILLING)
    renamed = dataclasses.replace(METER, customer_number=corrected, customer_was=(CUSTOMER,))
    async with _book(tmp_path, renamed) as book:
        with pytest.raises(NotEntitled, match=f"{corrected} is an account"):
            await book.withdraw("billing:n1", own, "a mistake")


@pytest.mark.asyncio
async def test_what_a_person_brings_counts_from_when_it_came(tmp_path: Path) -> None:
    """Whoever writes last week into a notice would have served it last week."""
    async with _book(tmp_path) as book:
        at = NOON - DAYS[9]
        for actor, sender in ((BILLING, "billing"), (CLERK, "clara")):
            await book.add(record("notice", "n1", at, sender=sender, owed_cents=5).record, actor)
        told = await book.of_meter(METER)
        counted = {one.sender: (one.at, told.counts_from(one)) for one in told.all(Notice)}
        assert {"billing": (at, at), "clara": (at, NOON)} == counted
        assert {"clara"} == told.by_hand(told.all(Notice))


@pytest.mark.asyncio
async def test_a_policy_needs_a_second_approver(tmp_path: Path) -> None:
    """One person alone could let a whole area be cut off."""
    second = Actor(name="anton", roles=frozenset({Role.APPROVER}))
    async with _book(tmp_path) as book:
        until = "2027-01-01T00:00:00Z"
        policy = record("policy", "v1", NOON, sender="anna", until=until, areas=["east"]).record
        await book.add(policy, APPROVER)
        for actor in (APPROVER, CLERK):
            with pytest.raises(NotEntitled):
                await book.confirm("anna:v1", actor)
        assert [] == [one for one in (await book.of_meter(METER)).kept if one.confirmed_by]
        await book.confirm("anna:v1", second)
        told = await book.of_meter(METER, "anna:v1")
        kept = told.kept_as("anna:v1")
        assert kept is not None and ("anna", "anton") == (kept.actor, kept.confirmed_by)
        with pytest.raises(EvidenceRefused, match="once"):
            await book.confirm("anna:v1", second)
        await book.withdraw("anna:v1", second, "新版本")
        assert None is (await book.of_meter(METER, "anna:v1")).find("anna:v1", Policy)


@pytest.mark.asyncio
async def test_only_what_allows_something_can_be_taken_back(tmp_path: Path) -> None:
    """Somebody would take a payment back, and its customer would be cut off."""
    async with _book(tmp_path) as book:
        await book.add(parse(_document()), BILLING)
        await book.add(record("notice", "n1", NOON, owed_cents=5).record, BILLING)
        assert set() == {Payment, Dispute}.intersection(WITHDRAWABLE)
        with pytest.raises(EvidenceRefused, match="cannot be taken back"):
            await book.withdraw("billing:p1", BILLING, "x")
        with pytest.raises(EvidenceRefused, match="no such record"):
            await book.withdraw("billing:p9", BILLING, "x")
        with pytest.raises(NotEntitled):
            await book.withdraw("billing:n1", INSPECTOR, "x")
        await book.withdraw("billing:n1", CLERK, "发错了")
        assert [] == (await book.of_meter(METER)).all(Notice)
        with pytest.raises(EvidenceRefused, match="already"):
            await book.withdraw("billing:n1", CLERK, "x")


@pytest.mark.asyncio
async def test_that_a_message_failed_is_not_taken_back(tmp_path: Path) -> None:
    """A last notice that reached nobody would count as sent again, by a word of one clerk."""
    async with _book(tmp_path) as book:
        await book.add(record("final_notice", "f1", NOON, channel="sms").record, BILLING)
        for name, outcome in (("r1", "failed"), ("r2", "delivered")):
            await book.add(record("receipt", name, NOON, of="f1", outcome=outcome).record, BILLING)
        with pytest.raises(EvidenceRefused, match="cannot be taken back"):
            await book.withdraw("billing:r1", CLERK, "x")
        await book.withdraw("billing:r2", CLERK, "x")


@pytest.mark.asyncio
async def test_a_transfer_is_known_at_every_meter(tmp_path: Path) -> None:
    """Money that two systems tell of two meters would fill both, and be paid once."""
    async with _book(tmp_path, *_TWO) as book:
        async with asyncio.TaskGroup() as group:
            for number, meter in enumerate(["m1", "m2"] * 10):
                document = _document(id=f"p{number}", meter=meter, transfer=f"T-7{' ' * (number % 3)}")
                group.create_task(book.add(parse(document), BILLING))
        payment = (await book.of_meter(METER)).all(Payment)[0]
        theirs = {f"billing:p{number}" for number in range(1, 20, 2)}
        assert theirs == set(await book.elsewhere.payments_of(payment))
        assert [] == await book.elsewhere.payments_of(payment.model_copy(update={"transfer": "T-8"}))
        assert [] == await book.elsewhere.payments_of(payment.model_copy(update={"transfer": ""}))


_DAY_BEFORE = "2026-11-23T11:59:00+08:00"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("one", "other", "is_found"),
    [
        ({"sender": "bank"}, {"sender": "till"}, True),
        ({"sender": "bank"}, {"sender": "till", "amount_cents": 1}, True),
        ({"sender": "bank"}, {"sender": "till", "id": "t-9"}, True),
        ({"sender": "bank", "transfer": "T-7"}, {"sender": "till", "id": "t-9"}, True),
        ({"sender": "bank", "at": _DAY_BEFORE}, {"sender": "till", "id": "t-9"}, True),
        ({"sender": "bank"}, {"sender": "till", "id": "t-9", "amount_cents": 1}, False),
        ({"sender": "bank"}, {"sender": "bank", "id": "t-9"}, False),
        ({"sender": "bank", "transfer": "T-7"}, {"sender": "till", "transfer": "T-8"}, False),
        ({"sender": "bank", "at": "2026-11-23T11:58:59+08:00"}, {"sender": "till", "id": "t-9"}, False),
    ],
)
async def test_what_may_be_one_payment_is_known_at_the_other_meter(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any], *, is_found: bool
) -> None:
    """Money that a bank and a till tell of two meters of one customer would fill both (TOP-01)."""
    meters = [dataclasses.replace(meter, world="local") for meter in _TWO]
    strangers = dataclasses.replace(meters[1], id="m3", customer_number="000087654321")
    async with _book(tmp_path, *meters, strangers) as book:
        first, second = (
            parse(_document(meter=meter, **told)) for meter, told in (("m1", one), ("m2", other))
        )
        for payment in (first, second):
            assert (await book.add(payment, THE_DAEMON)).is_new
        theirs = _document(meter="m3", customer="000087654321", sender="desk")
        assert (await book.add(parse(theirs), THE_DAEMON)).is_new
        found = [(await book.of_meter(meter)).all(Payment)[0] for meter in (*meters, strangers)]
        told = [await book.elsewhere.payments_of(payment) for payment in found]
        assert [[], ["bank:p1"] if is_found else [], []] == told, "the first is credited"


@pytest.mark.parametrize(
    "text", ["t-77", " T-77", "T -77", "\uff34-77", "T\uff0d77", "T\u201177", "T-7\u30007"]
)
def test_a_transfer_is_the_same_however_it_is_written(text: str) -> None:
    """Two programs that write one number differently would fill a wallet twice."""
    one, other = (parse(_document(meter="m1", transfer=transfer)) for transfer in ("T-77", text))
    assert isinstance(one, Payment) and isinstance(other, Payment)
    assert ("m1", "t-77", 12_000) == sign_of(one) == sign_of(other)


@pytest.mark.asyncio
async def test_so_many_payments_of_one_transfer_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each payment would be held against all that a broken sender has ever told."""
    monkeypatch.setattr("meterlink.orders.evidence.elsewhere.TELLERS_MAX", 2)
    async with _book(tmp_path, *_TWO) as book:
        for number, meter in enumerate(["m1", "m1", "m1", "m2"]):
            await book.add(parse(_document(id=f"p{number}", meter=meter, transfer="T-7")), BILLING)
        payment = (await book.of_meter(_TWO[1])).all(Payment)[0]
        told = await book.elsewhere.payments_of(payment)
        assert ["billing:p0", "billing:p1"] == told, "the last sees the first"


@pytest.mark.asyncio
async def test_a_protection_is_told_of_every_meter_of_its_customer(tmp_path: Path) -> None:
    """Who lives by a machine at home would be cut off where his second meter is, and the heat with it."""
    numbers: list[int] = []

    async def told(book: EvidenceBook, meter: str, state: str) -> None:
        fields = {"kind": "protection", "meter": meter, "state": state, **_LIFE}
        numbers.append(len(numbers))
        document = _document(id=f"x{len(numbers)}", amount_cents=..., settles=..., **fields)
        assert (await book.add(parse(document), BILLING)).is_new

    async def protected(book: EvidenceBook) -> list[bool]:
        return [bool((await book.of_meter(meter)).protections()) for meter in _TWO]

    async with _book(tmp_path, *_TWO) as book:
        await told(book, "m1", "set")
        assert [True, True] == await protected(book)
        await told(book, "m2", "set")
        await told(book, "m2", "lifted")
        assert [True, True] == await protected(book), "at the first one it stands"
        await told(book, "m1", "lifted")
        assert [False, False] == await protected(book)
        await told(book, "m1", "set")
    async with Journal.open(tmp_path / "2.db", clock=_Clock()) as journal:
        tenant = dataclasses.replace(_TENANT, id="m2")
        stranger = EvidenceBook(journal.acts, Roster((tenant,)), _Clock())
        assert not (await stranger.of_meter(tenant)).protections()
        left = EvidenceBook(journal.acts, Roster((_TWO[1],)), _Clock())
        assert [True] == (await protected(left))[1:], "the first meter is gone"
        await told(left, "m2", "lifted")
        assert [False] == (await protected(left))[1:]
        corrected = dataclasses.replace(METER, customer_number="000087654321", customer_was=(CUSTOMER,))
        theirs = dataclasses.replace(_TENANT, id="m2")
        await told(EvidenceBook(journal.acts, Roster(_TWO), _Clock()), "m1", "set")
        found = await EvidenceBook(journal.acts, Roster((corrected, theirs)), _Clock()).of_meter(theirs)
        assert {"life_support"} == found.protections(), "his number had been written down wrongly"


def test_what_became_of_a_message_is_its_newest_receipt() -> None:
    """A message that came back would count as delivered for ever."""
    notice = record("notice", "n1", NOON - DAYS[3], owed_cents=5)
    came = record("receipt", "r1", NOON - DAYS[2], of="n1", outcome="delivered")
    back = record("receipt", "r2", NOON - DAYS[1], of="n1", outcome="failed")
    theirs = dataclasses.replace(came, record=came.record.model_copy(update={"sender": "other"}))
    assert NOON - DAYS[2] == Told(kept=(notice, came)).delivered_at(notice.record)
    assert None is Told(kept=(notice, came, back)).delivered_at(notice.record)
    assert None is Told(kept=(notice, theirs)).delivered_at(notice.record)


_STORIES: Any = [
    ("protection", {"protection": "life_support"}, "set", "lifted", lambda told: told.protections()),
    ("dispute", {"dispute": "D1"}, "opened", "rejected", lambda told: told.open_disputes()),
    ("dispute", {"dispute": "D1"}, "opened", "upheld", lambda told: told.open_disputes()),
    ("dispute", {"dispute": "D1"}, "upheld", "rejected", lambda told: told.open_disputes()),
    ("safety_hold", {"hold": "H1", "why": "窃电"}, "set", "released", lambda told: told.holds()),
]


@pytest.mark.parametrize(("kind", "fields", "begins", "ends", "standing"), _STORIES)
def test_what_protects_somebody_is_ended_by_what_is_later_by_either_order(
    kind: str, fields: dict[str, str], begins: str, ends: str, standing: Any
) -> None:
    """A clock that is minutes ahead, or was set back, would hide a protection that came afterwards."""

    def stands(begun_at: datetime, begun_here: datetime, ended_at: datetime, ended_here: datetime) -> bool:
        begun = told_at(begun_here, record(kind, "x1", begun_at, **fields, state=begins))
        ended = told_at(ended_here, record(kind, "x2", ended_at, **fields, state=ends))
        balance = [record("balance_statement", "b1", NOON + HOUR, balance_cents=-1)] * (ends == "upheld")
        return bool(standing(Told(kept=(ended, begun, *balance))))

    later = NOON + SECOND
    assert not stands(NOON, NOON, later, later)
    assert not stands(NOON, NOON, NOON, later)
    assert stands(NOON, later, later, NOON)
    assert stands(later, NOON, NOON, later)
    assert stands(later, later, NOON, NOON)


def test_an_end_that_came_in_between_does_not_end_what_began_anew() -> None:
    """A second protection of the same kind would be taken for the first one, which was lifted."""
    kept = [
        told_at(NOON + here * SECOND, record("protection", name, NOON + at * SECOND, **_LIFE, state=state))
        for here, (name, at, state) in enumerate(
            [("x1", 0, "set"), ("x2", 240, "lifted"), ("x3", 120, "set")]
        )
    ]
    assert {"life_support"} == Told(kept=tuple(kept)).protections()
    assert [] == Told(kept=tuple(kept)).lifted()
    again = told_at(
        NOON + 9 * SECOND, record("protection", "x4", NOON + 130 * SECOND, **_LIFE, state="lifted")
    )
    assert set() == Told(kept=(*kept, again)).protections()
    assert {"x2", "x4"} == {one.id for one in Told(kept=(*kept, again)).lifted()}


def test_many_protections_are_looked_through_once() -> None:
    """Whoever tells a protection every minute would stop the daemon for all others."""
    told = [
        record("protection", f"x{n}", NOON + n * SECOND, **_LIFE, state=("set", "lifted")[n % 2])
        for n in range(20_000)
    ]
    assert set() == Told(kept=tuple(told)).protections()
    assert ["x19999"] == [one.id for one in Told(kept=tuple(told)).lifted()]
    assert {"life_support"} == Told(kept=tuple(told[:-1])).protections()


def test_a_debt_is_settled_by_what_came_after_and_not_before() -> None:
    """Warnings of a debt that was paid long ago would count for the next one."""
    paid = record("payment", "p1", NOON - DAYS[5], amount_cents=5, settles=True)
    clear = record("balance_statement", "b1", NOON - DAYS[4], balance_cents=0)

    def settled(days: int, *kept: Kept) -> tuple[bool, bool]:
        """Whether that is so of a warning of so many days ago."""
        warning = record("warning", "w", NOON - DAYS[days], channel="sms")
        told = Told(kept=(warning, *kept))
        return told.paid_clear_since(warning.record), told.cleared_since(warning.record)

    assert ((True, True), (False, False)) == (settled(6, paid, clear), settled(3, paid, clear))
    assert ((True, True), (False, True)) == (settled(5, paid, clear), settled(4, clear))
    assert (False, False) == settled(6, paid)
    before = record("balance_statement", "b0", NOON - DAYS[5] - HOUR, balance_cents=0)
    assert (False, True) == settled(6, paid, before)
    assert (True, True) == settled(3, told_at(NOON, paid), told_at(NOON, clear)), "told after it"


def test_a_file_is_read_line_by_line_and_a_wrong_line_hinders_nobody() -> None:
    """One fault in a night's file would leave thousands of payments out."""
    good = json.dumps(_document()).encode()
    long = json.dumps(_document(channel="x" * LINE_OCTETS_MAX)).encode()
    lines = [
        good + b"\n",
        b"  \n",
        b"{",
        b"[]",
        b"\xff\xfe",
        json.dumps(_document(settles=1)).encode(),
        long,
        good,
    ]
    found = list(read_lines(lines))
    assert [1, 3, 4, 5, 6, 7, 8] == [line.number for line in found]
    assert [True, False, False, False, False, False, True] == [line.document is not None for line in found]
    told = [line.fault for line in found if line.fault]
    assert ["not JSON", "a record is a table", "not JSON", "settles", "longer than"] == [
        next(word for word in ("not JSON", "a record is a table", "settles", "longer than") if word in fault)
        for fault in told
    ]
    deep = list(read_lines([b"[" * 60_000]))
    assert "not JSON" in deep[0].fault
