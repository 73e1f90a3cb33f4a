"""Every profile, a simulated meter and a driver with it: what the meter shows is what is read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import Measured
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.errors import BadAnswer, Refused
from meterlink.transports.memory import memory_line
from meterprofiles import Profile, load_profile, packaged
from metersim import AnswerRecord, Simulation
from metersim.dlt645.meter import Meter
from metersim.plant.built import BuiltPlant
from metersim.plant.figures import Figures
from meterwire.dlt645 import Deframer, decode
from meterwire.dlt645.items.dialects import dialects, switches
from meterwire.dlt645.link.functions import EDITIONS
from tests.support.simulated import START, Duplex

_2007 = "dlt645-2007"


def _profile(name: str, *more: str, protocol: str = _2007, answer: str = "", delay: str = "") -> Profile:
    text = f"profile: {name}\nmatches: {{protocol: {protocol}}}\n"
    text += f"line: {{baud: 2400, parity: even, preamble: 4{answer}}}\n"
    text += f"timing: {{reply_timeout_ms: 1500, octet_gap_ms: 500, turnaround_ms: 20{delay}}}\n"
    return load_profile("\n".join([text, *more]), name)


def _layout(values: dict[str, str]) -> str:
    return "layout: {" + ", ".join(f"{switch}: {value}" for switch, value in values.items()) + "}"


_LAST = {name: switch.values[-1].name for name, switch in switches(_2007).items()}
_QUIRK = "quirks: [{kind: signed_value, item: active_power, evidence: spec section 9.2}]"
_SIGNED = _profile("signed", _QUIRK, protocol="dlt645-1997")
_SLOW = _profile("slow", answer=", answer_preamble: 3", delay=", reply_delay_ms: 900")
_PROFILES = [
    *(profile for profile in packaged().all if profile.protocol in EDITIONS),
    *(_profile(f"{name}-{value}", _layout({name: value})) for name, value in _LAST.items()),
    *(_profile(one.name, f"dialect: {one.name}") for one in dialects() if one.edition == _2007),
    _profile("all-turned", _layout(_LAST)),
    _SIGNED,
    _SLOW,
]


class _Bench:
    """One simulated meter of one profile, and a driver of another or the same."""

    def __init__(self, meter: Profile, driver: Profile) -> None:
        self.sim = Simulation(seed=1, start=START)
        self.answers: list[AnswerRecord] = []
        plant = Figures(profile=meter, first_address=161).plant()
        (self.plant_line,) = BuiltPlant(
            plant, clock=self.sim.clock, record=self.answers.append
        ).lines.values()
        (built,) = self.plant_line.meters.values()
        assert isinstance(built.speaker, Meter)
        self.meter = built.speaker
        self._driver = Dlt645Driver(self.sim.clock, profile=driver)

    def run(self, asking: Callable[[Line], Awaitable[None]]) -> None:
        async def main() -> None:
            async def opener() -> object:
                ours, theirs = memory_line()
                ends.append(theirs)
                group.create_task(self.plant_line.serve(Duplex(theirs)))
                return ours

            ends: list[object] = []
            line = Line("x", opener=opener, timing=Timing(), rng=self.sim.random)  # type: ignore[arg-type]
            async with asyncio.TaskGroup() as group:
                owner = group.create_task(line.run(), name="owner")
                await asking(line)
                owner.cancel()
                for end in ends:
                    await end.aclose()  # type: ignore[attr-defined]

        self.sim.run(main())

    async def read(self, line: Line, item: str) -> tuple[Measured, ...]:
        answer = await self._driver.read(line, self.meter.address, item, priority=Priority.ON_DEMAND)
        return answer.values


@pytest.mark.parametrize("profile", _PROFILES, ids=[profile.name for profile in _PROFILES])
def test_all_that_a_meter_offers_is_read_as_it_shows_it(profile: Profile) -> None:
    """A profile would tell the daemon one thing of a model and the simulator another."""
    bench = _Bench(profile, profile)
    offered = bench.meter.offered(START)

    async def ask(line: Line) -> None:
        for item in offered:
            (value,) = await bench.read(line, item)
            at = bench.answers[-1].at
            shown = bench.meter.text(item)
            expected = bench.meter.value(item, at) if shown is None else shown
            assert (item, expected) == (value.name, value.value if shown is None else value.text)

    bench.run(ask)
    assert len(bench.answers) == len(offered)
    assert len(offered) > 30


def test_each_meter_offers_what_its_switches_are_about() -> None:
    """The test above would read a plain meter under many names."""
    offered = {profile.name: set(_Bench(profile, profile).meter.offered(START)) for profile in _PROFILES}
    usual = offered["dlt645-2007/generic"]
    assert {"frequency", "neutral_current", "demand_period", "holiday_count", "active_accuracy"} <= usual
    assert {"scroll_screen@number.1", "report_mode_word", "voltage_harmonic.a.h3"} <= usual
    assert "voltage_harmonic_value.a.h3" in offered["harmonics-absolute"] - usual
    assert "report_mode_word" not in offered["standard"]


@pytest.mark.parametrize(
    ("switch", "item", "octets"),
    [
        ("demand_period", "demand_period", (1, 2)),
        ("holiday_count", "holiday_count", (2, 1)),
        ("active_accuracy", "active_accuracy", (4, 6)),
        ("screen_items", "scroll_screen@number.1", (5, 4)),
        ("report_mode_word", "report_mode_word", (8, 6)),
    ],
)
def test_a_switch_changes_the_octets_of_an_answer(switch: str, item: str, octets: tuple[int, int]) -> None:
    """The simulator would never show a meter of the other kind; whoever reads takes both lengths."""
    usual, turned = packaged().find(_2007), _profile("turned", _layout({switch: _LAST[switch]}))
    lengths, texts = [], set()
    for meter, driver in ((usual, turned), (turned, usual)):
        bench = _Bench(meter, driver)

        async def ask(line: Line, bench: _Bench = bench) -> None:
            (value,) = await bench.read(line, item)
            texts.add((value.text or "").lstrip("0"))

        bench.run(ask)
        (frame,) = Deframer().feed(bench.answers[0].octets)
        lengths.append(len(frame.data) - 4)
    assert octets == tuple(lengths)
    assert all(texts)


@pytest.mark.parametrize(
    ("meter", "item"),
    [
        (_profile("a", _layout({"variable_numbering": "from_00"})), "frequency"),
        (_profile("b", _layout({"variable_numbering": "from_00"})), "neutral_current"),
        (_profile("c", _layout({"harmonics": "absolute"})), "voltage_harmonic.a.h3"),
        (_SIGNED, "active_power.c"),
    ],
    ids=["frequency", "neutral", "harmonics", "sign"],
)
def test_the_wrong_profile_does_not_read_a_meter_right(meter: Profile, item: str) -> None:
    """A switch that changes nothing on the wire would look as if it worked."""
    bench = _Bench(meter, packaged().find(meter.protocol))
    outcomes: list[Decimal | str | None] = []

    async def ask(line: Line) -> None:
        try:
            (value,) = await bench.read(line, item)
            outcomes.append(value.value)
        except (Refused, BadAnswer) as error:
            outcomes.append(type(error).__name__)

    bench.run(ask)
    right = bench.meter.value(item, bench.answers[0].at)
    assert right is not None
    assert outcomes != [right]
    assert {"frequency": "BadAnswer", "neutral_current": "BadAnswer"}.get(item, outcomes[0]) == outcomes[0]


def test_a_meter_takes_its_time_and_its_preamble_from_its_profile() -> None:
    """A slow model could not be tried without the hardware."""
    took = {}
    for profile in (_SLOW, packaged().find(_2007)):
        bench = _Bench(profile, profile)

        async def ask(line: Line, bench: _Bench = bench, name: str = profile.name) -> None:
            began = asyncio.get_running_loop().time()
            await bench.read(line, "frequency")
            took[name] = round(asyncio.get_running_loop().time() - began, 3)

        bench.run(ask)
        octets = bench.answers[0].octets
        preamble = len(octets) - len(octets.lstrip(b"\xfe"))
        assert profile.line.answer_preamble == preamble
        assert decode(octets[preamble:]).from_meter
    assert {"slow": 0.9, "dlt645-2007/generic": 0.02} == took
