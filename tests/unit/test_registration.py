"""What serial servers say of themselves: who calls, and that no octet of a meter is lost with it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.config import LineSettings, MeterSettings
from meterlink.config.line_checks import check_serial_servers
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
from meterlink.transports.stream import ByteStream
from metersim.loop import Simulation
from meterwire import dlt645

REGISTRATION, BEAT = b"DTU7\r\n", b"<beat>"
KNOWN = {
    REGISTRATION: ServerHabits("DTU7", REGISTRATION, 60),
    b"DTU8\r\n": ServerHabits("DTU8", b"DTU8\r\n"),
}
ANSWERS = st.lists(
    st.binary(max_size=30).filter(lambda octets: not {REGISTRATION[0], BEAT[0]} & set(octets)), max_size=6
)
"""Without the octets that a text begins with, so that none of these makes up one with its neighbours."""


def _through(
    pieces: list[bytes], *, gap_s: float = 0.0, beats: tuple[bytes, ...] = (BEAT,), **more: bytes
) -> tuple[bytes, float]:
    """What a reader gets of these pieces, and how many seconds the last octet waited."""

    async def far_end(far: ByteStream) -> None:
        for piece in pieces[1:]:
            await asyncio.sleep(gap_s)
            await far.send(piece)

    async def program() -> tuple[bytes, float]:
        near, far = memory_line()
        stream = StrippedStream(near, beats, **more)
        if pieces:
            await far.send(pieces[0])
        sending = asyncio.create_task(far_end(far))
        if not gap_s:
            await sending
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
        at = data.draw(st.integers(0, len(answer)))
        sent += answer[:at] + BEAT + answer[at:]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    pieces = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    assert b"".join(answers) == _through([piece for piece in pieces if piece])[0]


def test_what_may_begin_a_heartbeat_waits_for_a_moment_only() -> None:
    """The last octets of an answer would come after its time, and each such meter would be silent."""
    octets, waited_s = _through([b"answer<bea"])
    assert b"answer<bea" == octets
    assert HELD_S == pytest.approx(waited_s)
    assert (b"answer", 0.0) == _through([b"answer"])


@pytest.mark.parametrize("cut", range(len(REGISTRATION) + 1))
def test_the_registration_of_a_server_that_is_dialled_is_taken_off_the_beginning(cut: int) -> None:
    """It would be rubbish before the first answer, or be looked for in every answer."""
    told = BEAT + REGISTRATION
    pieces = [piece for piece in (told[:cut], told[cut:] + b"ans" + REGISTRATION + b"wer") if piece]
    if cut >= len(BEAT) or not cut:
        assert (b"ans" + REGISTRATION + b"wer") == _through(pieces, gap_s=0.01, registration=REGISTRATION)[0]
    assert b"answer" == _through([b"answer"], registration=REGISTRATION, again=REGISTRATION)[0]
    assert REGISTRATION[:2] == _through([REGISTRATION[:2]], registration=REGISTRATION)[0]


def test_no_registration_is_cut_out_of_an_answer() -> None:
    """A reading of 5678 kWh over a server of that name would be lost for ever."""
    frame = dlt645.encode(
        dlt645.Frame("000000000161", 0x11, bytes.fromhex("00000100 02030405"), from_meter=True)
    )
    assert b"5678" in frame
    at = frame.index(b"5678")
    for pieces in ([frame], [frame[:at], b"5678", frame[at + 4 :]], [frame[: at + 4], frame[at + 4 :]]):
        for gap_s in (0.0, HELD_S / 2):
            assert frame == _through(pieces, gap_s=gap_s, again=b"5678", beats=())[0]


def test_a_registration_that_comes_again_alone_is_no_meters() -> None:
    """A server that tells its name each hour would cost the answer that is waited for."""
    assert b"answer" == _through([REGISTRATION, b"answer"], gap_s=2 * HELD_S, again=REGISTRATION)[0]
    assert b"answer" == _through([b"answer", BEAT + REGISTRATION], gap_s=2 * HELD_S, again=REGISTRATION)[0]
    assert b"answer" == _through([b"answer"], heard=b"", again=REGISTRATION)[0]
    assert b"" == _through([], heard=REGISTRATION, again=REGISTRATION)[0]
    assert REGISTRATION == _through([REGISTRATION], heard=b"")[0], "a short one is never looked for again"


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
    assert b"*7#\r\n" == line.serial_server.registration_of("7")
    assert (b"ping", b"\xff\xfe\x01\x02") == line.serial_server.heartbeats_of("7")
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


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("listen://0.0.0.0:9100?device=7", {"heartbeats": ["x{device}"]}),
        ("tcp://dtu:9100", {"registration": "DTU"}),
        ("tcp://dtu:9100", {"registration": "hex:00000000"}),
    ],
)
def test_a_text_that_is_short_with_its_device_is_refused(url: str, told: dict[str, object]) -> None:
    """It would be taken out of answers that hold it."""
    with pytest.raises(ValueError, match="can stand in a meter's frame"):
        check_serial_servers([_line(url=url, serial_server=told)])
    check_serial_servers([_line(url="listen://0.0.0.0:9100?device=7")])
