"""What can happen to a meter, beside faults on its line: one value each, checked when it is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple

from pydantic import Field

from metersim.line.fault_rules import COUNT_MAX, NAME_MAX, Count, check_meter
from metersim.line.item_patterns import near
from metersim.line.moments import Duration, Shift
from metersim.line.numbers import Number
from metersim.plant.whens import When

Lasting = Literal["must", "may", "never"]
SHIFT_MAX: Final = timedelta(days=400)
"""Furthest jump of a clock."""
RATE_MAX: Final = Decimal(100)
"""Fastest register, as a multiple of what it should count."""
REBOOT_MAX: Final = timedelta(minutes=10)
"""Longest time that a meter takes to start again."""
THEFTS: Final = tuple(f"THEFT-{number:02d}" for number in range(1, 17))
"""The rules of detection, each of which has its tampering."""


class Kind(NamedTuple):
    """A kind of happening.

    Args:
        says: what it does, for people.
        needs: figures that must be given.
        takes: figures that may be given.
        lasting: whether it has an end.

    """

    says: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    lasting: Lasting = "never"


KINDS: Final[Mapping[str, Kind]] = {
    "clock_jump": Kind("the meter's clock jumps by so much", ("by",)),
    "clock_drift": Kind("from now on the clock gains so much a day", ("s_per_day",)),
    "clock_battery_low": Kind("the battery of the clock is empty", lasting="may"),
    "register_set": Kind("a register shows this value", ("item", "value")),
    "register_rollover": Kind("a register is set so little before its capacity", (), ("item", "left_kwh")),
    "registers_reset": Kind("all registers begin again at 0"),
    "demand_reset": Kind("the maximum demands begin again at 0"),
    "meter_exchange": Kind("another meter takes its place, under the same address", (), ("meter_number",)),
    "registers_stuck": Kind("the registers stand still while the load goes on", lasting="may"),
    "registers_backward": Kind("the registers count backward", (), ("rate",), "may"),
    "registers_runaway": Kind("the registers count too fast", (), ("rate",), "may"),
    "power_outage": Kind("the power is down, and the meter says nothing", lasting="may"),
    "phase_loss": Kind("phases have no supply", ("phases",), lasting="may"),
    "tampering": Kind(
        "somebody steals: what a rule of detection is there to find",
        ("theft",),
        ("strength", "phase"),
        "may",
    ),
    "relay_stuck": Kind(
        "the contact does not break: part of the load flows when it is open", (), ("strength",), "may"
    ),
    "programming": Kind("somebody programs the meter", (), ("operator_code",)),
    "reboot": Kind("the meter starts again, and says nothing meanwhile", lasting="must"),
}

FIGURES: Final = (
    "by",
    "s_per_day",
    "item",
    "value",
    "left_kwh",
    "meter_number",
    "operator_code",
    "rate",
    "phases",
    "phase",
    "theft",
    "strength",
)
_PHASES = re.compile("a?b?c?").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happens to meters.

    Args:
        what: one of `KINDS`.
        at: when: a true time, how long after the start, or every day.
        meter: address, or a pattern of addresses; each meter that it names is befallen.
        line: name of a line, or a pattern.
        lasts: until it ends; ``None``: it does not end.
        probability: that it befalls a meter, over 0, to 1; drawn for each meter and each day.
        times: of one that comes every day: how many days; ``None``: for ever.
        name: how reports call it; empty: by its number.
        by: of ``clock_jump``, at most 400 days either way.
        s_per_day: of ``clock_drift``, in seconds.
        item: register of ``register_set`` and ``register_rollover`` (``forward_active_energy``).
        value: of ``register_set``, in the register's unit, 0 or more.
        left_kwh: of ``register_rollover``, over 0 (0.01).
        meter_number: of ``meter_exchange``, 12 digits; empty: the address.
        operator_code: of ``programming``, 8 digits (99999999).
        rate: of ``registers_backward`` and ``registers_runaway``, over 0, to 100 (1 and 10).
        phases: of ``phase_loss``: ``a``, ``bc``, ``abc``, ...
        phase: of ``tampering``, where it is about one: ``a``, ``b`` or ``c`` (``a``).
        theft: of ``tampering``: ``THEFT-01`` to ``THEFT-16``.
        strength: of ``tampering`` and ``relay_stuck``: 0 (nothing), or 0.001 to 1 (1).

    Raises:
        ValueError: an unknown kind, a figure that is missing, that the kind has not, or out of its range.

    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}  # of one in a file

    what: Annotated[str, Field(json_schema_extra={"enum": list(KINDS)})]
    at: When
    meter: str = "*"
    line: str = "*"
    lasts: Duration | None = None
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    times: Count | None = None
    name: str = ""
    by: Shift | None = None
    s_per_day: Number | None = None
    item: str | None = None
    value: Annotated[Number, Field(ge=0)] | None = None
    left_kwh: Annotated[Number, Field(gt=0)] | None = None
    meter_number: str | None = None
    operator_code: str | None = None
    rate: Annotated[Number, Field(gt=0, le=RATE_MAX)] | None = None
    phases: str | None = None
    phase: Literal["a", "b", "c"] | None = None
    theft: Annotated[str, Field(json_schema_extra={"enum": list(THEFTS)})] | None = None
    strength: Annotated[Number, Field(ge=0, le=1)] | None = None

    def __post_init__(self) -> None:
        """Check everything that can be checked without the plant."""
        if self.what not in KINDS:
            raise ValueError(f"what {self.what!r}: no such happening{near(self.what, KINDS)}")
        check_meter(self.meter)
        for key in ("line", "name"):
            if len(getattr(self, key)) > NAME_MAX:
                raise ValueError(f"{key}: more than {NAME_MAX} characters")
        if not 0.0 < self.probability <= 1.0:
            raise ValueError(f"probability {self.probability}: write a number over 0, to 1")
        if self.times is not None and not 1 <= self.times <= COUNT_MAX:
            raise ValueError(f"times {self.times}: write a whole number of 1 to {COUNT_MAX}")
        self._check_when()
        self._check_figures()
        self._check_ranges()

    def _check_when(self) -> None:
        if isinstance(self.at, datetime) and self.at.tzinfo is None:
            raise ValueError(f"at {self.at}: a time needs its zone, as 2026-01-01T03:00+08:00")
        if isinstance(self.at, timedelta) and self.at < timedelta():
            raise ValueError(f"at {self.at}: before the start")
        if self.times is not None and isinstance(self.at, (datetime, timedelta)):
            raise ValueError("times: goes with what comes every day, as daily 03:00")
        lasting = KINDS[self.what].lasting
        if self.lasts is None and lasting == "must":
            raise ValueError(f"lasts: {self.what} needs it, as 30s")
        if self.lasts is not None and lasting == "never":
            raise ValueError(f"lasts: {self.what} happens at one instant; leave it out")
        if self.lasts is not None and self.lasts <= timedelta():
            raise ValueError("lasts: write a time over 0, as 30s")
        if self.what == "reboot" and self.lasts is not None and self.lasts > REBOOT_MAX:
            raise ValueError(f"lasts: a meter starts again within {REBOOT_MAX}; power_outage lasts longer")

    def _check_figures(self) -> None:
        kind = KINDS[self.what]
        for key in FIGURES:
            given = getattr(self, key) is not None
            if key in kind.needs and not given:
                raise ValueError(f"{key}: {self.what} needs it")
            if given and key not in kind.needs + kind.takes:
                has = " and ".join(kind.needs + kind.takes) or "no figure"
                raise ValueError(f"{key}: no figure of {self.what}; it has {has}")

    def _check_ranges(self) -> None:
        if self.by is not None and abs(self.by) > SHIFT_MAX:
            raise ValueError(f"by {self.by}: at most {SHIFT_MAX.days} days")
        if self.s_per_day is not None and not self.s_per_day.is_finite():
            raise ValueError(f"s_per_day {self.s_per_day}: write a number of seconds")
        for key, low, high in (
            ("value", Decimal(0), None),
            ("left_kwh", Decimal("0.01"), None),
            ("rate", Decimal("0.001"), RATE_MAX),
            ("strength", Decimal("0.001"), Decimal(1)),
        ):
            figure = getattr(self, key)
            if figure is None:
                continue
            if isinstance(figure, int | float):
                figure = Decimal(str(figure))  # as it is written
                object.__setattr__(self, key, figure)
            if key == "strength" and figure == 0:
                continue  # nothing is taken: a control beside those that steal
            if not figure.is_finite() or figure < low or (high is not None and figure > high):
                raise ValueError(
                    f"{key} {figure}: write a number of {low} or more{f', to {high}' if high else ''}"
                )
        if self.phases is not None and (not self.phases or not _PHASES(self.phases)):
            raise ValueError(f"phases {self.phases!r}: write a, b, c, ab, ac, bc or abc")
        if self.phase is not None and self.phase not in ("a", "b", "c"):
            raise ValueError(f"phase {self.phase!r}: write a, b or c")
        if self.theft is not None and self.theft not in THEFTS:
            raise ValueError(f"theft {self.theft!r}: write {THEFTS[0]} to {THEFTS[-1]}")
        for key, digits in (("meter_number", 12), ("operator_code", 8)):
            text = getattr(self, key)
            if text is not None and not (len(text) == digits and text.isascii() and text.isdigit()):
                raise ValueError(f"{key} {text!r}: write {digits} digits")
