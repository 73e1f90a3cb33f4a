"""Meters on a line in simulated time: who answers what, when, and what faults do to it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metersim import (
    NO_FAULTS,
    AnswerFile,
    AnswerRecord,
    Faults,
    Line,
    MemoryDuplex,
    Meter,
    Simulation,
    SimulationStuck,
    Station,
    memory_pair,
)
from metersim.dlt645.meter import matches
from metersim.line.fault_kinds import AROUND, IN_PLACE
from metersim.line.line import LATE_ANSWERS_MAX, PREAMBLE_MAX, REPLY_DELAY_MS_MAX
from metersim.line.memory import UNREAD_OCTETS_MAX
from metersim.works.items import items_of
from meterwire.dlt645 import (
    AbnormalReply,
    Deframer,
    Frame,
    ReadReply,
    ReadRequest,
    decode,
    dictionary,
    encode,
    from_frame,
    to_frame,
)

A161, A162 = "000000000161", "000000000162"
ENERGY, VOLTAGE_A, CURRENT_C = 0x00010000, 0x02010100, 0x02020300
WINDOW_S = 0.6  # how long a test listens after a request: Td may be 500 ms


def ask(di: int, address: str = A161) -> bytes:
    return encode(to_frame(ReadRequest(address=address, di=di)), preamble=4)


class Plant:
    """A line in simulated time; ``say`` runs one conversation and gives what came back for each octets."""

    def __init__(self, *stations: Station, seed: int = 1) -> None:
        self.sim = Simulation(seed=seed)
        self.answers: list[AnswerRecord] = []
        self.line = Line(stations, clock=self.sim.clock, record=self.answers.append)

    def say(self, *octets: bytes, window_s: float = WINDOW_S) -> list[bytes]:
        async def conversation() -> list[bytes]:
            plant_end, our_end = memory_pair()
            async with asyncio.TaskGroup() as group:
                group.create_task(self.line.serve(plant_end), name="line")
                heard = [await self._exchange(our_end, each, window_s) for each in octets]
                our_end.close()
            return heard

        return self.sim.run(conversation())

    async def _exchange(self, end: MemoryDuplex, octets: bytes, window_s: float) -> bytes:
        await end.send(octets)
        heard = b""
        try:
            async with asyncio.timeout(window_s):
                while True:
                    heard += await end.receive()
        except TimeoutError:
            return heard


def plant(*addresses: str, faults: Faults = NO_FAULTS, **station: Any) -> Plant:
    return Plant(
        *[Station(meter=Meter(address, seed=1), faults=faults, **station) for address in addresses or (A161,)]
    )


# --- what a meter answers ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("di", "name"),
    [
        (0x00000000, "combined_active_energy"),
        (0x0001FF00, "forward_active_energy"),
        (0x0002FF00, "reverse_active_energy"),
        (0x0201FF00, "voltage"),
        (0x0202FF00, "current"),
        (0x0203FF00, "active_power"),
        (0x0204FF00, "reactive_power"),
        (0x0205FF00, "apparent_power"),
        (0x0206FF00, "power_factor"),
    ],
)
def test_every_quantity_is_answered_as_item_and_as_block(di: int, name: str) -> None:
    """A meter that cannot be asked for what it measures would leave that item untested everywhere."""
    here = plant()
    entries = [dictionary().by_name(item) for item in (*items_of(name), f"{name}.*")]
    for entry in entries:
        assert entry is not None
        [heard] = here.say(ask(entry.di))
        reply = from_frame(decode(heard))
        assert isinstance(reply, ReadReply)
        assert entry.di == reply.di
        at = here.answers[-1].at
        expected = {
            item: here.line.meters[A161].value(item, at)
            for item in (items_of(name) if entry.is_block else [entry.item])
        }
        assert expected == {value.item: value.value for value in entry.decode(reply.data)}
        assert expected == here.answers[-1].values
    assert di in {entry.di for entry in entries if entry}


def _old(address: str = A161, growth_kw: Decimal = Decimal("0.5")) -> Station:
    return Station(meter=Meter(address, seed=1, growth_kw=growth_kw, protocol="dlt645-1997"))


def ask_1997(di: int, address: str = A161) -> bytes:
    return encode(to_frame(ReadRequest(address=address, di=di), "dlt645-1997"))


@pytest.mark.parametrize("growth_kw", [Decimal("0.5"), Decimal(7200)])
@pytest.mark.parametrize("di", [0x901F, 0x902F, 0xB61F, 0xB62F, 0xB63F, 0xB64F, 0xB65F])
def test_a_meter_of_1997_answers_in_its_own_digits(di: int, growth_kw: Decimal) -> None:
    """The gateway's way of reading old meters would be tested against none."""
    here = Plant(_old(growth_kw=growth_kw))
    entry = dictionary("dlt645-1997").by_di(di)
    assert entry is not None
    [heard] = here.say(ask_1997(di))
    reply = from_frame(decode(heard))
    assert isinstance(reply, ReadReply)
    assert di == reply.di
    shown = {value.item: value.value for value in entry.decode(reply.data)}
    assert shown == here.answers[0].values
    newer, at = Meter(A161, seed=1, growth_kw=growth_kw), here.answers[0].at
    measured = {item: value for item, value in shown.items() if not item.endswith("_limit")}
    for item, value in measured.items():
        exact = newer.value(item, at)
        assert value is not None and exact is not None
        assert value >= 0
        if value != Decimal("99.99"):  # the largest current it can show
            assert abs(abs(exact) - value) < Decimal(1).scaleb(int(value.as_tuple().exponent))


