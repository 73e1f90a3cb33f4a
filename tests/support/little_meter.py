"""A meter in a page: it obeys, delays, counts, tells some of it and knows what it did.

Times are seconds since its frame of control left. Nothing of it is read in one instant: the status word, what
flows and the records are three questions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from meterlink.drivers.control import Purse, Standing, SwitchRecord


@dataclass(kw_only=True)
class LittleMeter:
    """One meter.

    Args:
        zero: what second 0 is.
        is_open: contact and command at the beginning; else both are closed.
        permitted: whether the contact is open and the command closed at the beginning.
        delay_s: how long a trip waits.
        has_key: whether a permit waits.
        lazy_bit: whether the command bit follows the contact.
        tells: of ``command``, ``contact``, ``counts``, ``codes``, ``flow``, ``bits``.
        loaded: whether the customer draws current when he can.
        cents: in its purse.

    """

    zero: datetime
    is_open: bool = False
    permitted: bool = False
    delay_s: float = 0
    has_key: bool = True
    lazy_bit: bool = False
    tells: frozenset[str] = frozenset()
    loaded: bool = True
    guarantee: bool = False
    alarm: bool = False
    cents: int = 5_000
    purchases: int = 4
    obeyed: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.contact = self.is_open or self.permitted
        self.command = self.is_open
        self.trips, self.trip_code = 2, "00000000"
        self.closes, self.close_code = 2, "00000000"
        self.opens_at: float | None = None
        self.code = "00000000"

    def at(self, t: float) -> datetime:
        """A second as a time."""
        return self.zero + timedelta(seconds=t)

    def advance(self, t: float) -> None:
        """Let a delay end."""
        if self.opens_at is not None and t >= self.opens_at:
            self.opens_at = None
            self.contact = True
            self.trips, self.trip_code = self.trips + 1, self.code

    def obey(self, kind: str, t: float, *, code: str = "", cents: int = 0) -> None:
        """Do what a frame says."""
        self.advance(t)
        self.obeyed.append(t)
        match kind:
            case "trip":
                self.command, self.code = True, code
                if not self.contact and self.opens_at is None:
                    self.opens_at = t + self.delay_s
                    self.advance(t)
            case "permit_close" | "direct_close":
                self.command, self.opens_at = False, None
                if self.contact and (kind == "direct_close" or not self.has_key):
                    self._close(code)
            case "top_up":
                self.cents, self.purchases = self.cents + cents, self.purchases + 1
            case _:
                name, _, how = kind.partition("_")
                setattr(self, name, how == "on")

    def press_key(self, t: float) -> None:
        """The customer presses the key."""
        self.advance(t)
        if self.contact and not self.command:
            self._close("00000000")

    def standing(self, word_at: float, flow_at: float, records_at: float) -> Standing:
        """Three answers, in any order; the last of them gives the time."""
        told: dict[str, object] = {}
        for at, part in sorted(((word_at, "word"), (flow_at, "flow"), (records_at, "records"))):
            self.advance(at)
            told |= getattr(self, f"_{part}")()
        return Standing(taken_at=self.at(max(word_at, flow_at, records_at)), **told)  # type: ignore[arg-type]

    def purse(self, t: float) -> Purse:
        """The money."""
        return Purse(taken_at=self.at(t), remaining_cents=self.cents, purchase_count=self.purchases)

    def _close(self, code: str) -> None:
        self.contact = False
        self.closes, self.close_code = self.closes + 1, code

    def _word(self) -> dict[str, object]:
        command = self.contact if self.lazy_bit else self.command
        return {
            "command_open": command if "command" in self.tells else None,
            "contact_open": self.contact if "contact" in self.tells else None,
            "guarantee": self.guarantee if "bits" in self.tells else None,
            "alarm": (self.alarm or self.opens_at is not None) if "bits" in self.tells else None,
        }

    def _flow(self) -> dict[str, object]:
        if "flow" not in self.tells:
            return {}
        flows = self.loaded and not self.contact
        return {
            "currents_a": (Decimal(5) if flows else Decimal(0),),
            "voltages_v": (Decimal(220),),
            "power_w": Decimal(1100) if flows else Decimal(0),
        }

    def _records(self) -> dict[str, object]:
        if "counts" not in self.tells:
            return {}
        codes = "codes" in self.tells
        return {
            "trips": SwitchRecord(count=self.trips, operator_code=self.trip_code if codes else ""),
            "closes": SwitchRecord(count=self.closes, operator_code=self.close_code if codes else ""),
        }
