"""Who asks a caller for his name: the one thing a server needs of a protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar


class Doorkeeper(Protocol):
    """The session of one connection while nobody knows who calls: octets in, octets out, then a name.

    It hears every octet from the first one on and keeps what it has parsed; whoever takes the connection
    over goes on with the same object, so that a frame that was half there is not lost.
    """

    def feed(self, octets: bytes) -> None:
        """Take octets, in any pieces. Never raises for what they hold."""

    def octets_to_send(self) -> bytes:
        """What is to be sent at once."""

    @property
    def terminal(self) -> str | None:
        """Who calls, as soon as it is known that he may come in."""

    @property
    def ending(self) -> str:
        """Why the connection is to end once ``octets_to_send`` has been sent; empty: it goes on."""

    @property
    def idle_limit_s(self) -> float:
        """A terminal that is silent for longer is gone; may change with what it says."""


K = TypeVar("K", bound=Doorkeeper)
K_co = TypeVar("K_co", bound=Doorkeeper, covariant=True)

DoorkeeperMaker = Callable[[], K]
"""Makes one for each connection."""
