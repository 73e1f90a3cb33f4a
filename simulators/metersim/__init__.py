"""A plant of electricity meters without hardware: meters, their line, their faults.

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
