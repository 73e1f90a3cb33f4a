"""The difference of two rosters, what a roster must be, and what a changed one means for the lines."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.config import MeterSettings, Settings
from meterlink.config.meters import METERS_MAX
from meterlink.errors import BadRequest, ConfigError
from meterlink.model.roster_change import EntryChange, changed, difference, digest
from meterlink.roster import checks
from meterlink.roster.entries import entry_of, in_service, is_gone, meter_of, next_turn
from meterlink.roster.exchange import EVIDENCE_MAX, REGISTER_MAX, Exchange, exchanged
from meterlink.roster.history import replay
from meterlink.roster.lines import changed_lines
from meterlink.roster.plan import changes, fields, plan, result
from meterlink.roster.roster import Roster
from tests.support.rosters import CHECKS, NOW, SETTINGS, by_id, meter, told
from tests.support.rules import PROFILES

_ROSTERS = st.dictionaries(
    st.integers(1, 12),
    st.fixed_dictionaries(
        {},
        optional={
            "customer": st.sampled_from(["李雷", "韩梅梅"]),
            "reading_day": st.integers(1, 28),
            "protected": st.just(["school"]),
            "ct": st.sampled_from(["1", "30", "30.0"]),
        },
    ),
    max_size=12,
).map(lambda told: [meter(number, **keys) for number, keys in told.items()])


# --- the difference ---


@given(first=_ROSTERS, second=_ROSTERS)
def test_a_plan_that_is_applied_gives_the_second_roster(
    first: list[MeterSettings], second: list[MeterSettings]
) -> None:
    """Whoever applies a file would have another roster than the file says."""
    before = by_id(first)
    found = plan(before, second, NOW)
    after = result(before, found.touched)
    assert by_id(second) == by_id(in_service(after.values(), NOW))
    assert set(before) <= set(after), "nobody is deleted: readings are kept under the id"
    assert plan(after, second, NOW).is_empty
    assert len(found.added) + len(found.changed) + found.unchanged == len(
        {*by_id(second), *(name for name in before if name not in by_id(second))}
    ) - len(found.retired)


@given(rosters=st.lists(_ROSTERS, min_size=1, max_size=5))
def test_a_history_that_is_replayed_gives_the_roster(rosters: list[list[MeterSettings]]) -> None:
    """What was kept of the changes would be another story than what happened."""
    meters: dict[str, MeterSettings] = {}
    replayed: dict[str, dict[str, Any]] = {}
    for wanted in rosters:
        found = plan(meters, wanted, NOW)
        replay(replayed, changes(meters, found.touched))
        meters = result(meters, found.touched)
        assert {name: entry_of(one) for name, one in meters.items()} == replayed


@given(before=_ROSTERS, some=_ROSTERS)
def test_a_file_of_some_meters_leaves_the_others(
    before: list[MeterSettings], some: list[MeterSettings]
) -> None:
    """Ten new meters would take the other ninety thousand out of service."""
    found = plan(by_id(before), some, NOW, partial=True)
    assert () == found.retired
    assert {**by_id(before), **by_id(some)} == result(by_id(before), found.touched)


def test_what_became_other_is_told_by_field() -> None:
    """An auditor would have to find the one field that somebody changed."""
    [change] = changes(by_id([meter(1, area="west", lab=True)]), [meter(1, area="east", ct=30)])
    assert {"area": ("west", "east"), "lab": (True, None), "ct": (None, "30")} == fields(change)
    assert [] == changes(by_id([meter(1)]), [meter(1)])


def test_a_change_of_another_entry_is_found() -> None:
    """A history that was cut would replay to something that never was."""
    change = difference("m1", {"a": 1}, {"a": 2})
    assert change == EntryChange(meter="m1", old={"a": 1}, new={"a": 2})
    assert {"a": 2, "b": 3} == changed({"a": 1, "b": 3}, change)
    for entry in (None, {}, {"a": 3}):
        with pytest.raises(ValueError, match="'m1'"):
            changed(entry, change)
    assert digest([change]) != digest([replace(change, old={"a": 3})])


def test_an_entry_that_this_version_does_not_know_is_named() -> None:
    """The daemon would end in a traceback of another library."""
    assert meter(1, ct="2.50") == meter_of(entry_of(meter(1, ct="2.5")))
    with pytest.raises(ConfigError, match=r"meter 'm1' of the roster: speed: .*`meterlink roster apply`"):
        meter_of({**entry_of(meter(1)), "speed": 1})


def test_service_begins_and_ends() -> None:
    """A meter in a box would be polled, and one on a scrap heap."""
    since = meter(1, in_service_since=NOW, in_service_until=NOW + timedelta(days=1))
    second = timedelta(seconds=1)
    assert [False, True, True, False] == [
        since.in_service(at) for at in (NOW - second, NOW, NOW + timedelta(hours=23), NOW + timedelta(days=1))
    ]
    assert not is_gone(since, NOW - second)
    assert NOW == next_turn([since, meter(2)], NOW - second)
    assert since.in_service_until == next_turn([since], NOW)
    assert next_turn([since], NOW + timedelta(days=1)) is None


# --- what a roster must be ---


def _faults(*meters: MeterSettings, rows: dict[str, int] | None = None) -> list[tuple[int, str]]:
    rows = {one.id: n for n, one in enumerate(meters, start=2)} if rows is None else rows
    return told(CHECKS.faults(by_id(meters), meters, NOW, rows))


@pytest.mark.parametrize(
    ("keys", "zh"),
    [
        ({"line": "line7"}, "没有名为 'line7' 的线路(已有:hall、line1);也可以直接写 tcp://主机:端口"),
        ({"line": "udp://x:1"}, "线路 'udp://x:1':应为 tcp://主机:端口"),
        (
            {"line": "listen://127.0.0.1:9000?terminal=000000000001", "protocol": "dlt698.45"},
            "另一条线路在 0.0.0.0 上监听端口 9000;同一端口的线路须写同一个监听主机",
        ),
    ],
)
def test_a_fault_is_told_in_whole_sentences_of_chinese(keys: dict[str, Any], zh: str) -> None:
    """Whoever mends the table in an office would find English words in the middle of it."""
    terminal = {"address": "111111111111", "line": "hall", "protocol": "dlt698.45"}
    meters = [meter(1, **keys), meter(2, **terminal)]
    if "listen" in keys.get("line", ""):
        meters = [meters[1], meters[0]]
    [fault] = CHECKS.faults(by_id(meters), meters, NOW, {})
    assert zh in fault.words.zh
    assert fault.words.en not in fault.words.zh


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tcp://127.0.0.1:17201", "tcp://LOCALHOST:17201"),
        ("tcp://[::1]:17201", "tcp://127.0.0.1:17201"),
        ("tcp://[::1]:1", "tcp://" + "[0:0::1]:1"),
        ("tcp://127.0.0.3:1", "tcp://[::ffff:127.0.0.3]:1"),
        ("serial:///dev/ttyUSB0?baud=2400", "serial:///dev//ttyUSB0?baud=9600"),
    ],
)
def test_a_line_that_is_written_in_two_ways_is_refused(one: str, other: str) -> None:
    """Both would look good until one of them is dead, which no other process has."""
    assert [(2, "line"), (3, "line")] == sorted(_faults(meter(1, line=one), meter(2, line=other)))
    known = [meter(1, line=one), meter(2, line=other), meter(3, line="tcp://127.0.0.3:2")]
    assert [] == CHECKS.faults(by_id(known), known[2:], NOW, {}), "what nobody touches may stay"
    with pytest.raises(ValueError, match="are one and the same"):
        Settings.model_validate({"meters": [entry_of(one) for one in known]})
    assert [] == _faults(meter(1, line=one), meter(2, line="tcp://127.0.0.4:17201"))


@pytest.mark.parametrize(
    ("keys", "column"),
    [
        ({"line": "line7"}, "line"),
        ({"line": "udp://x:1"}, "line"),
        ({"line": "hall", "address": "111111111111"}, "protocol"),
        ({"line": "hall", "protocol": "modbus-rtu", "address": "1", "model": "SDM230"}, "protocol"),
        ({"security": "hms"}, "security"),
        ({"security": "password", "control_password": "env:X"}, "allow_plaintext_control"),
        ({"password": "env:X"}, "password"),
        ({"cost_control": "local"}, "cost_control"),
    ],
)
def test_a_meter_that_fits_nothing_is_named(keys: dict[str, Any], column: str) -> None:
    """The daemon would refuse to start in the night after the file was applied."""
    assert [] == _faults(meter(1))
    assert [(2, column)] == _faults(meter(1, **keys))
    [fault] = CHECKS.faults(by_id([meter(1, **keys)]), [meter(1, **keys)], NOW, {})
    assert fault.words.en and fault.words.zh and fault.words.en != fault.words.zh


def test_two_meters_that_cannot_be_told_apart() -> None:
    """One would answer for the other, and a customer would pay for his neighbour."""
    assert [(3, "address")] == _faults(meter(1), meter(2, address="000000000001"))
    assert [] == _faults(meter(1), meter(2, address="000000000001", line="tcp://127.0.0.1:5002"))
    assert [(3, "address")] == _faults(
        meter(1), meter(2, address="000000000001", line="tcp://127.0.0.1:5001")
    ), "a line has one name and one URL"
    assert [(3, "meter_number")] == _faults(meter(1), meter(2, meter_number="000000000001"))
    assert [] == _faults(meter(1, meter_number=""), meter(2, meter_number=""))
    gone = meter(1, in_service_until=NOW)
    assert [] == _faults(gone, meter(2, address="000000000001"))


def test_a_meter_does_not_come_back_under_another_id() -> None:
    """Whom a record protects would be cut off under the new id, and who pays would stay in the dark."""
    gone = meter(1, in_service_until=NOW)
    back = meter(2, meter_number="000000000001")
    assert [(3, "meter_number")] == _faults(gone, back)
    assert [(3, "meter_number")] == _faults(gone, back.model_copy(update={"replaces": "m1"})), "a new name"
    assert [(3, "meter_number")] == _faults(gone, back, meter(3, replaces="m1", meter_number=""))
    assert [] == _faults(gone, back, meter(3, replaces="m1")), "it was taken out, and put in elsewhere"
    assert [] == _faults(gone, back.model_copy(update={"replaces": "m3"}), meter(3, in_service_until=NOW))
    assert [] == _faults(gone, meter(1)), "under its own id"
    nameless = [meter(1, meter_number="", in_service_until=NOW), meter(2, meter_number="")]
    assert [] == _faults(*nameless)


def test_who_stands_in_the_roster_is_named_to_who_comes() -> None:
    """The row at fault is the one of the file, whichever of the two is looked at first."""
    both = meter(1), meter(2, meter_number="000000000001")
    for rows in ({"m2": 7}, {"m1": 7}):
        [fault] = CHECKS.faults(by_id(both), both, NOW, rows)
        assert (7, "meter_number") == (fault.row, fault.column)
        assert "in the roster" in fault.words.en and "已在档案中" in fault.words.zh


def test_two_listeners_of_one_port() -> None:
    """The second would find the port taken at the next start."""
    one = {"protocol": "dlt698.45", "line": "listen://0.0.0.0:9001?terminal=000000000001"}
    two = {"protocol": "dlt698.45", "line": "listen://127.0.0.1:9001?terminal=000000000002"}
    assert [(3, "line")] == _faults(meter(1, **one), meter(2, **two), meter(3))


def test_as_many_meters_as_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit a roster is taken, one more and it is not; so for those out of service."""
    assert (100_000, 300_000) == (METERS_MAX, checks.ENTRIES_MAX)
    monkeypatch.setattr(checks, "METERS_MAX", 3)
    monkeypatch.setattr(checks, "ENTRIES_MAX", 5)
    there = [meter(n) for n in range(1, 5)]
    gone = [meter(n, in_service_until=NOW) for n in range(10, 14)]
    assert [] == _faults(*there[:3], *gone[:2])
    assert [(0, "")] == _faults(*there[:4])
    assert [(0, "")] == _faults(*there[:3], *gone[:3])


