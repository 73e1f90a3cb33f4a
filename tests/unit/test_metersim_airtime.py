"""How long an exchange takes on a paced line: the formula of the wire, to the microsecond."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metersim import Faults, Station
from metersim.line.language import Speaker
from metersim.line.medium import Medium
from metersim.line.port import BAUDS, DEFAULT_PORT, TICKS_A_SECOND, Port
from metersim.line.station import OCTET_GAP_MS_MAX
from tests.support.paced import (
    A161,
    A162,
    A163,
    ENERGY,
    ENERGY_BLOCK,
    Client,
    PacedLine,
    ask645,
    ask698,
    meter645,
    meter698,
)

BAUDS_OF_THE_TABLE = (1200, 2400, 9600, 115200)
EXCHANGES = 3
MAKERS: Sequence[tuple[Callable[[str], Speaker], str]] = (
    (meter645, A161),
    (meter645, A162),
    (meter698, A163),
)


def ask645_block(preamble: int) -> bytes:
    return ask645(ENERGY_BLOCK, preamble=preamble)


def ask698_block(preamble: int) -> bytes:
    return ask698(preamble=preamble)


def formula_us(
    octets: int, baud: int, bits: int, *, delay_ms: int, gap_ms: int, gaps: int, quiet_ms: int
) -> Fraction:
    """(Nq + Na + P) x bits / b + Td + sum(Tb) + Tg, from the spec and from nothing of the simulator."""
    return Fraction(octets * bits * 1_000_000, baud) + 1000 * (delay_ms + gap_ms * gaps + quiet_ms)


@pytest.mark.parametrize("parity", ["even", "odd", "none"])
@pytest.mark.parametrize("baud", BAUDS_OF_THE_TABLE)
@pytest.mark.parametrize(
    ("make", "ask", "answer_octets"),
    [(meter645, ask645_block, 36), (meter698, ask698_block, 54)],
    ids=["645", "698.45"],
)
@pytest.mark.parametrize(
    ("preamble", "delay_ms", "gap_ms", "quiet_ms"), [(0, 20, 0, 0), (4, 100, 0, 20), (2, 500, 7, 3)]
)
def test_an_exchange_takes_what_the_formula_says(
    make: Callable[[], object],
    ask: Callable[[int], bytes],
    answer_octets: int,
    baud: int,
    parity: str,
    preamble: int,
    delay_ms: int,
    gap_ms: int,
    quiet_ms: int,
) -> None:
    """A daemon that wastes half of the line would look as good as one that does not."""
    station = Station(
        meter=make(),  # type: ignore[arg-type]
        reply_delay_ms=delay_ms,
        preamble=preamble,
        octet_gap_ms=gap_ms,
        port=Port(baud, parity),  # type: ignore[arg-type]
    )
    here = PacedLine(station)
    request = ask(preamble)
    begun_us: list[float] = []

    async def talk(client: Client) -> None:
        for _ in range(EXCHANGES):
            begun_us.append(client.now_us)
            await client.say(request)
            await client.listen(preamble + answer_octets)
            await asyncio.sleep(quiet_ms / 1000)
        begun_us.append(client.now_us)

    here.run(talk)
    bits = 10 if parity == "none" else 11
    octets = len(request) + preamble + answer_octets
    gaps = preamble + answer_octets - 1
    expected = formula_us(octets, baud, bits, delay_ms=delay_ms, gap_ms=gap_ms, gaps=gaps, quiet_ms=quiet_ms)
    for number in range(EXCHANGES):
        took = begun_us[number + 1] - begun_us[number]
        assert abs(took - float(expected)) < 1, f"exchange {number}: {took} us in place of {float(expected)}"
    assert {preamble + answer_octets} == {len(answer.octets) for answer in here.answers}


def test_the_table_of_the_spec_is_met() -> None:
    """The formula in this test could be wrong as the simulator is: these figures were worked out apart."""
    for baud, floor_ms in {1200: 496.7, 2400: 258.3, 9600: 79.6, 115200: 25.0}.items():
        [client] = PacedLine(Station(meter=meter645(), port=Port(baud))).run(_one_exchange)
        assert floor_ms == pytest.approx(client.pieces[-1].at_us / 1000, abs=0.05)


async def _one_exchange(client: Client) -> None:
    await client.say(ask645_block(0))
    await client.listen(36)


def test_every_octet_is_heard_when_its_stop_bit_ends() -> None:
    """A timeout between octets, or one for the first octet, would be tested against no real line."""
    here = PacedLine(Station(meter=meter645(), port=Port(9600)))
    [client] = here.run(_one_exchange)
    octet_us = Fraction(11_000_000, 9600)
    begin_us = 16 * octet_us + 20_000
    assert [1] * 36 == [len(piece.octets) for piece in client.pieces]
    for number, piece in enumerate(client.pieces, 1):
        assert abs(piece.at_us - float(begin_us + number * octet_us)) < 1


def test_the_values_are_taken_when_the_answer_begins() -> None:
    """Readings would carry the time of the request, and a long request would make them old."""
    here = PacedLine(Station(meter=meter645(), port=Port(1200), reply_delay_ms=100))
    begun = here.sim.clock.utc_now()
    here.run(_one_exchange)
    took_us = (here.answers[0].at - begun).total_seconds() * 1e6
    assert abs(took_us - (16 * 11_000_000 / 1200 + 100_000)) < 1


def test_meters_of_several_bauds_share_a_line() -> None:
    """A line with old and new meters could not be simulated."""
    bauds = {A161: 1200, A162: 2400, A163: 9600}
    here = PacedLine(*(Station(meter=meter645(address), port=Port(baud)) for address, baud in bauds.items()))
    took_us: dict[str, float] = {}

    async def talk(client: Client) -> None:
        for address in bauds:
            begun = client.now_us
            await client.say(ask645(address=address))
            await client.listen(20)
            took_us[address] = client.now_us - begun

    here.run(talk)
    expected = {address: 36 * 11_000_000 / baud + 20_000 for address, baud in bauds.items()}
    assert expected == pytest.approx(took_us, abs=1)


def test_rubbish_takes_its_airtime_and_a_request_behind_it_is_heard() -> None:
    """A client that talks too much would find the line as free as before."""
    here = PacedLine(Station(meter=meter645(), port=Port(2400)))

    async def talk(client: Client) -> None:
        await client.say(bytes(100) + ask645())
        await client.listen(20)

    [client] = here.run(talk)
    assert abs(client.now_us - (136 * 11_000_000 / 2400 + 20_000)) < 1


def test_glued_requests_wait_for_their_turn_and_lose_no_time() -> None:
    """Two requests in one packet would collide on a line that takes turns, or the second would be lost."""
    here = PacedLine(*(Station(meter=meter645(address), port=Port(2400)) for address in (A161, A162)))

    async def talk(client: Client) -> None:
        await client.say(ask645(address=A161) + ask645(address=A162))
        await client.listen(40)

    [client] = here.run(talk)
    assert [A161, A162] == [answer.address for answer in here.answers]
    assert abs(client.pieces[-1].at_us - 2 * (36 * 11_000_000 / 2400 + 20_000)) < 1


def test_two_clients_of_a_paced_line_take_turns() -> None:
    """A serial server's clients would talk into each other's exchanges, or get each other's answers."""
    here = PacedLine(*(Station(meter=meter645(address), port=Port(2400)) for address in (A161, A162)))

    def asking(address: str) -> Callable[[Client], object]:
        async def talk(client: Client) -> None:
            for _ in range(3):
                await client.say(ask645(address=address))
                await client.listen(20)

        return talk

    clients = here.run(asking(A161), asking(A162))  # type: ignore[arg-type]
    exchange_us = 36 * 11_000_000 / 2400 + 20_000
    last_us = sorted(client.pieces[-1].at_us for client in clients)
    assert [5 * exchange_us, 6 * exchange_us] == pytest.approx(last_us, abs=1)
    assert [A161, A162] * 3 == [answer.address for answer in here.answers]
    assert all(answer.values for answer in here.answers)


