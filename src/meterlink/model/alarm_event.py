"""An alarm as an event, so that whoever follows events is told of it in the words that he knows.

Its kind is ``alarm.`` and the rule in lower case. All tellings of one alarm have the time at which it was
first seen, so that a counter that grows is one point of the database that changes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from meterlink.model.act import KeptAct
from meterlink.model.event import Event, EventContent, EventValue
from meterlink.model.payload import time_in

GATEWAY: Final = "_gateway"
"""Stands where an event has a meter, if the alarm concerns none."""
AREA: Final = "area"
"""The value that names the transformer area which an alarm is about."""
SOURCE: Final = "meterlink alarm"
_NUMBERS: Final = (("count", ""), ("estimate_cents", ""))
_DECIMALS: Final = (("estimate_kwh", "kWh"),)
_TEXTS: Final = ("severity", "state", "value", "threshold", AREA, "origin")


def event_of(kept: KeptAct) -> Event:
    """The event of an act of an alarm.

    Raises:
        ValueError: it is not written as an alarm is.

    """
    act, body = kept.act, kept.act.body
    try:
        contents: list[tuple[str, EventContent, str]] = [
            (name, Decimal(body[name]), unit) for name, unit in _NUMBERS if body[name] is not None
        ]
        contents += [(name, Decimal(body[name]), unit) for name, unit in _DECIMALS if body[name]]
        contents += [(name, body[name], "") for name in _TEXTS if body[name]]
        values = (EventValue(item=name, content=content, unit=unit) for name, content, unit in contents)
        return Event(
            meter=act.meter or GATEWAY,
            kind=f"alarm.{body['rule'].lower()}",
            occurred_at=time_in(body["first_seen"]),
            ended_at=act.at if body["state"] == "closed" else None,
            values=tuple(values),
            taken_at=act.at,
            source=SOURCE,
        )
    except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"no alarm: {type(error).__name__}: {error}") from None
