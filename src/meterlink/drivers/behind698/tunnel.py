"""Frames of meters, of DL/T 645 or 698.45, forwarded by a concentrator as they are (PROXY 7).

A tunnel stands where a line stands: the driver above it knows nothing of the concentrator. Each frame of a
meter's exchange is one request to the concentrator, in the same queue and the same hold as
everything else on its line: it does one thing at a time, so a queue of its own for what is forwarded would
only hide from priorities how long others wait.

A frame leaves once, whatever becomes of it: it may hold an order. That nothing came back may mean that the
meter is silent, or busy, or that the concentrator does not forward at all: to whoever sent, it is all the
same, for nobody knows what the meter did.
Source: spec dlt698, sections 3.9 and 8.2; decision 22.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from meterlink.bus.exchange import Session
from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.drivers.behind698.ways import Behind, Patiently
from meterlink.drivers.dlt698.talk import Talk, code_words
from meterlink.drivers.seldom import Seldom
from meterlink.errors import BadAnswer, Refused, ReplyTimeout
from meterprofiles import Profile
from meterwire.dlt698.apdus.parts import Dar
from meterwire.dlt698.apdus.proxy import ProxyTransCommandResponse
from meterwire.dlt698.axdr.selection import Comdcb
from meterwire.dlt698.objects.concentrator import forward, reply_of

FRAMES_MAX: Final = 256
"""Frames of one exchange: a meter that never comes to an end keeps its neighbours waiting."""
_BAUDS: Final = (300, 600, 1200, 2400, 4800, 7200, 9600, 19200, 38400, 57600, 115200)
"""By their code in COMDCB. Source: spec dlt698, section 2."""
_PARITIES: Final = ("none", "odd", "even")
_AUTOMATIC: Final = 255
_log = structlog.get_logger(__name__)


class Forwarding:
    """Makes tunnels to the meters behind one concentrator.

    Args:
        talk: with the concentrator.
        behind: which one, and how.

    """

    def __init__(self, talk: Talk, behind: Behind) -> None:
        self._talk = talk
        self._behind = behind
        self._trouble = ""
        self._vain = Seldom(lambda: asyncio.get_running_loop().time())

    def tunnel(self, line: Exchanging, profile: Profile) -> Tunnel:
        """The way to meters of a profile.

        Args:
            line: of the concentrator, running or held.
            profile: tells how their wires are spoken on.

        """
        return Tunnel(self, line, settings_of(profile))

    async def carry(self, line: Exchanging, frame: bytes, settings: Comdcb, priority: Priority) -> bytes:
        """What came back for a frame.

        Args:
            line: of the concentrator.
            frame: whole.
            settings: of the meter's wires.
            priority: who goes first.

        Raises:
            ReplyTimeout: nothing, for whatever reason.
            ConfigError, LineLost, LineBusy, LineClosed, BusFull: as of ``Talk.ask``.

        """
        behind = self._behind
        try:
            reply = await self._talk.ask(
                Patiently(line, behind.answer_timeout_s),
                behind.terminal,
                lambda piid: forward(
                    piid,
                    frame,
                    port=behind.port_oad,
                    settings=settings,
                    frame_timeout_s=behind.meter_timeout_s,
                ),
                priority=priority,
                may_repeat=False,
            )
        except (Refused, BadAnswer) as error:
            raise self._nothing(str(error)) from None
        if not isinstance(reply, ProxyTransCommandResponse):
            raise self._nothing(f"it answered with {type(reply).__name__}")
        octets = reply_of(reply)
        if isinstance(octets, Dar):
            raise self._nothing(code_words("dar", octets))
        self._trouble = ""
        return octets

    def _nothing(self, why: str) -> ReplyTimeout:
        if why != self._trouble:
            self._trouble = why
            if times := self._vain.times():
                _log.info("forwarded_in_vain", terminal=self._behind.terminal, reason=why, times=times)
        return ReplyTimeout(f"terminal {self._behind.terminal} brought nothing back: {why}")


class Tunnel:
    """A line to meters behind a concentrator; an ``Exchanging``.

    Args:
        forwarding: of the concentrator.
        line: of the concentrator, running or held.
        settings: of the meters' wires.

    """

    def __init__(self, forwarding: Forwarding, line: Exchanging, settings: Comdcb) -> None:
        self._forwarding = forwarding
        self._line = line
        self._settings = settings

    @property
    def name(self) -> str:
        """See ``Exchanging.name``."""
        return self._line.name

    async def exchange(self, session: Session, *, priority: Priority) -> None:
        """See ``Line.exchange``; frame after frame, each answered by the concentrator."""
        try:
            for _ in range(FRAMES_MAX):
                if session.finished:
                    return
                octets = session.octets_to_send()
                if not octets:
                    raise ReplyTimeout("what came back through the terminal is no whole answer")
                reply = await self._carried(session, octets, priority)
                session.feed(reply)
            raise ReplyTimeout("the answer has no end")
        finally:
            if not session.finished:
                session.expire()

    async def _carried(self, session: Session, octets: bytes, priority: Priority) -> bytes:
        """The answer; nothing where nobody was to answer."""
        nobody_answers = session.finished
        try:
            return await self._forwarding.carry(self._line, octets, self._settings, priority)
        except ReplyTimeout:
            if nobody_answers:
                return b""
            raise


def settings_of(profile: Profile) -> Comdcb:
    """How the wires of a profile's meters are spoken on: 8 data bits, 1 stop bit, no flow control.

    Args:
        profile: of the meters.

    """
    baud, parity = profile.line.baud, profile.line.parity
    code = _BAUDS.index(baud) if baud in _BAUDS else _AUTOMATIC
    return Comdcb(code, _PARITIES.index(parity), 8, 1, 0)
