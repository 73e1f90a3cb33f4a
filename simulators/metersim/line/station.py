"""A meter's place on a line, and who of the meters there hears a request."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from metersim.line.faults import NO_FAULTS, Faults
from metersim.line.language import Language, Speaker
from metersim.line.port import Port
from metersim.line.uart import mistuned

REPLY_DELAY_MS = 20  # Td of DL/T 645: 20 to 500 ms
REPLY_DELAY_MS_MAX = 60_000
PREAMBLE_MAX = 16
OCTET_GAP_MS_MAX: Final = 500
"""Tb of DL/T 645: the longest pause between two octets of one answer."""

FRAME_END: Final = b"\x16"
"""The last octet of a frame of every language that says so: none of its requests is complete before one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A meter's place on a line.

    Args:
        meter: the meter.
        reply_delay_ms: from the end of the request to the begin of the answer (Td), 0 to 60,000 ms.
        preamble: FEH octets before an answer, 0 to 16.
        faults: what goes wrong with its answers.
        port: how its port is set; ``None``: as whoever asks it, and 2400 bit/s 8E1 where nobody says.
        octet_gap_ms: pause between two octets of an answer (Tb) on a paced line, 0 to 500 ms.

    Raises:
        ValueError: a figure out of its range.

    """

    meter: Speaker
    reply_delay_ms: int = REPLY_DELAY_MS
    preamble: int = 0
    faults: Faults = NO_FAULTS
    port: Port | None = None
    octet_gap_ms: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 <= self.reply_delay_ms <= REPLY_DELAY_MS_MAX:
            raise ValueError(
                f"a reply delay of {self.reply_delay_ms} ms is outside 0..{REPLY_DELAY_MS_MAX} ms"
            )
        if not 0 <= self.preamble <= PREAMBLE_MAX:
            raise ValueError(f"a preamble of {self.preamble} is outside 0..{PREAMBLE_MAX}")
        if not 0 <= self.octet_gap_ms <= OCTET_GAP_MS_MAX:
            raise ValueError(f"an octet gap of {self.octet_gap_ms} ms is outside 0..{OCTET_GAP_MS_MAX} ms")


class Asked(NamedTuple):
    """A request as some meters of a line hear it.

    Args:
        language: of the request.
        request: a frame of that language.
        client: how the client's port is set; ``None``: as the port of whom it asks.
        heard_at: settings with which it was heard.

    """

    language: Language
    request: Any
    client: Port | None
    heard_at: Port | None


_new_asked = functools.partial(tuple.__new__, Asked)


class Stations:
    """The meters on one line.

    Args:
        stations: no two of one address.

    Raises:
        ValueError: two meters have one address.

    """

    def __init__(self, stations: Sequence[Station]) -> None:
        self._all = tuple(stations)
        self._by_address = {station.meter.address: station for station in stations}
        if len(self._by_address) < len(self._all):
            raise ValueError("two meters on one line have the same address")
        self.languages = tuple(dict.fromkeys(station.meter.language for station in self._all))
        self.ports = tuple(dict.fromkeys(station.port for station in self._all if station.port is not None))

    @property
    def by_address(self) -> dict[str, Station]:
        """The stations by address, in their order."""
        return self._by_address

    def hearing(self, asked: Asked) -> list[Station]:
        """Who takes a request for its own."""
        address = asked.language.asked(asked.request)
        if address is None:
            return [station for station in self._all if _hears(station, asked)]
        one = self._by_address.get(address)
        return [one] if one is not None and _hears(one, asked) else []

    def named(self, asked: Asked) -> Station | None:
        """The meter that a request names, if it is here and speaks that language; where no port matters."""
        language, request, _, _ = asked
        one = self._by_address.get(language.asked(request) or "")
        return one if one is not None and one.meter.language is language else None


def _hears(station: Station, asked: Asked) -> bool:
    language, request, client, heard_at = asked
    if station.meter.language is not language:
        return False
    if client is not None and station.port != heard_at and (station.port is not None or heard_at != client):
        return False
    return station.meter.hears(request)


class Ears:
    """What the meters of a line hear of one connection.

    Meters whose port is set as the client's hear what it says; the others hear what is left of it.

    Args:
        stations: whose ears.

    """

    def __init__(self, stations: Stations) -> None:
        self._languages = stations.languages
        self._ports = stations.ports
        self._ends = all(language.has_end_octet for language in stations.languages)
        self._tuned = [(language, language.ear()) for language in stations.languages]
        self._mistuned = {
            port: [(language, language.ear()) for language in stations.languages] for port in stations.ports
        }

    def hear(self, octets: bytes, client: Port | None) -> list[Asked]:
        """Take octets of the client; the requests that are complete come out.

        Args:
            octets: in any pieces.
            client: how its port is set; ``None``: as that of whom it asks.

        """
        found = []
        for language, ear in self._tuned:
            for request in ear.feed(octets):
                found.append(_new_asked((language, request, client, client)))  # the shorter way
        if client is not None:
            found += self._overhear(octets, client)
        return found

    def hear_first(self, octets: bytes, client: Port | None) -> tuple[int, list[Asked]]:
        """The same, until the first request is complete: how many octets that took, and the request."""
        count, found = 0, list[Asked]()
        while not found and count < len(octets):
            begin = count
            count = octets.find(FRAME_END, count) + 1 or len(octets) if self._ends else count + 1
            found = [
                Asked(language, request, client, client)
                for language, ear in self._tuned
                for request in ear.feed(octets[begin:count])
            ]
        if client is not None:
            found += self._overhear(octets[:count], client)
        return count, found

    def _overhear(self, octets: bytes, client: Port) -> list[Asked]:
        return [
            Asked(language, request, client, port)
            for port in self._ports
            if port != client
            for language, ear in self._mistuned[port]
            for request in ear.feed(mistuned(octets, sent=client, heard=port))
        ]
