"""Faults that meet control frames of DL/T 645 on a simulated line, and what happens while one comes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from metersim.line.fault_rules import FaultRule, FaultRules

_TOP_UP: Final = bytes.fromhex("070102ff")
_CONTROL, _SECURITY = 0x1C, 0x03


class Strikes:
    """Listens to what comes to the meters of a line.

    Args:
        seed: of the faults.
        start: when the line begins.
        now: true time.

    Attributes:
        rules: of the line.
        controls: control frames that came, as they came.

    """

    def __init__(self, *, seed: int, start: datetime, now: Callable[[], datetime]) -> None:
        self.rules = FaultRules(seed=seed, start=start)
        self.controls: list[bytes] = []
        self._now = now
        self._faults: list[dict[str, Any]] = []
        self._does: list[Callable[[], None]] = []

    def add(self, fault: str, *, times: int = 1, **figures: Any) -> None:
        """The next control frames, so many, meet a fault."""
        self._faults += [{"what": fault, **figures} for _ in range(times)]

    def then(self, do: Callable[[], None]) -> None:
        """Do something when the next control frame is on its way, before a meter hears it."""
        self._does.append(do)

    def heard(self, octets: bytes) -> None:
        """Octets come to the meters."""
        if not is_control(octets):
            return
        self.controls.append(octets)
        if self._faults:
            self.rules.add(FaultRule(nth=1, times=1, **self._faults.pop(0)), at=self._now())
        if self._does:
            self._does.pop(0)()


def is_control(octets: bytes) -> bool:
    """Whether a frame is on its way that switches or moves money; authentications and looks are none."""
    body = octets.lstrip(b"\xfe")
    if len(body) < 14 or body[0] != 0x68:
        return False
    di = bytes(octet - 0x33 & 0xFF for octet in body[10:14])[::-1]
    return body[8] == _CONTROL or (body[8] == _SECURITY and di == _TOP_UP)
