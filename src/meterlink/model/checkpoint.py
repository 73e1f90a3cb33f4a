"""A signed place of the chain of acts. Source: decisions 12 and 34."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Who has it can tell whether anything before it was changed or cut off.

    Args:
        number: of the act that it stands behind.
        at: when it was signed; aware, UTC.
        hash: of that act.
        key: the public key, 64 hexadecimal digits (Ed25519).
        signature: 128 hexadecimal digits.

    """

    number: int
    at: datetime
    hash: str
    key: str
    signature: str
