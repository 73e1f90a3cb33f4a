"""Faults that strike where they are told to: a meter, an item, the n-th exchange, a time, a probability.

What a rule addresses it counts, from 1: exchanges with its meters, about its items, within its window. Of
those it strikes the n-th, or each k-th, as its probability has it, until it has struck often enough. The same
seed strikes the same exchanges, whatever other meters and other rules do.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import blake2b
from random import Random
from typing import Annotated, Any, ClassVar, Final, Literal, get_args

from pydantic import BeforeValidator, Field

from metersim.line.exchanges import Question, Strike
from metersim.line.fault_kinds import FIGURES, KINDS
from metersim.line.item_patterns import check_item, means, near
from metersim.line.moments import Moment

RULES_MAX: Final = 256
"""Rules of a plant at one time."""
COUNT_MAX: Final = 1_000_000
"""Largest ``nth``, ``every`` and ``times``."""
NAME_MAX: Final = 64
"""Longest name of a rule or line, in characters."""

Of = Literal["meter", "line"]
Count = Annotated[int, Field(ge=1, le=COUNT_MAX)]


def _read_window(value: object) -> object:
    """Two of them, so that no half of a window is read for a whole one."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("write two times, from and until, as [+18h, +20h]; an empty one is open")
    return value


Window = Annotated[tuple[Moment | None, Moment | None], BeforeValidator(_read_window)]
_SHARE_OCTETS: Final = 6
_SHARES: Final = 2.0 ** (8 * _SHARE_OCTETS)
_METER: Final = re.compile(r"[0-9*?\[\]!-]{1,64}").fullmatch
_WILD: Final = re.compile(r"[*?\[]").search


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """One rule.

    Args:
        what: a fault of `metersim.line.fault_kinds.KINDS`.
        meter: address, or a pattern of addresses with ``*``, ``?`` and ``[...]``.
        line: name of a line, or a pattern.
        item: catalogue name, identifier, or a pattern (`metersim.line.item_patterns`).
        nth: it strikes the n-th exchange only; with ``every``, that one and each k-th after it.
        every: it strikes each k-th exchange.
        of: exchanges are counted for each meter, or for each line, by itself.
        between: from when on, and until when (not included): true times or times since the start; ``None``:
            open.
        probability: over 0, to 1.
        times: it strikes so often in all, and then never again; ``None``: no limit.
        name: how reports call it; empty: by its number.
        ms: figure of ``delay``, ``late``, ``split`` and ``double``.
        octets: figure of ``truncation`` and ``follow_up``.
        bits: figure of ``bit_flip``.
        word: figure of ``abnormal``: ERR of DL/T 645, DAR of 698.45.

    Raises:
        ValueError: an unknown fault, meter or item, a figure that the fault has not, one out of its range.

    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}  # of one in a file

    what: Annotated[str, Field(json_schema_extra={"enum": list(KINDS)})]
    meter: str = "*"
    line: str = "*"
    item: str = "*"
    nth: Count | None = None
    every: Count | None = None
    of: Of = "meter"
    between: Window = (None, None)
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    times: Count | None = None
    name: str = ""
    ms: int | None = None
    octets: int | None = None
    bits: int | None = None
    word: int | None = None

    def __post_init__(self) -> None:
        """Check everything that can be checked without the plant."""
        if self.what not in KINDS:
            raise ValueError(f"what {self.what!r}: no such fault{near(self.what, KINDS)}")
        check_meter(self.meter)
        check_item(self.item)
        for key in ("line", "name"):
            if len(getattr(self, key)) > NAME_MAX:
                raise ValueError(f"{key}: more than {NAME_MAX} characters")
        if self.of not in get_args(Of):
            raise ValueError(f"of {self.of!r}: write meter or line")
        for key in ("nth", "every", "times"):
            self._check_count(key)
        if not 0.0 < self.probability <= 1.0:
            raise ValueError(f"probability {self.probability}: write a number over 0, to 1")
        check_window(self.between)
        self._check_figures()

    @property
    def figure(self) -> int | None:
        """The figure of its fault; the usual one where it names none, ``None`` where chance says it."""
        figure = KINDS[self.what].figure
        if figure is None:
            return None
        own: int | None = getattr(self, figure.key)
        return figure.usual if own is None else own

    def _check_count(self, key: str) -> None:
        value = getattr(self, key)
        if value is None:
            return
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= COUNT_MAX:
            raise ValueError(f"{key} {value}: write a whole number of 1 to {COUNT_MAX}")

    def _check_figures(self) -> None:
        figure = KINDS[self.what].figure
        for key in FIGURES:
            if getattr(self, key) is not None and (figure is None or key != figure.key):
                has = f"it has {figure.key}" if figure else "it has no figure"
                raise ValueError(f"{key}: no figure of {self.what}; {has}")
        if figure is not None:
            figure.check(self.what, figure.key, getattr(self, figure.key))


def check_meter(pattern: str) -> None:
    """Refuse what is no address and no pattern of addresses.

    Raises:
        ValueError: it is neither.

    """
    if not _METER(pattern) or (not _WILD(pattern) and len(pattern) != 12):
        raise ValueError(
            f"meter {pattern[:NAME_MAX]!r}: write an address of 12 digits, or a pattern as 0000000000*"
        )


def check_window(between: tuple[Moment | None, Moment | None]) -> None:
    """Refuse a window that is none.

    Raises:
        ValueError: a time without its zone, before the start, or an end that is not after its begin.

    """
    for moment in between:
        if isinstance(moment, datetime) and moment.tzinfo is None:
            raise ValueError(f"between {moment}: a time needs its zone, as 2026-01-01T03:00+08:00")
        if isinstance(moment, timedelta) and moment < timedelta():
            raise ValueError(f"between {moment}: before the start")
    begin, end = between
    if type(begin) is type(end) and begin is not None and not end > begin:  # type: ignore[operator]
        raise ValueError(f"between: {end} is not after {begin}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReport:
    """How a rule has fared.

    Args:
        number: of the rule, from 1; no two rules of a plant ever have the same.
        rule: the rule.
        seen: exchanges that it addressed.
        struck: exchanges that it struck.

    """

    number: int
    rule: FaultRule
    seen: int
    struck: int

    @property
    def name(self) -> str:
        """How it is called."""
        return self.rule.name or f"{self.rule.what}-{self.number}"

    @property
    def spent(self) -> bool:
        """Whether it never strikes again."""
        return self.rule.times is not None and self.struck >= self.rule.times


class _Rule:
    """A rule at work."""

    __slots__ = ("_begin", "_counts", "_end", "_salt", "number", "rule", "seen", "struck")

    def __init__(self, rule: FaultRule, number: int, *, seed: int, start: datetime) -> None:
        self.rule = rule
        self.number = number
        self.seen = 0
        self.struck = 0
        self._salt = f"{seed}/{number}"
        self._counts: dict[str, int] = {}
        self._begin, self._end = (
            start + moment if isinstance(moment, timedelta) else moment for moment in rule.between
        )
        check_window((self._begin, self._end))

    def stands_for(self, line: str, address: str) -> bool:
        return fnmatch.fnmatchcase(address, self.rule.meter) and fnmatch.fnmatchcase(line, self.rule.line)

    def meet(self, question: Question, line: str, address: str) -> Strike | None:
        rule = self.rule
        if not means(rule.item, question.names if rule.item != "*" else ()):
            return None
        if (self._begin and question.at < self._begin) or (self._end and question.at >= self._end):
            return None
        self.seen += 1
        key = address if rule.of == "meter" else line
        count = self._counts[key] = self._counts.get(key, 0) + 1
        if not self._is_due(count) or (rule.times is not None and self.struck >= rule.times):
            return None
        seed = f"{self._salt}/{key}/{count}"
        if rule.probability < 1.0 and _share(seed) >= rule.probability:
            return None
        self.struck += 1
        return Strike(rule.what, rule.figure, partial(Random, seed), self._give_back)

    def _is_due(self, count: int) -> bool:
        nth, every = self.rule.nth, self.rule.every
        if every is None:
            return nth is None or count == nth
        first = nth or every
        return count >= first and (count - first) % every == 0

    def _give_back(self) -> None:
        self.struck -= 1


def _share(seed: str) -> float:
    """A number of 0 to 1, the same for the same seed; a tenth of the price of a generator."""
    return int.from_bytes(blake2b(seed.encode(), digest_size=_SHARE_OCTETS).digest()) / _SHARES


class FaultRules:
    """The rules of a plant; every line of it asks the same ones.

    Args:
        rules: to begin with, 256 at most.
        seed: of what their probabilities leave to chance.
        start: true time from which the times of these rules count, aware.

    Raises:
        ValueError: too many.

    """

    def __init__(self, rules: Iterable[FaultRule] = (), *, seed: int = 0, start: datetime) -> None:
        self._seed = seed
        self._start = start
        self._number = 0
        self._rules: dict[int, _Rule] = {}
        self._standing: dict[tuple[str, str], tuple[_Rule, ...]] = {}
        for rule in rules:
            self.add(rule)

    def add(self, rule: FaultRule, *, at: datetime | None = None) -> int:
        """Put a rule behind the others; its number.

        Args:
            rule: the rule.
            at: true time from which its times count, aware; ``None``: the start of all.

        Raises:
            ValueError: there are 256 already.

        """
        if len(self._rules) >= RULES_MAX:
            raise ValueError(f"more than {RULES_MAX} fault rules; remove one that is spent")
        self._number += 1
        start = self._start if at is None else at
        self._rules[self._number] = _Rule(rule, self._number, seed=self._seed, start=start)
        self._standing.clear()
        return self._number

    def remove(self, number: int) -> RuleReport:
        """Take a rule away; how it has fared.

        Raises:
            KeyError: there is none of that number.

        """
        found = self._rules.pop(number)
        self._standing.clear()
        return _report(found)

    def clear(self) -> None:
        """Take all rules away."""
        self._rules.clear()
        self._standing.clear()

    def reports(self) -> tuple[RuleReport, ...]:
        """How every rule has fared, in their order."""
        return tuple(_report(rule) for rule in self._rules.values())

    def struck(self, name: str) -> int:
        """How often the rules of a name have struck.

        Args:
            name: of the rule, or ``what-number`` where it has none.

        Raises:
            KeyError: there is none of that name.

        """
        found = [report.struck for report in self.reports() if report.name == name]
        if not found:
            raise KeyError(name)
        return sum(found)

    @property
    def empty(self) -> bool:
        """Whether there is no rule."""
        return not self._rules

    def meet(self, question: Question, line: str, address: str) -> list[Strike]:
        """What strikes an exchange with one meter; to be asked once for each.

        Args:
            question: what was asked.
            line: name of the meter's line.
            address: the meter's.

        """
        if not self._rules:
            return []
        standing = self._standing.get((line, address))
        if standing is None:
            standing = tuple(rule for rule in self._rules.values() if rule.stands_for(line, address))
            self._standing[line, address] = standing
        met = (rule.meet(question, line, address) for rule in standing)
        return [strike for strike in met if strike is not None]


def _report(rule: _Rule) -> RuleReport:
    return RuleReport(number=rule.number, rule=rule.rule, seen=rule.seen, struck=rule.struck)
