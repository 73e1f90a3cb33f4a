"""Asking a meter of DL/T 698.45 for attributes in the clear; what it refuses is an answer too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from meterlink.bus.line import Exchanging
from meterlink.drivers.dlt698.control_looks import Seen
from meterlink.drivers.dlt698.control_session import PRIORITY
from meterlink.drivers.dlt698.talk import Talk, refusal
from meterlink.drivers.one_meter import of_one_meter
from meterlink.errors import Refused
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.get import GetRequestNormal, GetRequestNormalList, GetResponseNormalList
from meterwire.dlt698.apdus.parts import Dar, Piid
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import Data


class Asking698:
    """The way to ask meters of one profile.

    Args:
        talk: the associations with them.

    """

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    async def given(self, line: Exchanging, address: str, oads: tuple[Oad, ...]) -> Seen:
        """Attributes, every one of which has to be there."""
        seen = await self.look(line, address, oads)
        for oad, result in seen.items():
            if isinstance(result, Dar):
                raise refusal(f"meter {address}", str(oad), result)
        return seen

    async def look(self, line: Exchanging, address: str, oads: tuple[Oad, ...]) -> Seen:
        """Attributes in the clear, in one list; one by one where a meter refuses the list as a whole."""
        of_one_meter(address)
        try:
            told = await self._ask(line, address, lambda piid: GetRequestNormalList(piid=piid, oads=oads))
        except Refused:
            return {oad: await self.one(line, address, oad) for oad in oads}
        seen = dict(told.results) if isinstance(told, GetResponseNormalList) else {}
        return {oad: seen.get(oad, Dar(4)) for oad in oads}

    async def one(self, line: Exchanging, address: str, oad: Oad) -> Data | Dar:
        """One attribute, or why not."""
        try:
            told = await self._ask(line, address, lambda piid: GetRequestNormal(piid=piid, oad=oad))
        except Refused as refused:
            return Dar(refused.error_word[0])
        result: Data | Dar = told.result.result
        return result

    async def _ask(self, line: Exchanging, address: str, request_of: Callable[[Piid], Apdu]) -> Any:
        return await self._talk.ask(line, address, request_of, priority=PRIORITY)
