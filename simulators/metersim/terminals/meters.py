"""The meters behind a concentrator: which port leads to each, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from metersim.terminals.archive import ARCHIVE_MAX, MeterArchive
from metersim.terminals.port import MeterPort
from metersim.terminals.reading import MeterReader, Reader645, Reader698
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.objects.concentrator import ArchiveEntry

DLT645_1997, DLT645_2007, DLT698_45 = 1, 2, 3
"""Protocols as the archive numbers them."""
EDITIONS: Final[Mapping[int, Edition]] = {DLT645_1997: "dlt645-1997", DLT645_2007: "dlt645-2007"}


class Meters:
    """Archive and ports of one concentrator.

    Args:
        archive: which meters it knows.
        ports: its ports, no two of one descriptor.

    Raises:
        ValueError: two ports have one descriptor.

    """

    def __init__(self, archive: MeterArchive, ports: Sequence[MeterPort]) -> None:
        self.archive = archive
        self.ports = tuple(ports)
        self._by_oad = {port.oad: port for port in ports}
        if len(self._by_oad) < len(self.ports):
            raise ValueError("two ports of one concentrator have the same descriptor")
        self._made = lru_cache(ARCHIVE_MAX)(self._make)

    def port(self, oad: Oad) -> MeterPort | None:
        """The port of a descriptor, or ``None``."""
        return self._by_oad.get(oad)

    def reader(self, entry: ArchiveEntry) -> MeterReader | None:
        """How a meter is read; ``None`` where there is no such port, or nobody here speaks its protocol."""
        return self._made(entry.address, entry.protocol, entry.port, _password(entry))

    def counts(self) -> tuple[int, int]:
        """Frames that left through all ports, and that came back."""
        return sum(port.sent for port in self.ports), sum(port.received for port in self.ports)

    def _make(self, address: str, protocol: int, oad: Oad, password: str | None) -> MeterReader | None:
        port = self.port(oad)
        if port is None:
            return None
        if protocol == DLT698_45:
            return Reader698(port, address, password)
        edition = EDITIONS.get(protocol)
        return Reader645(port, address, edition) if edition else None


def _password(entry: ArchiveEntry) -> str | None:
    """The meter's password; ``None`` where the archive has none, or octets that are no text."""
    octets = entry.password.value if entry.password.type == "octet-string" else b""
    return octets.decode("ascii") if octets and octets.isascii() else None
