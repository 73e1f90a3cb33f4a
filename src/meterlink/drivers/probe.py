"""Finding out what stands on a line by asking: which protocol, which address."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.errors import ReplyTimeout
from meterlink.model.protocols import PROTOCOLS, MeterProtocol
from meterprofiles import generic
from meterwire.dlt645.address_session import AddressSession, questions


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
    for protocol in PROTOCOLS:
        preamble = generic(protocol).line.preamble
        for question in questions(protocol, address):
            session = AddressSession(question, edition=protocol, preamble=preamble)
            with contextlib.suppress(ReplyTimeout):  # silence is an answer here
                await line.exchange(session, priority=Priority.ON_DEMAND)
            found = Found(protocol=protocol, address=session.address) if session.address else None
            tell(Try(protocol=protocol, found=found, heard=session.heard))
            if found:
                return found
    return None
