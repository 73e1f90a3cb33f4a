"""``[[plans]]``: what is read again and again, and when."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from meterlink.config.table import Name, Table
from meterlink.model.data_classes import DAILY_FREEZE, INSTANT, DataClass, PlanClass

PLANS_MAX = 20
ITEMS_MAX = 50
"""A configuration with more plans, or a plan with more items, is refused."""

_DEFAULTS_OF_CLASS: dict[DataClass, dict[str, object]] = {
    DAILY_FREEZE: {"name": DAILY_FREEZE, "every_s": 900, "items": ("forward_active_energy.*",)}
}
"""Where a class has others than ``instant``; a quarter of an hour is the rhythm of concentrators."""


class PlanSettings(Table):
    """What is read again and again."""

    name: Name = Field(INSTANT, description="What people call it. Default: the class.")
    data_class: PlanClass = Field(
        INSTANT,
        alias="class",
        description="instant: values of the moment. daily_freeze: what the meter froze when its day began.",
    )
    every_s: int = Field(
        60,
        ge=1,
        le=86_400,
        description="Slots begin at multiples of this, counted from midnight UTC. daily_freeze: how often "
        "meters are asked for what is missing of the last one, by default each 900.",
    )
    items: tuple[str, ...] = Field(
        ("forward_active_energy", "voltage.*", "current.*", "active_power"),
        min_length=1,
        max_length=ITEMS_MAX,
        description="Items of the catalogue (`meterlink items`); `.*` asks for the whole block. "
        'daily_freeze: written the same way, by default `["forward_active_energy.*"]`.',
    )
    tries: int = Field(2, ge=1, le=5, description="How often a silent meter is asked for one slot.")

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_class(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        wanted = given.get("class")
        own = [values for name, values in _DEFAULTS_OF_CLASS.items() if name == wanted]
        return {**own[0], **given} if own else given
