"""Which orders a model's facts allow, where they come from, and what profiles may say of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from meterlink.drivers.control import ClockLook, Identity, Verdict
from meterlink.model.order import OrderKind, OrderState
from meterlink.orders.qualification.facts import (
    FIRMWARE_MAX,
    HARMFUL,
    agreed,
    combined,
    firmware_of,
    needs_of,
    unproven,
)
from meterlink.orders.qualification.judges import greeting, of_alarm, of_direct, of_trip, of_trip_again
from meterlink.orders.qualification.looks import Found, Greeting, Shown
from meterlink.orders.qualification.probes import PROBES, next_probe
from meterprofiles import ControlTraits, ProfileError, generic, load_profile
from meterprofiles.facts import FACTS
from tests.support.orders import standing

PROTOCOLS = ["dlt645-2007", "dlt698.45"]
GOOD = {key: fact.values[0] for key, fact in FACTS.items()}
PROFILE = """\
profile: test/x1
matches: {protocol: dlt645-2007, model: X1}
line: {baud: 2400, parity: even, preamble: 4}
timing: {reply_timeout_ms: 500, octet_gap_ms: 500, turnaround_ms: 20}
"""
NEEDED = [
    (protocol, kind, key) for protocol in PROTOCOLS for kind in OrderKind for key in needs_of(protocol, kind)
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", OrderKind)
def test_a_model_of_which_all_is_known_takes_every_order(protocol: str, kind: OrderKind) -> None:
    """A fact that nobody can find would refuse every order for ever."""
    good = {**GOOD, "guarantee_on": "permits"}
    assert () == unproven(protocol, kind, good, line_is_ours=False)


@pytest.mark.parametrize(("protocol", "kind", "key"), NEEDED)
def test_one_unknown_fact_refuses_what_depends_on_it(protocol: str, kind: OrderKind, key: str) -> None:
    """An order would go to a meter of which nobody knows what it does with it."""
    known = {name: value for name, value in GOOD.items() if name != key}
    assert (key,) == unproven(protocol, kind, known, line_is_ours=True)


@pytest.mark.parametrize(("protocol", "kind", "key"), [one for one in NEEDED if one[2] in HARMFUL], ids=str)
def test_a_value_that_hurts_refuses_as_well(protocol: str, kind: OrderKind, key: str) -> None:
    """What was found out to be dangerous would pass for proven."""
    known = {**GOOD, key: HARMFUL[key]}
    assert (f"{key}={HARMFUL[key]}",) == unproven(protocol, kind, known, line_is_ours=True)


@pytest.mark.parametrize("value", ["ignored", "no_clock"])
def test_an_expiry_that_nobody_looks_at_is_for_lines_that_store_nothing(value: str) -> None:
    """A frame that waits in a terminal would switch hours later."""
    known = {**GOOD, "expiry": value}
    assert () == unproven("dlt645-2007", OrderKind.DIRECT_CLOSE, known, line_is_ours=True)
    stored = unproven("dlt645-2007", OrderKind.DIRECT_CLOSE, known, line_is_ours=False)
    assert (f"expiry={value}",) == stored


def test_a_profile_fills_in_and_overrules_nothing() -> None:
    """A profile would be believed against what the meter has shown, or not at all."""
    profile = replace(
        generic("dlt645-2007"),
        control=ControlTraits(known=(("expiry", "ignored"), ("obeys_everybody", "no"))),
    )
    known, clash = combined(profile, {"expiry": "obeyed", "contact_bit": "open_is_one"})
    assert {"obeys_everybody": "no", "contact_bit": "open_is_one"} == known
    assert ("expiry",) == clash


def test_what_firmware_versions_do_not_agree_on_is_not_known() -> None:
    """A look at a meter of an unknown firmware would be read by the facts of another one."""
    assert {} == agreed([])


def test_a_firmware_is_one_line_of_printable_text() -> None:
    """A meter could write into logs and subjects whatever it likes."""
    assert "maker|1.0\x07?".replace("\x07", "?") == firmware_of(["maker ", "1.0\x07\n"])
    assert "" == firmware_of(["", "", ""])
    assert FIRMWARE_MAX == len(firmware_of(["x" * 500]))


SHOWN = Shown(
    protocol="dlt698.45",
    state=OrderState.NOT_DONE,
    verdict=None,
    told="nobody answered",
    before=None,
    after=None,
    known={},
    basic_current_a=Decimal(5),
)


@pytest.mark.parametrize("after", [None, True])
def test_a_close_that_nobody_answered_says_nothing_of_the_numbers(after: bool | None) -> None:
    """Three lost frames would make a model one whose closes are the other way round, and take it away."""
    stays = replace(SHOWN, before=standing(contact_open=True), after=standing(contact_open=after))
    found = of_direct(stays)
    assert (False, {}) == (found.is_contradiction, found.facts)
    assert found.stop is not None
    assert "may never have arrived" in found.stop.en
    taken = of_direct(replace(stays, verdict=Verdict.ACCEPTED))
    assert (True, {"close_numbers": "direct_permit"}) == (taken.is_contradiction, taken.facts)
    moved = of_direct(replace(stays, after=standing(contact_open=False)))
    assert (None, {"close_numbers": "permit_direct"}) == (moved.stop, moved.facts)


@pytest.mark.parametrize("judge", [of_trip, of_trip_again])
def test_a_trip_that_nobody_answered_says_nothing_of_the_meter(judge: Callable[[Shown], Found]) -> None:
    """A sound model would be taken for one whose answers mean nothing."""
    stays = replace(SHOWN, before=standing(), after=standing())
    assert not judge(stays).is_contradiction
    assert judge(replace(stays, verdict=Verdict.ACCEPTED)).is_contradiction


@pytest.mark.parametrize(("alarm", "facts"), [(True, {"alarm_is_breaker": "no"}), (False, {}), (None, {})])
def test_an_alarm_that_is_on_has_come_without_an_answer(alarm: bool | None, facts: dict[str, str]) -> None:
    """Of an answer that died with the program the alarm would be left on, as that of an unknown model."""
    words = (("meter_status_words", "0000" * 7),)
    stays = replace(SHOWN, before=standing(raw=words), after=standing(raw=words, alarm=alarm))
    assert facts == of_alarm(stays).facts


def test_every_fact_of_the_reference_has_a_key() -> None:
    """One of the ten facts would have no place in a profile."""
    assert set(range(1, 11)) == {fact.number for fact in FACTS.values()}


@pytest.mark.parametrize("key", FACTS)
def test_a_profile_names_a_fact_by_its_values_alone(key: str) -> None:
    """A misspelt value would be taken for one, and an unknown one for known."""
    value = FACTS[key].values[0]
    told = load_profile(f"{PROFILE}control: {{{key}: {value}}}\n", "x.yaml")
    assert ((key, value),) == told.control.known
    unknown = load_profile(f"{PROFILE}control: {{{key}: unknown}}\n", "x.yaml")
    assert () == unknown.control.known
    with pytest.raises(ProfileError, match=r"x\.yaml:5"):
        load_profile(f"{PROFILE}control: {{{key}: maybe}}\n", "x.yaml")


def test_a_probe_is_never_done_twice() -> None:
    """A person would be led round in circles, and the relay with him."""
    done: list[str] = []
    known = {"alarm_is_breaker": "no", "permit_waits_for_key": "yes"}
    closed, opened = standing(guarantee=True), standing(contact_open=True, command_open=True, guarantee=True)
    for _ in range(2 * len(PROBES)):
        probe = next_probe(PROBES, done, known, closed if len(done) % 2 else opened, "dlt645-2007")
        if probe is None:
            break
        assert probe.name not in done
        done.append(probe.name)
    assert len(done) <= len(PROBES)


def _greeted(**fields: Any) -> Found:
    """What is concluded of a meter that says all that it must, and stands so."""
    me = Identity(address="000000000161", meter_number="990000000161")
    clocks = (
        ClockLook(offset=timedelta(0), error=timedelta(0)),
        ClockLook(offset=timedelta(0), error=timedelta(0)),
    )
    seen = Greeting(
        identity=(me, me), expected=me, firmware="X1 1.0", clocks=clocks, standing=standing(**fields)
    )
    return greeting(seen, Decimal(5))


@pytest.mark.parametrize(
    "fields",
    [
        {"guarantee": True},
        {"guarantee": None},
        {"contact_open": True, "currents_a": (Decimal(0),), "power_w": Decimal(0)},
        {"currents_a": (Decimal(0),), "power_w": Decimal(0)},
    ],
    ids=["guarantee on", "guarantee not told", "open", "no load"],
)
def test_a_meter_that_is_not_prepared_is_walked_by_nobody(fields: dict[str, Any]) -> None:
    """Under a guarantee no trip is obeyed: the model would be found to be one that obeys none (CTRL-22)."""
    assert _greeted().facts
    found = _greeted(**fields)
    assert (bool(found.again), bool(found.facts), bool(found.stop)) == (True, False, False)