def test_what_a_meter_of_1997_does_else() -> None:
    """An address could not be found out by asking, or the editions would be taken for each other."""
    here = Plant(_old())
    refused, own, everybody, newer, address = here.say(
        ask_1997(0xB711),
        ask_1997(0xC032),
        ask_1997(0xC032, "9" * 12),
        ask(ENERGY),
        encode(Frame(address="A" * 12, function=0x13)),
    )
    expected = AbnormalReply(address=A161, function=0x01, error_word=b"\x02")
    assert expected == from_frame(decode(refused))
    number = ReadReply(address=A161, di=0xC032, data=bytes.fromhex("610100000000"))
    assert [number, number] == [from_frame(decode(own)), from_frame(decode(everybody))]
    assert (b"", b"") == (newer, address)
    assert [b""] == plant().say(ask_1997(0x9010)), "a meter of 2007 does not know 01H"


@pytest.mark.parametrize("di", [0x00010500, 0x00810001, 0x000100FF, 0x01150000, 0x04000D01, 0xFFFFFFFF])
def test_what_it_has_not_is_refused(di: int) -> None:
    """A simulator that invents data, or is silent, would hide how a real meter says no."""
    here = plant()
    assert [AbnormalReply(address=A161, function=0x11, error_word=b"\x02")] == [
        from_frame(decode(heard)) for heard in here.say(ask(di))
    ]
    assert {} == here.answers[0].values
    assert di == here.answers[0].di


def test_load_records_are_refused() -> None:
    """A request with a selector asks for another thing than the register of that number."""
    request = encode(to_frame(ReadRequest(address=A161, di=ENERGY, selector=b"\x01")))
    [heard] = plant().say(request)
    assert decode(heard).abnormal


@pytest.mark.parametrize("address", ["AAAAAAAAAAAA", A161, "AAAAAAAA0161"])
def test_the_address_can_be_read(address: str) -> None:
    """A meter of unknown address could not be found on its line."""
    here = plant()
    [heard] = here.say(encode(Frame(address=address, function=0x13)))
    assert Frame(address=A161, function=0x13, data=bytes.fromhex("610100000000"), from_meter=True) == decode(
        heard
    )
    assert here.answers[0].di is None


