"""A DL/T 698.45 meter on a line: request frame and time in, answer out. No I/O and no clock of its own.

Below it stands the wire's own server session: frames, segments, blocks, RELEASE and ERROR. Above it the
services, which know who may do what. In between is one association at a time, as real meters have it: it
ends with RELEASE, with the next CONNECT, or when it was silent for too long.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from metersim.dlt698.admission import Admission, Limits, check_octets
from metersim.dlt698.circumstances import Circumstances, Part, Strength
from metersim.dlt698.contents import Contents
from metersim.dlt698.control import RelayPart
from metersim.dlt698.envelopes import Envelopes
from metersim.dlt698.esam import EsamPart
from metersim.dlt698.events import EventPart
from metersim.dlt698.groups import GroupPart
from metersim.dlt698.messages import MessagePart
from metersim.dlt698.modes import Modes
from metersim.dlt698.money import MoneyPart
from metersim.dlt698.records import RecordReader
from metersim.dlt698.registers import FACTORY, Registers
from metersim.dlt698.reporting import DevicePart, tables_read
from metersim.dlt698.services import Services
from metersim.dlt698.tables import FREEZES
from metersim.dlt698.wording import DLT698, Wording698, carried, named
from metersim.security.module import LabModule
from metersim.works.cost_control import REMOTE, CostControl
from metersim.works.freezes import Freeze
from metersim.works.load import MEAN_KW
from metersim.works.moments import INSTALLED_AT
from metersim.works.works import Works, usual_works
from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu
from meterwire.dlt698.apdus.association import (
    ConnectRequest,
    ConnectResponse,
    PasswordSecurity,
    ReleaseRequest,
    ReleaseResponse,
    SymmetricSecurity,
)
from meterwire.dlt698.apdus.get import GetRequestNext
from meterwire.dlt698.apdus.link_management import ServerErrorResponse
from meterwire.dlt698.apdus.parts import AttributeResult, Dar, Piid
from meterwire.dlt698.apdus.report import ReportNotificationList, ReportNotificationRecordList
from meterwire.dlt698.apdus.security import SecurityRequest
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer, Found
from meterwire.dlt698.sessions.report import Notification, ReportSession
from meterwire.dlt698.sessions.server import ERROR_OTHER, ERROR_UNREADABLE, Request, ServerSession
from meterwire.dlt698.sessions.transfer import Incoming, Sizes
from meterwire.errors import LocalProtocolError, RemoteProtocolError

FACTORY_PASSWORD: Final = "00000000"  # noqa: S105 - what meters leave the factory with

_ADDRESS = re.compile("[0-9]{12}").fullmatch
_SERVICE_NUMBERS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer698:
    """What a meter says at one turn: an APDU, a piece of one, or the word for a piece.

    Args:
        address: the meter's own address.
        frame: the frame to send.
        di: the descriptors that were asked for, as text.
        values: item to value, of the APDU that is whole with this frame.

    """

    address: str
    frame: link.Frame
    di: str | None = None
    values: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def wording(self) -> Wording698:
        """How it is said."""
        return Wording698(self.frame)


class Meter698:
    """One meter.

    Args:
        address: 12 decimal digits.
        seed: seed of the plant.
        growth_kw: mean power that its registers count, 0 to 10,000 kW.
        since: when it was first switched on, aware; it has frozen nothing before.
        clock_ahead: how far its clock is ahead of the true time then, at most 400 days; negative: behind.
        password: that lets a client change something; ``None``: nobody can.
        limits: its sizes in a CONNECT.
        preset: what it sends at most while no sizes are agreed on: frame and APDU, 64 octets or more.
        works: what it measures with, in place of ``growth_kw``, ``since``, ``clock_ahead`` and ``control``.
        control: what its relay and its wallet are like.
        modes: how strongly requests have to be protected; everything is taken by default.

    Attributes:
        password: as given.
        works: its clock, switch, wallet and memory, and what it measures.
        envelopes: open what is protected; its ``module`` is the security module.
        modes: as given.
        messages: what it was told to show.
        device: what it tells of itself, and has to tell.

    Raises:
        ValueError: ``address``, ``growth_kw``, ``clock_ahead`` or ``preset`` is out of range.

    """

    language: Final = DLT698

    def __init__(
        self,
        address: str,
        *,
        seed: int,
        growth_kw: Decimal = MEAN_KW,
        since: datetime = INSTALLED_AT,
        clock_ahead: timedelta = timedelta(),
        password: str | None = FACTORY_PASSWORD,
        limits: Limits | None = None,
        preset: Sizes | None = None,
        works: Works | None = None,
        control: CostControl = REMOTE,
        modes: Modes | None = None,
    ) -> None:
        if not _ADDRESS(address):
            raise ValueError(f"{address!r} is no meter address: 12 digits")
        self.address = address
        self.password = password
        self.works = works or usual_works(
            address, seed=seed, mean_kw=growth_kw, since=since, clock_ahead=clock_ahead, control=control
        )
        self.clock = self.works.clock
        self.lives = 0
        """How often its memory began anew: with each cut of its power, and with each exchange."""
        fit = functools.partial(
            self._fit, seed=seed, password=password, limits=limits or Limits(), preset=_checked(preset)
        )
        fit(modes or Modes())
        enforced = self.modes.enforced
        self.works.when_exchanged(lambda: fit(Modes(enforced=enforced)))
        self.works.when_power_lost(self._lose_power)

    def _fit(self, modes: Modes, *, seed: int, password: str | None, limits: Limits, preset: Sizes) -> None:
        """Make what only this one meter has: keys, modes, parameters, and what it was about to say."""
        self.lives += 1
        self.modes = modes
        self.messages = MessagePart()
        number = self.works.plate.meter_number
        self.envelopes = Envelopes(lambda: LabModule(number, seed=seed), self.clock.shows)
        contents = Contents(self.works, self._status_word_3)
        self._events = EventPart(self.works)
        self.device = DevicePart(self.works, self._events, FACTORY)
        self._groups = GroupPart()
        self._registers = Registers(contents, tuple(self._parts(password)))
        self._records = RecordReader(contents, self.works, self._events)
        self._services = Services(
            self._registers,
            self._records,
            self.clock,
            admission=Admission(password=password, limits=limits, envelopes=self.envelopes),
            modes=self.modes,
        )
        self._own = ServerAddress(self.address)
        self._session = ServerSession(
            self._own,
            tx_max=limits.frame,
            first_block=limits.first_block,
            groups=self._groups.addresses,
            preset=preset,
            seal=self.envelopes.seal,
        )
        self._trusted = False
        self._timeout = timedelta()
        self._heard_at = self.works.since
        self._joined = Incoming()
        self._reading = Deframer()
        self._asked: str | None = None
        self._reports = 0

    def _lose_power(self) -> None:
        """Associations, by password and by keys, are in the memory that a cut clears."""
        self.lives += 1
        self._session.time_out()
        self._trusted = False
        self.envelopes.end()

    def value(self, item: str, at: datetime) -> Decimal | None:
        """What it shows for ``item`` at ``at``, any time; ``None`` when it has no such item.

        Args:
            item: e.g. ``"forward_active_energy.t1"``.
            at: aware.

        """
        return self.works.value(item, at)

    def offered(self, at: datetime) -> dict[Oad, Data]:
        """Every attribute that it gives, with what it gives at ``at``."""
        return dict(self._registers.offered(self.works.advance(at)))

    def freezes(self, oi: int, at: datetime) -> list[Freeze]:
        """What a freeze table holds at ``at``, newest first.

        Args:
            oi: its object, e.g. 5004H.
            at: true time, aware.

        """
        return list(self.works.freezes(FREEZES[oi].table, at))

    @property
    def reports_allowed(self) -> bool:
        """Whether a client has allowed it to report by itself."""
        return self.device.reports_allowed

    def hears(self, request: Found) -> bool:
        """Whether a frame is for it, and of a kind that a client begins."""
        asked = request.frame
        meant = asked.server.means(self._own) or asked.server in self._groups.addresses
        return not asked.from_server and asked.started_by_client and meant

    def answer(self, request: Found, at: datetime) -> Answer698 | None:
        """What it says to a frame at ``at``; ``None`` when it is silent."""
        at = self.works.advance(at)
        if not self.hears(request) or not self.works.powered(at):
            return None
        if self._session.connected and at - self._heard_at > self._timeout:
            self._session.time_out()
        if not self._session.connected:
            self.envelopes.end()
        self._heard_at = at
        self.envelopes.begin(at)
        for asked in self._session.feed(request.octets):
            self._take(asked, at)
        octets = self._session.octets_to_send()
        return self._said(octets) if octets else None

    def report(self, oads: Sequence[Oad], at: datetime) -> ReportNotificationList:
        """A notification that nobody asked for, to be sent with ``telling``.

        Args:
            oads: what it tells, as of ``at``.
            at: true time, aware.

        Raises:
            LocalProtocolError: nothing to tell.

        """
        at = self.works.advance(at)
        results = tuple(AttributeResult(oad, self._registers.read(oad, at)) for oad in oads)
        if not results:
            raise LocalProtocolError("a report of nothing")
        return ReportNotificationList(piid=self._next_report(), results=results)

    def news(self, at: datetime) -> ReportNotificationRecordList | None:
        """A notification of events that nobody has read; ``None``: there are none, or it may not tell.

        Args:
            at: true time, aware.

        """
        at = self.works.advance(at)
        records = tuple(self._records.read(one, at) for one in self.device.reports(at))
        if not records or not self.works.powered(at):
            return None
        return ReportNotificationRecordList(piid=self._next_report(), records=records)

    def confirmed(self, notification: ReportNotificationRecordList, told_at: datetime) -> None:
        """A client has confirmed what it was told at ``told_at``."""
        for record in notification.records:
            self.device.was_read(record.oad, told_at)

    def telling(self, notification: Notification) -> ReportSession:
        """One try of telling the client something: octets to send, and the answer to wait for.

        Raises:
            LocalProtocolError: it cannot be built or sent.

        """
        return ReportSession(notification, server=self._own, sizes=self._session.sizes)

    def _next_report(self) -> Piid:
        self._reports = (self._reports + 1) % _SERVICE_NUMBERS
        return Piid.of(self._reports)

    def _parts(self, password: str | None) -> Iterator[Part]:
        """Parts with objects of their own."""
        account = self.works.account
        yield self.modes
        yield self._events
        yield self.device
        yield self._groups
        number = self.works.plate.meter_number
        yield EsamPart(self.envelopes, number, shows=self.clock.shows, account=account)
        if self.works.switch.character.has_relay:
            yield self.messages
            yield RelayPart(self.works.switch, password=password)
        if account is not None:
            yield MoneyPart(account)

    def _status_word_3(self, at: datetime) -> int:
        return self.works.status_word_3(at, authenticated=self.envelopes.valid(at))

    def _take(self, request: Request, at: datetime) -> None:
        self._asked = named(request.apdu)
        how = Circumstances(
            at=at,
            trusted=self._trusted and self._session.connected and request.expects_answer,
            everybody=request.asked.is_wildcard or not request.expects_answer,
            broadcast=not request.expects_answer,
        )
        self._reply(request, self._worked_out(request, how))

    def _worked_out(self, request: Request, how: Circumstances) -> Apdu:
        if request.envelope is not None:
            return self._opened(request.envelope, how)
        return self._answered(request.apdu, how)

    def _opened(self, envelope: SecurityRequest, how: Circumstances) -> Apdu:
        opened = self.envelopes.open(envelope)
        if isinstance(opened, Dar):  # the session puts it into an envelope, so that nothing must be done
            return ServerErrorResponse(piid=Piid(0), error=ERROR_OTHER)
        try:
            apdu = decode_apdu(opened.octets)
        except RemoteProtocolError:
            return ServerErrorResponse(piid=Piid(0), error=ERROR_UNREADABLE)
        if isinstance(apdu, ReleaseRequest):  # of one that is not enciphered the session has taken care
            self._session.time_out()
            self.envelopes.end()
            return ReleaseResponse(piid=apdu.piid, time_tag=apdu.time_tag)
        if isinstance(apdu, GetRequestNext):
            return self._session.next_block(apdu)
        proved = opened.changes is not Strength.PLAIN
        how = replace(how, reads=opened.reads, changes=opened.changes, trusted=how.trusted or proved)
        return self._answered(apdu, how)

    def _answered(self, apdu: Apdu, how: Circumstances) -> Apdu:
        answer = self._services.answer(apdu, how)
        if isinstance(apdu, ConnectRequest) and isinstance(answer, ConnectResponse):
            trusted = isinstance(apdu.auth, PasswordSecurity | SymmetricSecurity)
            self._trusted = not answer.result and trusted
            self._timeout = timedelta(seconds=answer.timeout_s)
        return self._with_news(apdu, answer, how)

    def _with_news(self, request: Apdu, answer: Apdu, how: Circumstances) -> Apdu:
        """The answer, with the ACD bit and the list of new events where they belong."""
        if how.broadcast:
            return answer
        for table in tables_read(request):
            self.device.was_read(table, how.at)
        along: Apdu = self.device.along(answer, how.at, octets_max=self._session.sizes.apdu)
        return along

    def _reply(self, request: Request, answer: Apdu) -> None:
        try:
            self._session.answer(request, answer)
        except LocalProtocolError:  # longer than the client takes
            piid = getattr(answer, "piid", Piid(0))
            self._session.answer(request, ServerErrorResponse(piid=piid, error=ERROR_OTHER))

    def _said(self, octets: bytes) -> Answer698:
        [frame] = self._reading.feed(octets)
        apdu = self._joined.feed(frame).apdu if frame.segmented else frame.user_data
        return Answer698(
            address=self.address, frame=frame, di=self._asked, values=carried(apdu) if apdu else {}
        )


def _checked(preset: Sizes | None) -> Sizes:
    found = preset or Sizes()
    for what, octets in (("a frame", found.frame), ("an APDU", found.apdu)):
        check_octets(f"{what} before CONNECT", octets)
    return found
