"""Octets of a line -> hexadecimal digits with ``**`` in place of every secret octet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from meterprofiles.schema import DLT698
from meterwire.dlt645.messages.secrets import secret_ranges as secret_ranges_645
from meterwire.dlt698.apdus.secret_ranges import secret_ranges as secret_ranges_698
from meterwire.primitives.ranges import Ranges

HIDDEN: Final = "**"


def masked(octets: bytes, protocols: Iterable[str]) -> str:
    """The octets as anybody may see them.

    Args:
        octets: what passed, whole frames or broken ones.
        protocols: those of the meters on the line; shown is what one of them knows not to be secret.

    """
    shown = bytearray(len(octets))
    for protocol in protocols:
        visible = bytearray(b"\x01" * len(octets))
        for first, after in _secret(octets, protocol):
            visible[first:after] = bytes(after - first)
        for place, mark in enumerate(visible):
            shown[place] |= mark
    return "".join(f"{octet:02X}" if mark else HIDDEN for octet, mark in zip(octets, shown, strict=True))


def _secret(octets: bytes, protocol: str) -> Ranges:
    if protocol == DLT698:
        return secret_ranges_698(octets)
    return secret_ranges_645(octets, "dlt645-1997" if protocol == "dlt645-1997" else "dlt645-2007")
