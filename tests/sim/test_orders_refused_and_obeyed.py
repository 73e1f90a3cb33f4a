"""A meter that says no may have obeyed all the same: a look tells, and who pays then is not forgotten."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Final

import pytest

from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.language import Lang
from meterlink.cli.order_ask import OrderAsking
from meterlink.orders.life.switch_facts import SwitchFacts
from metersim import Station
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway, Proved, one_meter
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


@pytest.mark.parametrize(
    ("command_at_once", "kind", "code"),
    [
        (True, "trip", ExitCode.REFUSED),
        (False, "trip", ExitCode.UNKNOWN),
        (False, "alarm_on", ExitCode.REFUSED),
    ],
)
def test_a_no_that_nothing_proves_is_no_answer(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command_at_once: bool,
    kind: str,
    code: ExitCode,
) -> None:
    """A script would order a second trip beside one that may open the contact later."""
    proved = Proved(SwitchFacts(command_at_once=command_at_once, waits_for_key=True, expiry_obeyed=True))
    gateway = OrderGateway(tmp_path, [Station(meter=a_meter(OPEN_TO_ALL))], proved=proved)
    serve = gateway.serve_stations
    monkeypatch.setattr(gateway, "serve", lambda line: serve(_SaysNo(line, meter_hears=False)))
    ended: list[Any] = []

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(METER)
        await gateway.ask("clara", "order.create", order=gateway.order("o-1", kind, METER))
        if kind == "trip":
            await gateway.ask("anna", "order.approve", id="o-1")
        await gateway.operated("o-1")
        ended.append(await gateway.until("o-1"))

    gateway.run(seconds=600, meanwhile=script)
    (order,) = ended
    asking = OrderAsking(tmp_path, as_json=False, lang=Lang.EN)
    monkeypatch.setattr(asking, "_at_desk", contextlib.nullcontext)
    monkeypatch.setattr(asking, "_of", lambda *_asked, **_args: order)
    assert ("rejected", code) == (order["state"], asking.shown("order.operate", wait=True))
    is_told = "look before anything else is done" in capsys.readouterr().out
    assert is_told == (code is ExitCode.UNKNOWN)
