"""A signed place of the chain of acts. Source: decisions 12 and 34."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from meterlink.model import payload as fields


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

    def as_json(self) -> dict[str, Any]:
        """As people keep it elsewhere."""
        return {
            "v": fields.VERSION,
            "number": self.number,
            "at": fields.time_out(self.at),
            "hash": self.hash,
            "key": self.key,
            "signature": self.signature,
        }

    @classmethod
    def from_json(cls, text: str | bytes) -> Checkpoint:
        """Undo ``as_json``, written as text.

        Raises:
            ValueError: it is no checkpoint of our version.

        """
        try:
            document = json.loads(text)
            if document["v"] != fields.VERSION:
                raise ValueError(f"of version {document['v']!r}, {fields.VERSION} is known")
            return cls(
                number=fields.count_in(document["number"]),
                at=fields.time_in(document["at"]),
                hash=fields.text_in(document["hash"]),
                key=fields.text_in(document["key"]),
                signature=fields.text_in(document["signature"]),
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError(f"no checkpoint: {type(error).__name__}: {error}") from None
