"""Questions on a serial line whose answers may still come, and what may be asked of a unit meanwhile.

An answer of Modbus RTU names neither the registers nor the request, so one that comes too late looks like the
answer to the next request of the same length. What a unit was asked and has not answered is therefore kept in
mind for ``LATENESS_S``, and until then:

- the same question may be asked again: whichever answer comes, it is one to it; but not while another one
  waits because of it, which would else wait for ever;
- another question is asked with another number of registers, where the map has some to read along;
- where it has none, it is not asked;
- "no" says nothing: it carries the function only, and may be meant for the earlier question.

So an answer that fits is an answer to the question asked, in whatever order answers come. What comes later
than ``LATENESS_S`` nobody can tell from the present one.
Source: Modbus application protocol V1.1b3, 6.3, 6.4 and 7; the messages as the document has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from meterlink.drivers.modbus.plan import Block
from meterlink.errors import ReplyTimeout
from meterlink.trace import Ranges
from meterwire.modbus import ExceptionReply, Exchange, ReadReply, ReadRequest

LATENESS_S: Final = 30.0
"""So long after its request an answer may still come: a serial server or a radio modem kept it."""
UNANSWERED_MAX: Final = 64
"""Most questions of one unit that are kept in mind; beyond that nothing new is asked of it."""


@dataclass(slots=True)
class _Unanswered:
    """How often a question went unanswered, and when it was sent last."""

    times: int
    sent_s: float


class Unit:
    """What one unit of a serial line was asked and has not answered.

    Args:
        now: monotonic time in seconds.

    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._unanswered: dict[tuple[int, Block], _Unanswered] = {}
        self._waited_for: set[int] = set()

    def may_ask(self, function: int, choices: Iterable[Block]) -> Block | None:
        """The first of some blocks whose answer can be no other's; ``None``: there is none now.

        Args:
            function: that reads them.
            choices: the one wanted, and others that hold it.

        """
        self._forget()
        self._waited_for &= {block.registers for _, block in self._unanswered}
        tried = set()
        for block in choices:
            key = function, block
            tried.add(block.registers)
            if key in self._unanswered and block.registers in self._waited_for:
                continue
            has_room = key in self._unanswered or len(self._unanswered) < UNANSWERED_MAX
            others = [other for other in self._unanswered if other != key]
            if has_room and all(other.registers != block.registers for _, other in others):
                return block
        self._waited_for |= tried
        return None

    def sent(self, function: int, block: Block) -> None:
        """A block is asked for now."""
        times = one.times if (one := self._unanswered.get((function, block))) else 0
        self._unanswered[function, block] = _Unanswered(times + 1, self._now())

    def answered(self, function: int, block: Block) -> None:
        """One answer to a block has come, which can be no other's."""
        if (one := self._unanswered.get((function, block))) is None:
            return
        one.times -= 1
        if not one.times:
            del self._unanswered[function, block]

    def others(self, block: Block) -> bool:
        """Whether a "no" may be meant for another question than this one."""
        return any(other != block for _, other in self._unanswered)

    def _forget(self) -> None:
        since_s = self._now() - LATENESS_S
        for key in [key for key, one in self._unanswered.items() if one.sent_s <= since_s]:
            del self._unanswered[key]


class SerialRead:
    """A read of a unit of a serial line, which decides what to ask at the moment at which it is sent.

    Args:
        unit: what it has not answered.
        number: of the unit.
        function: reads the registers.
        choices: the block wanted, and others that hold it, in the order of liking.

    Attributes:
        block: that was asked for.
        reply: the answer; ``None`` while there is none.
        in_doubt: the answer is a "no" that may be meant for an earlier question.

    """

    def __init__(self, unit: Unit, number: int, function: int, choices: tuple[Block, ...]) -> None:
        self.block = choices[0]
        self.reply: ReadReply | ExceptionReply | None = None
        self.in_doubt = False
        self._unit = unit
        self._number = number
        self._function = function
        self._choices = choices
        self._exchange: Exchange | None = None
        self._expired = False

    @property
    def finished(self) -> bool:
        """See ``Session.finished``."""
        return self._expired or (self._exchange is not None and self._exchange.finished)

    def octets_to_send(self) -> bytes:
        """See ``Session.octets_to_send``.

        Raises:
            ReplyTimeout: whatever comes now may be an answer to an earlier question.

        """
        if self._exchange is None:
            self.block = self.check()
            asked = ReadRequest(self._function, self.block.start, self.block.registers)
            self._exchange = Exchange(asked, unit=self._number, framing="rtu")
            self._unit.sent(self._function, self.block)
        return self._exchange.octets_to_send()

    def check(self) -> Block:
        """What would be asked for now.

        Raises:
            ReplyTimeout: nothing, as its answer could not be told from a late one.

        """
        block = self._unit.may_ask(self._function, self._choices)
        if block is None:
            raise ReplyTimeout(
                f"an earlier question was not answered; for {LATENESS_S:.0f} s a late answer would "
                "be taken for one to this, so it is asked later"
            )
        return block

    def feed(self, octets: bytes) -> None:
        """See ``Session.feed``."""
        if self._exchange is None or self._exchange.finished:
            return
        self._exchange.feed(octets)
        reply = self._exchange.reply
        if reply is None:
            return
        assert isinstance(reply, ReadReply | ExceptionReply), "a read has no other answer"
        self.reply = reply
        self.in_doubt = isinstance(reply, ExceptionReply) and self._unit.others(self.block)
        if not self.in_doubt:
            self._unit.answered(self._function, self.block)

    def expire(self) -> None:
        """See ``Session.expire``."""
        self._expired = True
        if self._exchange is not None:
            self._exchange.expire()

    def secret_ranges(self, octets: bytes) -> Ranges:
        """See ``Session.secret_ranges``: a read has no secrets."""
        del octets
        return ()
