"""What a rule says of an order: that it may go on, or not, with the figures it looked at."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out

if TYPE_CHECKING:
    from meterlink.orders.rules.facts import Facts

KINDS: Final = frozenset(OrderKind)
"""All kinds of order."""


class Stage(enum.StrEnum):
    """When an order is judged."""

    CREATE = "create"
    """Somebody asks for it."""
    APPROVE = "approve"
    """A second person is about to approve it."""
    OPERATE = "operate"
    """It is about to be queued: by a person, or for an order of a policy or payment by the daemon."""
    PAPER = "paper"
    """Its turn on the line has come; nothing has been read yet."""
    LIVE = "live"
    """The meter has been read; octets leave next."""


class OnStop(enum.IntEnum):
    """What becomes of an order that a rule stops at ``PAPER`` or ``LIVE``; the highest of all counts.

    Before, a stop means that the person may not do it, and the order stays where it is; at ``CREATE`` that
    there is no order.
    """

    WAIT = 0
    """Nothing is wrong with it, but with the gateway: it waits, is judged again, and nothing is counted."""
    POSTPONE = 1
    """It waits and is judged again, a few times."""
    HOLD = 2
    """It is held until a person of another post releases or deletes it."""
    FIELD = 3
    """It ends, and field staff go there."""
    REFUSE = 4
    """It ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one look found.

    Args:
        passed: whether the order may go on.
        en: why, in one sentence.
        zh: the same in Chinese.
        inputs: the figures it looked at, as text; no secret.
        on_stop: what becomes of the order when it did not pass.
        until: when it would not pass any more; ``None``: nobody can say, or never.

    """

    passed: bool
    en: str
    zh: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    on_stop: OnStop = OnStop.REFUSE
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a rule says.

    Args:
        rule: its id, as in ``docs/control-rules.md``.
        passed: whether the order may go on.
        inputs: the figures it looked at, as text; no secret.
        en: why, in one sentence.
        zh: the same in Chinese.
        on_stop: what becomes of the order when it did not pass.
        until: when it would not pass any more: no frame that leaves now may be obeyed then.

    """

    rule: str
    passed: bool
    inputs: Mapping[str, str]
    en: str
    zh: str
    on_stop: OnStop = OnStop.REFUSE
    until: datetime | None = None

    @property
    def body(self) -> dict[str, object]:
        """As JSON for an act."""
        return {"rule": self.rule, "passed": self.passed, "inputs": dict(self.inputs)}

    def told(self, language: str) -> str:
        """The sentence in ``en`` or ``zh``."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One look of a rule.

    Args:
        look: ``None``: the rule has nothing to say of such an order.
        stages: when.
        kinds: of which orders.
        of_probes: whether it is asked of the orders of probes as well: a person stands at the meter, and
            nobody is cut off for a debt. Source: decision 33.

    """

    look: Callable[[Facts], Finding | None]
    stages: frozenset[Stage]
    kinds: frozenset[OrderKind] = KINDS
    of_probes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of the tables.

    Args:
        id: e.g. ``CTRL-04``.
        says: what it demands, one sentence.
        checks: the looks; empty: all of it is checked elsewhere.
        elsewhere: where else, or where instead; empty: nowhere.
        lacks: inputs that the rule names and nobody tells us; empty: none.

    """

    id: str
    says: str
    checks: tuple[Check, ...] = ()
    elsewhere: str = ""
    lacks: str = ""


def passes(en: str, zh: str, /, **inputs: object) -> Finding:
    """The order may go on; the texts are filled in with the inputs."""
    told = {key: _text(value) for key, value in inputs.items()}
    return Finding(passed=True, en=en.format(**told), zh=zh.format(**told), inputs=told)


def stops(en: str, zh: str, /, **inputs: object) -> Finding:
    """The order may not go on, and ends; the texts are filled in with the inputs."""
    return stops_with(OnStop.REFUSE, en, zh, **inputs)


def stops_with(on_stop: OnStop, en: str, zh: str, /, **inputs: object) -> Finding:
    """The order may not go on; the texts are filled in with the inputs."""
    told = {key: _text(value) for key, value in inputs.items()}
    return Finding(passed=False, en=en.format(**told), zh=zh.format(**told), inputs=told, on_stop=on_stop)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return time_out(value)
    return "-" if value is None or value == "" else str(value)
