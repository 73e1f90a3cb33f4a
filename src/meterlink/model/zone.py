"""The plant's zone: what the clocks of its meters show, as a fixed offset from UTC.

A meter's clock carries no zone and knows no daylight saving time, so an offset says all. The one name that
is known, Asia/Shanghai, is UTC+8 all the year; no time zone database is needed, and gateways often have none.
"""

from __future__ import annotations

import re
from datetime import timedelta, timezone

from meterlink.errors import ConfigError

CHINA_ZONE = "Asia/Shanghai"
CHINA_TIME = timezone(timedelta(hours=8), CHINA_ZONE)
"""The one zone of China, and of its meters."""

_OFFSET = re.compile(r"([+-])(0\d|1[0-4]):([0-5]\d)").fullmatch


def parse_zone(text: str) -> timezone:
    """The zone that ``text`` writes.

    Args:
        text: ``Asia/Shanghai``, or an offset from UTC between ``-14:59`` and ``+14:59``.

    Raises:
        ConfigError: something else.

    """
    if text == CHINA_ZONE:
        return CHINA_TIME
    if (found := _OFFSET(text)) is None:
        raise ConfigError(
            f"zone {text!r}: write {CHINA_ZONE} or an offset such as +08:00 "
            "(meters know no daylight saving time)",
            f"时区 {text!r}:请写 {CHINA_ZONE} 或 +08:00 这样的时差(电表没有夏令时)",
        )
    sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if sign == "-" else offset, text)
