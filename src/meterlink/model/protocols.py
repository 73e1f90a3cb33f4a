"""How meters talk: the protocols that can be configured."""

from __future__ import annotations

from typing import Final, Literal, get_args

MeterProtocol = Literal["dlt645-2007", "dlt645-1997", "dlt698.45", "modbus-rtu", "modbus-tcp"]
"""Name of a protocol as users write it."""

PROTOCOLS: Final[tuple[MeterProtocol, ...]] = get_args(MeterProtocol)
DEFAULT_PROTOCOL: Final[MeterProtocol] = "dlt645-2007"


def meter_protocol(text: str) -> MeterProtocol | None:
    """The protocol of that name, or ``None``."""
    return next((protocol for protocol in PROTOCOLS if protocol == text), None)
