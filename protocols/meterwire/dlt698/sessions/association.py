"""The client's view of its association with one server: from the one that is always there to an agreed one.

Meters answer without CONNECT, in an association of their own with null authentication: PRESET. A CONNECT
that is allowed leads to CONNECTED, with sizes that both sides named; one that is denied, a RELEASE, the
server's notification that it timed out, and ``lost`` (the line is gone) lead back. A CONNECT without any
answer changes nothing: whether the server has taken it is not known, and it can be sent again.
Source: DL/T 698.45-2017, 7.3.2; spec sections 1.8, 3.3 and 3.4.
"""

from __future__ import annotations

import enum
from typing import Any, Final, NamedTuple

from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.association import (
    FUNCTION_CONFORMANCE_OCTETS,
    PROTOCOL_CONFORMANCE_OCTETS,
    ConnectRequest,
    ConnectResponse,
    Mechanism,
    NullSecurity,
    ReleaseNotification,
    ReleaseRequest,
    ReleaseResponse,
)
from meterwire.dlt698.apdus.parts import Piid, TimeTag
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.sessions.client import CLIENT, ClientSession, Protect
from meterwire.dlt698.sessions.transfer import Sizes

SERVICE_NUMBERS: Final = 64
"""PIID has room for so many; they begin again."""
VERSION: Final = 0x16
"""Protocol version that heads of the field name."""
CONNECT_ALLOWED: Final = 0
"""Result of a CONNECT that was allowed."""


class AssociationState(enum.Enum):
    """In which association requests are answered."""

    PRESET = "preset"
    CONNECTED = "connected"


class AssociationSignal(enum.Enum):
    """What can happen to an association."""

    ALLOWED = "CONNECT allowed"
    DENIED = "CONNECT denied"
    RELEASED = "RELEASE answered"
    TIMED_OUT = "the server tells that it timed out"
    LOST = "the line is gone"


ASSOCIATION_TRANSITIONS: Final[dict[AssociationState, dict[AssociationSignal, AssociationState]]] = {
    AssociationState.PRESET: {AssociationSignal.ALLOWED: AssociationState.CONNECTED},
    AssociationState.CONNECTED: {
        AssociationSignal.ALLOWED: AssociationState.CONNECTED,
        AssociationSignal.DENIED: AssociationState.PRESET,
        AssociationSignal.RELEASED: AssociationState.PRESET,
        AssociationSignal.TIMED_OUT: AssociationState.PRESET,
        AssociationSignal.LOST: AssociationState.PRESET,
    },
}


class Offer(NamedTuple):
    """What one side says of itself in a CONNECT.

    Args:
        tx_max: longest frame that it sends, in octets.
        rx_max: longest frame that it takes, in octets.
        apdu_max: longest APDU that it takes, in octets.
        timeout_s: the association may be silent so long.
        version: of the protocol.

    """

    tx_max: int = 1024
    rx_max: int = 1024
    apdu_max: int = 8000
    timeout_s: int = 7200
    version: int = VERSION


