"""How orders are called that nobody has named: by what they are for, so that none is made twice.

Source: TOP-01; decision 21.
"""

from __future__ import annotations

import hashlib
from typing import Final

_DIGITS: Final = 24


def order_id_of(what: str, meter: str, payment: str) -> str:
    """The id of the order that a payment leads to: the same for the same payment, whoever tells it.

    Args:
        what: it is.
        meter: our id.
        payment: full id of its record, and what else tells it from others of that record.

    """
    digest = hashlib.sha256(f"{what}\0{meter}\0{payment}".encode()).hexdigest()
    return f"pay-{what}-{digest[:_DIGITS]}"
