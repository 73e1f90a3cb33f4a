"""The one interface of a broker connection: publish until acknowledged, receive until acknowledged."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message not yet acknowledged; the broker brings it again until it is.

    Args:
        topic: where it was published.
        payload: its octets.
        retained: it was kept by the broker, not published just now.
        token: what the port needs to acknowledge it.

    """

    topic: str
    payload: bytes
    retained: bool
    token: int


class MessagePort(Protocol):
    """One connection to a broker, from CONNACK to its end."""

    @property
    def resumed(self) -> bool:
        """Whether the broker has kept our session; otherwise it has nothing that was to come to us."""

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1; returns when the broker has acknowledged (PUBACK).

        Raises:
            BrokerAway: the connection broke or the acknowledgement did not come in time: it may have arrived.
            MessageRefused: the broker will never take it.

        """

    async def receive(self) -> IncomingMessage:
        """Wait for the next message of the subscriptions.

        Raises:
            BrokerAway: the connection broke.

        """

    async def acknowledge(self, message: IncomingMessage) -> None:
        """Tell the broker that the message is safe with us.

        Raises:
            BrokerAway: the connection broke: the message will come again.

        """


class MessageConnector(Protocol):
    """Where connections come from; each call of ``connect`` is one try."""

    def connect(
        self, *, client_id: str, subscriptions: tuple[str, ...] = (), persistent: bool = False
    ) -> AbstractAsyncContextManager[MessagePort]:
        """Connect, subscribe at QoS 1, and disconnect at the end of the block.

        Args:
            client_id: identity at the broker; one connection a client id.
            subscriptions: topic filters.
            persistent: the broker keeps the subscriptions and undelivered messages while we are away.

        Raises (on entering):
            BrokerAway: refused, unreachable, not authorised.

        """
