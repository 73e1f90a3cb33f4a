"""What was sealed since: seals and supplements in the order in which the chain got their acts.

A supplement is sealed whenever something came late, of any day. So the days are no order to go on in; the
chain is, which only grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from meterlink.billing.settling import MANIFEST_SHA256
from meterlink.journal import act_rows
from meterlink.journal.reader import JournalReader
from meterlink.model.act import KeptAct, Topic
from meterlink.model.payload import time_out

_DAY_DIGITS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedAct:
    """A seal or supplement, as its act tells of it.

    Args:
        seq: row of the log that holds the act.
        day: which ended at the freezes, ``2026-11-22``.
        area: transformer area; may be empty.
        number: 1 is the seal, 2 its first supplement.
        kind: ``seal`` or ``supplement``.
        at: of the act; aware, UTC.
        body: what else it says.

    """

    seq: int
    day: str
    area: str
    number: int
    kind: str
    at: datetime
    body: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        body = self.body
        return {
            "day": self.day,
            "area": self.area,
            "number": self.number,
            "kind": self.kind,
            "at": time_out(self.at),
            "freezes": body["freezes"],
            "in_service": body["in_service"],
            "missing": body["missing"],
            "manifest_sha256": body[MANIFEST_SHA256],
        }


def sealed_since(reader: JournalReader, after: int, limit: int) -> list[SealedAct]:
    """The next seals and supplements behind a row of the log, in order.

    Args:
        reader: of the journal.
        after: the row; 0 is the beginning.
        limit: of them at most.

    Raises:
        JournalError: the journal cannot be read, or an act of it is damaged.

    """
    look = partial(act_rows.of_topic_after, topic=Topic.SETTLEMENT, after=after, limit=limit)
    return [_told(seq, kept) for seq, kept in reader.look(look)]


def _told(seq: int, kept: KeptAct) -> SealedAct:
    act = kept.act
    return SealedAct(
        seq=seq,
        day=act.subject[:_DAY_DIGITS],
        area=act.subject[_DAY_DIGITS + 1 :],
        number=act.step,
        kind=act.verb,
        at=act.at,
        body=act.body,
    )
