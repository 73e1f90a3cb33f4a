"""What a frame of 1376.2 says: ``Message`` <-> ``Frame``.

One function a frame; its data is read by the table's layout. What a layout does not take, and all of a
function without one, stays raw. Source: spec sections A2 to A14.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from meterwire.errors import LocalProtocolError
from meterwire.gdw1376.functions import module
from meterwire.gdw1376.functions.function import Function, Way
from meterwire.gdw1376.layouts.nodes import Field, Values
from meterwire.gdw1376.link import module_frame as link
from meterwire.gdw1376.link.module_frame import Addresses, DownInfo, Frame, UpInfo
from meterwire.gdw1376.link.unit_ids import dt_of

CONFIRMED, DENIED = 1, 2
"""Functions of AFN 00."""
_DONE: Final = {"command_done": 1, "channel_states": 0}


class Message(NamedTuple):
    """One frame, taken apart.

    Args:
        frame: with its data.
        fields: what the data says; ``None`` where nobody knows, or where it ends too early.
        rest: octets of the data behind the last field.
        function: what the table says; ``None`` where it does not know the function.

    """

    frame: Frame
    fields: tuple[Field, ...] | None = ()
    rest: bytes = b""
    function: Function | None = None

    def __repr__(self) -> str:
        """All but the data, which may hold a meter's password."""
        return f"Message({self.frame})"

    @property
    def values(self) -> dict[str, Any]:
        """Values by field name; empty where nobody knows what the data says."""
        return {field.name: field.value for field in self.fields or ()}

    @property
    def is_denial(self) -> bool:
        """00-F2."""
        return (self.frame.afn, self.frame.fn) == (module.CONFIRM, DENIED)

    @property
    def is_confirmation(self) -> bool:
        """00-F1: handled, whatever its bits say (modules send zeros)."""
        return (self.frame.afn, self.frame.fn) == (module.CONFIRM, CONFIRMED)


def from_frame(frame: Frame) -> Message:
    """Take a frame apart; never raises for what its data holds."""
    known = module.function(frame.afn, frame.fn, way_of(frame))
    fields = known.layout.read(frame.data) if known and known.layout else None
    if fields is None:
        return Message(frame, None if frame.data else (), b"", known)
    end = fields[-1].end if fields else 0
    return Message(frame, tuple(fields), frame.data[end:], known)


def way_of(frame: Frame) -> Way:
    """The direction of a frame."""
    return "up" if frame.from_module else "down"


def content(afn: int, fn: int, values: Values, way: Way) -> bytes:
    """The data of a function.

    Args:
        afn: application function code.
        fn: 1..248.
        values: by the field names of the function's layout.
        way: direction.

    Raises:
        LocalProtocolError: a function without a known layout, or values that do not fit.

    """
    known = module.function(afn, fn, way)
    if known is None or known.layout is None:
        raise LocalProtocolError(f"the layout of AFN {afn:02X}H F{fn}, {way}, is not known")
    return known.layout.build(values)


def request(
    info: DownInfo,
    afn: int,
    fn: int,
    values: Values | None = None,
    *,
    addresses: Addresses | None = None,
    mode: int = link.MODE_BROADBAND,
) -> Frame:
    """What a concentrator asks its module.

    Args:
        info: R, with the sequence number.
        afn: application function code.
        fn: 1..248.
        values: by the field names of the function's layout.
        addresses: main node and meter; ``None`` for the main node itself.
        mode: what carries the frames, e.g. 3 = broadband.

    Raises:
        LocalProtocolError: a function without a known layout, or values that do not fit.

    """
    data = content(afn, fn, values or {}, "down")
    return Frame(info=info, afn=afn, dt=dt_of((fn,)), data=data, addresses=addresses, mode=mode)


def answer(asked: Frame, afn: int, fn: int, values: Values | None = None) -> Frame:
    """What the other side answers, with the sequence number of the frame that is answered.

    Args:
        asked: the frame that is answered.
        afn: of the answer.
        fn: of the answer.
        values: by the field names of the function's layout.

    Raises:
        LocalProtocolError: a function without a known layout, or values that do not fit.

    """
    sequence = asked.info.sequence
    info: DownInfo | UpInfo = DownInfo(sequence) if asked.from_module else UpInfo(sequence)
    back = None
    if asked.addresses is not None:
        back = Addresses(asked.addresses.destination, asked.addresses.source)
    data = content(afn, fn, values or {}, "down" if asked.from_module else "up")
    return Frame(
        info=info, afn=afn, dt=dt_of((fn,)), data=data, started=False, addresses=back, mode=asked.mode
    )


def confirmation(asked: Frame, *, wait_s: int = 0) -> Frame:
    """00-F1: handled.

    Args:
        asked: the frame that is confirmed.
        wait_s: how long the sender will be busy, in seconds, 0..65535.

    """
    return answer(asked, module.CONFIRM, CONFIRMED, _DONE | {"wait_s": wait_s})


def denial(asked: Frame, error: int) -> Frame:
    """00-F2: refused.

    Args:
        asked: the frame that is refused.
        error: a code of ``denials``.

    """
    return answer(asked, module.CONFIRM, DENIED, {"error": error})
