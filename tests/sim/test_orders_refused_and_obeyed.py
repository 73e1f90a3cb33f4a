"""A meter that says no may have obeyed all the same: a look tells, and who pays then is not forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import one_meter
from tests.support.simulated import Duplex

METER: Final = f"m{ADDRESS}"
PASSWORD_WRONG: Final = bytes((0xDC, 1, 0x04 + 0x33))
"""Control code, length and data of a no to an order."""


class _SaysNo:
    """A line on which each answer to an order is a no, whatever the meter did."""

    def __init__(self, line: Duplex, *, meter_hears: bool) -> None:
        self._line = line
        self._meter_hears = meter_hears

    async def receive(self) -> bytes:
        """What goes to the meters."""
        octets = await self._line.receive()
        while not self._meter_hears and _code(octets) == 0x1C:
            await self._line.send(_no_to(octets))
            octets = await self._line.receive()
        return octets

    async def send(self, octets: bytes) -> None:
        """What the meters say."""
        await self._line.send(_no_to(octets) if _code(octets) == 0x9C else octets)


def _code(octets: bytes) -> int:
    frame = octets.lstrip(b"\xfe")
    return frame[8] if len(frame) > 8 else 0


def _no_to(octets: bytes) -> bytes:
    frame = octets.lstrip(b"\xfe")[:8] + PASSWORD_WRONG
    return frame + bytes([sum(frame) & 0xFF, 0x16])


@pytest.mark.parametrize("meter_hears", [True, False])
def test_a_no_is_believed_once_the_meter_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meter_hears: bool
) -> None:
    """A payer whose contact opened under a no would stay in the dark, and no clock would run for him."""
    gateway = one_meter(tmp_path)
    serve = gateway.serve_stations
    monkeypatch.setattr(gateway, "serve", lambda line: serve(_SaysNo(line, meter_hears=meter_hears)))

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(METER)
        await gateway.trip("t-1", METER)
        assert ("done" if meter_hears else "rejected") == (await gateway.until("t-1"))["state"]
        closes = (await gateway.paid(METER))["orders"]
        if meter_hears:
            await gateway.until(*closes, "waiting_for_key")
        else:
            assert [] == closes

    gateway.run(seconds=600, meanwhile=script)
    assert (["trip", "permit_close"] if meter_hears else []) == gateway.obeyed()
