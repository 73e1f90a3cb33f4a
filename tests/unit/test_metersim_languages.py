"""Meters of both protocols on one line, in simulated time, and what faults do to answers of DL/T 698.45."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metersim import AnswerRecord, Faults, Line, Meter, Simulation, Station, memory_pair
from metersim.dlt698 import Meter698
from metersim.line.fault_kinds import AROUND, IN_PLACE
from meterwire import dlt645
from meterwire.dlt698.apdus.apdu import decode_apdu
from meterwire.dlt698.apdus.get import GetRequestNormal, GetRequestNormalList, GetResponseNormal
from meterwire.dlt698.apdus.parts import Dar, Piid
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ANY, ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from tests.support.meter698 import found

A645, A698, B698 = "000000000161", "000000000162", "000000000163"
ENERGY, VOLTAGE = Oad.of("00100201"), Oad.of("20000200")
WINDOW_S = 2.0


def ask645(address: str = A645) -> bytes:
    return dlt645.encode(dlt645.to_frame(dlt645.ReadRequest(address=address, di=0x00010000)))


def ask698(address: str = A698, oad: Oad = ENERGY) -> bytes:
    return found(GetRequestNormal(piid=Piid.of(1), oad=oad), ServerAddress(address)).octets


class Plant:
    """A line in simulated time."""

    def __init__(self, *stations: Station) -> None:
        self.sim = Simulation(seed=1)
        self.answers: list[AnswerRecord] = []
        self.line = Line(stations, clock=self.sim.clock, record=self.answers.append)

    def say(self, *octets: bytes) -> list[bytes]:
        """What comes back for each."""

        async def conversation() -> list[bytes]:
            plant_end, our_end = memory_pair()
            heard = []
            async with asyncio.TaskGroup() as group:
                group.create_task(self.line.serve(plant_end), name="line")
                for each in octets:
                    await our_end.send(each)
                    answer = b""
                    try:
                        async with asyncio.timeout(WINDOW_S):
                            while True:
                                answer += await our_end.receive()
                    except TimeoutError:
                        heard.append(answer)
                our_end.close()
            return heard

        return self.sim.run(conversation())


def mixed() -> Plant:
    return Plant(
        Station(meter=Meter(A645, seed=1)),
        Station(meter=Meter698(A698, seed=1)),
        Station(meter=Meter698(B698, seed=1), preamble=4),
    )


def test_both_protocols_share_a_line() -> None:
    """A hall with meters of both kinds on one pair of wires could not be simulated."""
    here = mixed()
    of645, of698, behind = here.say(ask645(), ask698(), ask698(B698))
    assert A645 == dlt645.decode(of645).address
    assert A698 == link.decode(of698).server.digits
    assert b"\xfe" * 4 == behind[:4]
    for record, address in zip(here.answers, (A645, A698, B698), strict=True):
        value = here.line.meters[address].value("forward_active_energy", record.at)
        assert (address, {"forward_active_energy": value}) == (record.address, record.values)
    assert [0x00010000, "00100201", "00100201"] == [record.di for record in here.answers]


def test_each_is_deaf_to_frames_of_the_other() -> None:
    """A meter would answer what only looks like a request, from inside another protocol's frame."""
    here = mixed()
    assert [b"", b""] == here.say(ask645(A698), ask698(A645))
    both = ask645() + ask698()
    [heard] = here.say(both)
    assert {A645, A698} == {record.address for record in here.answers}
    assert heard == b"".join(record.octets for record in here.answers)


def test_one_wire_has_an_address_once() -> None:
    """Two meters of one address could not be told apart in the list of answers."""
    with pytest.raises(ValueError, match="same address"):
        Plant(Station(meter=Meter(A645, seed=1)), Station(meter=Meter698(A645, seed=1)))


def test_answers_to_a_wildcard_collide() -> None:
    """A wildcard on a line with several meters would find one of them, as no real one does."""
    here = mixed()
    [heard] = here.say(found(GetRequestNormal(piid=Piid.of(1), oad=ENERGY), ANY).octets)
    assert [] == Deframer().feed(heard)
    assert [("collision",)] * 2 == [record.faults for record in here.answers]


def test_a_list_names_what_was_asked() -> None:
    """The list of answers would not tell which question it was."""
    here = mixed()
    request = GetRequestNormalList(piid=Piid.of(1), oads=(ENERGY, VOLTAGE))
    here.say(found(request, ServerAddress(A698)).octets)
    [record] = here.answers
    assert "00100201,20000200" == record.di
    assert '"di":"00100201,20000200"' in record.to_json(1)
    assert {"forward_active_energy", "voltage.a", "voltage.b", "voltage.c"} == record.values.keys()


@pytest.mark.parametrize("fault", [name for name in IN_PLACE + AROUND if name != "stale"])
def test_a_fault_befalls_answers_of_698(fault: str) -> None:
    """A fault that leaves these answers whole would test nothing."""
    sound = Plant(Station(meter=Meter698(A698, seed=1)))
    here = Plant(Station(meter=Meter698(A698, seed=1), faults=Faults(**{fault: 1.0})))  # type: ignore[arg-type]
    [expected], [heard] = sound.say(ask698()), here.say(ask698())
    if fault == "silence":
        assert b"" == heard
        return
    [record] = here.answers
    assert (fault,) == record.faults
    assert heard == record.octets
    if fault in AROUND:
        assert heard.endswith(expected)
        assert sound.answers[0].values == record.values
    else:
        assert expected != heard
        assert {} == record.values


@pytest.mark.parametrize("fault", ["other_address", "other_identifier", "abnormal"])
def test_foreign_answers_are_good_frames(fault: str) -> None:
    """A frame that is broken besides would be dropped before anybody looks at what it says."""
    here = Plant(Station(meter=Meter698(A698, seed=1), faults=Faults(**{fault: 1.0})))  # type: ignore[arg-type]
    [heard] = here.say(ask698())
    frame = link.decode(heard)
    apdu = decode_apdu(frame.user_data)
    assert isinstance(apdu, GetResponseNormal)
    assert (fault == "other_address") is (frame.server.digits != A698)
    assert (fault == "other_identifier") is (apdu.result.oad != ENERGY)
    assert (fault == "abnormal") is isinstance(apdu.result.result, Dar)


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_rubbish_costs_nothing(pieces: list[bytes]) -> None:
    """Noise on the wire would end the line, or make it deaf for good."""
    here = mixed()
    *_, first, second = here.say(*[piece or b"\x00" for piece in pieces], ask698(), ask698())
    assert A698 in {link.decode(answer).server.digits for answer in (first, second) if answer}


def test_a_garbage_meter_answers_now_and_then() -> None:
    """A garbage meter of this protocol would be no test of the driver."""
    here = Plant(Station(meter=Meter698(A698, seed=1), faults=Faults.garbage(1)))
    heard = here.say(*[ask698() for _ in range(60)])
    sound = [record for record in here.answers if record.values]
    assert 0 < len(sound) < 40
    assert len(set(heard)) > 20
    assert {name for record in here.answers for name in record.faults} >= {"half_frame", "other_identifier"}
