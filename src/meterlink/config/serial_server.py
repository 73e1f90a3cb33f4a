"""``serial_server = {...}`` of a line: what a serial server says of itself among the octets of its meters."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from meterlink.config.fault import Fault
from meterlink.config.table import Table

TEXT_OCTETS_MAX: Final = 256
"""Longest registration or heartbeat; the longest that was seen is an IMEI with some words around it."""
HEARTBEAT_OCTETS_MIN: Final = 4
"""A shorter text stands in some frame sooner or later, and would be taken out of it."""
HEARTBEATS_MAX: Final = 4
DEVICE: Final = "{device}"
_HEX: Final = "hex:"
_ESCAPES: Final = {"\\r": "\r", "\\n": "\n", "\\0": "\0"}


def octets_of(text: str) -> bytes:
    """The octets of a text as it stands in a configuration.

    Args:
        text: ASCII, with ``\\r``, ``\\n`` and ``\\0`` as one writes them, or ``hex:`` and pairs of digits.

    Raises:
        ValueError: neither, empty, or too long.

    """
    if text.startswith(_HEX):
        try:
            octets = bytes.fromhex(text.removeprefix(_HEX))
        except ValueError:
            raise Fault(
                f"{text!r}: after hex: come pairs of hexadecimal digits",
                f"{text!r}:hex: 之后须为成对的十六进制数字",
            ) from None
    elif text.isascii():
        plain = text
        for written, meant in _ESCAPES.items():
            plain = plain.replace(written, meant)
        octets = plain.encode("ascii")
    else:
        raise Fault(
            f"{text!r} is not ASCII: write hex: and the digits of its octets",
            f"{text!r} 含有非 ASCII 字符:请写 hex: 和各字节的十六进制数字",
        )
    if not 1 <= len(octets) <= TEXT_OCTETS_MAX:
        raise Fault(
            f"{text!r} has {len(octets)} octets; 1 to {TEXT_OCTETS_MAX} can be told apart",
            f"{text!r} 有 {len(octets)} 个字节;须为 1 至 {TEXT_OCTETS_MAX} 个",
        )
    return octets


def is_told_apart(octets: bytes) -> bool:
    """Whether a text may be looked for among the octets of meters."""
    return len(octets) >= HEARTBEAT_OCTETS_MIN and len(set(octets)) > 1


def _registration(text: str) -> str:
    octets_of(text.replace(DEVICE, "0"))
    return text


def _heartbeat(text: str) -> str:
    if not is_told_apart(octets_of(text.replace(DEVICE, "0000"))):
        raise Fault(
            f"heartbeat {text!r} can stand in a frame of a meter, and would be taken out of it: set one of "
            f"{HEARTBEAT_OCTETS_MIN} octets or more at the serial server, not all the same",
            f"心跳 {text!r} 可能出现在电表的帧中并被误删:请在串口服务器上改用 {HEARTBEAT_OCTETS_MIN} 个字节"
            "以上且不全相同的心跳",
        )
    return text


class SerialServerSettings(Table):
    """What a serial server says of itself; written as text, or as ``hex:`` and the digits of the octets."""

    registration: Annotated[str, AfterValidator(_registration)] | None = Field(
        None,
        description="Said first over each connection; {device} stands for the device of the line's url. "
        "Default: of one that dials in the device alone, of another nothing.",
    )
    heartbeats: tuple[Annotated[str, AfterValidator(_heartbeat)], ...] = Field(
        (),
        max_length=HEARTBEATS_MAX,
        description="Said in between, also in the middle of an answer: taken out wherever they stand.",
    )
    heartbeat_s: int | None = Field(
        None,
        ge=1,
        le=86_400,
        description="Seconds between them: one that dials in is taken for gone when nothing came for two "
        "periods and a minute. Default: for a day.",
    )

    def registration_of(self, device: str) -> bytes:
        """The octets of the registration; empty: there is none.

        Args:
            device: of the line's url; empty: the server is dialled.

        """
        text = self.registration or (DEVICE if device else "")
        return octets_of(text.replace(DEVICE, device)) if text else b""

    def heartbeats_of(self, device: str) -> tuple[bytes, ...]:
        """The octets of the heartbeats.

        Args:
            device: of the line's url; empty: the server is dialled.

        """
        return tuple(octets_of(text.replace(DEVICE, device)) for text in self.heartbeats)
