"""Orders for meters behind a concentrator of DL/T 698.45: their own frames, forwarded as they are.

Nothing of an order is put into the concentrator's words: what proves it, its deadline and the meter's own
verdict are in the frame. A concentrator may keep a frame and let it out later, so nothing is sent again but
after the deadline inside of it has passed at the meter. Source: decision 22, b.
"""

from __future__ import annotations

from meterlink.bus.line import Exchanging
from meterlink.drivers.behind698.tunnel import Forwarding
from meterlink.drivers.control import (
    NOTHING_KNOWN,
    ClockLook,
    Command,
    ControlAnswer,
    ControlDriver,
    Identity,
    Known,
    Opening,
    Prepared,
    Purse,
    Standing,
)
from meterlink.drivers.proving import Security
from meterprofiles import Profile


class BehindControl:
    """Control driver of the meters of one profile behind one concentrator; see ``ControlDriver``.

    Args:
        own: of these meters, as if they were on a line of ours.
        forwarding: makes tunnels.
        profile: of these meters.
        terminal: address of the concentrator, which is asked straight where it is a meter itself.

    """

    def __init__(self, own: ControlDriver, forwarding: Forwarding, profile: Profile, terminal: str) -> None:
        self._own = own
        self._forwarding = forwarding
        self._profile = profile
        self._terminal = terminal

    async def identity(self, line: Exchanging, address: str) -> Identity:
        """See ``ControlDriver.identity``."""
        return await self._own.identity(self._to(address, line), address)

    async def firmware(self, line: Exchanging, address: str) -> tuple[str, ...]:
        """See ``ControlDriver.firmware``."""
        return await self._own.firmware(self._to(address, line), address)

    async def clock(self, line: Exchanging, address: str) -> ClockLook:
        """See ``ControlDriver.clock``."""
        return await self._own.clock(self._to(address, line), address)

    async def standing(self, line: Exchanging, address: str, known: Known = NOTHING_KNOWN) -> Standing:
        """See ``ControlDriver.standing``."""
        return await self._own.standing(self._to(address, line), address, known)

    async def opening(self, line: Exchanging, address: str) -> Opening:
        """See ``ControlDriver.opening``."""
        return await self._own.opening(self._to(address, line), address)

    async def purse(self, line: Exchanging, address: str, security: Security | None = None) -> Purse:
        """See ``ControlDriver.purse``."""
        return await self._own.purse(self._to(address, line), address, security)

    async def prepare(self, line: Exchanging, address: str, command: Command, security: Security) -> Prepared:
        """See ``ControlDriver.prepare``."""
        prepared = await self._own.prepare(self._to(address, line), address, command, security)
        return _Ready(prepared, address)

    async def send(self, line: Exchanging, prepared: Prepared) -> ControlAnswer:
        """See ``ControlDriver.send``."""
        assert isinstance(prepared, _Ready), "it was prepared by this driver"
        return await self._own.send(self._to(prepared.address, line), prepared.own)

    async def finish(self, line: Exchanging, prepared: Prepared) -> None:
        """See ``ControlDriver.finish``."""
        assert isinstance(prepared, _Ready), "it was prepared by this driver"
        await self._own.finish(self._to(prepared.address, line), prepared.own)

    def _to(self, address: str, line: Exchanging) -> Exchanging:
        if address == self._terminal:
            return line
        return self._forwarding.tunnel(line, self._profile)


class _Ready:
    """A control that is ready, and for whom."""

    def __init__(self, own: Prepared, address: str) -> None:
        self.own = own
        self.address = address

    @property
    def frame_hash(self) -> str:
        """See ``Prepared.frame_hash``."""
        return self.own.frame_hash
