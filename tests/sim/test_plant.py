"""A plant built from its file, in simulated time: the same seed gives the same octets on every line."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime

from metersim import AnswerRecord, Simulation
from metersim.plant.built import CALLS_MAX, BuiltPlant
from metersim.plant.plant import read_plant
from meterwire.dlt645 import WILDCARD, Frame, ReadRequest, encode, to_frame
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.get import GetRequestNormal, GetRequestRecord
from meterwire.dlt698.apdus.parts import RecordRequest
from meterwire.dlt698.axdr.selection import Oad, SelectNthLast
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.sessions.association import Association

START = datetime.fromisoformat("2026-10-01T00:00:00+08:00")
QUARTER_S = 900
HOUR_S = 3600
HOURS = 25  # over midnight, when meters freeze
PLANT = """\
plant: mixed
seed: {seed}
lines:
  - name: old
    at: listen
    meters:
      - {{count: 2, address: 161, profile: dlt645-2007/single-phase}}
      - {{profile: dlt645-1997/generic, clock_ahead_s: 90}}
      - {{faults: {{bit_flip: 0.5, noise: 0.5, split: 0.2}}}}
  - name: new
    at: listen
    paced: true
    medium: {{turn_noise: 0.1}}
    meters:
      - {{count: 2, address: 201, profile: dlt698.45/three-phase, load: factory, mean_kw: 40, ct_ratio: 40}}
      - {{profile: dlt698.45/generic, faults: garbage}}
"""
# Registers, instants, a block, daily freeze, load records, relay records, and what no meter has.
CLASSES_645 = (0x00010000, 0x02010100, 0x0001FF00, 0x05060001, 0x06000001, 0x1D000001, 0x0EEEEEEE)
CLASSES_1997 = (0x9010, 0xB611, 0xC032)
# The same of DL/T 698.45: energy, voltages, clock, daily and curve records, and what no meter has.
CLASSES_698 = ("00100200", "20000200", "40000200", "EEEE0200")
TABLES_698 = ("50040200", "50020200")


def _requests(address: str, protocol: str) -> list[bytes]:
    if protocol == "dlt698.45":
        return _requests_698(address)
    if protocol == "dlt645-1997":
        return [encode(to_frame(ReadRequest(address=address, di=di), "dlt645-1997")) for di in CLASSES_1997]
    read_address = Frame(address=WILDCARD, function=0x13)
    asked = [to_frame(ReadRequest(address=address, di=di)) for di in CLASSES_645]
    return [*map(encode, asked), encode(read_address)]


def _requests_698(address: str) -> list[bytes]:
    association = Association(ServerAddress(address))
    piid = association.next_piid()
    asked: list[Apdu] = [GetRequestNormal(piid=piid, oad=Oad.of(oad)) for oad in CLASSES_698]
    columns = (Oad.of("00100200"),)
    asked += [
        GetRequestRecord(piid=piid, record=RecordRequest(Oad.of(table), SelectNthLast(1), columns))
        for table in TABLES_698
    ]
    return [association.exchange(apdu).octets_to_send() for apdu in asked]


async def _poll(built: BuiltPlant, *, rounds: int, every_s: float) -> None:
    """Ask every meter for everything, each round."""
    loop = asyncio.get_running_loop()

    async def poll_line(name: str) -> None:
        line = built.lines[name]
        requests = [
            request
            for meter in line.meters.values()
            for request in _requests(meter.address, meter.row.profile.protocol)
        ]
        async with line.connect() as client:
            for number in range(rounds):
                await asyncio.sleep(number * every_s - loop.time())
                for request in requests:
                    await client.send(request)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(1):
                            await client.receive()

    async with asyncio.TaskGroup() as group:
        for name in built.lines:
            group.create_task(poll_line(name), name=f"client[{name}]")


def _polled(
    seed: int, *, rounds: int = 2, every_s: float = QUARTER_S
) -> tuple[BuiltPlant, list[AnswerRecord]]:
    sim = Simulation(seed=1, start=START)
    answers: list[AnswerRecord] = []
    built = read_plant(PLANT.format(seed=seed), "plant.yaml").build(clock=sim.clock, record=answers.append)
    sim.run(_poll(built, rounds=rounds, every_s=every_s))
    return built, answers


def test_the_same_seed_gives_the_same_octets_on_every_line_and_another_does_not() -> None:
    """A failure that somebody saw in a plant could not be shown to anybody else."""
    once, answers = _polled(7)
    again, _ = _polled(7)
    other, _ = _polled(8)
    digests = {name: once.digest(name) for name in once.lines}
    assert digests == {name: again.digest(name) for name in again.lines}
    for name in once.lines:
        assert digests[name] != other.digest(name), name
        assert once.lines[name].traffic.octets_in > 500 < once.lines[name].traffic.octets_out
    told = {(answer.address, answer.di) for answer in answers}
    assert {(f"{161:012d}", di) for di in CLASSES_645} < told  # each class was answered, or refused
    assert {(f"{201:012d}", oad) for oad in CLASSES_698} < told


def test_a_whole_day_is_the_same_twice() -> None:
    """What differs only after midnight, or after hundreds of exchanges, would be found by somebody's CI."""
    once, _ = _polled(7, rounds=HOURS, every_s=HOUR_S)
    again, _ = _polled(7, rounds=HOURS, every_s=HOUR_S)
    assert {name: once.digest(name) for name in once.lines} == {
        name: again.digest(name) for name in again.lines
    }
    assert once.lines["old"].counts.answers > HOURS * 20


def test_a_plant_knows_what_its_meters_said() -> None:
    """Who asks the plant in place of a meter would be told something else."""
    built, answers = _polled(7)
    assert answers == [call.answer for call in built.calls]
    assert [*range(1, len(answers) + 1)] == [call.number for call in built.calls]
    for name, line in built.lines.items():
        own = [answer for answer in answers if answer.address in line.meters]
        assert (len(own), sum(bool(answer.faults) for answer in own), own[-1].address) == (
            line.counts.answers,
            line.counts.faulty,
            line.counts.last,
        ), name
        for address, meter in line.meters.items():
            assert built.meter(address) is meter
            assert meter.answers == sum(answer.address == address for answer in own)
    sound = next(answer for answer in answers if "voltage.a" in answer.values)
    assert sound.values["voltage.a"] == built.meter(sound.address).value("voltage.a", sound.at)


def test_a_plant_remembers_only_its_last_calls() -> None:
    """A plant that runs for months would grow."""
    built, answers = _polled(7, rounds=24)
    assert len(answers) > CALLS_MAX == len(built.calls)
    assert answers[-CALLS_MAX:] == [call.answer for call in built.calls]


def test_a_meter_is_asked_without_a_connection_of_ones_own() -> None:
    """Who tests one meter would have to write a client first."""
    sim = Simulation(start=START)
    built = read_plant(PLANT.format(seed=1), "plant.yaml").build(clock=sim.clock, record=lambda _: None)
    [read, *_] = _requests("000000000161", "dlt645-2007")

    async def main() -> None:
        meter = built.meter("000000000161")
        heard = await meter.exchange(read)
        assert heard.startswith(b"\x68") and heard.endswith(b"\x16")
        assert b"" == await built.meter("000000000201").exchange(read, wait_s=0.5)
        assert 1 == meter.answers

    sim.run(main())
