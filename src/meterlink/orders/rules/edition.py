"""Which rules with which figures: a name that changes when either does. Source: AUD-04, section 10."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any, Final

from meterlink.config.control import ControlSettings
from meterlink.model.act import written
from meterlink.orders.rules.table import RULES

_NO_FIGURES: Final = {"people", "holidays", "operator_code"}
"""Keys of ``[control]`` that say where something stands, or who we are."""
EDITION_DIGITS: Final = 16


def figures(settings: ControlSettings) -> dict[str, Any]:
    """Every figure that the rules use, as JSON."""
    return settings.model_dump(mode="json", exclude=_NO_FIGURES)


def edition(settings: ControlSettings) -> str:
    """The name of the rules as they stand: 16 hexadecimal digits over what they demand and their figures."""
    told = written({"rules": _demands(), "figures": figures(settings)})
    return hashlib.sha256(told).hexdigest()[:EDITION_DIGITS]


@cache
def _demands() -> dict[str, list[str]]:
    """What each rule demands, in words; the table of rules is that of the program."""
    return {name: [rule.says, *_looks(name)] for name, rule in RULES.items()}


def _looks(name: str) -> list[str]:
    return [
        f"{check.look.__name__} {sorted(check.stages)} {sorted(check.kinds)}" for check in RULES[name].checks
    ]
