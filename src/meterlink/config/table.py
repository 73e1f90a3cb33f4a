"""What all tables of ``meterlink.toml`` share: no unknown keys, how names and times of day are written."""

from __future__ import annotations

from datetime import time
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from meterlink.config.fault import Fault

_FORBIDDEN_IN_NAMES = set('+#/\\"$')


def _name(text: str) -> str:
    """Names stand in MQTT topics, tags and file names."""
    if not 1 <= len(text) <= 64:
        raise Fault("a name has 1 to 64 characters", "名称须为 1 至 64 个字符")
    if bad := sorted(c for c in set(text) if c in _FORBIDDEN_IN_NAMES or c.isspace() or not c.isprintable()):
        raise Fault(
            f"a name may not contain {bad[0]!r} (it becomes part of an MQTT topic)",
            f"名称不能含有 {bad[0]!r}(名称会成为 MQTT 主题的一部分)",
        )
    if text.startswith("_"):
        raise Fault(
            "names that begin with _ are kept for the gateway's own topics",
            "以 _ 开头的名称留给网关自身的主题使用",
        )
    return text


def _time(text: str) -> str:
    try:
        found = time.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or text != found.strftime("%H:%M"):
        raise Fault('write a time of the day, e.g. "08:00"', '请写一天中的时刻,例如 "08:00"')
    return text


Name = Annotated[str, AfterValidator(_name)]
DayTime = Annotated[str, AfterValidator(_time)]
"""A time of the day, ``08:00``."""


class Table(BaseModel):
    """Base of the models: an unknown key is an error, and errors do not repeat what was given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
