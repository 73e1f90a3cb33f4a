"""What is proven of how a meter takes orders and shows its switch, and how an act keeps it.

An order is read back by the facts that stood for the firmware which answered when its frame left. What falls
or comes for that model meanwhile changes what may be sent next, and never what the frame before has done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from meterlink.drivers.control import NOTHING_KNOWN, Known
from meterlink.model.payload import number_in


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchFacts:
    """What the qualified profile says of a meter, as far as a proof asks; unknown is the careful side.

    Args:
        command_at_once: whether the command bit turns when a command is obeyed, not when the contact moves.
        waits_for_key: whether a permit waits for the key; ``None``: unknown.
        expiry_obeyed: whether the meter refuses a frame whose time has passed.
        basic_current_a: Ib.
        keeps_records: whether the meter is known to count and record trips and closings.
        known: by which its words are read; see ``drivers.control.Known``.
        firmware: of which all this is proven, as the meter told it; ``None``: of all of its model.

    """

    command_at_once: bool = False
    waits_for_key: bool | None = None
    expiry_obeyed: bool = False
    basic_current_a: Decimal = Decimal(5)
    keeps_records: bool = False
    known: Known = field(default_factory=lambda: NOTHING_KNOWN)
    firmware: str | None = None

    @property
    def body(self) -> dict[str, Any]:
        """As an act keeps it."""
        return {
            "command_at_once": self.command_at_once,
            "waits_for_key": self.waits_for_key,
            "expiry_obeyed": self.expiry_obeyed,
            "basic_current_a": str(self.basic_current_a),
            "keeps_records": self.keeps_records,
            "known": dict(self.known),
            "firmware": self.firmware,
        }

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> SwitchFacts:
        """Undo ``body``.

        Raises:
            ValueError, TypeError, KeyError, ArithmeticError: that is none.

        """
        return cls(**{**body, "basic_current_a": number_in(body["basic_current_a"])})
