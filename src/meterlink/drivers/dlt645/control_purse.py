"""The money in meters of DL/T 645-2007: by plain reads, or proved by the meter's module.

Registers are BCD in hundredths of a yuan, the fields of security commands binary in cents. The purchase count
tells a top-up that was credited from one that was not. 078102FF has it after an authentication, with a MAC;
without one only the newest purchase record has it (033302), which many meters do not keep.
Source: control-and-prepayment, sections 2.2, 2.3 and 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meterlink.bus.line import Exchanging
from meterlink.clock import Clock
from meterlink.drivers.control import Purse
from meterlink.drivers.dlt645.control_looks import Looks645
from meterlink.drivers.dlt645.control_proof import STATE, Desk645, authenticate, ended_if_it_fails
from meterlink.drivers.proving import Provider
from meterlink.errors import Refused

READER: Final = "00000000"
"""Operator code of what only looks."""
_FIELD_OCTETS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Purses645:
    """Looks at the money of meters of one profile.

    Args:
        clock: ours.
        looks: the way to read them.
        preamble: FEH octets before each request.

    """

    clock: Clock
    looks: Looks645
    preamble: int

    async def plain(self, line: Exchanging, address: str) -> Purse:
        """By plain reads.

        Raises:
            Refused: the meter does not tell its balance or its purchase count so.

        """
        count = await self.looks.count(line, address, "purchase_count_money@last.1")
        remaining = await self.looks.cents(line, address, "remaining_balance")
        return await self._with_limits(line, address, remaining, count)

    async def proven(self, line: Exchanging, address: str, provider: Provider) -> Purse:
        """In a session of its own, with the meter's proof.

        Raises:
            SecurityFailed: there is no session, or the proof is wrong.
            Refused: the meter has no wallet.

        """
        meter_number = (await self.looks.identity(line, address)).meter_number
        desk = Desk645(address=address, operator_code=READER, preamble=self.preamble)
        authentication = await authenticate(line, desk, meter_number, provider)
        async with ended_if_it_fails(line, authentication):
            told = await desk.ask(line, desk.request(STATE))
            remaining, count = int(told["remaining_cents"]), int(told["purchase_count"])
            await authentication.verify(remaining.to_bytes(_FIELD_OCTETS, "big"), str(told["mac1"]))
            await authentication.verify(count.to_bytes(_FIELD_OCTETS, "big"), str(told["mac2"]))
        await authentication.end(line)
        customer = f"{told['customer']:0>12}"
        return await self._with_limits(line, address, remaining, count, customer=customer, is_proven=True)

    async def _with_limits(
        self,
        line: Exchanging,
        address: str,
        remaining: int,
        count: int,
        *,
        customer: str = "",
        is_proven: bool = False,
    ) -> Purse:
        overdraft = await self._cents(line, address, "overdraft_balance")
        return Purse(
            taken_at=self.clock.utc_now(),
            remaining_cents=remaining - (overdraft or 0),
            purchase_count=count,
            customer_number=customer,
            hoarding_limit_cents=await self._cents(line, address, "hoarding_money_limit"),
            proven=is_proven,
        )

    async def _cents(self, line: Exchanging, address: str, item: str) -> int | None:
        """An amount that a meter need not tell."""
        try:
            return await self.looks.cents(line, address, item)
        except Refused:
            return None
