"""What a line and its adapter do to octets that meters say well."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import Any

import pytest

from metersim import Faults, Station
from metersim.line.medium import RELEASE_MS_MAX, TURN_OCTETS, Chance, Medium
from metersim.line.port import Port
from meterwire.dlt645 import Deframer, decode
from tests.support.paced import A161, A162, Client, PacedLine, ask645, meter645

REQUEST, ANSWER_OCTETS = ask645(), 20
OCTET_US = 11_000_000 / 2400
EVEN, NONE, ODD = Port(2400, "even"), Port(2400, "none"), Port(2400, "odd")
both_kinds = pytest.mark.parametrize("paced", [True, False], ids=["paced", "unpaced"])


def sound() -> bytes:
    [heard] = PacedLine(Station(meter=meter645())).say(REQUEST)
    return heard


def line(*, paced: bool = True, **medium: Any) -> PacedLine:
    return PacedLine(Station(meter=meter645(), reply_delay_ms=20), medium=Medium(**medium), paced=paced)


@both_kinds
def test_an_adapter_with_echo_gives_back_what_is_sent(paced: bool) -> None:
    """A daemon would take its own request for the answer, and no test would show it."""
    here = line(paced=paced, echo=1.0)
    assert [REQUEST + sound()] == here.say(REQUEST)
    assert [ask645(address=A162)] == here.say(ask645(address=A162)), "also where nobody answers"
    assert [sound()] == [answer.octets for answer in here.answers], "the meter has said nothing more"
    never = line(paced=paced, echo=0.0)
    assert [sound()] == never.say(REQUEST)


def test_an_echo_comes_while_the_request_is_on_the_wire() -> None:
    """An echo in one piece before the answer would be easier to strip than a real one."""

    async def talk(client: Client) -> None:
        await client.say(REQUEST)
        await client.listen(len(REQUEST))

    [client] = line(echo=1.0).run(talk)
    assert [pytest.approx((k + 1) * OCTET_US, abs=1) for k in range(16)] == [p.at_us for p in client.pieces]


@both_kinds
def test_turn_round_noise_stands_before_the_answer(paced: bool) -> None:
    """A daemon that takes the first octet for the begin of a frame would pass."""
    here = line(paced=paced, turn_noise=1.0, seed=4)
    heard = here.say(*[REQUEST] * 20)
    noises = [octets.removesuffix(sound()) for octets in heard]
    assert all(octets.endswith(sound()) for octets in heard)
    assert {1, 2} == {len(noise) for noise in noises}
    assert set(TURN_OCTETS) == {octet for noise in noises for octet in noise}
    assert {("turn_noise",)} == {answer.faults for answer in here.answers}
    assert all(answer.values for answer in here.answers), "the answer behind it is whole"
    assert heard == [answer.octets for answer in here.answers]


def test_noise_leaves_the_answer_where_it_was() -> None:
    """Noise would make every exchange longer, though a driver makes it while the meter still thinks."""

    async def talk(client: Client) -> None:
        await client.say(REQUEST)
        await client.listen(ANSWER_OCTETS + 1)

    [client] = line(turn_noise=1.0, seed=4).run(talk)
    [last] = [piece.at_us for piece in client.pieces[-1:]]
    assert 36 * OCTET_US + 20_000 == pytest.approx(last, abs=OCTET_US + 1)
    assert client.octets.lstrip(bytes(TURN_OCTETS)) in {sound(), sound()[:-1]}


@both_kinds
def test_a_driver_that_lets_go_late_cuts_the_head_of_a_fast_answer(paced: bool) -> None:
    """The 20 ms of the standard would have no reason, and slow adapters no test."""
    here = line(paced=paced, late_release=1.0, release_ms=30)
    [heard] = here.say(REQUEST)
    assert len(heard) < ANSWER_OCTETS
    assert sound()[4:] in heard, "10 ms are a little over two octets; the third is half heard"
    assert [] == Deframer().feed(heard)
    [answer] = here.answers
    assert (("late_release",), {}, heard) == (answer.faults, answer.values, answer.octets)
    in_time = line(paced=paced, late_release=1.0, release_ms=20)
    assert [sound()] == in_time.say(REQUEST)
    assert () == in_time.answers[0].faults


@both_kinds
@pytest.mark.parametrize("client", [Port(9600), Port(1200), NONE, ODD], ids=["fast", "slow", "none", "odd"])
def test_a_client_with_other_settings_is_not_understood(client: Port, paced: bool) -> None:
    """A wrong rate or parity in a configuration would be found at the first meter in the field."""
    here = PacedLine(Station(meter=meter645(), port=EVEN), client=client, paced=paced)
    assert [b""] == here.say(REQUEST)
    assert [] == here.answers
    right = PacedLine(Station(meter=meter645(), port=EVEN), client=EVEN, paced=paced)
    assert [sound()] == right.say(REQUEST)
    anything = PacedLine(Station(meter=meter645()), client=client, paced=paced)
    assert [sound()] == anything.say(REQUEST), "a meter without settings takes those of the client"


class _Retuned:
    """An end of a line whose client sets its port anew between request and answer."""

    def __init__(self, *ports: Port) -> None:
        self._ports = [*ports]
        self._requests = [REQUEST, b""]
        self.heard = b""

    def port(self) -> Port:
        return self._ports.pop(0) if len(self._ports) > 1 else self._ports[0]

    async def receive(self) -> bytes:
        return self._requests.pop(0)

    async def send(self, octets: bytes) -> None:
        self.heard += octets


@both_kinds
@pytest.mark.parametrize("then", [Port(9600), Port(1200), NONE, ODD], ids=["fast", "slow", "none", "odd"])
def test_an_answer_with_other_settings_is_garbage(then: Port, paced: bool) -> None:
    """A client would read an answer that no receiver with its settings could."""
    garbage = []
    for _ in range(2):
        here = PacedLine(Station(meter=meter645(), port=EVEN), paced=paced)
        client = _Retuned(EVEN, then)
        here.sim.run(here.line.serve(client))
        [answer] = here.answers
        assert (("port",), {}) == (answer.faults, answer.values)
        assert client.heard == answer.octets != b""
        assert [] == Deframer().feed(client.heard)
        garbage.append(client.heard)
    assert garbage[0] == garbage[1]
    if then == ODD:
        assert bytes(ANSWER_OCTETS) == garbage[0], "every octet has a wrong parity"


@both_kinds
def test_meters_of_other_settings_are_deaf_to_a_wildcard(paced: bool) -> None:
    """A wildcard on a line of mixed rates would collide, where in truth one meter hears it."""
    here = PacedLine(
        Station(meter=meter645(A161), port=EVEN),
        Station(meter=meter645(A162), port=Port(9600)),
        client=EVEN,
        paced=paced,
    )
    [heard] = here.say(ask645(address="AAAAAAAAAAAA"))
    assert (A161, [()]) == (decode(heard).address, [answer.faults for answer in here.answers])


@both_kinds
def test_answers_to_a_wildcard_collide_where_they_overlap(paced: bool) -> None:
    """Meters with different delays would spoil each other though one has long finished."""
    apart = PacedLine(
        Station(meter=meter645(A161), reply_delay_ms=300, port=EVEN),
        Station(meter=meter645(A162), reply_delay_ms=20, port=EVEN),
        paced=paced,
    )
    [heard] = apart.say(ask645(address="AAAAAAAAAAAA"))
    assert [A162, A161] == [frame.address for frame in Deframer().feed(heard)]
    assert [(A162, ()), (A161, ())] == [(answer.address, answer.faults) for answer in apart.answers]
    close = PacedLine(
        Station(meter=meter645(A161), reply_delay_ms=60, port=EVEN),
        Station(meter=meter645(A162), reply_delay_ms=20, port=EVEN),
        paced=paced,
    )
    [heard] = close.say(ask645(address="AAAAAAAAAAAA"))
    assert [] == Deframer().feed(heard)
    assert [("collision",)] * 2 == [answer.faults for answer in close.answers]
    [alone] = PacedLine(Station(meter=meter645(A162), port=EVEN)).say(ask645(address=A162))
    assert alone[:8] == heard[:8], "the first 40 ms are undisturbed"


def test_a_late_answer_breaks_into_the_next_one() -> None:
    """The line would keep answers apart that meet on a real one."""
    late = Faults(late=1.0, late_ms=200)
    here = PacedLine(
        Station(meter=meter645(A161), port=EVEN, faults=late), Station(meter=meter645(A162), port=EVEN)
    )

    async def talk(client: Client) -> None:
        await client.say(ask645(address=A161))
        await asyncio.sleep(0.15)  # the master has given up
        await client.say(ask645(address=A162))
        await client.listen(window_s=2)

    [client] = here.run(talk)
    assert [] == Deframer().feed(client.octets)
    assert A162 != here.answers[0].address == A161
    [alone] = PacedLine(Station(meter=meter645(A162), port=EVEN)).say(ask645(address=A162))
    assert alone not in client.octets


def test_a_late_answer_spoils_a_request_too() -> None:
    """A request that a stray answer runs over would be understood by its meter."""
    late = Faults(late=1.0, late_ms=100)
    here = PacedLine(
        Station(meter=meter645(A161), port=EVEN, faults=late), Station(meter=meter645(A162), port=EVEN)
    )

    async def talk(client: Client) -> None:
        await client.say(ask645(address=A161))
        await asyncio.sleep(0.16)
        await client.say(ask645(address=A162))
        await client.listen(window_s=2)

    here.run(talk)
    assert [A161] == [answer.address for answer in here.answers]


def test_a_client_that_talks_over_an_answer_spoils_it() -> None:
    """A serial server that does not wait could not be rehearsed."""

    def both(talk_over: float) -> PacedLine:
        return PacedLine(
            Station(meter=meter645(A161), port=EVEN),
            Station(meter=meter645(A162), port=EVEN),
            medium=Medium(talk_over=talk_over),
        )

    async def first(client: Client) -> None:
        await client.say(ask645(address=A161))
        await client.listen(window_s=2)

    async def second(client: Client) -> None:
        await asyncio.sleep(0.12)  # the first answer is on the wire since 93 ms
        await client.say(ask645(address=A162))
        await client.listen(window_s=2)

    polite = both(0.0).run(first, second)
    assert [[A161], [A162]] == [[f.address for f in Deframer().feed(client.octets)] for client in polite]
    here = both(1.0)
    spoiled, talker = here.run(first, second)
    assert [] == Deframer().feed(spoiled.octets)
    assert sound()[:5] == spoiled.octets[:5], "what was said before is heard"
    assert [A161] == [answer.address for answer in here.answers], "the second request was run over too"
    assert b"" == talker.octets


def test_an_impatient_client_talks_into_its_own_answer() -> None:
    """A retry before the end of the delay would be kept for later, where a real line has a collision."""
    here = PacedLine(Station(meter=meter645(), reply_delay_ms=100, port=EVEN), medium=Medium(talk_over=1.0))

    async def talk(client: Client) -> None:
        await client.say(REQUEST)
        await asyncio.sleep(0.15)
        await client.say(REQUEST)
        await client.listen(window_s=2)

    [client] = here.run(talk)
    assert [] == Deframer().feed(client.octets)
    assert 1 == len(here.answers)


def test_a_client_that_leaves_ends_its_line() -> None:
    """Answers that nobody hears would keep a line alive."""

    async def talk(client: Client) -> None:
        await client.say(REQUEST)
        await client.listen(3)

    here = line()
    here.run(talk)
    assert here.sim.clock.monotonic_s() < 0.3


@pytest.mark.parametrize("name", [f.name for f in fields(Medium) if f.name not in {"seed", "release_ms"}])
def test_a_probability_out_of_range_is_refused(name: str) -> None:
    """A typing error would silently test something else."""
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValueError, match=name):
            Medium(**{name: wrong})  # type: ignore[arg-type]


def test_the_time_of_a_driver_has_its_limits() -> None:
    """A driver that keeps the bus for minutes would look like a dead line."""
    Medium(release_ms=RELEASE_MS_MAX)
    for wrong in (-1, RELEASE_MS_MAX + 1):
        with pytest.raises(ValueError, match="release_ms"):
            Medium(release_ms=wrong)


def test_the_habits_of_a_medium_do_not_move_each_other() -> None:
    """With one more habit switched on every other would happen at another time."""
    plain, more = Chance(Medium(seed=7, echo=0.5)), Chance(Medium(seed=7, echo=0.5, turn_noise=0.5))
    drawn = [(plain.echoes(), more.echoes(), more.turn_noise()) for _ in range(200)]
    assert [one for one, _, _ in drawn] == [other for _, other, _ in drawn]
    assert 60 < sum(one for one, _, _ in drawn) < 140
    assert 60 < sum(bool(noise) for _, _, noise in drawn) < 140
    other = Chance(Medium(seed=8, echo=0.5))
    assert [one for one, _, _ in drawn] != [other.echoes() for _ in range(200)]