class Association:
    """One client and one server; makes the sessions and learns from how they end.

    Args:
        server: whom.
        client: our address CA, 0 to 255.
        offer: what we say of ourselves in a CONNECT.
        preset: what the server takes before sizes are agreed on.
        scrambled: send with 33H added to user data.
        preamble: FEH octets before each frame, 0 to 16.
        protect: puts requests other than CONNECT and RELEASE into envelopes.
        first_number: service number that the first request follows.

    Attributes:
        agreed: the server's words of the CONNECT that was allowed; ``None`` in the preset association.

    """

    def __init__(
        self,
        server: ServerAddress,
        *,
        client: int = CLIENT,
        offer: Offer | None = None,
        preset: Sizes | None = None,
        scrambled: bool = False,
        preamble: int = 4,
        protect: Protect | None = None,
        first_number: int = 0,
    ) -> None:
        self.agreed: ConnectResponse | None = None
        self._server = server
        self._client = client
        self._offer = offer or Offer()
        self._preset = preset or Sizes()
        self._scrambled = scrambled
        self._preamble = preamble
        self._protect = protect
        self._state = AssociationState.PRESET
        self._number = first_number

    @property
    def state(self) -> AssociationState:
        """In which association requests are answered now."""
        return self._state

    @property
    def sizes(self) -> Sizes:
        """What the server takes now."""
        if self.agreed is None:
            return self._preset
        return Sizes.agreed(self._offer.tx_max, self.agreed.rx_max, self.agreed.apdu_max)

    def next_piid(self, *, high_priority: bool = False) -> Piid:
        """A service number that was not used by the 63 requests before."""
        self._number = (self._number + 1) % SERVICE_NUMBERS
        return Piid.of(self._number, high_priority=high_priority)

    def exchange(self, request: Apdu, *, inside: Apdu | None = None) -> ClientSession:
        """A session for one request; give it to ``settle`` when it is finished.

        Args:
            request: perhaps already in an envelope.
            inside: what an enciphered envelope holds, see ``ClientSession``.

        Raises:
            LocalProtocolError: the request is none of a client, or cannot be built or sent.

        """
        bare = isinstance(request, ConnectRequest | ReleaseRequest)
        return ClientSession(
            request,
            server=self._server,
            client=self._client,
            sizes=self.sizes,
            scrambled=self._scrambled,
            preamble=self._preamble,
            protect=None if bare else self._protect,
            inside=inside,
        )

    def connect(
        self,
        auth: Mechanism | None = None,
        *,
        protocol_conformance: bytes = b"\xff" * PROTOCOL_CONFORMANCE_OCTETS,
        function_conformance: bytes = b"\xff" * FUNCTION_CONFORMANCE_OCTETS,
        time_tag: TimeTag | None = None,
    ) -> ClientSession:
        """A session that asks for an association.

        Args:
            auth: how we prove ourselves; not at all when left out.
            protocol_conformance: services that we know, 64 bits, bit 0 first.
            function_conformance: functions that we know, 128 bits, bit 0 first.
            time_tag: when it is sent.

        Raises:
            LocalProtocolError: a value does not fit its field.

        """
        offer = self._offer
        request = ConnectRequest(
            piid=self.next_piid(),
            version=offer.version,
            protocol_conformance=protocol_conformance,
            function_conformance=function_conformance,
            tx_max=offer.tx_max,
            rx_max=offer.rx_max,
            rx_window=1,
            apdu_max=offer.apdu_max,
            timeout_s=offer.timeout_s,
            auth=auth or NullSecurity(),
            time_tag=time_tag,
        )
        return self.exchange(request)

    def release(self, *, time_tag: TimeTag | None = None) -> ClientSession:
        """A session that closes the association."""
        return self.exchange(ReleaseRequest(piid=self.next_piid(), time_tag=time_tag))

    def settle(self, session: ClientSession) -> None:
        """Learn from a session that is finished; one that is not changes nothing."""
        if session.released is not None:
            self.hear(session.released)
        elif session.finished:
            self._learn(session.reply)

    def hear(self, notice: ReleaseNotification) -> None:
        """The server told that the association timed out."""
        self._signal(AssociationSignal.TIMED_OUT)

    def lost(self) -> None:
        """The line is gone, and with it what was agreed on."""
        self._signal(AssociationSignal.LOST)

    def _learn(self, reply: Any) -> None:
        if isinstance(reply, ConnectResponse):
            allowed = reply.result == CONNECT_ALLOWED
            self._signal(AssociationSignal.ALLOWED if allowed else AssociationSignal.DENIED)
            self.agreed = reply if allowed else None
        elif isinstance(reply, ReleaseResponse):
            self._signal(AssociationSignal.RELEASED)

    def _signal(self, signal: AssociationSignal) -> None:
        self._state = ASSOCIATION_TRANSITIONS[self._state].get(signal, self._state)
        if self._state is AssociationState.PRESET:
            self.agreed = None
