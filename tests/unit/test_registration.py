"""What serial servers say of themselves: who calls, and that no octet of a meter is lost with it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.config import LineSettings, MeterSettings
from meterlink.config.lines import check_serial_servers
from meterlink.config.serial_server import HEARTBEAT_OCTETS_MIN, TEXT_OCTETS_MAX, octets_of
from meterlink.drivers.profiles import MeterProfiles
from meterlink.roster.fits import Fits, heartbeat_misfit
from meterlink.transports.memory import memory_line
from meterlink.transports.registration import (
    HELD_S,
    IDLE_MARGIN_S,
    SILENT_S,
    RegistrationSession,
    ServerHabits,
    StrippedStream,
)
from metersim.loop import Simulation

REGISTRATION, BEAT = b"DTU7\r\n", b"<beat>"
KNOWN = {
    REGISTRATION: ServerHabits("DTU7", REGISTRATION, 60),
    b"DTU8\r\n": ServerHabits("DTU8", b"DTU8\r\n"),
}
ANSWERS = st.lists(
    st.binary(max_size=30).filter(lambda octets: not {REGISTRATION[0], BEAT[0]} & set(octets)), max_size=6
)
"""Without the octets that a text begins with, so that none of these makes up one with its neighbours."""


def _through(pieces: list[bytes], *, heard: bytes = b"") -> tuple[bytes, float]:
    """What a reader gets of these pieces, and how many seconds the last octet waited."""

    async def program() -> tuple[bytes, float]:
        near, far = memory_line()
        stream = StrippedStream(near, (REGISTRATION, BEAT), heard=heard)
        for piece in pieces:
            await far.send(piece)
        loop, got, last = asyncio.get_running_loop(), b"", 0.0
        while True:
            try:
                async with asyncio.timeout(5):
                    got += await stream.receive()
            except TimeoutError:
                await stream.aclose()
                return got, last
            last = loop.time()

    simulation = Simulation()
    began = simulation.clock.monotonic_s()
    got, last = simulation.run(program())
    return got, max(0.0, last - began)


@given(st.data())
def test_what_meters_say_comes_through_whole_and_nothing_else(data: st.DataObject) -> None:
    """A heartbeat in the middle of an answer, cut in two by the network, would cost the reading."""
    answers, sent = data.draw(ANSWERS), b""
    for answer in answers:
        at, text = data.draw(st.integers(0, len(answer))), data.draw(st.sampled_from((BEAT, REGISTRATION)))
        sent += answer[:at] + text + answer[at:]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    pieces = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    assert b"".join(answers) == _through([piece for piece in pieces if piece])[0]


def test_what_may_begin_a_heartbeat_waits_for_a_moment_only() -> None:
    """The last octets of an answer would come after its time, and each such meter would be silent."""
    octets, waited_s = _through([b"answer<bea"])
    assert b"answer<bea" == octets
    assert HELD_S == pytest.approx(waited_s)
    assert (b"answer", 0.0) == _through([b"answer"])


def test_what_came_with_the_registration_belongs_to_the_line() -> None:
    """A heartbeat whose first half came with the login would reach the meters' drivers as rubbish."""
    assert (b"x", 0.0) == _through([b"eat>x"], heard=b"<b")


@pytest.mark.parametrize("cut", range(1, len(REGISTRATION)))
def test_who_calls_is_known_whatever_the_pieces(cut: int) -> None:
    """A login in two packets would be no login."""
    session = RegistrationSession(KNOWN)
    session.feed(REGISTRATION[:cut])
    assert (None, "") == (session.terminal, session.ending)
    session.feed(REGISTRATION[cut:] + b"rest")
    assert ("DTU7", b"rest", b"") == (session.terminal, session.rest, session.octets_to_send())
    assert 2 * 60 + IDLE_MARGIN_S == session.idle_limit_s


def test_a_stranger_is_told_what_he_said_and_where_to_write_it() -> None:
    """Who sets up a serial server sees only here what it sends."""
    session = RegistrationSession(KNOWN)
    session.feed(b"DTU9\r\n\xff" + 100 * b"x")
    assert session.terminal is None
    assert "registers with 'DTU9\\r\\n\\xff" in session.ending
    assert "hex:445455390d0aff" in session.ending
    assert len(session.ending) < 600
    assert SILENT_S == KNOWN[b"DTU8\r\n"].idle_limit_s


def _line(**keys: object) -> LineSettings:
    return LineSettings.model_validate({"name": "l", "url": "listen://0.0.0.0:9100?device=7", **keys})


def test_texts_are_written_as_text_or_as_octets() -> None:
    """Half of the serial servers send their number as octets, and half with an end of line behind it."""
    told = {"registration": "*{device}#\\r\\n", "heartbeats": ["ping", "hex:FFFE0102"]}
    line = _line(serial_server=told)
    assert line.serial_server is not None
    assert (b"*7#\r\n", b"ping", b"\xff\xfe\x01\x02") == line.serial_server.texts("7")
    assert b"\x00" == octets_of("\\0")


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"registration": "hex:1"}, "pairs of hexadecimal digits"),
        ({"registration": "电表"}, "is not ASCII"),
        ({"registration": (TEXT_OCTETS_MAX + 1) * "x"}, f"1 to {TEXT_OCTETS_MAX}"),
        ({"heartbeats": [(HEARTBEAT_OCTETS_MIN - 1) * "x"]}, "can stand in a frame"),
        ({"heartbeats": ["hex:0000000000"]}, "can stand in a frame"),
        ({"heartbeats": 5 * ["ping"]}, "at most 4"),
        ({"heartbeat_s": 0}, "greater than or equal to 1"),
    ],
)
def test_a_text_that_harms_or_says_nothing_is_refused(told: dict[str, object], what: str) -> None:
    """It would be found out at night, by meters that are silent."""
    with pytest.raises(ValueError, match=what):
        _line(serial_server=told)


def test_a_heartbeat_that_is_a_meters_address_is_refused() -> None:
    """It would be taken out of each of its frames, and the meter would be silent for ever."""
    line = _line(serial_server={"heartbeats": ["hex:785634120000"]})
    meter = MeterSettings(id="m", address="000012345678", line="l")
    (found,) = Fits(profiles=MeterProfiles(), providers=frozenset()).misfits(meter, line)
    assert "each answer would lose them" in found.words.en
    assert heartbeat_misfit(meter.model_copy(update={"address": "000012345679"}), line) is None


def test_registrations_that_begin_alike_are_refused() -> None:
    """The readings of one site would be kept as those of another."""
    lines = [_line(), _line(name="m", url="listen://0.0.0.0:9100?device=71")]
    with pytest.raises(ValueError, match="one registration begins with the other"):
        check_serial_servers(lines)
    marked = {"serial_server": {"registration": "{device}\\r\\n"}}
    check_serial_servers([_line(**marked), _line(name="m", url="listen://0.0.0.0:9100?device=71", **marked)])
    check_serial_servers([_line(), _line(name="m", url="listen://0.0.0.0:9101?device=71")])
    with pytest.raises(ValueError, match="is no serial server"):
        check_serial_servers([_line(url="serial:///dev/ttyUSB0", serial_server={"heartbeats": ["ping"]})])
