"""Commands to a module itself, one at a time, with its own patience: queries, settings, route control."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Final

from meterlink.drivers.carrier.port import ModulePort
from meterlink.errors import MeterlinkError, ReplyTimeout
from meterwire.gdw1376.functions.module import denials
from meterwire.gdw1376.messages.module import Message

ASK_TIMEOUT_S: Final = 20.0
ASK_TRIES: Final = 3
"""Patience with the module itself. Source: spec gdw1376, A15."""
PAUSE_MAX_S: Final = 30.0
"""Longest pause for which a module's confirmation can ask; it may say 18 hours."""
RETRY_PAUSE_S: Final = 2.0
"""Before a command is given again that the module was too busy for."""
BUSY, CHECKSUM = 9, 3
_AGAIN: Final = frozenset({0, CHECKSUM, BUSY})
"""Denials after which the same command may do."""


class ModuleDenied(MeterlinkError):
    """The module said no (00-F2).

    Args:
        message: one sentence for an operator.
        code: why; see ``denials``.

    """

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.code = code


class Asking:
    """Whoever gives commands to one module while it is open.

    Args:
        port: of the module.
        denied: counts denials by code.

    """

    def __init__(self, port: ModulePort, denied: Counter[int]) -> None:
        self.port = port
        self._denied = denied
        self._turn = asyncio.Lock()

    async def ask(self, afn: int, fn: int, values: dict[str, Any] | None = None) -> Message:
        """Give a command, again where it got no answer; none of them does harm twice.

        Args:
            afn: application function code.
            fn: information class.
            values: of its layout.

        Raises:
            ModuleDenied: the module said no.
            ReplyTimeout: it said nothing, ``ASK_TRIES`` times.
            LineLost, LineClosed, BusFull: from the port.

        """
        async with self._turn:
            for left in reversed(range(ASK_TRIES)):
                try:
                    return await self._once(afn, fn, values or {})
                except ReplyTimeout:
                    if not left:
                        raise ReplyTimeout(
                            f"the carrier module does not answer {afn:02X}-F{fn}, asked {ASK_TRIES} times"
                        ) from None
                except ModuleDenied as error:
                    if not left or error.code not in _AGAIN:
                        raise
                    await asyncio.sleep(RETRY_PAUSE_S)
        raise AssertionError("each try returns or raises")

    async def _once(self, afn: int, fn: int, values: dict[str, Any]) -> Message:
        asked = await self.port.begin(afn, fn, values)
        answer = await self.port.finish(asked, ASK_TIMEOUT_S)
        if answer.is_denial:
            raise denial_of(answer, f"{afn:02X}-F{fn}", self._denied)
        if answer.is_confirmation and (wait_s := answer.values.get("wait_s", 0)):
            await asyncio.sleep(min(wait_s, PAUSE_MAX_S))
        return answer


def denial_of(answer: Message, what: str, denied: Counter[int]) -> ModuleDenied:
    """A denial as an error, counted.

    Args:
        answer: 00-F2.
        what: was denied.
        denied: counts by code; there are 256.

    """
    code = int(answer.values.get("error", 255))
    denied[code] += 1
    return ModuleDenied(f"the carrier module denies {what}: {code} ({reason_of(code)})", code=code)


def reason_of(code: int) -> str:
    """Why a module denies, in English words."""
    known = denials().get(code)
    return "a code of its maker" if known is None else known.en
