"""What people write for a meter -> the one meter that they mean, or what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from meterlink.config import MeterSettings, Settings
from meterlink.errors import BadRequest, Unknown

NAMED_MAX: Final = 5
"""Meters that a message names."""
COMPARED_MAX: Final = 2_000
"""Ids that are compared letter by letter with one that nobody knows: more of them take too long."""
_ALIKE: Final = 4
"""Characters at either end by which the ids to compare are chosen, where there are more."""


class MeterNames:
    """Some meters, by id, meter number and address.

    Args:
        meters: each id once.
        where: how a message calls the place where one is not.
        shows: the command that lists them.

    """

    def __init__(self, meters: Iterable[MeterSettings], *, where: str, shows: str) -> None:
        self._where = where
        self._shows = shows
        self._meters: dict[str, MeterSettings] = {}
        self._digits: dict[str, set[str]] = {}
        for meter in meters:
            self._meters[meter.id] = meter
            for digits in {meter.meter_number, meter.address} - {""}:
                self._digits.setdefault(digits, set()).add(meter.id)

    def find(self, text: str, *, at: datetime | None = None) -> MeterSettings:
        """The meter that a text means: an id before anything else.

        Args:
            text: our id, or digits of a meter number or an address; leading zeros may be left out.
            at: of several meters with those digits the one in service then is meant.

        Raises:
            Unknown: there is none; the message names near ones.
            BadRequest: several meters have that number or address.

        """
        if (found := self._meters.get(text)) is not None:
            return found
        is_number = text.isascii() and text.isdecimal()
        ids = sorted(self._digits.get(text.zfill(12), ()) if is_number else ())
        if at is not None and len(ids) > 1:
            ids = [name for name in ids if self._meters[name].in_service(at)] or ids
        if len(ids) > 1:
            shown = _listed(ids)
            raise BadRequest(f"{text} is a number or address of {len(ids)} meters: write the id: {shown}")
        if not ids:
            raise Unknown(f"no meter {text!r} is {self._where}{self._near(text)}; `{self._shows}` shows all")
        return self._meters[ids[0]]

    def _near(self, text: str) -> str:
        names = difflib.get_close_matches(text, self._compared(text), n=NAMED_MAX)
        return f"; near it: {', '.join(names)}" if names else ""

    def _compared(self, text: str) -> list[str]:
        if len(self._meters) <= COMPARED_MAX:
            return list(self._meters)
        begin, end = text[:_ALIKE], text[-_ALIKE:]
        alike = (name for name in self._meters if name.startswith(begin) or name.endswith(end))
        return [name for name, _ in zip(alike, range(COMPARED_MAX), strict=False)]


class MeterFinder:
    """The meters of a configuration that are in service, and their lines.

    Args:
        settings: with the meters that are in service.

    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lines = {meter.id: line.name for line, meters in settings.meters_by_line() for meter in meters}
        self._names = MeterNames(settings.meters, where="in service here", shows="meterlink roster list")

    def find(self, text: str) -> tuple[str, MeterSettings]:
        """The line and the meter that a text means; see ``MeterNames.find``."""
        meter = self._names.find(text)
        return self._lines[meter.id], meter


def _listed(names: Iterable[str]) -> str:
    """The first names, and that there are more."""
    shown = list(names)
    more = ", ..." if len(shown) > NAMED_MAX else ""
    return f"{', '.join(shown[:NAMED_MAX])}{more}"
