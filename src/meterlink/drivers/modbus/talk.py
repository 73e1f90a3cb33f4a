"""Asking units of Modbus for registers: one exchange out, octets or an error in words back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Final

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.modbus.late import SerialRead, Unit
from meterlink.drivers.modbus.plan import Block
from meterlink.errors import BadAnswer, ConfigError, Refused, ReplyTimeout
from meterprofiles import Profile
from meterprofiles.registers import Table
from meterwire.modbus import (
    READ_HOLDING_REGISTERS,
    READ_INPUT_REGISTERS,
    ExceptionReply,
    Exchange,
    Framing,
    ReadReply,
    ReadRequest,
    Reply,
)
from meterwire.modbus.link import rtu, tcp
from meterwire.modbus.pdus.registers import REGISTER_OCTETS

PROTOCOL_TCP: Final = "modbus-tcp"
_FUNCTIONS: Final[dict[Table, int]] = {"holding": READ_HOLDING_REGISTERS, "input": READ_INPUT_REGISTERS}
_NO_SUCH: Final = frozenset({0x01, 0x02, 0x03})
"""Exceptions of a device that has no such function, register, or count of them."""
_LATER: Final = frozenset({0x05, 0x06})
"""Exceptions of a device that is busy: another try may help. Source: application protocol V1.1b3, 7."""
_NOBODY_BEHIND: Final = frozenset({0x0A, 0x0B})
"""Exceptions of a gateway: the meter behind it cannot be reached, or is silent."""


def framing_of(profile: Profile) -> Framing:
    """The frames that the meters of a profile speak in."""
    return "tcp" if profile.protocol == PROTOCOL_TCP else "rtu"


def unit_of(address: str, framing: Framing) -> int:
    """The unit that an address names.

    Args:
        address: of the meter, decimal digits.
        framing: of its line.

    Raises:
        ConfigError: there is no such unit.

    """
    low, high = (0, tcp.UNIT_MAX) if framing == "tcp" else (1, rtu.UNIT_MAX)
    if not low <= int(address) <= high:
        raise ConfigError(
            f"address {address!r}: a meter of Modbus {framing.upper()} is a unit of {low} to {high}",
            f"地址 {address!r}:Modbus {framing.upper()} 电表的单元地址为 {low} 至 {high}",
        )
    return int(address)


class TalkModbus:
    """The way to ask the units of one profile.

    Args:
        profile: of the meters.
        clock: says how long ago a question went unanswered.

    """

    def __init__(self, profile: Profile, clock: Clock) -> None:
        self.framing: Framing = framing_of(profile)
        self._clock = clock
        self._units: dict[tuple[str, int], Unit] = {}
        self._transactions: Iterator[int] = (number % tcp.TRANSACTIONS for number in count(1))

    async def ask(
        self,
        line: Exchanging,
        address: str,
        table: Table,
        block: Block,
        *,
        wider: Iterable[Block] = (),
        priority: Priority,
        what: str,
    ) -> bytes:
        """Read registers; their octets, high octet first.

        Args:
            line: running.
            address: of the meter.
            table: which registers.
            block: from where, and how many.
            wider: blocks that hold it, one of which may be read in its place on a serial line, see ``late``.
            priority: who goes first on the line.
            what: is asked for, for messages.

        Raises:
            ConfigError: the address is no unit.
            Refused: the meter said no.
            BadAnswer: the meter is busy, or its "no" may be one to an earlier question; another try may help.
            ReplyTimeout, LineError, BusFull: from the line, or from a gateway whose meter is silent.

        """
        unit, function = unit_of(address, self.framing), _FUNCTIONS[table]
        if self.framing == "rtu":
            memory = self._units.setdefault((line.name, unit), Unit(self._clock.monotonic_s))
            read = SerialRead(memory, unit, function, (block, *wider))
            read.check()
            await line.exchange(read, priority=priority)
            return _part(
                _data_of(read.reply, f"meter {address}", what, in_doubt=read.in_doubt), read.block, block
            )
        session = Exchange(
            ReadRequest(function, block.start, block.registers),
            unit=unit,
            framing=self.framing,
            transaction=next(self._transactions),
        )
        await line.exchange(session, priority=priority)
        return _data_of(session.reply, f"meter {address}", what)


def _part(data: bytes, read: Block, wanted: Block) -> bytes:
    """The octets of a block out of those of one that holds it."""
    begin = (wanted.start - read.start) * REGISTER_OCTETS
    return data[begin : begin + wanted.registers * REGISTER_OCTETS]


def _data_of(reply: Reply | None, who: str, what: str, *, in_doubt: bool = False) -> bytes:
    """The octets of an answer.

    Raises:
        Refused, BadAnswer, ReplyTimeout: it is an exception.

    """
    if isinstance(reply, ExceptionReply):
        error = _error_of(reply, who, what)
        if in_doubt and isinstance(error, Refused):
            raise BadAnswer(f"{error}; or it said so to an earlier question that it had not answered")
        raise error
    assert isinstance(reply, ReadReply), "an exchange that ends well has the answer"
    return reply.data


def _error_of(reply: ExceptionReply, who: str, what: str) -> Exception:
    said = f"{reply.words.en} (exception {reply.code:02X}H)"
    if reply.code in _LATER:
        return BadAnswer(f"{who} cannot tell {what} now: {said}")
    if reply.code in _NOBODY_BEHIND:
        return ReplyTimeout(f"the gateway before {who} tells no {what}: {said}")
    words = f"{who} refused {what}: {said}"
    return Refused(words, error_word=bytes((reply.code,)), no_such=reply.code in _NO_SUCH)
