"""A client of DL/T 698.45 that speaks with a simulated meter frame by frame, without a line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from metersim.dlt698 import Meter698
from meterwire.dlt698.apdus.apdu import Apdu, encode_apdu
from meterwire.dlt698.apdus.association import PasswordSecurity
from meterwire.dlt698.apdus.get import GetRequestNormal, GetRequestRecord
from meterwire.dlt698.apdus.parts import Dar, RecordRequest, TimeTag
from meterwire.dlt698.axdr.selection import Oad, Selection
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer, Found
from meterwire.dlt698.link.frame import Frame
from meterwire.dlt698.objects.records import Records, records
from meterwire.dlt698.sessions.association import Association, Offer
from meterwire.dlt698.sessions.client import ClientSession

AT = datetime(2026, 10, 1, 3, tzinfo=UTC)
"""11:00 of the plant's time."""


class Client:
    """One client and its association with a meter.

    Args:
        meter: the meter.
        offer: what the client says of itself in a CONNECT.
        at: true time of whatever is asked; may be moved.

    """

    def __init__(self, meter: Meter698, *, offer: Offer | None = None, at: datetime = AT) -> None:
        self.at = at
        self.heard: list[bytes] = []
        self.values: dict[str, Any] = {}
        self._meter = meter
        self.association = Association(ServerAddress(meter.address), offer=offer)
        self._deframer = Deframer()

    def connect(self, password: str | None = None) -> Any:
        """The meter's answer to a CONNECT."""
        return self.run(self.association.connect(PasswordSecurity(password) if password else None))

    def ask(self, request: Apdu) -> Any:
        """The meter's answer to a request, whole."""
        return self.run(self.association.exchange(request))

    def run(self, session: ClientSession) -> Any:
        """Carry frames both ways until the exchange is finished, or the meter is silent."""
        while not session.finished:
            said = map(self.say, self._deframer.feed_found(session.octets_to_send()))
            answers = list(filter(None, said))
            if not answers:
                session.expire()
            for answer in answers:
                session.feed(answer)
        self.association.settle(session)
        return session.reply

    def say(self, found: Found) -> bytes:
        """The meter's octets for a frame; none when it is silent."""
        answer = self._meter.answer(found, self.at)
        if answer is None:
            return b""
        self.heard.append(answer.wording.encode())
        self.values = dict(answer.values)
        return self.heard[-1]

    def get(self, oad: str, tag: TimeTag | None = None) -> Data | Dar:
        """An attribute."""
        piid = self.association.next_piid()
        result: Data | Dar = self.ask(
            GetRequestNormal(piid=piid, oad=Oad.of(oad), time_tag=tag)
        ).result.result
        return result

    def records(self, table: str, rsd: Selection, *columns: str) -> Records:
        """Records of a table."""
        wanted = RecordRequest(Oad.of(table), rsd, tuple(map(Oad.of, columns)))
        answer = self.ask(GetRequestRecord(piid=self.association.next_piid(), record=wanted))
        return records(answer.record)


def found(
    apdu: Apdu | bytes,
    server: ServerAddress,
    *,
    client: int = 16,
    segmented: bool = False,
) -> Found:
    """A request as an ear finds it."""
    frame = Frame(
        server=server,
        client=client,
        user_data=apdu if isinstance(apdu, bytes) else encode_apdu(apdu),
        from_server=False,
        started_by_client=True,
        segmented=segmented,
    )
    return Found(frame, link.encode(frame), 0)
