"""A plant built from its file, in simulated time: the same seed gives the same octets on every line."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from metersim import AnswerRecord, Simulation
from metersim.plant.built import CALLS_MAX, BuiltPlant
from metersim.plant.happenings import Happening
from metersim.plant.plant import load_plant, read_plant
from metersim.works.switch import Command
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
    built = BuiltPlant(
        read_plant(PLANT.format(seed=seed), "plant.yaml"), clock=sim.clock, record=answers.append
    )
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
    built = BuiltPlant(read_plant(PLANT.format(seed=1), "plant.yaml"), clock=sim.clock, record=lambda _: None)
    [read, *_] = _requests("000000000161", "dlt645-2007")

    async def main() -> None:
        meter = built.meter("000000000161")
        heard = await meter.exchange(read)
        assert heard.startswith(b"\x68") and heard.endswith(b"\x16")
        assert b"" == await built.meter("000000000201").exchange(read, wait_s=0.5)
        assert 1 == meter.answers

    sim.run(main())


EVENTFUL = """\
scenario: storm.yaml
seed: 3
start: 2026-10-01T00:00:00+08:00
lines:
  - at: listen
    meters:
      - {count: 2, address: 161, profile: dlt645-2007/remote-cost-control, load: shop, mean_kw: 3}
      - {address: 171, profile: dlt645-2007/local-prepayment, preset_cents: 5000}
      - {address: 172}
"""
STORM = """\
scenario: storm
faults:
  - {what: silence, meter: "000000000162", nth: 2}
happenings:
  - {what: clock_jump, meter: "000000000161", by: 5m, at: +30m}
"""


def _eventful(folder: Path) -> tuple[Simulation, BuiltPlant]:
    (folder / "storm.yaml").write_text(STORM)
    (folder / "plant.yaml").write_text(EVENTFUL)
    sim = Simulation(start=START)
    return sim, BuiltPlant(load_plant(folder / "plant.yaml"), clock=sim.clock)


def test_a_scenario_of_the_plant_file_happens(tmp_path: Path) -> None:
    """The faults and happenings that a plant names would never come."""
    sim, built = _eventful(tmp_path)
    [read, *_] = _requests("000000000162", "dlt645-2007")

    async def main() -> None:
        meter = built.meter("000000000162")
        assert [True, False, True] == [bool(await meter.exchange(read)) for _ in range(3)]
        assert 1 == built.rules.reports()[0].struck
        clock = built.meter("000000000161").works.clock
        async with asyncio.TaskGroup() as group:
            happenings = group.create_task(built.run(), name="happenings")
            await asyncio.sleep(1790 - asyncio.get_running_loop().time())
            assert timedelta() == clock.ahead(sim.clock.utc_now())
            await asyncio.sleep(20)
            assert timedelta(minutes=5) == clock.ahead(sim.clock.utc_now())
            happenings.cancel()

    sim.run(main())


def test_what_is_due_happens_before_the_next_question(tmp_path: Path) -> None:
    """On a clock that is sped up, or a loop that is late, a meter would answer as if nothing had happened."""
    sim, built = _eventful(tmp_path)
    sim.clock.advance(1801)
    [read, *_] = _requests("000000000161", "dlt645-2007")
    sim.run(built.meter("000000000161").exchange(read))
    ahead = built.meter("000000000161").works.clock.ahead(sim.clock.utc_now())
    assert timedelta(minutes=5) == ahead


def test_a_meter_is_changed_and_asked_from_outside(tmp_path: Path) -> None:
    """A test of others could not bring about what it wants to see found."""
    sim, built = _eventful(tmp_path)
    meter = built.meter("000000000161")
    assert () == meter.obeyed()
    assert not meter.press_key()
    command = Command(kind="trip", operator="00000001", came_by="645")
    meter.works.switch.obey(command, sim.clock.utc_now())
    assert ["trip"] == [control.kind for control in meter.obeyed()]
    meter.works.switch.obey(replace(command, kind="permit_close"), sim.clock.utc_now())
    assert 1 == len(meter.obeyed("trip"))
    assert meter.press_key()
    assert not meter.works.switch.contact_open

    meter.set("forward_active_energy", Decimal("1234.56"))
    assert Decimal("1234.56") == meter.value("forward_active_energy")
    before = meter.value("current.a")
    theft = Happening(what="tampering", at=timedelta(), theft="THEFT-03", strength=Decimal("0.5"))
    meter.befall(theft)
    assert before != meter.value("current.a") or before == 0
    with pytest.raises(ValueError, match="THEFT-99"):
        meter.befall(replace(theft, theft="THEFT-99"))
    wallet = built.meter("000000000171").works.account
    assert wallet is not None
    assert 5000 == wallet.remaining_cents(sim.clock.utc_now())
    assert built.meter("000000000172").works.account is None


def test_a_serial_server_of_the_plant_file_packs_and_registers(tmp_path: Path) -> None:
    """A client that does not survive a DTU's texts would pass every test."""
    sim = Simulation(start=START)
    text = "lines: [{at: listen, server: {registration: DTU-7, pack_ms: 500}}]"
    built = BuiltPlant(read_plant(text, "plant.yaml"), clock=sim.clock)
    [read, *_] = _requests("000000000001", "dlt645-2007")

    async def main() -> None:
        async with built.lines["line-1"].connect() as client:
            assert b"DTU-7" == await client.receive()
            await client.send(read)
            assert 20 == len(await client.receive())
            assert 0.52 == pytest.approx(asyncio.get_running_loop().time())  # Td and the packing time

    sim.run(main())
    assert built.lines["line-1"].traffic.octets_in > 5  # the texts of the server are on the line too
