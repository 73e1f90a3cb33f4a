"""The serial port of a module while it is open: one reader, one writer, and requests paired with answers.

Both sides may start an exchange, so everything that comes goes through one listener: what the module begins
is handed on at once and in order, answers go to those who asked. Frames leave one after the other; the wait
for an answer begins when the request has left. Nothing is sent twice here: who asks decides.

A module that sends without end, or nothing that anybody can read, is cut off (``Flooded``), and others have
their turn after each piece of what it says; see ``bus.endurance``. An answer is as long as we have asked for.
A module waits for our answer before it asks for the next meter (AFN 14), and for a confirmation before it
reports the next thing (AFN 06), so we set the pace (``pace``); what it says without waiting has less room.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from meterlink.bus.endurance import PIECE_OCTETS, Endurance
from meterlink.bus.hearing import Hearing
from meterlink.drivers.carrier.outstanding import Asked, Outstanding, Strays
from meterlink.drivers.carrier.pace import Pace
from meterlink.drivers.carrier.payload import inner_secrets
from meterlink.errors import LineLost, ReplyTimeout
from meterlink.transports.stream import ByteStream
from meterwire.gdw1376.functions.module import REPORT, ROUTE_READ
from meterwire.gdw1376.layouts.nodes import Values
from meterwire.gdw1376.link import module_frame as link
from meterwire.gdw1376.link.module_frame import Addresses, DownInfo, Frame
from meterwire.gdw1376.messages.module import Message, from_frame, request
from meterwire.gdw1376.sessions.module_listener import ModuleListener

OUTBOX_OCTETS_MAX: Final = 65_536
"""Octets that wait to be sent; confirmations beyond are dropped, and the module reports again."""
SEND_MAX_S: Final = 30.0
"""A port that takes a frame no sooner takes nothing any more."""
STEADY_S: Final = 60.0
"""A connection that brings a frame after so long works; one that breaks sooner is opened with pauses."""
IDLE_MAX_S: Final = 172_800.0
"""A port that brings octets and no frame for so long is noise: its module is asked something once a day."""


class Flooded(LineLost):
    """The module sent more than anybody bears."""


class ModulePort:
    """One opening of the port.

    Args:
        stream: open.
        strays: counts answers that nobody wanted.
        character_s: time of one octet on the wire; 0 where the rate is not known (TCP).
        called: is given what the module begins.
        heard: is called when a frame has come on a connection that has lasted.
        late: is given a request and the seconds it took, when an answer has come after all.

    Attributes:
        mode: what carries frames behind the module, as it says in its own frames.
        main_node: address of the main node; empty until it is known.
        unanswered: calls that were dropped because too many octets waited.

    """

    def __init__(
        self,
        stream: ByteStream,
        strays: Strays,
        *,
        character_s: float,
        called: Callable[[Message], None],
        heard: Callable[[], None],
        late: Callable[[str, float], None],
    ) -> None:
        self.mode = link.MODE_BROADBAND
        self.main_node = ""
        self.unanswered = 0
        self._stream = stream
        self._character_s = character_s
        self._called = called
        self._heard = heard
        self._late = late
        self._listener = ModuleListener(inner=inner_secrets)
        self._outstanding = Outstanding(strays)
        self._outbox: deque[tuple[bytes, asyncio.Future[None] | None]] = deque()
        self._outbox_octets = 0
        self._wanted = asyncio.Event()
        self._deaf = asyncio.Event()
        self._hearing = Hearing()
        self._loop = asyncio.get_running_loop()
        self._opened_s = self._loop.time()
        self._hearing.opened(self._opened_s)
        self._endurance = Endurance(self._opened_s)
        self._pace = Pace(self._opened_s)
        self._paying: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Read and write until cancelled.

        Raises:
            LineLost, LineClosed: from the stream; or nothing is heard any more.
            Flooded: too much is.

        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(), name="carrier.reader")
                group.create_task(self._write(), name="carrier.writer")
                group.create_task(self._watch(), name="carrier.watch")
        finally:
            if self._paying is not None:
                self._paying.cancel()
            self.fail(LineLost("the port of the carrier module was closed"))

    def fail(self, error: Exception) -> None:
        """End all open requests."""
        self._outstanding.fail(error)
        for _, sent in self._outbox:  # the writer passes them by
            if sent is not None and not sent.done():
                sent.set_exception(error)
                sent.exception()

    async def begin(self, afn: int, fn: int, values: Values, slave: str = "") -> Asked:
        """Send a request; returns when it has left.

        Args:
            afn: application function code.
            fn: information class.
            values: of its layout.
            slave: the meter, 12 digits; empty: the main node itself.

        Raises:
            BusFull: too many are open.
            LineLost, LineClosed: the port broke.
            LocalProtocolError: values that do not fit.

        """
        number = self._outstanding.number(self._loop.time())
        addresses = Addresses(self.main_node, slave) if slave else None
        frame = request(DownInfo(number), afn, fn, values, addresses=addresses, mode=self.mode)
        octets = link.encode(frame)
        asked = Asked(frame, self._loop.create_future())
        self._outstanding.add(asked)
        sent: asyncio.Future[None] = self._loop.create_future()
        self._put(octets, sent)
        try:
            async with asyncio.timeout(SEND_MAX_S):
                await sent
        except TimeoutError:
            self._outstanding.close(asked, self._loop.time())
            self._deaf.set()
            raise LineLost("the port of the carrier module takes nothing") from None
        except BaseException:
            self._outstanding.close(asked, self._loop.time())
            raise
        asked.sent_s = self._loop.time()
        return asked

    async def finish(self, asked: Asked, timeout_s: float) -> Message:
        """The answer to a request that has left.

        Args:
            asked: of ``begin``.
            timeout_s: from the moment at which it left.

        Raises:
            ReplyTimeout: none came in time.
            LineLost, LineClosed: the port broke.

        """
        assert asked.sent_s is not None
        try:
            async with asyncio.timeout_at(asked.sent_s + timeout_s):
                return await asked.answer
        except TimeoutError:
            self._note_silence()
            raise ReplyTimeout(f"the carrier module did not answer within {timeout_s:.0f} s") from None
        finally:
            self._outstanding.close(asked, self._loop.time())

    def confirm(self, call: Message) -> None:
        """Confirm a report: whatever the module began is kept, or is of no use."""
        self._listener.acknowledge(call)
        self._flush()

    def reply(self, call: Message, values: Values) -> None:
        """Answer a request of the module (AFN 14)."""
        self._listener.answer(call, values)
        self._flush()

    def _flush(self) -> None:
        """Send what is due to the module, now or when it is time."""
        if self._paying is None and (wait_s := self._pace.wait_s(self._loop.time())):
            self._paying = self._loop.call_later(wait_s, self._flush_late)
        elif self._paying is None:
            self._pay()

    def _flush_late(self) -> None:
        self._paying = None
        self._flush()

    def _pay(self) -> None:
        octets = self._listener.octets_to_send()
        if self._outbox_octets + len(octets) > OUTBOX_OCTETS_MAX:
            self.unanswered += 1
        elif octets:
            self._put(octets, None)

    def _put(self, octets: bytes, sent: asyncio.Future[None] | None) -> None:
        self._outbox.append((octets, sent))
        self._outbox_octets += len(octets)
        self._wanted.set()

    async def _write(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._outbox:
                octets, sent = self._outbox.popleft()
                self._outbox_octets -= len(octets)
                if sent is not None and sent.done():
                    continue  # whoever asked gave up, and nothing has left
                try:
                    await self._stream.send(octets)
                    await asyncio.sleep(len(octets) * self._character_s)
                except BaseException:
                    if sent is not None and not sent.done():
                        sent.set_exception(LineLost("the port of the carrier module broke"))
                        sent.exception()
                    raise
                if sent is not None and not sent.done():
                    sent.set_result(None)

    async def _read(self) -> None:
        while True:
            octets = await self._stream.receive()
            self._take(octets)
            if len(octets) >= PIECE_OCTETS:  # there is more to come: others have their turn first
                await asyncio.sleep(0)

    def _take(self, octets: bytes) -> None:
        before = self._listener.frames
        self._listener.feed(octets)
        frames = self._listener.frames - before
        answers = sum([self._is_answer(frame) for frame in self._listener.frames_for_exchange()])
        calls = self._listener.calls()
        paced = sum([self._is_paced(call) for call in calls])
        self._endure(len(octets), frames, wanted=answers + paced)
        if frames:
            self._note_heard()
        else:
            self._hearing.noise()
        for call in calls:
            self._called(call)

    def _endure(self, octets: int, frames: int, *, wanted: int) -> None:
        """End the connection if this was too much.

        Args:
            octets: that came.
            frames: that they made.
            wanted: of them, answers, and what has waited for one of ours.

        """
        heard, now_s = self._endurance.heard, self._loop.time()
        ending = heard(octets, frames=min(1, frames), answers=True, now_s=now_s, idle_limit_s=IDLE_MAX_S)
        if frames > wanted:
            unasked = frames - wanted
            ending = ending or heard(0, frames=unasked, answers=False, now_s=now_s, idle_limit_s=IDLE_MAX_S)
        if ending:
            raise Flooded(f"the carrier module sent {ending}")

    def _is_paced(self, call: Message) -> bool:
        """Whether the module says this no sooner than we have answered what it said before."""
        return call.frame.afn in {REPORT, ROUTE_READ} and self._pace.is_kept()

    def _note_heard(self) -> None:
        now_s = self._loop.time()
        self._hearing.heard(now_s)
        if now_s - self._opened_s >= STEADY_S:
            self._heard()

    def _is_answer(self, frame: Frame) -> bool:
        """Give a frame to whoever has asked; whether somebody had, and had no answer yet."""
        if not frame.from_module:
            return False  # an echo
        self.mode = frame.mode or self.mode
        strays = self._outstanding.strays
        late, useless = strays.late, strays.double + strays.other
        asked = self._outstanding.take(from_frame(frame))
        is_late = strays.late > late
        if asked is not None and asked.slave and asked.sent_s is not None and is_late:
            self._late(asked.slave, self._loop.time() - asked.sent_s)
        return strays.double + strays.other == useless

    def _note_silence(self) -> None:
        if self._hearing.is_deaf(self._loop.time()):
            self._deaf.set()

    async def _watch(self) -> None:
        await self._deaf.wait()
        raise LineLost("nothing is heard of the carrier module: the port may be dead")
