"""Commands with drawn secrets over a simulated line: nothing that anybody can look at afterwards holds them.

Sessions, bus, trace, logs at debug, errors with their tracebacks, and what the program prints of messages, in
raw, hexadecimal, reversed and masked (+33H) form.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import traceback
from collections.abc import Awaitable, Callable
from io import StringIO

import pytest
from rich.console import Console

from meterlink.bus.exchange import Session, Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.cli.logs import set_up_logs
from meterlink.errors import LineLost, MeterlinkError, ReplyTimeout
from meterlink.explain.dlt645 import explain
from meterlink.explain.tree import render
from meterlink.trace import WAITING_OCTETS_MAX, TraceRing
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from metersim.loop import Simulation
from meterwire.dlt645 import AbnormalReply, ReadReply, ReadRequest, ReadSession, decode, encode, to_frame
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt645.messages.command import Command
from meterwire.dlt645.messages.secrets import secret_spans
from meterwire.dlt645.sessions.command import CommandSession
from tests.support.secret_messages import messages

_ME, _OTHER = "000000000161", "000000000162"
_TIMING = Timing(reply_timeout_s=1.0, octet_gap_s=0.3, answer_max_s=2.0)
_SEEDS = (1, 2, 3)

Behaviour = Callable[[ByteStream, bytes], Awaitable[None]]
"""What the far end does when the octets of a request are there."""


async def _echo(far: ByteStream, octets: bytes) -> None:
    await far.send(octets)


async def _echo_by_octet(far: ByteStream, octets: bytes) -> None:
    for octet in octets:
        await far.send(bytes((octet,)))
        await asyncio.sleep(0.01)


async def _silence(far: ByteStream, octets: bytes) -> None:
    return


async def _refusal(far: ByteStream, octets: bytes) -> None:
    frame = decode(octets)
    word = AbnormalReply(address=frame.address, function=frame.function, error_word=b"\x04")
    await far.send(octets + encode(to_frame(word)))


async def _hang_up(far: ByteStream, octets: bytes) -> None:
    await far.send(octets[: len(octets) // 2])
    await far.aclose()


async def _babble(far: ByteStream, octets: bytes) -> None:
    """So much that the trace cannot wait for the end of it, the frame across the cut."""
    await far.send(b"\x55" * (WAITING_OCTETS_MAX - len(octets) // 2))
    await _echo_by_octet(far, octets + octets[::-1] + octets)


_BEHAVIOURS: tuple[Behaviour, ...] = (_echo, _echo_by_octet, _silence, _refusal, _hang_up, _babble)


class _Scene:
    """One line, one exchange after the other, and everything that can be looked at afterwards."""

    def __init__(self) -> None:
        self.simulation = Simulation()
        self.ring = TraceRing(self.simulation.clock, entries_max=100_000)
        self.seen: list[str] = []

    def run(self, exchanges: list[tuple[Callable[[], Session], Behaviour]]) -> None:
        self.simulation.run(self._run(exchanges))
        self.seen += [f"{entry!r} {entry.hexadecimal()} {entry.hexadecimal(' ')}" for entry in self.ring]

    @property
    def stored(self) -> bytes:
        return b"".join(entry.octets for entry in self.ring)

    async def _run(self, exchanges: list[tuple[Callable[[], Session], Behaviour]]) -> None:
        async with asyncio.TaskGroup() as group:
            for make, behaviour in exchanges:
                await self._exchange(group, make(), behaviour)

    async def _exchange(self, group: asyncio.TaskGroup, session: Session, behaviour: Behaviour) -> None:
        near, far = memory_line()

        async def opener() -> ByteStream:
            return near

        async def meter() -> None:
            with contextlib.suppress(LineLost):  # the exchange may be over before
                await behaviour(far, (await far.receive()).lstrip(b"\xfe"))

        line = Line("line1", opener=opener, timing=_TIMING, rng=random.Random(1), trace=self.ring)
        owner = group.create_task(line.run())
        peer = group.create_task(meter())
        try:
            await line.exchange(session, priority=Priority.CONTROL)
        except MeterlinkError as error:
            self.seen += [repr(error), *traceback.format_exception(error), repr(vars(error))]
        self.seen += [repr(getattr(session, "reply", None)), repr(vars(session).get("_request"))]
        await peer
        owner.cancel()


def _forms(secret: bytes) -> set[bytes]:
    masked = bytes((octet + 0x33) & 0xFF for octet in secret)
    return {secret, secret[::-1], masked, masked[::-1]}


def _secrets(octets: bytes, edition: Edition) -> set[bytes]:
    frame = decode(octets)
    found = {frame.data[first:after] for first, after in secret_spans(frame, edition)}
    return {form for secret in found if any(secret) for form in _forms(secret)}


def _assert_hidden(scene: _Scene, secrets: set[bytes]) -> None:
    text = "\n".join(scene.seen).lower()
    for form in secrets:
        assert form not in scene.stored
        assert form.hex() not in text
        assert form.hex(" ") not in text
        assert repr(form)[2:-1].lower() not in text


@pytest.mark.parametrize("seed", _SEEDS)
@pytest.mark.parametrize("number", range(len(messages(random.Random(0)))))
def test_no_trace_log_or_error_holds_a_secret(number: int, seed: int) -> None:
    """A password would stand in a file that is sent around to look for a fault."""
    log = StringIO()
    set_up_logs("debug", "json", log)
    edition, message = messages(random.Random(f"message {number}, seed {seed}"))[number]
    octets = encode(to_frame(message, edition))
    secrets = _secrets(octets, edition)
    assert secrets

    def overheard(part: bytes) -> Behaviour:
        async def say(far: ByteStream, asked: bytes) -> None:
            await far.send(part)

        return say

    def reading() -> Session:
        return ReadSession(ReadRequest(address=_ME, di=0x00010000))

    cuts = [octets[:at] for at in range(1, len(octets))] + [octets[at:] for at in range(1, len(octets))]
    exchanges = [(reading, overheard(part)) for part in (octets, b"\xfe" + octets * 3, *cuts)]
    if isinstance(message, Command) and not message.FROM_METER:
        exchanges += [(lambda: CommandSession(message, edition=edition), act) for act in _BEHAVIOURS]
        exchanges += [(lambda: CommandSession(message, edition=edition), overheard(part)) for part in cuts]
    scene = _Scene()
    scene.run(exchanges)
    scene.seen += [log.getvalue(), json.dumps(log.getvalue())]
    _assert_hidden(scene, secrets)


@pytest.mark.parametrize("number", range(len(messages(random.Random(0)))))
def test_the_explanation_for_people_holds_no_secret(number: int) -> None:
    """`meterlink decode` on somebody's screen would show the password, or enough to work it out."""
    edition, message = messages(random.Random(number))[number]
    octets = encode(to_frame(message, edition))
    out = StringIO()
    console = Console(file=out, width=300, highlight=False)
    for at in range(11, len(octets) + 1):
        flipped = octets[:-2] + bytes((octets[-2] ^ 0x10,)) + octets[-1:]
        for stream in (octets[:at], flipped):
            for tree in render(explain(stream, edition), "en"):
                console.print(tree)
    text = out.getvalue().lower()
    for form in _secrets(octets, edition):
        assert form.hex(" ") not in text
        assert form.hex() not in text
    assert f"{octets[-2]:02x}h" not in text, "the sum over the password"


