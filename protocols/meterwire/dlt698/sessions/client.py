"""The client's side of one exchange with a meter or terminal: a request out, its answer in.

An answer in blocks is asked for block by block and put together; one in a SECURITY envelope is taken out
of it, and the envelope kept, since whether its MAC is right only an ESAM can say. An enciphered answer
cannot be looked into: it is taken as it is, and only where the request went in an envelope. Reports that
ride on an answer (FollowReport) are handed out, and a RELEASE notification ends the exchange.
Source: DL/T 698.45-2017, 7.3; spec sections 2.1, 3.3 to 3.10.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu, encode_apdu, inner_apdu
from meterwire.dlt698.apdus.association import ReleaseNotification
from meterwire.dlt698.apdus.get import GetRequestNext, GetResponseNext
from meterwire.dlt698.apdus.parts import AttributeResults, Dar, Piid, RecordResults
from meterwire.dlt698.apdus.security import PlainUnit, Rn, SecurityRequest, SecurityResponse
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.frame import Frame
from meterwire.dlt698.sessions.blocks import BlockGatherer, BlockSignal
from meterwire.dlt698.sessions.exchange import Exchange, Signal, State
from meterwire.dlt698.sessions.matching import BLOCKWISE, ERRORS, PAIRS, answers
from meterwire.dlt698.sessions.transfer import Outgoing, Sizes
from meterwire.errors import LocalProtocolError, RemoteProtocolError

CLIENT: Final = 0x10
"""Client address that heads of the field use."""
RN_OCTETS: Final = 16
"""Octets of the random number that a read with integrity carries."""

Protect = Callable[[bytes], SecurityRequest]
"""Puts the octets of an APDU into an envelope."""


def with_random_number(random_octets: Callable[[int], bytes]) -> Protect:
    """Plain envelopes with a random number, so that the meter proves its answer with a MAC.

    Args:
        random_octets: gives as many random octets as it is asked for, other ones each time.

    """

    def protect(apdu: bytes) -> SecurityRequest:
        return SecurityRequest(unit=PlainUnit(apdu), verify=Rn(random_octets(RN_OCTETS)))

    return protect


class ClientSession(Exchange):
    """One request and its answer.

    Args:
        request: what to ask, with its PIID; perhaps already in an envelope.
        server: whom; a group or the broadcast answers nothing.
        client: our address CA, 0 to 255.
        sizes: what the server takes; as agreed on by CONNECT.
        scrambled: send with 33H added to user data; the answer may come either way.
        preamble: FEH octets before each frame, 0 to 16.
        protect: puts requests into envelopes.
        inside: the request in an enciphered envelope, where the caller knows it: an answer that anybody can
            read is then taken only if it answers that.

    Attributes:
        envelope: in which the answer came; its MAC has not been checked.
        follow_reports: what the server reported along with the answer.
        released: the notification that ended the association.

    Raises:
        LocalProtocolError: the request is none of a client, or cannot be built or sent.

    """

    def __init__(
        self,
        request: Apdu,
        *,
        server: ServerAddress,
        client: int = CLIENT,
        sizes: Sizes | None = None,
        scrambled: bool = False,
        preamble: int = 4,
        protect: Protect | None = None,
        inside: Apdu | None = None,
    ) -> None:
        self.envelope: SecurityResponse | None = None
        self.follow_reports: tuple[AttributeResults | RecordResults, ...] = ()
        self.released: ReleaseNotification | None = None
        self.request = request
        self._protect = protect
        self._secured = protect is not None or isinstance(request, SecurityRequest)
        self._inner: Any = _inside(request) or inside
        self._gatherer = BlockGatherer(self._inner)
        template = Frame(
            server=server,
            client=client,
            user_data=b"",
            from_server=False,
            started_by_client=True,
            scrambled=scrambled,
        )
        super().__init__(request, template, sizes=sizes or Sizes(), preamble=preamble)

    @property
    def events_wait(self) -> bool:
        """ACD of the answer: the server has events to be read (object 3320)."""
        piid = getattr(self.reply, "piid", None)
        return isinstance(piid, Piid) and piid.acd

    def _prepared(self, apdu: Apdu) -> Outgoing:
        if self._protect is not None and not isinstance(apdu, SecurityRequest):
            apdu = self._protect(encode_apdu(apdu))
        return super()._prepared(apdu)

    def _take_apdu(self, frame: Frame, octets: bytes) -> None:
        message: Any = decode_apdu(octets)
        envelope = message if isinstance(message, SecurityResponse) else None
        if envelope is not None:
            message = inner_apdu(envelope)
        if message is None:
            self._take_closed(frame, envelope)
        elif not self._outgoing.done and not isinstance(message, ERRORS):
            self.ignored += 1  # nobody can answer what has not been asked to the end
        elif not self._answers(message):
            if self._answers_but_for_its_tag(message):
                sentence = "the answer bears a time tag that was not asked for"
                raise RemoteProtocolError(sentence, kind="unasked-time-tag")
            self.ignored += 1
        else:
            self.envelope = envelope
            self._accept(frame, message, len(octets))

    def _take_closed(self, frame: Frame, envelope: SecurityResponse | None) -> None:
        """An envelope that is enciphered, or holds a DAR: it names no service number to go by."""
        if envelope is None or not self._outgoing.done or self._gatherer.begun:
            self.ignored += 1
            return
        if not self._secured:
            sentence = "an envelope that cannot be opened came unasked"
            raise RemoteProtocolError(sentence, kind="unasked-envelope")
        self.envelope = envelope
        self._settle(Signal.REFUSED if isinstance(envelope.unit, Dar) else Signal.ANSWER, frame, envelope)

    def _answers(self, message: Apdu) -> bool:
        if self._inner is None:  # an enciphered request: the service number is not known here
            return self._secured
        if self._gatherer.begun and not isinstance(message, (GetResponseNext, *ERRORS)):
            return False
        return answers(self._inner, message)

    def _answers_but_for_its_tag(self, message: Any) -> bool:
        """Whether only a tag stands between a request without one and this answer."""
        if getattr(self._inner, "time_tag", None) is not None or getattr(message, "time_tag", None) is None:
            return False
        return self._answers(replace(message, time_tag=None))

    def _accept(self, frame: Frame, message: Any, octets: int) -> None:
        if isinstance(message, ERRORS):
            self._settle(Signal.REFUSED, frame, message)
        elif isinstance(message, GetResponseNext) and isinstance(self._inner, BLOCKWISE):
            self._take_block(frame, message, octets)
        else:
            self._note_reports(message)
            self._settle(Signal.ANSWER, frame, message)

    def _take_block(self, frame: Frame, block: GetResponseNext, octets: int) -> None:
        signal = self._gatherer.feed(block, octets)
        match signal:
            case BlockSignal.AGAIN:
                self.ignored += 1
                return
            case BlockSignal.REFUSED:
                self._settle(Signal.REFUSED, frame, block)
            case BlockSignal.BROKEN:
                self._signal(Signal.BROKEN)
            case BlockSignal.LAST:
                self._settle(Signal.ANSWER, frame, self._gatherer.answer())
            case BlockSignal.NEXT:
                # The rest is this server's, also when a wildcard was asked.
                self._peer = frame.server
                self._template = self._template._replace(server=frame.server)
                self._ask(GetRequestNext(piid=self._inner.piid, last_block=block.block))
        self._note_reports(block)

    def _note_reports(self, message: Any) -> None:
        report = getattr(message, "follow_report", None)
        if report is not None:
            self.follow_reports += (report,)

    def _heard_notice(self, frame: Frame) -> None:
        """The server tells, during the exchange, that the association timed out: no answer will come."""
        if frame.segmented or not self._is_peer(frame):
            return
        try:
            notice = decode_apdu(frame.user_data)
        except RemoteProtocolError:
            return
        if isinstance(notice, ReleaseNotification) and self._state is State.WAITING:
            self.released = notice
            self._signal(Signal.RELEASED)


def _inside(request: Apdu) -> Any:
    """The request out of its envelope; ``None`` when it is enciphered.

    Raises:
        LocalProtocolError: it is no request of a client.

    """
    if not isinstance(request, SecurityRequest):
        if type(request) not in PAIRS:
            raise LocalProtocolError(f"{type(request).__name__} is no request of a client")
        return request
    try:
        return inner_apdu(request)
    except RemoteProtocolError as fault:
        raise LocalProtocolError(f"the envelope holds no request: {fault}") from None
