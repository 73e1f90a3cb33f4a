"""How long the exchanges of a line wait: as configured, else as long as the slowest of its meters needs."""

from __future__ import annotations

from collections.abc import Iterable

from meterlink.bus.exchange import Timing
from meterlink.config import LineSettings
from meterlink.drivers.behind698.ways import REPLY_TIMEOUT_S
from meterlink.drivers.choose import answer_octets_max
from meterlink.model.line_url import SerialUrl
from meterprofiles import Profile


def line_timing(settings: LineSettings, served: Iterable[Profile]) -> Timing:
    """The line's timers: as configured, else what the slowest of its meters needs.

    Args:
        settings: the line.
        served: the profiles of its meters, at least one.

    """
    profiles = list(served)
    slowest = [profile.timing for profile in profiles]
    terminal_ms = REPLY_TIMEOUT_S * 1000 if settings.terminal_698 is not None else 0
    reply_ms = _given(
        settings.reply_timeout_ms, max(int(terminal_ms), *(each.reply_timeout_ms for each in slowest))
    )
    gap_ms = _given(settings.octet_gap_ms, max(each.octet_gap_ms for each in slowest))
    serial = isinstance(settings.parsed_url, SerialUrl)
    quiet_ms = max(each.turnaround_ms for each in slowest) if serial else 0
    return Timing(
        reply_timeout_s=reply_ms / 1000,
        octet_gap_s=gap_ms / 1000,
        answer_max_s=settings.answer_max_ms / 1000,
        character_s=settings.character_s,
        turnaround_s=_given(settings.turnaround_ms, quiet_ms) / 1000,
        answer_octets_max=max(map(answer_octets_max, profiles)),
    )


def _given(configured: int | None, otherwise: int) -> int:
    return otherwise if configured is None else configured