def test_a_configuration_takes_meters_that_fit() -> None:
    """A line taken out of the file would end the daemon with words about a table that it has not."""
    assert (meter(1),) == SETTINGS.with_meters([meter(1)]).meters
    with pytest.raises(ConfigError, match=r"meter 'm1' of the roster: no line is named 'line7'"):
        SETTINGS.with_meters([meter(1, line="line7")])


def test_as_many_meters_as_a_configuration_may_have() -> None:
    """At the limit a file is taken, one more and it is not."""
    one = meter(1, meter_number="")  # checked once: the rest of them differ in nothing that costs time
    many = [one.model_copy(update={"id": f"m{n}", "address": f"{n:012d}"}) for n in range(METERS_MAX + 1)]
    lines = SETTINGS.lines
    assert METERS_MAX == len(Settings.model_validate({"lines": lines, "meters": many[:-1]}).meters)
    with pytest.raises(ValueError, match="at most 100000"):
        Settings.model_validate({"lines": lines, "meters": many})


# --- lines ---


def test_what_a_changed_roster_means_for_the_lines() -> None:
    """A reload would cut lines on which nothing changed, or leave one on which something did."""
    other = "tcp://127.0.0.1:7"
    before = SETTINGS.with_meters([meter(1), meter(2), meter(3, line=other), meter(4, line="tcp://h:9")])
    after = SETTINGS.with_meters([meter(1), meter(2, area="east"), meter(3), meter(4, line="tcp://h:9")])
    one, two = changed_lines(before, after)
    assert ("tcp://127.0.0.1:5001", ["m3"], ["m2"], ()) == (
        one.url,
        [each.id for each in one.added],
        [each.id for each in one.changed],
        one.removed,
    )
    assert (other, None, ["m3"]) == (two.url, two.after, [each.id for each in two.removed])
    assert () == changed_lines(after, after)