@pytest.mark.parametrize(
    "frame",
    [
        Frame(address=A162, function=0x11, data=bytes(4)),
        Frame(address="999999999999", function=0x11, data=bytes(4)),
        Frame(address="999999999999", function=0x13),
        Frame(address="AAAAAAAA0162", function=0x11, data=bytes(4)),
        Frame(address="0000AAAAAA61", function=0x11, data=bytes(4)),
        Frame(address="AAAAAAAAAA6A", function=0x11, data=bytes(4)),
        Frame(address=A161, function=0x13, data=b"\x00"),
        Frame(address=A161, function=0x11, data=bytes(3)),
        Frame(address=A161, function=0x11, data=bytes(4), from_meter=True),
        Frame(address=A161, function=0x11, data=bytes(4), has_following=True),
        Frame(address=A161, function=0x11, data=bytes(4), abnormal=True),
        *[
            Frame(address=A161, function=function, data=bytes(12))
            for function in range(32)
            # 12H out of turn is refused: test_following; commands have tests of their own
            if function not in {0x11, 0x12, 0x13, 0x03, 0x14, *range(0x16, 0x1D)}
        ],
    ],
)
def test_it_is_silent_to_everything_else(frame: Frame) -> None:
    """An answer out of turn would collide with the one of the meter that was asked."""
    here = plant()
    assert [b""] == here.say(encode(frame))
    assert [] == here.answers


@given(address=st.from_regex("[0-9]{12}", fullmatch=True), pairs=st.integers(0, 6), wrong=st.integers(0, 11))
def test_wildcards_fill_the_high_octets(address: str, pairs: int, wrong: int) -> None:
    """Shortened addressing would find the wrong meter, or none."""
    wanted = "AA" * pairs + address[2 * pairs :]
    assert matches(wanted, address)
    if wrong >= 2 * pairs:
        other = str((int(wanted[wrong]) + 1) % 10)
        assert not matches(wanted[:wrong] + other + wanted[wrong + 1 :], address)


@pytest.mark.parametrize(
    "address", ["999999999999", "12345678901", "1234567890123", "00000000016A", "", "１" * 12]
)
def test_an_illegal_address_is_refused(address: str) -> None:
    """A meter that nobody can address would look like a dead line."""
    with pytest.raises(ValueError, match="12 digits"):
        Meter(address, seed=1)


# --- the line ----------------------------------------------------------------------------------


@pytest.mark.parametrize("delay_ms", [0, 20, 500])
def test_the_answer_begins_after_the_response_delay(delay_ms: int) -> None:
    """Timeouts of a daemon would be tested against another meter than the one that was declared."""
    here = plant(reply_delay_ms=delay_ms)
    asked_at = here.sim.clock.utc_now()
    here.say(ask(ENERGY))
    assert delay_ms == round((here.answers[0].at - asked_at).total_seconds() * 1000)


@pytest.mark.parametrize("preamble", [0, 4, PREAMBLE_MAX])
def test_the_preamble_is_as_declared(preamble: int) -> None:
    """Meters that wake the receiver with FEH, and meters that do not, must both be there."""
    [heard] = plant(preamble=preamble).say(ask(ENERGY))
    assert preamble == len(heard) - len(heard.lstrip(b"\xfe"))


def test_each_meter_answers_for_itself() -> None:
    """Neighbours on one line would answer for each other."""
    here = plant(A161, A162)
    heard = here.say(ask(ENERGY, A161), ask(ENERGY, A162))
    assert [A161, A162] == [decode(octets).address for octets in heard]
    assert here.answers[0].values != here.answers[1].values


def test_answers_to_a_wildcard_collide() -> None:
    """A daemon that asks a shared line with a wildcard must not find a clean answer here."""
    here = plant(A161, A162, "000000000033")
    request = ask(ENERGY, "AAAAAAAAAAAA")
    [heard] = here.say(request)
    assert [] == Deframer().feed(heard)
    assert [("collision",)] * 3 == [answer.faults for answer in here.answers]
    assert [{}] * 3 == [answer.values for answer in here.answers]
    [heard] = here.say(ask(ENERGY, "AAAAAAAAAA33"))
    assert "000000000033" == decode(heard).address


