"""A plant of electricity meters without hardware: meters, their line, their faults.

A name is imported when it is first asked for: pytest imports this package in every run on a machine that
has it installed, also in runs that have no meters in them.

As a command: ``metersim run`` (see ``metersim run --help``). In the same process, here in simulated time::

    def test_a_meter_answers() -> None:
        sim = Simulation(seed=1)
        answers: list[AnswerRecord] = []

        async def main() -> None:
            meter = Meter("000000000161", seed=1)
            line = Line([Station(meter=meter)], clock=sim.clock, record=answers.append)
            plant_end, our_end = memory_pair()
            async with asyncio.TaskGroup() as group:
                group.create_task(line.serve(plant_end), name="line")
                await our_end.send(request)
                reply = await our_end.receive()
                our_end.close()  # the line ends with its connection

        sim.run(main())
        assert answers[0].values == {"voltage.a": meter.value("voltage.a", answers[0].at)}
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from metersim.dlt645.meter import Meter
    from metersim.line.answers import AnswerFile, AnswerRecord
    from metersim.line.fault_rules import FaultRule, FaultRules, RuleReport
    from metersim.line.faults import NO_FAULTS, Faults
    from metersim.line.line import Line, Station
    from metersim.line.medium import Medium
    from metersim.line.memory import MemoryDuplex, memory_pair
    from metersim.line.port import Port
    from metersim.loop import OutsideSimulation, SimClock, Simulation, SimulationStuck

__all__ = [
    "NO_FAULTS",
    "AnswerFile",
    "AnswerRecord",
    "FaultRule",
    "FaultRules",
    "Faults",
    "Line",
    "Medium",
    "MemoryDuplex",
    "Meter",
    "OutsideSimulation",
    "Port",
    "RuleReport",
    "SimClock",
    "Simulation",
    "SimulationStuck",
    "Station",
    "memory_pair",
]

_HOMES: Final = {
    "AnswerFile": "metersim.line.answers",
    "AnswerRecord": "metersim.line.answers",
    "FaultRule": "metersim.line.fault_rules",
    "FaultRules": "metersim.line.fault_rules",
    "Faults": "metersim.line.faults",
    "Line": "metersim.line.line",
    "Medium": "metersim.line.medium",
    "MemoryDuplex": "metersim.line.memory",
    "Meter": "metersim.dlt645.meter",
    "NO_FAULTS": "metersim.line.faults",
    "OutsideSimulation": "metersim.loop",
    "Port": "metersim.line.port",
    "RuleReport": "metersim.line.fault_rules",
    "SimClock": "metersim.loop",
    "Simulation": "metersim.loop",
    "SimulationStuck": "metersim.loop",
    "Station": "metersim.line.line",
    "memory_pair": "metersim.line.memory",
}


def __getattr__(name: str) -> object:
    """Import what is asked for.

    Raises:
        AttributeError: the package has no such name.

    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
