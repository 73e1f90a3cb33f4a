"""One lane of a carrier module as a stream of octets: a driver above it cannot tell it from a cable.

What is sent is one request for one meter; whose it is stands in the request itself. What is received is what
that meter answered, the module's wrapping taken off. "The meter does not answer", however the module says it,
ends the exchange at once: ``receive`` raises ``ReplyTimeout``, for the line was heard and the meter was not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from meterlink.bus.dialling import Opener
from meterlink.drivers.carrier.owner import CarrierOwner
from meterlink.drivers.carrier.payload import outgoing
from meterlink.drivers.carrier.reading import MeterCall
from meterlink.errors import LineClosed
from meterlink.transports.stream import ByteStream


class Lane:
    """One lane while it is open; see ``ByteStream``.

    Args:
        owner: of the module.
        number: of the lane.
        is_pressed: somebody waits for what is done here, or for something behind it.

    """

    def __init__(self, owner: CarrierOwner, number: int, is_pressed: Callable[[], bool]) -> None:
        self._owner = owner
        self._is_pressed = is_pressed
        self._number = number
        self._call: MeterCall | None = None
        self._rest = b""
        self._closed = False

    async def send(self, octets: bytes) -> None:
        """See ``ByteStream.send``; returns when the module has taken the request.

        Raises:
            ReplyTimeout: no module can carry it.
            LineBusy: other meters were first for too long.

        """
        self._check()
        self._give_up()
        self._call = await self._owner.begin(self._number, outgoing(octets), self._is_pressed)

    async def receive(self, limit: int = 4096) -> bytes:
        """See ``ByteStream.receive``.

        Raises:
            ReplyTimeout: the meter does not answer.

        """
        self._check()
        if not self._rest:
            if self._call is None:
                await asyncio.Event().wait()  # nothing was asked, so nothing comes
            assert self._call is not None
            call = self._call
            self._rest = await asyncio.shield(call.answer)
            self._call = None
        taken, self._rest = self._rest[:limit], self._rest[limit:]
        return taken

    def receive_nowait(self) -> bytes:
        """See ``ByteStream.receive_nowait``: what came for an earlier request."""
        late, self._rest = self._rest, b""
        if self._call is not None and self._call.answer.done():
            call, self._call = self._call, None
            if not call.answer.cancelled() and call.answer.exception() is None:
                late += call.answer.result()
        return late

    async def aclose(self) -> None:
        """See ``ByteStream.aclose``."""
        self._closed = True
        self._give_up()

    def _give_up(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.answer.cancel()

    def _check(self) -> None:
        if self._closed:
            raise LineClosed("we closed this lane")


def lane_opener(owner: CarrierOwner, number: int, is_pressed: Callable[[], bool] = lambda: False) -> Opener:
    """Opens a lane once the module is ready.

    Args:
        owner: of the module.
        number: of the lane, from 0.
        is_pressed: see ``Lane``.

    """

    async def open_lane() -> ByteStream:
        await owner.until_ready()
        return Lane(owner, number, is_pressed)

    return open_lane