def test_two_connections_take_turns_and_each_gets_its_own_answer() -> None:
    """A serial server that mixes two clients up would give one the readings of the other."""
    here = plant(A161, A162, reply_delay_ms=100)

    async def client(address: str, done: list[tuple[str, float]]) -> None:
        plant_end, our_end = memory_pair()
        async with asyncio.TaskGroup() as group:
            group.create_task(here.line.serve(plant_end), name="line")
            for _ in range(3):
                await our_end.send(ask(ENERGY, address))
                done.append((decode(await our_end.receive()).address, here.sim.clock.monotonic_s()))
            our_end.close()

    async def main() -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
        first: list[tuple[str, float]] = []
        second: list[tuple[str, float]] = []
        async with asyncio.TaskGroup() as group:
            group.create_task(client(A161, first), name="first")
            group.create_task(client(A162, second), name="second")
        return first, second

    first, second = here.sim.run(main())
    assert [A161] * 3 == [address for address, _ in first]
    assert [A162] * 3 == [address for address, _ in second]
    moments = sorted(at for _, at in first + second)
    assert [pytest.approx(0.1 * (k + 1)) for k in range(6)] == moments


def test_requests_glued_together_are_answered_one_after_the_other() -> None:
    """A serial server packs what it gets; a request behind another must not be lost."""
    here = plant(A161, A162)
    [heard] = here.say(ask(ENERGY, A161) + ask(VOLTAGE_A, A162))
    assert [A161, A162] == [frame.address for frame in Deframer().feed(heard)]


@given(rubbish=st.lists(st.binary(max_size=300), max_size=5))
def test_no_octets_ever_stop_a_line(rubbish: list[bytes]) -> None:
    """One client's rubbish would end the simulation for everybody."""
    here = plant()
    *_, heard = here.say(*rubbish, ask(ENERGY))
    assert A161 == decode(heard).address


def test_a_line_ends_with_its_connection() -> None:
    """A line that outlives its client would keep the next one waiting."""
    here = plant(faults=Faults(late=1.0))
    assert [b""] == here.say(ask(ENERGY))
    assert WINDOW_S == here.sim.clock.monotonic_s()  # the late answer is not waited for
    assert 1 == len(here.answers)


def test_an_answer_is_listed_before_it_leaves() -> None:
    """A reading could reach the database and be in no list: a false alarm in every test that compares."""
    here = plant()
    listed_when_sent: list[int] = []

    class Wire:
        """Gives one request and notes what is listed when the answer comes."""

        def __init__(self) -> None:
            self._requests = [ask(ENERGY), b""]

        async def receive(self) -> bytes:
            return self._requests.pop(0)

        async def send(self, octets: bytes) -> None:
            listed_when_sent.append(len(here.answers))

    here.sim.run(here.line.serve(Wire()))
    assert [1] == listed_when_sent


def test_two_meters_of_one_address_are_refused() -> None:
    """Both would answer every request."""
    with pytest.raises(ValueError, match="same address"):
        plant(A161, A161)


def test_a_station_keeps_its_limits() -> None:
    """A typing error in a plant would make its meters look dead."""
    meter = Meter(A161, seed=1)
    Station(meter=meter, reply_delay_ms=REPLY_DELAY_MS_MAX, preamble=PREAMBLE_MAX)
    for delay_ms in (-1, REPLY_DELAY_MS_MAX + 1):
        with pytest.raises(ValueError, match="delay"):
            Station(meter=meter, reply_delay_ms=delay_ms)
    for preamble in (-1, PREAMBLE_MAX + 1):
        with pytest.raises(ValueError, match="preamble"):
            Station(meter=meter, preamble=preamble)


# --- faults ------------------------------------------------------------------------------------


def faulty(**probabilities: float) -> Plant:
    return plant(A161, faults=Faults(seed=5, **probabilities))  # type: ignore[arg-type]


def answer_of(here: Plant, octets: bytes = b"") -> tuple[bytes, AnswerRecord]:
    [heard] = here.say(octets or ask(ENERGY))
    [record] = here.answers
    assert record.octets == heard
    return heard, record


def test_silence() -> None:
    """A meter that never answers is the commonest fault of all."""
    here = faulty(silence=1.0)
    assert [b"", b""] == here.say(ask(ENERGY), ask(VOLTAGE_A))
    assert [] == here.answers


