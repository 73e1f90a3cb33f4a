"""What differs between meters of one edition: its dialects, and switches for the facts that sources dispute.

A dialect is a table of identifiers with overlays on it (``dialects.csv``). A switch has a few values, the
first of which is what most sources say (``switches.csv``); another one is an overlay on the dialect
(``switch_rows.csv``), or says how to ask (``load_follow_up``).
Source: spec sections 2.6, 5.3, 6 to 8 and 10; levels of password control-and-prepayment, 1.1.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from meterwire.dlt645.items.overlays import overlaid
from meterwire.dlt645.items.tables import Line, lines
from meterwire.dlt645.link.functions import EDITIONS, Edition
from meterwire.errors import LocalProtocolError

Choices = tuple[tuple[str, str], ...]
"""Values of switches that are not the first ones, by name of the switch; ``choices`` makes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One way to speak an edition.

    Args:
        edition: of the standard.
        name: e.g. ``state_grid``.
        tables: of identifiers, each on the one before it.
        default: what a meter speaks of which nobody said anything.
        cipher_level: password level under which a command is enciphered; ``None``: no such level is known.
        mac_level: password level under which data is plain and a MAC follows it.
        en: English words.
        zh: Chinese words.

    """

    edition: Edition
    name: str
    tables: tuple[str, ...]
    default: bool
    cipher_level: int | None
    mac_level: int | None
    en: str
    zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of a switch: its name, what is so then, and who says so."""

    name: str
    en: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A fact in which meters of one edition differ; the first of its values is the default."""

    edition: Edition
    name: str
    values: tuple[Value, ...]

    @property
    def default(self) -> str:
        """Its value where nobody turned it."""
        return self.values[0].name


@functools.cache
def dialects() -> tuple[Dialect, ...]:
    """Every dialect of every edition."""
    return tuple(
        Dialect(
            edition=_edition(line["edition"]),
            name=line["dialect"],
            tables=tuple(line["tables"].split()),
            default=line["default"] == "yes",
            cipher_level=int(line["cipher_level"], 16) if line["cipher_level"] else None,
            mac_level=int(line["mac_level"], 16) if line["mac_level"] else None,
            en=line["en"],
            zh=line["zh"],
        )
        for line in lines("dialects.csv")
    )


def dialect(protocol: str, name: str = "") -> Dialect:
    """The dialect of that name.

    Args:
        protocol: an edition.
        name: empty: its default.

    Raises:
        LocalProtocolError: no such edition or dialect.

    """
    own = [one for one in dialects() if one.edition == protocol]
    if not own:
        raise LocalProtocolError(f"no dictionary for {protocol!r}; there is {', '.join(EDITIONS)}")
    found = [one for one in own if (one.name == name if name else one.default)]
    if not found:
        known = ", ".join(one.name for one in own)
        raise LocalProtocolError(f"{protocol} has no dialect {name!r}; there is {known}")
    return found[0]


@functools.cache
def switches(protocol: str) -> Mapping[str, Switch]:
    """The switches of an edition by name."""
    values: dict[str, list[Value]] = {}
    for line in lines("switches.csv"):
        if line["edition"] == protocol:
            value = Value(name=line["value"], en=line["en"], why=line["why"])
            values.setdefault(line["switch"], []).append(value)
    return {
        name: Switch(edition=_edition(protocol), name=name, values=tuple(found))
        for name, found in values.items()
    }


def choices(protocol: str, wanted: Mapping[str, str]) -> Choices:
    """What differs from the defaults, in the form that ``dictionary`` takes.

    Args:
        protocol: an edition.
        wanted: values by name of the switch; those that are not named stay as they are.

    Raises:
        LocalProtocolError: no such switch or value.

    """
    known = switches(protocol)
    for name, value in wanted.items():
        if name not in known:
            there = ", ".join(known) or "none"
            raise LocalProtocolError(f"{protocol} has no switch {name!r}; there is {there}")
        if value not in (names := [one.name for one in known[name].values]):
            raise LocalProtocolError(f"{name} is one of {', '.join(names)}, not {value!r}")
    return tuple(
        sorted((name, value) for name, value in wanted.items() if value != known[name].values[0].name)
    )


def table(protocol: str, dialect_name: str = "", layout: Choices = ()) -> list[Line]:
    """The lines of identifiers of a dialect, with the switches turned.

    Raises:
        LocalProtocolError: no such edition, dialect, switch or value; or an overlay that does not fit.

    """
    spoken = dialect(protocol, dialect_name)
    found: list[Line] = []
    for file_name in spoken.tables:
        found = overlaid(found, lines(file_name), file_name)
    for name, value in choices(protocol, dict(layout)):
        rows = [line for line in lines("switch_rows.csv") if (line["switch"], line["value"]) == (name, value)]
        found = overlaid(found, rows, f"{name} = {value}")
    return found


def _edition(text: str) -> Edition:
    return next(edition for edition in EDITIONS if edition == text)