def test_a_line_that_is_set_otherwise_has_changed() -> None:
    """A timeout that somebody mended would never come into force."""
    slow = Settings.model_validate(
        {"lines": [{"name": "line1", "url": "tcp://127.0.0.1:5001", "baud": 2400}]}
    )
    [change] = changed_lines(SETTINGS.with_meters([meter(1)]), slow.with_meters([meter(1)]))
    assert ((), (), ()) == (change.added, change.changed, change.removed)
    assert change.before != change.after


# --- rules ---


def _roster(*meters: MeterSettings) -> Roster:
    return Roster.of(SETTINGS.with_meters(meters), PROFILES)


def test_rules_know_a_changed_roster_at_once() -> None:
    """A hospital marked this morning would be cut off until somebody starts the daemon anew."""
    roster = _roster(meter(1, customer_number="000000000001"), meter(2, area="east"))
    roster.renew(
        _roster(meter(1, customer_number="000000000001", protected=["hospital"]), meter(2, area="west"))
    )
    one, two = roster.meter("m1"), roster.meter("m2")
    assert one is not None and two is not None
    assert (("hospital",), False) == (one.protected, one.is_rebuilding)
    assert (one,) == roster.of_customer("000000000001")
    assert ("west", 0, 1) == (two.area, roster.area_size("east"), roster.area_size("west"))