def test_random_octets() -> None:
    """Rubbish in place of an answer must hold no frame of ours by construction."""
    heard, record = answer_of(faulty(random_octets=1.0))
    assert 1 <= len(heard) <= 64
    assert [] == Deframer().feed(heard)
    assert ("random_octets",) == record.faults
    assert {} == record.values


def test_half_frame() -> None:
    """An answer cut in the middle must be the begin of the true one."""
    heard, record = answer_of(faulty(half_frame=1.0))
    [whole] = plant().say(ask(ENERGY))
    assert len(whole) // 2 == len(heard)
    assert whole.startswith(heard[:10])
    assert ("half_frame",) == record.faults
    assert {} == record.values


def test_other_address() -> None:
    """A good frame of a stranger is what a client that does not check addresses takes for its own."""
    heard, record = answer_of(faulty(other_address=1.0))
    reply = from_frame(decode(heard))
    assert isinstance(reply, ReadReply)
    assert A161 != reply.address
    assert ENERGY == reply.di
    assert A161 == record.address
    assert ("other_address",) == record.faults
    assert {} == record.values


@pytest.mark.parametrize("di", [ENERGY, VOLTAGE_A, CURRENT_C])
def test_other_identifier(di: int) -> None:
    """A good frame about another item is what a client that does not check identifiers mixes up."""
    heard, record = answer_of(faulty(other_identifier=1.0), ask(di))
    reply = from_frame(decode(heard))
    assert isinstance(reply, ReadReply)
    assert A161 == reply.address
    assert di != reply.di
    assert di == record.di
    assert ("other_identifier",) == record.faults
    assert {} == record.values


def test_abnormal_reply() -> None:
    """A refusal of something that the meter has must be possible."""
    heard, record = answer_of(faulty(abnormal=1.0))
    reply = from_frame(decode(heard))
    assert isinstance(reply, AbnormalReply)
    assert reply.error_word in {b"\x01", b"\x02", b"\x04"}
    assert ("abnormal",) == record.faults
    assert {} == record.values


def test_bit_flip() -> None:
    """One wrong bit must be one wrong bit, and no good frame any more."""
    here = faulty(bit_flip=1.0)
    for heard in here.say(*[ask(ENERGY)] * 50):
        assert [] == Deframer().feed(heard)
    sound = plant().say(ask(ENERGY))[0]
    wrong = int.from_bytes(here.answers[0].octets, "big") ^ int.from_bytes(sound, "big")
    assert 1 == wrong.bit_count()
    assert {("bit_flip",)} == {record.faults for record in here.answers}


