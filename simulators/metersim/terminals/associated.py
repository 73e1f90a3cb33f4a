"""One request to a meter of DL/T 698.45 in an association by password, which is over when it is answered.

CONNECT, the request, RELEASE: whoever speaks to the meter next has no more rights than before. A meter that
refuses the password is asked all the same, and says itself what it thinks of that. An answer that is there
already is not lost when the RELEASE is. Source: spec sections 3.3 and 3.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.association import PasswordSecurity
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.sessions.association import Association, AssociationState, Offer
from meterwire.dlt698.sessions.client import ClientSession

SILENT_S: Final = 60
"""How long the meter keeps an association whose RELEASE it never heard."""


class AssociatedSession:
    """A requester's side of the three exchanges; a `metersim.terminals.port.Session`.

    Args:
        request: what is asked in the association.
        server: whom.
        client: our address, 0 to 255.
        password: of the meter.

    Attributes:
        reply: the answer to the request; ``None`` while there is none.

    Raises:
        LocalProtocolError: the request is none of a client, or cannot be built or sent.

    """

    def __init__(self, request: Any, *, server: ServerAddress, client: int, password: str) -> None:
        self.reply: Apdu | None = None
        self._steps = self._sessions(
            Association(
                server, client=client, offer=Offer(timeout_s=SILENT_S), first_number=request.piid.number
            ),
            request,
            password,
        )
        self._session: ClientSession | None = next(self._steps)

    @property
    def finished(self) -> bool:
        """Whether nothing more will be sent or taken."""
        return self._session is None

    def octets_to_send(self) -> bytes:
        """The octets whose turn it is, once."""
        return b"" if self._session is None else self._session.octets_to_send()

    def feed(self, octets: bytes) -> None:
        """Take octets from the line.

        Raises:
            RemoteProtocolError: they break the protocol.

        """
        if self._session is not None:
            self._session.feed(octets)
            if self._session.finished:
                self._session = next(self._steps, None)

    def expire(self) -> None:
        """The deadline passed; no further step is taken."""
        self._session = None

    def _sessions(self, association: Association, request: Apdu, password: str) -> Iterator[ClientSession]:
        """Each is given once the one before is finished."""
        connecting = association.connect(PasswordSecurity(password))
        yield connecting
        association.settle(connecting)
        asking = association.exchange(request)
        yield asking
        self.reply = asking.reply
        if association.state is AssociationState.CONNECTED:
            yield association.release()
