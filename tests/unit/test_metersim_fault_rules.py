"""Rules strike the exchanges that they address, so often as they say, and no others."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metersim import AnswerRecord, Line, Meter, Simulation, Station, memory_pair
from metersim.dlt698 import Meter698
from metersim.line.fault_kinds import KINDS
from metersim.line.fault_rules import COUNT_MAX, NAME_MAX, RULES_MAX, FaultRule, FaultRules
from metersim.line.item_patterns import PATTERN_MAX
from metersim.loop import START
from meterwire.dlt645 import Deframer, Frame, decode, encode
from meterwire.dlt698.apdus.get import GetRequestRecord
from meterwire.dlt698.apdus.parts import Piid, RecordRequest
from meterwire.dlt698.axdr.selection import Oad, SelectNthLast
from meterwire.dlt698.link.address import ServerAddress
from tests.support.meter698 import found
from tests.support.sim_line import SimLine, ask645, ask698

A161, A162, B170, A698 = "000000000161", "000000000162", "000000000170", "000000000698"
ENERGY, VOLTAGE_A = 0x00010000, 0x02010100


def here(*rules: FaultRule, seed: int = 1, name: str = "") -> SimLine:
    """Three meters of DL/T 645 and one of 698.45 under rules."""
    stations = [Station(meter=Meter(address, seed=1)) for address in (A161, A162, B170)]
    return SimLine(*stations, Station(meter=Meter698(A698, seed=1)), rules=rules, seed=seed, name=name)


def silent(*questions: bytes, rule: FaultRule, name: str = "") -> list[int]:
    """Which of the questions, from 1, were not answered."""
    line = here(rule, name=name)
    heard = line.say(*questions)
    struck = [n for n, octets in enumerate(heard, start=1) if not octets]
    assert len(struck) == line.rules.reports()[0].struck
    return struck


# --- whom and what a rule addresses -------------------------------------------------------------


@pytest.mark.parametrize(
    ("meter", "expected"),
    [
        (A161, [1]),
        ("*", [1, 2, 3, 4]),
        ("00000000016?", [1, 2]),
        ("0000000001*", [1, 2, 3]),
        ("*[01]", [1, 3]),
        ("*[!01]", [2, 4]),
        ("111111111111", []),
    ],
)
def test_a_rule_addresses_meters(meter: str, expected: list[int]) -> None:
    """A fault would befall another meter than the one under test."""
    questions = [ask645(A161), ask645(A162), ask645(B170), ask698(A698)]
    assert expected == silent(*questions, rule=FaultRule(what="silence", meter=meter))


@pytest.mark.parametrize(("pattern", "expected"), [("hall", [1]), ("ha*", [1]), ("cellar", []), ("*", [1])])
def test_a_rule_addresses_lines(pattern: str, expected: list[int]) -> None:
    """Every line of a plant would fail at once."""
    assert expected == silent(ask645(A161), rule=FaultRule(what="silence", line=pattern), name="hall")


def _freeze() -> bytes:
    oads = (Oad.of("20210200"), Oad.of("00100201"))
    record = RecordRequest(Oad.of("50040200"), SelectNthLast(1), oads)
    return found(GetRequestRecord(piid=Piid.of(1), record=record), ServerAddress(A698)).octets


QUESTIONS = {
    "energy": ask645(A161, ENERGY),
    "energy 1997": ask645("000000000097", 0x9010, "dlt645-1997"),
    "tariffs": ask645(A161, 0x0001FF00),
    "voltage": ask645(A161, VOLTAGE_A),
    "voltages": ask645(A161, 0x0201FF00),
    "freeze": ask645(A161, 0x05060101),
    "unknown": ask645(A161, 0xFFFFFFFF),
    "address": encode(Frame(address=A161, function=0x13)),
    "energy 698": ask698(A698),
    "tariffs 698": ask698(A698, "00100200"),
    "voltages 698": ask698(A698, "20000200"),
    "freeze 698": _freeze(),
    "rubbish 698": ask698(A698, "FFFF0200"),
}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            "forward_active_energy",
            {"energy", "energy 1997", "tariffs", "energy 698", "tariffs 698", "freeze 698"},
        ),
        ("forward_active_energy.t1", {"tariffs", "tariffs 698"}),
        ("forward_active_energy.*", {"tariffs", "tariffs 698", "freeze"}),
        ("voltage.a", {"voltage", "voltages", "voltages 698"}),
        ("voltage.c", {"voltages", "voltages 698"}),
        ("volt*", {"voltage", "voltages", "voltages 698"}),
        ("00010000", {"energy"}),
        ("0001*", {"energy", "tariffs"}),
        ("9010", {"energy 1997"}),
        ("00100201", {"energy 698", "freeze 698"}),
        ("0010*", {"energy 698", "tariffs 698", "freeze 698"}),
        ("50040200", {"freeze 698"}),
        ("*@daily_freeze/*", {"freeze"}),
        ("FFFFFFFF", {"unknown"}),
        ("FFFF0200", {"rubbish 698"}),
        ("13H", {"address"}),
        ("frequency", set()),
        ("*", set(QUESTIONS)),
    ],
)
def test_a_rule_addresses_items(item: str, expected: set[str]) -> None:
    """A fault of one item would befall others, or never what it was written for."""
    line = SimLine(
        *[Station(meter=Meter(address, seed=1)) for address in (A161,)],
        Station(meter=Meter("000000000097", seed=1, protocol="dlt645-1997")),
        Station(meter=Meter698(A698, seed=1)),
        rules=[FaultRule(what="silence", item=item)],
    )
    heard = dict(zip(QUESTIONS, line.say(*QUESTIONS.values()), strict=True))
    assert expected == {name for name, octets in heard.items() if not octets}


# --- when it strikes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"nth": 1}, [1]),
        ({"nth": 3}, [3]),
        ({"every": 1}, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ({"every": 4}, [4, 8]),
        ({"nth": 2, "every": 3}, [2, 5, 8]),
        ({"nth": 10}, []),
        ({"times": 2}, [1, 2]),
        ({"every": 2, "times": 3}, [2, 4, 6]),
    ],
)
def test_a_rule_strikes_the_nth_and_each_kth(when: dict[str, int], expected: list[int]) -> None:
    """One exchange off, and the test that a rule was written for passes for the wrong reason."""
    assert expected == silent(*[ask645(A161)] * 9, rule=FaultRule(what="silence", **when))  # type: ignore[arg-type]


def test_exchanges_are_counted_for_each_meter_or_for_the_line() -> None:
    """The third exchange with a meter, or on the line: both are asked for, and they differ."""
    questions = [ask645(A161), ask645(A162), ask645(A161), ask645(A162), ask645(A161)]
    assert [3, 4] == silent(*questions, rule=FaultRule(what="silence", nth=2))
    assert [2] == silent(*questions, rule=FaultRule(what="silence", nth=2, of="line"))
    assert [4] == silent(*questions, rule=FaultRule(what="silence", nth=2, of="line", meter=A162))


def test_only_what_is_addressed_counts() -> None:
    """The second read of an item would be struck as the second read of anything."""
    questions = [ask645(A161, VOLTAGE_A), ask645(A161), ask645(A161, VOLTAGE_A), ask645(A161)]
    assert [4] == silent(*questions, rule=FaultRule(what="silence", nth=2, item="forward_active_energy"))


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        ((None, None), [1, 2, 3, 4]),
        ((1 * SECOND, 3 * SECOND), [2, 3]),
        ((None, 1 * SECOND), [1]),
        ((2 * SECOND, None), [3, 4]),
        ((START + SECOND, START + 2 * SECOND), [2]),
        ((START + SECOND, 3 * SECOND), [2, 3]),
    ],
)
def test_a_rule_keeps_its_window(between: Any, expected: list[int]) -> None:
    """A fault of one hour would go on for ever, or never come; the end of a window is not in it."""
    line = here(FaultRule(what="silence", between=between))
    heard = line.say(*[ask645(A161)] * 4, window_s=1)  # asked at 0, 1, 2 and 3 s
    assert expected == [n for n, octets in enumerate(heard, start=1) if not octets]
    assert len(expected) == line.rules.reports()[0].seen


def test_a_window_that_is_added_later_counts_from_then() -> None:
    """A fault that a person sets for the next minute would be over already."""
    line = here()
    line.say(ask645(A161), window_s=10)
    rule = FaultRule(what="silence", between=(None, 5 * SECOND))
    line.rules.add(rule)
    assert [b""] != line.say(ask645(A161))
    line.rules.add(rule, at=line.sim.clock.utc_now())
    assert [b""] == line.say(ask645(A161))


@given(probability=st.sampled_from([0.25, 0.5, 0.9]), seed=st.integers(0, 99))
def test_a_rule_strikes_as_probably_as_it_says(probability: float, seed: int) -> None:
    """A fault of one in two that comes always hides what happens after it."""
    line = here(FaultRule(what="loss", probability=probability), seed=seed)
    heard = line.say(*[ask645(A161)] * 200, window_s=0.03)
    [report] = line.rules.reports()
    assert 200 == report.seen
    assert sum(not octets for octets in heard) == report.struck
    assert abs(report.struck - 200 * probability) < 42, "six standard deviations at most"


@given(
    kinds=st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=4),
    times=st.integers(1, 6),
    probability=st.floats(0.2, 1.0),
)
def test_a_rule_never_strikes_more_often_than_it_may(
    kinds: list[str], times: int, probability: float
) -> None:
    """Clear after n: a test that waits for a meter to get well would wait for ever."""
    rules = [FaultRule(what=kind, times=times, probability=probability, name=kind) for kind in kinds]
    line = here(*rules)
    line.say(*[ask645(A161), ask645(A162)] * 10, window_s=2)
    assert all(report.struck <= times for report in line.rules.reports())
    named = [name for record in line.answers for name in record.faults]
    for kind in set(kinds) - {"loss", "delay", "silence"}:
        assert line.rules.struck(kind) == named.count(kind), "what strikes is listed, and nothing else"


def test_times_hold_over_all_lines_of_a_plant() -> None:
    """Two lines that ask at one moment would have one fault more than was ordered."""
    sim = Simulation(seed=1)
    rules = FaultRules([FaultRule(what="silence", times=1)], start=sim.clock.utc_now())
    answers: list[AnswerRecord] = []

    async def ask(line: Line, address: str) -> None:
        plant_end, our_end = memory_pair()
        async with asyncio.TaskGroup() as group:
            group.create_task(line.serve(plant_end), name="line")
            await our_end.send(ask645(address))
            await asyncio.sleep(1)
            our_end.close()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for address in (A161, A162):
                station = Station(meter=Meter(address, seed=1))
                line = Line([station], clock=sim.clock, record=answers.append, rules=rules, name=address)
                group.create_task(ask(line, address), name=address)

    sim.run(main())
    assert [A162] == [record.address for record in answers]


def test_what_could_not_strike_has_not_struck() -> None:
    """A fault that clears after one would be used up by an answer that cannot have it."""
    line = here(FaultRule(what="stale", times=1), FaultRule(what="abnormal", times=1, meter=A162))
    address = encode(Frame(address=A162, function=0x13))
    unanswered = encode(Frame(address=A162, function=0x1F, data=b"\x00"))
    _, nothing, number, refused = line.say(
        ask645(A162, VOLTAGE_A), unanswered, address, ask645(A162, VOLTAGE_A)
    )
    assert line.answers[0].faults == ("abnormal",)
    assert b"" == nothing
    assert VOLTAGE_A == int.from_bytes(decode(number).data[:4], "little"), "the address is answered stale"
    assert [()] == [record.faults for record in line.answers[2:]]
    assert refused
    assert [1, 1] == [report.struck for report in line.rules.reports()]


def test_the_first_rule_in_place_wins_and_those_around_add_up() -> None:
    """Two faults that cannot be together would make octets that neither explains."""
    line = here(
        FaultRule(what="half_frame", name="half"),
        FaultRule(what="bit_flip", name="flip"),
        FaultRule(what="echo"),
        FaultRule(what="duplicate"),
        FaultRule(what="duplicate", name="more"),
    )
    [heard] = line.say(ask645(A161))
    [whole] = here().say(ask645(A161))
    assert ask645(A161) + whole[: len(whole) // 2] * 2 == heard
    assert [("half", 1), ("flip", 0), ("echo-3", 1), ("duplicate-4", 1), ("more", 0)] == [
        (report.name, report.struck) for report in line.rules.reports()
    ]


def test_rules_come_and_go_while_the_plant_runs() -> None:
    """A fault that a person ends would go on."""
    line = here()
    assert [b""] != line.say(ask645(A161))
    number = line.rules.add(FaultRule(what="silence", times=5))
    assert [b"", b""] == line.say(ask645(A161), ask645(A162))
    report = line.rules.remove(number)
    assert (2, 2, False) == (report.seen, report.struck, report.spent)
    assert [b""] != line.say(ask645(A161))
    with pytest.raises(KeyError):
        line.rules.remove(number)
    assert number + 1 == line.rules.add(FaultRule(what="loss", times=1)), "a number is never used twice"
    line.say(ask645(A161))
    assert line.rules.reports()[0].spent
    line.rules.clear()
    assert () == line.rules.reports()
    with pytest.raises(KeyError):
        line.rules.struck("loss")


# --- the same seed, the same octets -------------------------------------------------------------


def _storm(seed: int, *, neighbours: bool = True) -> str:
    """Hash of all that one meter says while every fault strikes now and then."""
    rules = [FaultRule(what=kind, probability=0.2) for kind in KINDS]
    line = here(*rules, seed=seed)
    others = [ask645(A162)] if neighbours else []
    line.say(*[ask645(A161), *others, ask645(A161, VOLTAGE_A), *others] * 40, window_s=3)
    own = [record for record in line.answers if record.address == A161]
    digest = hashlib.sha256()
    for record in own if neighbours else line.answers:
        digest.update(record.to_json(0).encode())
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_octets() -> None:
    """A failure found with a seed could not be looked at again."""
    assert _storm(1) == _storm(1)
    assert 3 == len({_storm(1), _storm(2), _storm(3)})


def test_a_neighbour_does_not_change_what_strikes_a_meter() -> None:
    """One meter more on a line, and every failure found with a seed would be another one."""

    def struck(neighbours: bool) -> list[bool]:
        line = here(FaultRule(what="loss", probability=0.5))
        own, other = ask645(A161), [ask645(A162)] if neighbours else []
        heard = line.say(*[own, *other] * 60)
        return [octets == b"" for octets in (heard[:: 1 + neighbours])]

    assert struck(neighbours=True) == struck(neighbours=False)


# --- what cannot be -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"what": "silense"}, "'silense': no such fault, do you mean silence"),
        ({"what": "loss", "meter": "161"}, "meter '161': write an address of 12 digits"),
        ({"what": "loss", "meter": ""}, "meter ''"),
        ({"what": "loss", "meter": "00000000016A"}, "meter '00000000016A'"),
        ({"what": "loss", "item": "forward_activ_energy"}, "do you mean forward_active_energy"),
        ({"what": "loss", "item": "voltag.a"}, "the catalogue has no 'voltag', do you mean voltage"),
        ({"what": "loss", "item": "forwad*"}, "the catalogue has no 'forwad'"),
        ({"what": "loss", "item": "voltag.*"}, "the catalogue has no 'voltag'"),
        ({"what": "loss", "item": "123"}, "the catalogue has no '123'"),
        ({"what": "loss", "item": "9FH"}, "the catalogue has no '9FH'"),
        ({"what": "loss", "item": ""}, "item ''"),
        ({"what": "loss", "item": "voltage a"}, "item 'voltage a': write a catalogue name"),
        ({"what": "loss", "item": "*" * (PATTERN_MAX + 1)}, "item '[*]{128}':"),
        ({"what": "loss", "nth": 0}, "nth 0: write a whole number of 1 to 1000000"),
        ({"what": "loss", "every": -1}, "every -1"),
        ({"what": "loss", "times": COUNT_MAX + 1}, "times 1000001"),
        ({"what": "loss", "nth": True}, "nth True"),
        ({"what": "loss", "of": "plant"}, "of 'plant': write meter or line"),
        ({"what": "loss", "probability": 0.0}, "probability 0.0: write a number over 0, to 1"),
        ({"what": "loss", "probability": 1.01}, "probability 1.01"),
        ({"what": "loss", "probability": float("nan")}, "probability nan"),
        ({"what": "loss", "ms": 5}, "ms: no figure of loss; it has no figure"),
        ({"what": "late", "octets": 5}, "octets: no figure of late; it has ms"),
        ({"what": "loss", "name": "n" * (NAME_MAX + 1)}, "name: more than 64 characters"),
        ({"what": "loss", "line": "n" * (NAME_MAX + 1)}, "line: more than 64 characters"),
        ({"what": "loss", "between": (START, START)}, "is not after"),
        ({"what": "loss", "between": (2 * SECOND, SECOND)}, "is not after"),
        ({"what": "loss", "between": (-SECOND, None)}, "before the start"),
        ({"what": "loss", "between": (datetime(2026, 1, 1), None)}, "a time needs its zone"),  # noqa: DTZ001
    ],
)
def test_a_rule_that_can_mean_nothing_is_refused(keys: dict[str, Any], words: str) -> None:
    """A typing error would look like a client that never fails."""
    make: Callable[..., FaultRule] = FaultRule
    with pytest.raises(ValueError, match=words):
        make(**keys)


def test_a_window_that_ends_before_the_start_is_refused() -> None:
    """It would never strike, and nobody would know."""
    rules = FaultRules(start=START)
    with pytest.raises(ValueError, match="is not after"):
        rules.add(FaultRule(what="loss", between=(2 * SECOND, START + SECOND)))


def test_the_limits_do() -> None:
    """What is allowed at the limit must work there, and not one step further."""
    widest = FaultRule(
        what="loss",
        nth=COUNT_MAX,
        every=COUNT_MAX,
        times=COUNT_MAX,
        name="n" * NAME_MAX,
        item="*" * PATTERN_MAX,
    )
    rules = FaultRules([widest] * RULES_MAX, start=START)
    with pytest.raises(ValueError, match=f"more than {RULES_MAX} fault rules"):
        rules.add(widest)
    rules.remove(1)
    rules.add(widest)
    assert RULES_MAX == len(rules.reports())


def test_many_rules_on_one_line_all_strike() -> None:
    """At the limit a rule would be forgotten."""
    rules = [FaultRule(what="late", ms=0, name=str(n), nth=n) for n in range(1, RULES_MAX + 1)]
    line = here(*rules)
    line.say(*[ask645(A161)] * RULES_MAX, window_s=0.03)
    assert [1] * RULES_MAX == [report.struck for report in line.rules.reports()]
    assert RULES_MAX == len(Deframer().feed(b"".join(record.octets for record in line.answers)))