def test_late_answer() -> None:
    """The answer to the last request must arrive as if it answered the next one, neighbours unharmed."""
    here = Plant(
        Station(meter=Meter(A161, seed=1), faults=Faults(late=1.0, late_ms=1000)),
        Station(meter=Meter(A162, seed=1)),
    )
    first, neighbour, second = here.say(ask(ENERGY), ask(ENERGY, A162), ask(VOLTAGE_A), window_s=0.6)
    assert b"" == first
    assert A162 == decode(neighbour[: len(neighbour) // 2]).address
    assert A161 == decode(neighbour[len(neighbour) // 2 :]).address
    assert b"" == second
    assert ("late",) == here.answers[0].faults
    assert "forward_active_energy" in here.answers[0].values


def test_late_answers_have_a_limit() -> None:
    """A meter that is always late would fill the memory."""
    here = plant(faults=Faults(late=1.0, late_ms=1000), reply_delay_ms=0)
    [heard] = here.say(ask(ENERGY) * (LATE_ANSWERS_MAX + 5), window_s=5)
    assert LATE_ANSWERS_MAX == len(Deframer().feed(heard))


def test_echo() -> None:
    """Half-duplex adapters give back what was sent, also when no answer follows."""
    request = ask(ENERGY).lstrip(b"\xfe")
    heard, record = answer_of(faulty(echo=1.0))
    assert heard.startswith(request)
    assert A161 == decode(heard[len(request) :]).address
    assert ("echo",) == record.faults
    assert "forward_active_energy" in record.values
    heard, record = answer_of(faulty(echo=1.0, silence=1.0))
    assert request == heard
    assert {} == record.values


def test_noise() -> None:
    """A driver that turns round leaves rubbish before the answer, which stays whole."""
    here = faulty(noise=1.0)
    sound = plant().say(ask(ENERGY))[0]
    heard, record = answer_of(here)
    assert heard.endswith(sound)
    assert 1 <= len(heard) - len(sound) <= 4
    assert ("noise",) == record.faults
    assert "forward_active_energy" in record.values


def test_split() -> None:
    """A slow meter sends octet by octet; a client must wait for the whole frame."""
    here = plant(faults=Faults(split=1.0, split_gap_ms=7), reply_delay_ms=0)
    [octet] = here.say(ask(ENERGY), window_s=0.005)
    assert b"\x68" == octet
    [heard] = here.say(ask(ENERGY))
    assert A161 == decode(heard).address
    assert ("split",) == here.answers[0].faults


@pytest.mark.parametrize("in_place", ["other_identifier", "abnormal"])
def test_a_fault_that_an_answer_cannot_have_leaves_it_whole(in_place: str) -> None:
    """An address answer has no identifier and no refusal; a made-up one would exist on no real line."""
    request = encode(Frame(address=A161, function=0x13))
    heard, record = answer_of(faulty(**{in_place: 1.0}), request)
    assert bytes.fromhex("610100000000") == decode(heard).data
    assert () == record.faults


@given(
    faults=st.sampled_from(IN_PLACE + AROUND), di=st.sampled_from([ENERGY, VOLTAGE_A, 0x0201FF00, 0x01150000])
)
def test_values_stand_only_where_they_can_be_believed(faults: str, di: int) -> None:
    """The list of answers is the truth of other tests: no value there may be one that was not sent."""
    here = faulty(**{faults: 1.0, "noise": 1.0})
    [heard] = here.say(ask(di), window_s=3)
    messages = [from_frame(frame) for frame in Deframer().feed(heard)]
    replies = [
        message
        for message in messages
        if isinstance(message, ReadReply) and message.address == A161 and message.di == di
        if not message.has_following  # the begin of an answer is not to be believed by itself
    ]
    believed: dict[str, Decimal | None] = {}
    for reply in replies:
        entry = dictionary().by_di(di)
        assert entry is not None
        believed |= {value.item: value.value for value in entry.decode(reply.data)}
    noted: dict[str, Decimal] = {}
    for record in here.answers:
        noted |= record.values
    assert noted == believed


def _storm(*, plant_seed: int = 1, fault_seed: int = 1, first: int = 1) -> str:
    """Hash of all octets of a line whose meters all fail somehow, and of the list of answers."""
    faults = replace(Faults.garbage(fault_seed), late_ms=300)
    addresses = [f"{first + k:012d}" for k in range(4)]
    here = Plant(*[Station(meter=Meter(address, seed=plant_seed), faults=faults) for address in addresses])
    heard = here.say(*[ask(ENERGY, address) for address in addresses * 50])
    digest = hashlib.sha256(b"|".join(heard))
    for record in here.answers:
        digest.update(record.to_json(0).encode())
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_octets() -> None:
    """A failure found with a seed could not be looked at again."""
    assert _storm() == _storm()
    assert 4 == len({_storm(), _storm(plant_seed=2), _storm(fault_seed=2), _storm(first=2)})


def test_meters_of_one_seed_do_not_fail_in_step() -> None:
    """All garbage meters of a line would be silent in the same round."""
    faults = Faults(seed=1, silence=0.5)
    here = Plant(*[Station(meter=Meter(address, seed=1), faults=faults) for address in (A161, A162)])
    heard = here.say(*[ask(ENERGY, address) for _ in range(50) for address in (A161, A162)])
    silent = [[octets == b"" for octets in heard[k::2]] for k in range(2)]
    assert silent[0] != silent[1]
    assert all(10 < sum(each) < 40 for each in silent)


def test_a_garbage_meter_shows_every_fault_and_harms_no_neighbour() -> None:
    """The garbage meter of other tests must really do all of it, and only to itself."""
    faults = Faults.garbage(3)
    here = Plant(
        Station(meter=Meter(A161, seed=1), faults=faults, reply_delay_ms=0),
        Station(meter=Meter(A162, seed=1), reply_delay_ms=0),
    )
    requests = [ask(ENERGY, address) for _ in range(400) for address in (A161, A162)]
    heard = b"".join(here.say(*requests, window_s=2))
    assert len(requests) // 2 == sum(record.address == A162 and not record.faults for record in here.answers)
    seen = {fault for record in here.answers for fault in record.faults}
    with_a_past = {"stale", "follow_up"}  # not at the first question, nor where the answer is short already
    assert set(IN_PLACE + AROUND) - with_a_past <= seen | {"silence"}
    sound = [record for record in here.answers if record.address == A161 and record.values]
    assert 0 < len(sound) < 200
    assert heard


@pytest.mark.parametrize("name", [field.name for field in fields(Faults) if field.name != "seed"])
def test_a_fault_out_of_range_is_refused(name: str) -> None:
    """A typing error would silently test something else."""
    make: Callable[..., Faults] = Faults
    for wrong in (-0.1, 1.1) if name in IN_PLACE + AROUND else (-1,):
        with pytest.raises(ValueError, match=name):
            make(**{name: wrong})


# --- the list of answers, the wire in memory ---------------------------------------------------


def _record(values: dict[str, Decimal] | None = None, faults: Sequence[str] = ()) -> AnswerRecord:
    return AnswerRecord(
        at=datetime(2026, 11, 22, 3, 4, 5, 60, tzinfo=UTC),
        address=A161,
        di=ENERGY,
        octets=b"\x68\xfe",
        values=values or {},
        faults=tuple(faults),
    )


def test_the_answer_file_is_readable_while_it_is_written(tmp_path: Path) -> None:
    """A test that kills the simulator would find half a list."""
    path = tmp_path / "answers.jsonl"
    with AnswerFile(path) as file:
        file(_record({"forward_active_energy": Decimal("10.00")}))
        assert {
            "n": 1,
            "at": "2026-11-22T03:04:05.000060+00:00",
            "address": A161,
            "di": "00010000",
            "octets": "68FE",
            "values": {"forward_active_energy": "10.00"},
            "faults": [],
        } == json.loads(path.read_text())
        file(_record(faults=["echo"]))
        assert ["echo"] == json.loads(path.read_text().splitlines()[1])["faults"]


def test_a_restarted_simulator_continues_its_list(tmp_path: Path) -> None:
    """The answers before the restart would be lost, or two would have one number."""
    path = tmp_path / "answers.jsonl"
    for _ in range(2):
        with AnswerFile(path) as file:
            file(_record())
    assert [1, 2] == [json.loads(line)["n"] for line in path.read_text().splitlines()]


def test_a_wire_that_nobody_reads_does_not_grow() -> None:
    """A client that only writes would fill the memory."""

    async def main() -> int:
        one, other = memory_pair()
        for _ in range(20):
            await one.send(bytes(UNREAD_OCTETS_MAX // 10 + 1))
        return len(await other.receive())

    assert UNREAD_OCTETS_MAX == Simulation().run(main())


def test_a_cut_wire_says_so_to_both_ends() -> None:
    """A reader of a cut wire would wait for ever."""

    async def main() -> list[object]:
        one, other = memory_pair()
        await one.send(b"last")
        one.close()
        seen: list[object] = [await other.receive(), await other.receive(), await one.receive()]
        for end in (one, other):
            try:
                await end.send(b"x")
            except ConnectionError as error:
                seen.append(type(error))
        return seen

    assert [b"last", b"", b"", ConnectionResetError, ConnectionResetError] == Simulation().run(main())


def test_a_client_that_waits_for_a_silent_meter_is_told_where_it_hangs() -> None:
    """A simulated test without a timeout would hang, and nobody would know why."""
    here = faulty(silence=1.0)

    async def main() -> None:
        plant_end, our_end = memory_pair()
        async with asyncio.TaskGroup() as group:
            group.create_task(here.line.serve(plant_end), name="line")
            await our_end.send(ask(ENERGY))
            await our_end.receive()

    with pytest.raises(SimulationStuck):
        here.sim.run(main())
