"""One frame of control: what was known when it was let go, and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from meterlink.drivers.control import ControlAnswer, Purse
from meterlink.model.payload import time_in, time_out
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.orders.life.written import Seen, seen_in, seen_out

_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transmission:
    """A frame that may have left.

    Args:
        before: how the meter stood, read in the same holding of the line; of a top-up its purse.
        frame_hash: over the frame with its secrets blanked.
        operator_code: that stands in the frame, 8 hexadecimal digits.
        expires_at: the meter's own time after which it does not obey; ``None``: the frame has no such time.
        line_stores: whether the line may keep the frame and deliver it later: carrier, concentrator, dial-in.
        purchase_count: of a top-up: what the meter counts once it obeyed.
        meter_number: of who was there, read in the same holding of the line; empty: an old row does not tell.
        opens_within: of a trip: longest that it takes to open if it is obeyed, as the meter told just before;
            whole minutes; ``None``: it did not.
        answer: what came back; ``None``: nobody saw what came back, as after a crash.
        left_by: when its octets had left, if they ever did; ``None``: that is not over.
        contact_open: of a top-up: how the contact stood just before; ``None``: an old row does not tell.
        facts: of the firmware that answered just before; ``None``: an old row does not tell.

    """

    before: Seen
    frame_hash: str
    operator_code: str
    expires_at: datetime | None
    line_stores: bool
    purchase_count: int | None = None
    meter_number: str = ""
    opens_within: timedelta | None = None
    answer: ControlAnswer | None = None
    left_by: datetime | None = None
    contact_open: bool | None = None
    facts: SwitchFacts | None = None

    @property
    def stood_open(self) -> bool | None:
        """Whether the contact stood open just before; ``None``: that was not seen."""
        return self.contact_open if isinstance(self.before, Purse) else self.before.contact_open

    @property
    def body(self) -> dict[str, Any]:
        """What ``intend`` writes under ``sent``; what came back is told by the act behind it."""
        return {
            "before": seen_out(self.before),
            "frame_hash": self.frame_hash,
            "operator_code": self.operator_code,
            "expires_at": None if self.expires_at is None else time_out(self.expires_at),
            "line_stores": self.line_stores,
            "purchase_count": self.purchase_count,
            "meter_number": self.meter_number,
            "opens_within_min": None if self.opens_within is None else self.opens_within // _MINUTE,
            "contact_open": self.contact_open,
            "facts": None if self.facts is None else self.facts.body,
        }

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Transmission:
        """Undo ``body``.

        Raises:
            ValueError, TypeError, KeyError, ArithmeticError: that is none.

        """
        minutes = body.get("opens_within_min")  # logs of earlier versions do not have it
        return cls(
            before=seen_in(body["before"]),
            frame_hash=body["frame_hash"],
            operator_code=body["operator_code"],
            expires_at=None if body["expires_at"] is None else time_in(body["expires_at"]),
            line_stores=body["line_stores"],
            purchase_count=body["purchase_count"],
            meter_number=body.get("meter_number", ""),
            opens_within=None if minutes is None else minutes * _MINUTE,
            contact_open=body.get("contact_open"),
            facts=None if body.get("facts") is None else SwitchFacts.of(body["facts"]),
        )
