"""Which lines this process has open, by what they really are: whoever finds one taken can say by which.

The lock itself is the kernel's and holds between processes too; this is for the words alone.
"""

from __future__ import annotations

from meterlink.transports.protocol_stream import ProtocolStream

_open: dict[str, str] = {}
"""URL by place; one entry a line that is open, so no more than there are lines."""


class OwnStream(ProtocolStream):
    """A stream whose place is known to be ours while it is open.

    Args:
        name: URL of the line.
        place: what it really is: an address and port, or a device.

    """

    def __init__(self, name: str, place: str) -> None:
        super().__init__(name)
        self._place = place
        self._url = name
        _open[place] = name

    async def aclose(self) -> None:
        """Close it, and forget that it was ours."""
        try:
            await super().aclose()
        finally:
            if _open.get(self._place) == self._url:
                del _open[self._place]


def taken_by(place: str) -> str:
    """Who has a line that cannot be had, as the end of a sentence.

    Args:
        place: as of ``OwnStream``.

    """
    if (other := _open.get(place)) is None:
        return "another process on this machine (the daemon?) has this line open"
    return f"it is the same as the line {other} of this gateway, which has it open: write one URL for both"
