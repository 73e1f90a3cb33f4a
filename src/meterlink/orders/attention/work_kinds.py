"""The kinds of work items, and the posts that may do something to them.

Source: decisions 21 and 35, CTRL-02, CTRL-17, AUD-01, business-rules 2.2 and 2.3.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


class WorkKind(enum.StrEnum):
    """What is to be done."""

    UNKNOWN_OUTCOME = "unknown_outcome"
    """Look what an order did: nobody could tell for a day."""
    RELAY_FAULT = "relay_fault"
    """Look at a meter whose contact does not do what was commanded."""
    FIELD_ORDER = "field_order"
    """Go there and close by hand, with a one-time authorisation."""
    HOLD = "hold"
    """An inspector holds a reconnection back."""
    SECURE = "secure"
    """Secure a place that an inspector holds and where current may come back."""
    CUT_OFF = "cut_off"
    """See that current comes back to a household that is cut off, or about to be, and must not be."""
    MANUAL = "manual"
    """A top-up that needs a decision about money."""
    CONTACT = "contact"
    """Reach a customer whom no warning reaches."""
    REMINDER = "reminder"
    """Tell a customer who may close once more to press the key."""
    IDENTITY = "identity"
    """Find out which meter this is."""
    DRIFT = "drift"
    """Payments, log and meter do not agree."""
    SILENT = "silent"
    """Look why a meter has not answered for a week."""
    MISSING_HOUSEHOLD = "missing_household"
    """Find out what became of a place whose meter has not answered for a month."""
    MANUAL_READ = "manual_read"
    """Read a meter by hand: the freeze that is billed has not come."""
    OTHER = "other"


CLOSERS: Final[Mapping[WorkKind, frozenset[str]]] = MappingProxyType(
    {
        WorkKind.UNKNOWN_OUTCOME: frozenset({"approver", "dispatcher", "inspector"}),
        WorkKind.RELAY_FAULT: frozenset({"dispatcher", "inspector"}),
        WorkKind.FIELD_ORDER: frozenset({"field", "dispatcher"}),
        WorkKind.HOLD: frozenset({"inspector"}),
        WorkKind.SECURE: frozenset({"dispatcher", "inspector"}),
        WorkKind.CUT_OFF: frozenset({"dispatcher", "operator"}),
        WorkKind.MANUAL: frozenset({"approver", "dispatcher"}),
        WorkKind.CONTACT: frozenset({"clerk", "operator", "dispatcher"}),
        WorkKind.REMINDER: frozenset({"clerk", "operator", "dispatcher", "field"}),
        WorkKind.IDENTITY: frozenset({"operator", "dispatcher", "inspector"}),
        WorkKind.DRIFT: frozenset({"approver", "dispatcher"}),
        WorkKind.SILENT: frozenset({"field", "operator", "dispatcher"}),
        WorkKind.MISSING_HOUSEHOLD: frozenset({"operator", "dispatcher", "inspector"}),
        WorkKind.MANUAL_READ: frozenset({"field", "operator", "dispatcher"}),
        WorkKind.OTHER: frozenset({"operator", "dispatcher"}),
    }
)
"""Who may close an item. Source: AUD-01; 2.2 for holds, 2.3 for money; FRZ-05, FRZ-06."""
TWO_PERSONS: Final = frozenset({WorkKind.MANUAL})
"""Closed when a second person says so too. Source: business-rules 2.3."""
WORKERS: Final = frozenset({"operator", "clerk", "approver", "dispatcher", "field", "inspector", "security"})
"""Who may write a note."""
ASSIGNERS: Final = frozenset({"dispatcher", "operator", "inspector"})
"""Who may say whose it is."""