def test_a_plain_read_is_traced_whole() -> None:
    """The trace would be of no use."""
    answer = encode(to_frame(ReadReply(address=_ME, di=0x00010000, data=bytes(4))), preamble=4)

    async def answers(far: ByteStream, asked: bytes) -> None:
        await _echo_by_octet(far, asked + answer)

    scene = _Scene()
    session = ReadSession(ReadRequest(address=_ME, di=0x00010000))
    request = encode(to_frame(ReadRequest(address=_ME, di=0x00010000)), preamble=4)
    scene.run([(lambda: session, answers)])
    assert request + request.lstrip(b"\xfe") + answer == scene.stored
    assert {()} == {entry.blanked for entry in scene.ring}
    assert ["out"] + ["in"] * (len(request) - 4 + len(answer)) == [entry.direction for entry in scene.ring]
    times = [entry.at for entry in scene.ring]
    assert sorted(set(times[1:])) == times[1:], "each octet bears the time at which it came"


def test_what_is_blanked_is_shown_as_blanked() -> None:
    """Zeros would be taken for what was sent."""
    _, message = messages(random.Random(7))[0]
    octets = encode(to_frame(message))
    scene = _Scene()
    assert isinstance(message, Command)
    scene.run([(lambda: CommandSession(message, preamble=0), _silence)])
    (entry,) = scene.ring
    assert ((15, 18), (len(octets) - 2, len(octets) - 1)) == entry.blanked
    shown = [f"{octet:02X}" for octet in octets]
    shown[15:18], shown[-2] = ["**"] * 3, "**"
    assert " ".join(shown) == entry.hexadecimal(" ")
    assert bytes(3) == entry.octets[15:18]


def test_a_lost_line_leaves_no_session_open() -> None:
    """A command that may have left would stand as waiting for ever."""
    _, message = messages(random.Random(7))[0]
    assert isinstance(message, Command)
    session = CommandSession(message)
    scene = _Scene()
    scene.run([(lambda: session, _hang_up)])
    assert session.finished
    assert "unconfirmed" == session.state.value
    assert any(LineLost.__name__ in text for text in scene.seen)
    assert not any(ReplyTimeout.__name__ in text for text in scene.seen)


def test_the_console_log_shows_no_local_variables() -> None:
    """An exception's frames hold octets, and the log of a terminal would print them."""
    import structlog

    log = StringIO()
    set_up_logs("debug", "console", log)
    password_here = "TheFrame" + "OfAPassword"
    try:
        raise ValueError(len(password_here))
    except ValueError:
        structlog.get_logger().exception("part_crashed")
    assert "part_crashed" in log.getvalue()
    assert "ValueError" in log.getvalue()
    assert password_here not in log.getvalue()
