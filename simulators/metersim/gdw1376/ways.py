"""How a terminal does what others do otherwise, and what happens to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal, get_args

from metersim.gdw1376.store import RECORDS_MAX

HEARTBEAT_S: Final = 900
HEARTBEAT_S_MAX: Final = 255 * 60
ANSWER_TIMEOUT_S: Final = 10.0
"""How long a call or a report waits for the master's word."""
TRIES: Final = 3
RESET_S: Final = 30.0
RESET_S_MAX: Final = 3600.0
ROUNDS_MAX: Final = 100
FRAME_OCTETS: Final = 1024
FRAME_OCTETS_MIN: Final = 64
FRAME_OCTETS_MAX: Final = 16_000
PASSWORD_OCTETS: Final = 16
CURVE_MINUTES: Final = frozenset({0, 5, 15, 30, 60})

Quirk = Literal["fir_zero", "c4_calls", "keeps_master", "f3_coded_03", "four_zeros", "port_zero"]
"""What one make or other was seen to do.

``fir_zero``: an answer of one frame has FIR = 0. ``c4_calls``: calls have C = C4H. ``keeps_master``: calls
carry the number of the master that spoke last. ``f3_coded_03``: 00-F3 is coded ``03 00``. ``four_zeros``:
four zero octets follow each curve. ``port_zero``: the answer to a forwarded frame names port 0.
"""
QUIRKS: Final[tuple[Quirk, ...]] = get_args(Quirk)


def drawn_quirks(seed: object) -> frozenset[Quirk]:
    """Some of the quirks, each with a chance of one in three.

    Args:
        seed: the same one draws the same.

    """
    random = Random(f"quirks/{seed}")  # noqa: S311  # repeatable is what it has to be
    return frozenset(one for one in QUIRKS if random.random() < 1 / 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways1376:
    """How a terminal does what others do otherwise.

    Args:
        heartbeat_s: between heartbeats, 1 to 15,300 s; a master may set another (04 F1).
        answer_timeout_s: how long one try of a call or a report waits, over 0 s.
        tries: of a call or report, 1 or more.
        password: PW that commands must carry, 16 octets; ``None``: any is good.
        quirks: what it was seen to do otherwise.
        rounds: times that it goes through the meters that have not answered, 1 to 100.
        pause_s: before each round but the first, 0 s or more.
        curve_minutes: between two points of its curves: 5, 15, 30 or 60; 0: it collects none.
        lacks: what it answers for data that it has not: ``deny`` (00-F2), or ``fill`` (EE).
        silent_reply: what it answers when the meter of a forwarded frame is silent: ``empty``, or ``deny``.
        frame_octets: longest user data of its frames, 64 to 16,000; more goes into several.
        reports: it reports important events as delivered; a master may allow or forbid it (05 F29, F37).
        records_max: records that it keeps in all, 1 or more.
        files_last: it asks meters for their last freeze, and files it under the day before its own, as
            terminals do with meters of DL/T 645; else it asks for that of a day by its date.
        reset_at_frame: it is reset, once, when it would give the frame of an answer of several that is so
            many, 1 or more; ``None``: never.
        reset_s: how long it takes to be there again, 0 to 3,600 s.

    Raises:
        ValueError: a figure out of its range.

    """

    heartbeat_s: int = HEARTBEAT_S
    answer_timeout_s: float = ANSWER_TIMEOUT_S
    tries: int = TRIES
    password: bytes | None = field(default=None, repr=False)
    quirks: frozenset[Quirk] = frozenset()
    rounds: int = 3
    pause_s: float = 300.0
    curve_minutes: int = 60
    lacks: Literal["deny", "fill"] = "deny"
    silent_reply: Literal["empty", "deny"] = "empty"
    frame_octets: int = FRAME_OCTETS
    reports: bool = False
    records_max: int = RECORDS_MAX
    files_last: bool = False
    reset_at_frame: int | None = None
    reset_s: float = RESET_S

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, good in self._checks():
            if not good:
                raise ValueError(f"{name} is out of its range")

    def _checks(self) -> Iterable[tuple[str, bool]]:
        yield "heartbeat_s", 1 <= self.heartbeat_s <= HEARTBEAT_S_MAX
        yield "answer_timeout_s or tries", self.answer_timeout_s > 0 and self.tries >= 1
        yield "password", self.password is None or len(self.password) == PASSWORD_OCTETS
        yield "quirks", self.quirks <= frozenset(QUIRKS)
        yield "rounds or pause_s", 1 <= self.rounds <= ROUNDS_MAX and self.pause_s >= 0
        yield "curve_minutes", self.curve_minutes in CURVE_MINUTES
        yield "frame_octets", FRAME_OCTETS_MIN <= self.frame_octets <= FRAME_OCTETS_MAX
        yield "records_max", self.records_max >= 1
        yield "reset_at_frame", self.reset_at_frame is None or self.reset_at_frame >= 1
        yield "reset_s", 0 <= self.reset_s <= RESET_S_MAX
