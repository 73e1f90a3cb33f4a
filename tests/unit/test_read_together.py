"""Several items in one request: what goes together, what a refusal costs, and who is asked item by item."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import Brought, MeterAnswer
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.drivers.dlt698.attributes import ANSWER_OCTETS
from meterlink.drivers.dlt698.driver import Dlt698Driver
from meterlink.drivers.together import APART_S, DOUBTS_MAX, MOMENT_S, Together
from meterlink.errors import BadAnswer, Refused, ReplyTimeout
from meterlink.model.marks import Marks
from meterprofiles import AssociationTraits, ReadTraits, generic
from metersim.loop import SimClock
from meterwire.dlt698.apdus.get import GetRequestNormalList
from meterwire.dlt698.axdr.selection import Oad, ScalerUnit
from meterwire.dlt698.axdr.values import BitString, Data
from meterwire.dlt698.objects.item_values import Contents
from tests.support.dlt698_meter import ADDRESS, ScriptedMeter, converse
from tests.support.scripted_line import ScriptedLine, telling

_ITEMS = ("forward_active_energy", "voltage.a", "frequency")
_CONTENTS: Contents = {
    "forward_active_energy": Decimal("1234.56"),
    "voltage.a": Decimal("225.6"),
    "frequency": Decimal("50.01"),
}
_BLOCKS = (
    *("forward_active_energy.*", "reverse_active_energy.*", "combined_active_energy.*"),
    *(f"combined_reactive_energy_{number}.*" for number in (1, 2)),
    *(f"reactive_energy_q{number}.*" for number in range(1, 5)),
)
_WORDS = tuple(f"meter_status_word_{number}" for number in range(1, 8))


def _values(brought: Brought) -> Mapping[str, object]:
    """By item, its value, or the class of its error."""
    return {
        item: one.values[0].value if isinstance(one, MeterAnswer) else type(one)
        for item, one in brought.items()
    }


# --- who is asked so ---------------------------------------------------------------------------


def test_whoever_refuses_is_asked_item_by_item_for_a_day() -> None:
    """Each round would cost a request in vain, or a meter with new firmware be slow for ever."""
    clock = SimClock()
    together = Together(clock)
    assert together.may("m1")
    together.refused("m1")
    clock.advance(APART_S - 1)
    assert (False, True) == (together.may("m1"), together.may("m2"))
    clock.advance(1)
    assert together.may("m1")


def test_one_lost_answer_proves_nothing() -> None:
    """A noisy line would make every meter one that takes no lists."""
    clock = SimClock()
    together = Together(clock)
    together.silent("m1")
    assert not together.may("m1"), "now each item by itself: the list may be what it does not know"
    clock.advance(MOMENT_S)
    assert together.may("m1")
    together.silent("m1")
    clock.advance(MOMENT_S)
    assert not together.may("m1")


def test_who_is_silent_on_single_items_too_was_not_silent_on_the_list() -> None:
    """Every meter that was dead for a while would be read the slow way for a day."""
    clock = SimClock()
    together = Together(clock)
    together.silent("m1")
    together.silent_alone("m1")
    assert together.may("m1")
    together.silent("m1")
    clock.advance(MOMENT_S)
    assert together.may("m1"), "that was the first silence again"


def test_doubts_have_a_limit() -> None:
    """Meters that come and go would fill the memory of a gateway."""
    clock = SimClock()
    together = Together(clock)
    for number in range(DOUBTS_MAX + 1):
        together.refused(number)
    assert (True, False, False) == (together.may(0), together.may(1), together.may(DOUBTS_MAX))


# --- DL/T 698.45 ---------------------------------------------------------------------------------


def _read698(
    meter: ScriptedMeter, items: Sequence[str] = _ITEMS, *, times: int = 1, **options: object
) -> list[Brought | type[Exception]]:
    """What comes of reading some items so often, in groups as the driver has them."""

    async def program(driver: Dlt698Driver, line: Line) -> list[Brought | type[Exception]]:
        found: list[Brought | type[Exception]] = []
        for _ in range(times):
            group = driver.group(ADDRESS, items)
            if len(group) == 1:
                answer = await driver.read(line, ADDRESS, group[0], priority=Priority.CURVE)
                found.append({group[0]: answer})
                continue
            try:
                found.append(
                    await driver.read_group(line, ADDRESS, group, as_status=False, priority=Priority.CURVE)
                )
            except (Refused, BadAnswer, ReplyTimeout) as error:
                found.append(type(error))
        return found

    result = converse(meter, program, **options)  # type: ignore[arg-type]
    assert isinstance(result, list)
    return result


def test_a_list_brings_several_items_in_one_exchange() -> None:
    """An instant plan of ten items would take a line of thirty meters ten times as long."""
    meter = ScriptedMeter(contents=_CONTENTS)
    [brought] = _read698(meter)
    assert isinstance(brought, Mapping)
    assert _CONTENTS == _values(brought)
    assert ["GetRequestNormalList"] == meter.kinds


def test_what_is_refused_in_a_list_costs_only_itself() -> None:
    """One object that a meter lacks would take all others of the plan with it."""
    meter = ScriptedMeter(contents={name: _CONTENTS[name] for name in _ITEMS[:2]})
    [brought] = _read698(meter)
    assert isinstance(brought, Mapping)
    refused = brought["frequency"]
    assert isinstance(refused, Refused)
    assert refused.no_such
    assert {**{name: _CONTENTS[name] for name in _ITEMS[:2]}, "frequency": Refused} == _values(brought)


def test_what_does_not_fit_in_a_list_costs_only_itself() -> None:
    """A text in the place of a number would make all items of the plan bad answers."""
    meter = ScriptedMeter(contents=_CONTENTS, raw={Oad.of("20000201"): Data("visible-string", "220")})
    [brought] = _read698(meter)
    assert isinstance(brought, Mapping)
    assert {**_CONTENTS, "voltage.a": BadAnswer} == _values(brought)


def test_a_meter_that_refuses_lists_is_asked_item_by_item() -> None:
    """A meter of old firmware would give nothing at all, or cost an exchange in vain each time."""
    meter = ScriptedMeter(contents=_CONTENTS, lists="refused")
    first, *others = _read698(meter, times=3)
    assert isinstance(first, type) and issubclass(first, Refused)
    for brought in others:
        assert isinstance(brought, Mapping)
        assert {"forward_active_energy": Decimal("1234.56")} == _values(brought)
    assert ["GetRequestNormalList", "GetRequestNormal", "GetRequestNormal"] == meter.kinds


def test_a_meter_that_refuses_all_of_a_list_is_asked_item_by_item() -> None:
    """Some say no to a list item by item: all of the plan would be closed for the day."""
    meter = ScriptedMeter(contents={})
    [found] = _read698(meter)
    assert Refused is found


def test_a_meter_that_is_silent_on_lists_is_read_all_the_same() -> None:
    """A meter that does not know lists would be put aside as dead."""
    meter = ScriptedMeter(contents=_CONTENTS, lists="silent")
    first, second = _read698(meter, times=2)
    assert isinstance(first, type) and issubclass(first, ReplyTimeout)
    assert isinstance(second, Mapping)
    assert {"forward_active_energy": Decimal("1234.56")} == _values(second)


def test_scalers_come_in_the_same_list() -> None:
    """A meter that counts in other digits would be read ten times too high as soon as items go together."""
    scaler = Data("Scaler_Unit", ScalerUnit(-1, 33))
    meter = ScriptedMeter(contents=_CONTENTS, raw={Oad.of("00100300"): scaler})
    [brought] = _read698(meter, traits=AssociationTraits(ask_scalers=True))
    assert isinstance(brought, Mapping)
    assert Decimal("12345.6") == _values(brought)["forward_active_energy"]
    assert ["GetRequestNormalList"] == meter.kinds


def test_a_list_has_a_limit_by_profile_and_by_octets() -> None:
    """A meter whose frames hold 512 octets would answer in pieces, or not at all."""
    clock = SimClock()
    driver = Dlt698Driver(clock, random_octets=bytes)
    many = [f"{way}_active_energy.t{tariff}" for way in ("forward", "reverse") for tariff in range(1, 11)]
    assert 16 == len(driver.group(ADDRESS, many))
    count = len(driver.group(ADDRESS, _BLOCKS))
    assert 1 < count <= ANSWER_OCTETS // 55 < len(_BLOCKS)
    few = replace(generic("dlt698.45"), reads=ReadTraits(together=1))
    assert ("voltage.a",) == Dlt698Driver(clock, random_octets=bytes, profile=few).group(
        ADDRESS, ("voltage.a", "voltage.b")
    )


def test_words_that_stand_in_one_attribute_are_asked_for_once() -> None:
    """Seven words of state would be asked for seven times over, in two lists."""
    words = Data("array", tuple(Data("bit-string", BitString(bytes(2), 16)) for _ in _WORDS))
    meter = ScriptedMeter(raw={Oad.of("20140200"): words})
    [brought] = _read698(meter, _WORDS)
    assert isinstance(brought, Mapping)
    assert list(_WORDS) == list(brought)
    [request] = meter.asked
    assert isinstance(request, GetRequestNormalList)
    assert 1 == len(request.oads)


# --- DL/T 645 -------------------------------------------------------------------------------------


def _read645(
    driver: Dlt645Driver, line: ScriptedLine, items: Sequence[str], *, as_status: bool = False
) -> Brought:
    group = driver.group(ADDRESS, items)
    return asyncio.run(driver.read_group(line, ADDRESS, group, as_status=as_status, priority=Priority.CURVE))


def test_items_of_a_block_come_with_its_identifier() -> None:
    """Three phases would be three exchanges on the slowest lines of all."""
    line = ScriptedLine(telling({0x0201FF00: "562256224322"}, ADDRESS))
    driver = Dlt645Driver(SimClock())
    items = ("voltage.a", "forward_active_energy", "voltage.c")
    assert ("voltage.a", "voltage.c") == driver.group(ADDRESS, items)
    assert {"voltage.a": Decimal("225.6"), "voltage.c": Decimal("224.3")} == _values(
        _read645(driver, line, items)
    )
    assert 1 == len(line.sent)


def test_all_words_of_state_come_at_once() -> None:
    """A status plan of seven words would be seven exchanges."""
    line = ScriptedLine(telling({0x040005FF: "0000" * 2 + "5000" + "0000" * 4}, ADDRESS))
    brought = _read645(Dlt645Driver(SimClock()), line, _WORDS, as_status=True)
    assert list(_WORDS) == list(brought)
    third = brought["meter_status_word_3"]
    assert isinstance(third, MeterAnswer)
    told = {value.item: value.value for value in third.values}
    assert Decimal(0x50) == told["meter_status_word_3"]
    assert Decimal(1) == told["meter_status_word_3.relay_open"]
    assert 1 == len(line.sent)


def test_what_a_block_has_not_is_marked_absent() -> None:
    """A single-phase meter fills its block: 1,665.6 V would be kept of a phase that it has not."""
    line = ScriptedLine(telling({0x0201FF00: "5622FFFFFFFF"}, ADDRESS))
    brought = _read645(Dlt645Driver(SimClock()), line, ("voltage.a", "voltage.b"))
    absent = brought["voltage.b"]
    assert isinstance(absent, MeterAnswer)
    assert (None, Marks.ABSENT) == (absent.values[0].value, absent.values[0].marks)


@pytest.mark.parametrize("block", [{}, {0x0001FF00: "00000000"}], ids=["refused", "too short"])
def test_a_block_that_a_meter_has_not_is_remembered(block: Mapping[int, str]) -> None:
    """Some meters have the single items and not the block: they would give nothing, or be asked in vain."""
    clock = SimClock()
    line = ScriptedLine(telling(block, ADDRESS))
    driver = Dlt645Driver(clock)
    items = ("forward_active_energy", "forward_active_energy.t1")
    assert items == driver.group(ADDRESS, items)
    with pytest.raises((Refused, BadAnswer)):
        _read645(driver, line, items)
    assert items[:1] == driver.group(ADDRESS, items)
    assert 2 == len(driver.group(ADDRESS, ("voltage.a", "voltage.b"))), "another block may be there"
    assert 2 == len(driver.group("000000000162", items))
    clock.advance(APART_S)
    assert items == driver.group(ADDRESS, items)


def test_a_profile_can_forbid_blocks() -> None:
    """Of a model that answers blocks wrongly, nobody could say so."""
    profile = replace(generic("dlt645-2007"), reads=ReadTraits(together=1))
    driver = Dlt645Driver(SimClock(), profile=profile)
    assert ("voltage.a",) == driver.group(ADDRESS, ("voltage.a", "voltage.b"))
