"""What people write for a meter -> the one meter that they mean, or what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

from meterlink.config import MeterSettings, Settings
from meterlink.errors import BadRequest, Unknown

NAMED_MAX: Final = 5
"""Meters that a message names."""
COMPARED_MAX: Final = 2_000
"""Ids that are compared letter by letter with one that nobody knows: more of them take too long."""
_ALIKE: Final = 4
"""Characters at either end by which the ids to compare are chosen, where there are more."""


class MeterFinder:
    """The meters of a configuration, by id, meter number and address.

    Args:
        settings: with the meters that are in service.

    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._meters: dict[str, tuple[str, MeterSettings]] = {}
        self._digits: dict[str, set[str]] = {}
        for line, meters in settings.meters_by_line():
            for meter in meters:
                self._meters[meter.id] = (line.name, meter)
                for digits in {meter.meter_number, meter.address} - {""}:
                    self._digits.setdefault(digits, set()).add(meter.id)

    def find(self, text: str) -> tuple[str, MeterSettings]:
        """The line and the meter that a text means: an id before anything else.

        Args:
            text: our id, or digits of a meter number or an address; leading zeros may be left out.

        Raises:
            Unknown: there is none; the message names near ones.
            BadRequest: several meters have that number or address.

        """
        if (found := self._meters.get(text)) is not None:
            return found
        is_number = text.isascii() and text.isdecimal()
        ids = sorted(self._digits.get(text.zfill(12), ()) if is_number else ())
        if len(ids) > 1:
            shown = _listed(ids)
            raise BadRequest(f"{text} is a number or address of {len(ids)} meters: write the id: {shown}")
        if not ids:
            raise Unknown(
                f"no meter {text!r} is in service here{self._near(text)}; `meterlink roster list` shows all"
            )
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


def _listed(names: Iterable[str]) -> str:
    """The first names, and that there are more."""
    shown = list(names)
    more = ", ..." if len(shown) > NAMED_MAX else ""
    return f"{', '.join(shown[:NAMED_MAX])}{more}"
