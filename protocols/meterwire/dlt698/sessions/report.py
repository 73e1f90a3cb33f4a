"""What a server begins by itself, and the client's word for it: reports, LINK, the end of an association.

The server's side of it; the client's is in ``listener``. A report or LINK-Request waits for its answer; a
caller whose deadline passed makes another session for the next try (three are customary). The notice that
an association timed out is answered by nobody.
Source: DL/T 698.45-2017, 7.3.8; spec sections 3.2, 3.4 and 3.8.
"""

from __future__ import annotations

from typing import Any, Final

from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu, inner_apdu
from meterwire.dlt698.apdus.association import ReleaseNotification
from meterwire.dlt698.apdus.link_management import ClientErrorResponse, LinkRequest
from meterwire.dlt698.apdus.report import (
    ReportNotificationList,
    ReportNotificationRecordList,
    ReportNotificationTransData,
)
from meterwire.dlt698.apdus.security import SecurityRequest
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.frame import FUNCTION_DATA, FUNCTION_LINK, Frame
from meterwire.dlt698.sessions.exchange import Exchange, Signal
from meterwire.dlt698.sessions.matching import answers
from meterwire.dlt698.sessions.transfer import Sizes
from meterwire.errors import LocalProtocolError

TRIES: Final = 3
"""Times that terminals send a report that stays unanswered."""

Notification = (
    LinkRequest
    | ReportNotificationList
    | ReportNotificationRecordList
    | ReportNotificationTransData
    | ReleaseNotification
)


class ReportSession(Exchange):
    """One notification of a server and its answer.

    Args:
        notification: what the server tells.
        server: its own address.
        client: to whom, CA; 0 to whoever is there. The answer may come from any client.
        sizes: what the client takes.
        scrambled: send with 33H added to user data.
        preamble: FEH octets before each frame, 0 to 16.

    Raises:
        LocalProtocolError: no server begins with this, or it cannot be built or sent.

    """

    def __init__(
        self,
        notification: Notification,
        *,
        server: ServerAddress,
        client: int = 0,
        sizes: Sizes | None = None,
        scrambled: bool = False,
        preamble: int = 0,
    ) -> None:
        if not isinstance(notification, Notification):
            raise LocalProtocolError(f"no server begins an exchange with {type(notification).__name__}")
        self._notification = notification
        template = Frame(
            server=server,
            client=client,
            user_data=b"",
            from_server=True,
            started_by_client=False,
            function=FUNCTION_LINK if isinstance(notification, LinkRequest) else FUNCTION_DATA,
            scrambled=scrambled,
        )
        super().__init__(notification, template, sizes=sizes or Sizes(), preamble=preamble)

    def _answer_is_due(self) -> bool:
        return not isinstance(self._notification, ReleaseNotification)

    def _is_peer(self, frame: Frame) -> bool:
        return frame.server == self._template.server

    def _take_apdu(self, frame: Frame, octets: bytes) -> None:
        message: Any = decode_apdu(octets)
        if isinstance(message, SecurityRequest):
            message = inner_apdu(message)
        if not self._outgoing.done or message is None or not self._answers(message):
            self.ignored += 1
        else:
            refused = isinstance(message, ClientErrorResponse)
            self._settle(Signal.REFUSED if refused else Signal.ANSWER, frame, message)

    def _answers(self, message: Apdu) -> bool:
        return answers(self._notification, message)
