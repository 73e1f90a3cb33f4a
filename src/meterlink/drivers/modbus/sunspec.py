"""Where a SunSpec meter has its models: a marker, then one model behind the other, each with ID and length.

The marker is at 40000, a length does not count the two registers of its head, and ID FFFFH ends the chain.
Source: SunSpec Alliance, pysunspec2, sunspec2/mb.py and sunspec2/modbus/client.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from meterlink.drivers.modbus.plan import Block
from meterlink.errors import BadAnswer

BASE: Final = 40_000
MARKER: Final = b"SunS"
HEAD_REGISTERS: Final = 2
MODELS_MAX: Final = 64
"""Most models of a chain that are looked at."""
_END: Final = 0xFFFF
_ADDRESSES: Final = 0x10000

Ask = Callable[[Block], Awaitable[bytes]]


class Model(NamedTuple):
    """Where one model stands.

    Args:
        at: address of its head.
        registers: how many it has, its head among them; behind them stands the next model.

    """

    at: int
    registers: int


async def find_models(ask: Ask, wanted: frozenset[int], who: str) -> dict[int, Model]:
    """Where models stand, by ID; of two of one ID the first.

    Args:
        ask: reads registers.
        wanted: IDs; the search ends when all are found.
        who: is asked, for messages.

    Raises:
        BadAnswer: no marker, a chain that lacks one of them, or that leads out of all addresses.
        Exception: what ``ask`` raises.

    """
    if await ask(Block(BASE, HEAD_REGISTERS)) != MARKER:
        raise BadAnswer(
            f"{who} has no SunSpec marker at {BASE}: it is no SunSpec device, or has it elsewhere"
        )
    found: dict[int, Model] = {}
    at = BASE + HEAD_REGISTERS
    for _ in range(MODELS_MAX):
        number, length = head_of(await ask(Block(at, HEAD_REGISTERS)))
        if number == _END:
            break
        model = Model(at, HEAD_REGISTERS + length)
        at += model.registers
        if at > _ADDRESSES:
            raise BadAnswer(f"{who} says that its SunSpec model {number} ends at {at}: no address is so high")
        found.setdefault(number, model)
        if wanted <= found.keys():
            return found
        if at > _ADDRESSES - HEAD_REGISTERS:
            break
    there = ", ".join(map(str, found)) or "none"
    raise BadAnswer(f"{who} has no SunSpec model {min(wanted - found.keys())}; it has {there}")


def head_of(octets: bytes) -> tuple[int, int]:
    """ID and length of a model.

    Args:
        octets: of its first two registers.

    """
    return int.from_bytes(octets[:2], "big"), int.from_bytes(octets[2:4], "big")
