"""Finding out what stands on a line by asking: which protocol, which address.

Many new meters answer in both protocols; which is told depends on who is asked first, and either will do. A
question in one protocol means nothing to a meter of the other: their frames begin alike, but differ in what
must stand behind. Likeliest first; the edition of 1997, the rarest, comes last.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from meterlink.bus.exchange import Session
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.errors import ReplyTimeout
from meterlink.model.protocols import MeterProtocol
from meterlink.trace import Ranges
from meterprofiles import generic
from meterwire.dlt645.sessions.address import AddressSession, questions
from meterwire.dlt698.apdus.get import GetRequestNormal
from meterwire.dlt698.apdus.parts import Piid
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.link.address import ANY, ServerAddress
from meterwire.dlt698.sessions.client import ClientSession

Tried = Literal["dlt645-2007", "dlt698.45", "dlt645-1997"]
ORDER: Final[tuple[Tried, ...]] = ("dlt645-2007", "dlt698.45", "dlt645-1997")
"""Protocols in the order in which they are tried."""
_OWN_ADDRESS: Final = Oad(0x4001, 2, 0)
_DIGITS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A meter that answered.

    Args:
        protocol: what it speaks.
        address: 12 digits.

    """

    protocol: MeterProtocol
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One question and what came of it.

    Args:
        protocol: in which it was asked.
        found: the meter; ``None``: none answered.
        heard: octets that came all the same.

    """

    protocol: MeterProtocol
    found: Found | None
    heard: int


Teller = Callable[[Try], None]


async def find_meter(line: Line, *, address: str = "", tell: Teller) -> Found | None:
    """Ask in every protocol until a meter answers.

    Only reads are sent, so a meter that is there is not changed by it.

    Args:
        line: running.
        address: 12 digits, where it is known and several meters share the line; else the line must have
            one meter, as the answers of several collide.
        tell: hears of each question.

    Raises:
        LineLost, LineBusy, LineClosed, BusFull: from the line.

    """
    for protocol in ORDER:
        for asking in _askings(protocol, address):
            with contextlib.suppress(ReplyTimeout):  # silence is an answer here
                await line.exchange(asking, priority=Priority.ON_DEMAND)
            found = Found(protocol=protocol, address=asking.address) if asking.address else None
            tell(Try(protocol=protocol, found=found, heard=asking.heard))
            if found:
                return found
    return None


class _Asking(Session, Protocol):
    """A question that anybody may answer."""

    @property
    def address(self) -> str:
        """Of the meter that answered; empty while none has."""

    @property
    def heard(self) -> int:
        """Octets that came, whatever they were."""


def _askings(protocol: Tried, address: str) -> Iterator[_Asking]:
    profile = generic(protocol)
    if protocol == "dlt698.45":
        yield _AddressOf698(address, preamble=profile.line.preamble)
        return
    for question in questions(protocol, address):
        yield AddressSession(question, edition=protocol, preamble=profile.line.preamble)


class _AddressOf698:
    """A read of the communication address; whatever a meter answers shows it, a refusal too."""

    def __init__(self, address: str, *, preamble: int) -> None:
        self.heard = 0
        server = ServerAddress(address) if address else ANY
        self._session = ClientSession(
            GetRequestNormal(piid=Piid.of(0), oad=_OWN_ADDRESS), server=server, preamble=preamble
        )

    @property
    def address(self) -> str:
        """See ``_Asking.address``."""
        frame = self._session.answered_by
        digits = frame.server.device_digits.lstrip("0").zfill(_DIGITS) if frame else ""
        return digits if digits.isdecimal() and len(digits) == _DIGITS else ""

    @property
    def finished(self) -> bool:
        """Whether nothing more will be sent or taken."""
        return self._session.finished

    def octets_to_send(self) -> bytes:
        """See ``Session.octets_to_send``."""
        return self._session.octets_to_send()

    def feed(self, octets: bytes) -> None:
        """See ``Session.feed``."""
        self.heard += len(octets)
        self._session.feed(octets)

    def expire(self) -> None:
        """See ``Session.expire``."""
        self._session.expire()

    def secret_ranges(self, octets: bytes) -> Ranges:
        """See ``Session.secret_ranges``."""
        return self._session.secret_ranges(octets)
