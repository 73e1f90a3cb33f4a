"""What people say of numbers in a roster that become other, because nothing in the roster itself tells it."""

from __future__ import annotations

import enum

from meterlink.config.meters import CUSTOMER_WAS_MAX, MeterSettings


class Saying(enum.StrEnum):
    """Why numbers become other."""

    NOTHING = ""
    """No word: then no number may become other."""
    CORRECTED = "corrected"
    """They had been written down wrongly: the meter and the customer are who they were."""
    NEW_CUSTOMERS = "new_customers"
    """The meters have other customers from now on, who inherit nothing."""


def followed(old: MeterSettings | None, new: MeterSettings, saying: Saying) -> MeterSettings:
    """The new entry, with the numbers under which its customer was known before.

    Args:
        old: the entry as it is; ``None``: there is none.
        new: as it shall be.
        saying: what people say of it.

    """
    if old is None:
        return new
    if not old.customer_number or old.customer_number == new.customer_number:
        was = old.customer_was
    elif saying is Saying.CORRECTED:
        was = (*(number for number in old.customer_was if number != new.customer_number), old.customer_number)
    else:
        was = ()
    return (
        new if new.customer_was == was else new.model_copy(update={"customer_was": was[-CUSTOMER_WAS_MAX:]})
    )