@pytest.mark.parametrize(
    "keys",
    [
        {"address": "000000000009"},
        {"meter_number": "000000000009"},
        {"line": "tcp://h:1"},
        {"protocol": "dlt698.45"},
        {"firmware": "2"},
        {"security": "hsm"},
        {"customer_number": "000000000009"},
    ],
)
def test_no_order_goes_by_a_way_that_is_not_the_meters_any_more(keys: dict[str, Any]) -> None:
    """The daemon would trip whoever has the address now that was his."""
    roster = _roster(meter(1), meter(2))
    roster.renew(_roster(meter(1, **keys), meter(2)))
    assert [True, False] == [one.is_rebuilding for one in roster]
    roster.renew(_roster(meter(1), meter(2)))
    assert [False, False] == [one.is_rebuilding for one in roster], "it is as it was"


def test_who_came_or_went_gets_no_order_until_ways_are_built() -> None:
    """Orders in hand must find their meter, and none may begin for it."""
    roster = _roster(meter(1, area="east"), meter(2))
    roster.renew(_roster(meter(2), meter(3)))
    assert {"m1": True, "m2": False, "m3": True} == {one.id: one.is_rebuilding for one in roster}
    assert 0 == roster.area_size("east")


def test_orders_go_again_when_the_ways_are_built_of_what_was_told() -> None:
    """After a change a meter would get no order until the next start."""
    roster = _roster(meter(1), meter(2))
    told = _roster(meter(1, address="000000000009"), meter(3))
    roster.renew(told)
    built = roster.built("m1")
    assert built is not None and "000000000001" == built.address, "the way still leads where it led"
    roster.rebuilt(told)
    assert {"m1": False, "m3": False} == {one.id: one.is_rebuilding for one in roster}
    assert (None, None) == (roster.meter("m2"), roster.built("m2")), "no way leads to who has gone"


