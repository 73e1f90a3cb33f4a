"""``[retention]``: how long the journal keeps what every sink has."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from meterlink.config.table import Table

_DAYS_MAX = 3_660


class RetentionSettings(Table):
    """For how long the journal keeps what every sink has; what one of them lacks stays.

    Freezes are kept for ever, orders and all else that people and rules did too.
    """

    instant_days: int = Field(35, ge=2, le=_DAYS_MAX, description="Values of the moment.")
    curve_days: int = Field(180, ge=2, le=_DAYS_MAX, description="Curves.")
    status_days: int = Field(35, ge=2, le=_DAYS_MAX, description="Status words.")
    event_days: int = Field(
        1825,
        ge=365,
        le=_DAYS_MAX,
        description="Events. A meter that still tells of an older one would have it kept anew.",
    )

    @property
    def ages(self) -> dict[str, timedelta]:
        """By class of data."""
        return {
            "instant": timedelta(days=self.instant_days),
            "curve": timedelta(days=self.curve_days),
            "status": timedelta(days=self.status_days),
            "event": timedelta(days=self.event_days),
        }