def test_a_silent_meter_costs_its_request_and_its_delay() -> None:
    """A dead meter would hold the line for ever, or cost nothing."""
    dead, alive = meter645(A161), meter645(A162)
    here = PacedLine(Station(meter=dead, faults=Faults(silence=1.0)), Station(meter=alive))

    async def talk(client: Client) -> None:
        await client.say(ask645(address=A161) + ask645(address=A162))
        await client.listen(20)

    [client] = here.run(talk)
    octet_us = 11_000_000 / 2400
    assert abs(client.pieces[-1].at_us - (52 * octet_us + 40_000)) < 1


@settings(max_examples=60)
@given(
    chunks=st.lists(
        st.one_of(
            st.binary(min_size=1, max_size=40),
            st.sampled_from(
                [
                    ask645(),
                    ask645(ENERGY_BLOCK, A162),
                    ask645(ENERGY, "AAAAAAAAAAAA"),
                    ask698(address=A163),
                    ask645() + ask645(address=A162),
                ]
            ),
        ),
        min_size=1,
        max_size=5,
    ),
    client=st.sampled_from([None, Port(2400), Port(9600), Port(2400, "none")]),
    ports=st.tuples(*[st.sampled_from([None, Port(2400), Port(9600), Port(1200, "none")])] * 3),
    delays_ms=st.tuples(*[st.sampled_from([0, 20, 500])] * 3),
    medium=st.builds(
        Medium,
        seed=st.integers(0, 9),
        echo=st.sampled_from([0.0, 0.5]),
        turn_noise=st.sampled_from([0.0, 0.5]),
        late_release=st.sampled_from([0.0, 0.5]),
    ),
    faults=st.sampled_from([Faults(), Faults(seed=3, bit_flip=0.3, half_frame=0.2, noise=0.3, silence=0.1)]),
)
def test_a_paced_line_and_one_that_is_not_give_the_same_octets(
    chunks: list[bytes],
    client: Port | None,
    ports: tuple[Port | None, ...],
    delays_ms: tuple[int, ...],
    medium: Medium,
    faults: Faults,
) -> None:
    """What was found in a quick run would not be found again on the clock of the wire."""
    heard = []
    for paced in (True, False):
        stations = [
            Station(
                meter=make(address),
                port=port,
                reply_delay_ms=delay_ms,
                faults=faults,
            )
            for (make, address), port, delay_ms in zip(MAKERS, ports, delays_ms, strict=True)
        ]
        here = PacedLine(*stations, client=client, medium=medium, paced=paced)
        heard.append((here.say(*chunks), [answer.faults for answer in here.answers]))
    assert heard[0] == heard[1]


def test_a_port_has_the_usual_settings_only() -> None:
    """A typing error in a plant would make every octet garbage, and nobody would know why."""
    for baud in BAUDS:
        assert 0 == TICKS_A_SECOND % (2 * baud), "half a bit has to be a whole number of ticks"
        assert 11 * TICKS_A_SECOND == baud * Port(baud).octet_ticks
    assert DEFAULT_PORT == Port(2400, "even")
    for wrong in (0, 2401, -2400):
        with pytest.raises(ValueError, match="bit/s"):
            Port(wrong)
    with pytest.raises(ValueError, match="parity"):
        Port(2400, "mark")  # type: ignore[arg-type]


def test_the_gap_between_octets_has_its_limits() -> None:
    """A typing error in a plant would make a meter slower than the standard lets it be."""
    Station(meter=meter645(), octet_gap_ms=OCTET_GAP_MS_MAX)
    for wrong in (-1, OCTET_GAP_MS_MAX + 1):
        with pytest.raises(ValueError, match="gap"):
            Station(meter=meter645(), octet_gap_ms=wrong)