def test_ways_that_are_older_than_what_was_told_since() -> None:
    """A change that comes while lines change over would be forgotten, and orders go by the one before."""
    roster = _roster(meter(1), meter(2))
    first = _roster(meter(1, firmware="2"), meter(2))
    roster.renew(first)
    roster.renew(_roster(meter(1, firmware="3", protected=["hospital"])))
    roster.rebuilt(first)
    assert {"m1": True, "m2": True} == {one.id: one.is_rebuilding for one in roster}
    one = roster.meter("m1")
    assert one is not None and ("3", ("hospital",)) == (one.firmware, one.protected)


def test_who_is_about_to_change_gets_no_order_meanwhile() -> None:
    """An order would leave between the writing of a change and its being known."""
    roster = _roster(meter(1), meter(2))
    roster.hold(["m1", "nobody"])
    assert [True, False] == [one.is_rebuilding for one in roster]
    roster.renew(_roster(meter(1), meter(2)))
    assert [False, False] == [one.is_rebuilding for one in roster]


# --- exchange ---

_EXCHANGE = Exchange(
    old="m1",
    new="m9",
    meter_number="000000000009",
    removed_at=NOW - timedelta(hours=2),
    installed_at=NOW - timedelta(hours=1),
    last={"forward_active_energy": Decimal("12345.67")},
    first={"forward_active_energy": Decimal("0.00")},
    firmware="2.1",
    evidence="photo 4711",
)


def test_both_series_stay_apart() -> None:
    """The new meter's zero after the old one's 12345 would be billed as a register that ran backwards."""
    old = meter(1, customer="李雷", area="east", ct=30, pending_replacement=True, model="A", firmware="1.0")
    gone, new = exchanged(by_id([old]), _EXCHANGE, NOW)
    assert ("m1", _EXCHANGE.removed_at, False) == (gone.id, gone.in_service_until, gone.pending_replacement)
    assert ("m9", "m1", "000000000009", "000000000009") == (
        new.id,
        new.replaces,
        new.address,
        new.meter_number,
    )
    assert ("李雷", "east", Decimal(30), "line1") == (new.customer, new.area, new.ct, new.line)
    assert ("A", "2.1", False) == (new.model, new.firmware, new.pending_replacement)
    assert (_EXCHANGE.installed_at, None) == (new.in_service_since, new.in_service_until)
    assert {
        "last": {"forward_active_energy": "12345.67"},
        "first": {"forward_active_energy": "0.00"},
        "evidence": "photo 4711",
    }.items() <= _EXCHANGE.body().items()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"old": "m7"}, "no meter 'm7' in service"),
        ({"old": "m2"}, "no meter 'm2' in service"),
        ({"new": "m1"}, "another meter's"),
        ({"removed_at": NOW + timedelta(minutes=6), "installed_at": NOW + timedelta(minutes=6)}, "not yet"),
        ({"installed_at": NOW - timedelta(hours=3)}, "after the old one went"),
        ({"removed_at": NOW - timedelta(days=9)}, "not in service yet"),
        ({"last": {}}, "both must be told"),
        ({"first": {"reverse_active_energy": Decimal(0)}}, "both must be told"),
        ({"last": {"voltage.a": Decimal(1)}, "first": {"voltage.a": Decimal(1)}}, "no register"),
        (
            {"last": {"forward_active_energi": Decimal(1)}, "first": {"forward_active_energi": Decimal(1)}},
            "near it",
        ),
        ({"last": {"forward_active_energy": Decimal(-1)}}, "nothing that a register shows"),
        ({"last": {"forward_active_energy": Decimal("NaN")}}, "nothing that a register shows"),
        ({"last": {"forward_active_energy": REGISTER_MAX}}, "nothing that a register shows"),
        ({"evidence": "x" * (EVIDENCE_MAX + 1)}, "at most 200"),
    ],
)
def test_an_exchange_that_cannot_have_been_so(fields: dict[str, Any], words: str) -> None:
    """A typing error on a ladder would be billed for years."""
    meters = by_id([meter(1, in_service_since=NOW - timedelta(days=8)), meter(2, in_service_until=NOW)])
    with pytest.raises(BadRequest, match=words):
        exchanged(meters, replace(_EXCHANGE, **fields), NOW)


def test_a_new_meter_that_is_none_is_refused() -> None:
    """Its number is checked as everybody's."""
    with pytest.raises(ConfigError, match="12 digits"):
        exchanged(by_id([meter(1)]), replace(_EXCHANGE, meter_number="9"), NOW)
