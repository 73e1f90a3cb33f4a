"""What is wrong with a value, in both languages: what our validators raise, and what pydantic found.

pydantic knows one language. A validator of ours raises ``Fault``, which pydantic keeps as it is; what it
finds itself is told by the table of ``fault_words``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self

from pydantic import ValidationError

from meterlink.config.fault_words import SHAPES, in_chinese
from meterlink.errors import ConfigError

_OURS: Final = "Value error, "
"""What pydantic puts in front of a fault of ours."""
_WHY_ZH: Final = MappingProxyType(
    {errno.ENOENT: "没有该文件", errno.EACCES: "没有读取权限", errno.EISDIR: "这是目录,不是文件"}
)
"""The usual reasons; others stay as the system tells them."""


class Said(NamedTuple):
    """One fault.

    Args:
        en: what, and what to do.
        zh: the same in Chinese.

    """

    en: str
    zh: str

    def behind(self, where: str, zh: str = "") -> Said:
        """The same behind words that say where it is.

        Args:
            where: ends as the sentence goes on.
            zh: the same in Chinese; empty: ``where`` is no sentence, and stands in both.

        """
        return Said(f"{where}{self.en}", f"{zh or where}{self.zh}")


class Fault(ValueError):
    """A value of a configuration is wrong.

    Args:
        en: what, and what to do.
        zh: the same in Chinese.

    """

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.zh = zh

    @classmethod
    def of(cls, error: ConfigError) -> Self:
        """The same of what another room found wrong with the value."""
        return cls(str(error), error.said("zh"))

    def behind(self, where: str, zh: str = "") -> Fault:
        """The same fault behind words that say where it is; see ``Said.behind``."""
        return Fault(*Said(str(self), self.zh).behind(where, zh))


def refusal(faults: Iterable[Said]) -> ConfigError:
    """The error that tells some faults, one a line."""
    told = tuple(faults)
    return ConfigError("\n".join(fault.en for fault in told), "\n".join(fault.zh for fault in told))


def unreadable(path: Path, error: OSError) -> ConfigError:
    """A file cannot be read."""
    why = _WHY_ZH.get(error.errno or 0, error.strerror)
    return ConfigError(f"{path}: cannot be read: {error.strerror}", f"{path}: 无法读取:{why}")


def too_deep(path: Path) -> ConfigError:
    """A file nests deeper than anything of ours."""
    return ConfigError(
        f"{path}: not TOML of ours: brackets stand too deep in each other",
        f"{path}: 不是本程序的 TOML 文件:括号嵌套过深",
    )


def first_of(error: ValidationError) -> tuple[str, Said]:
    """The first fault of several: its place, with numbers from 1 and dots, and what it is."""
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in fault["loc"])
    return place, said_of(fault)


def said_of(fault: Mapping[str, Any]) -> Said:
    """What a fault is, without its place.

    Args:
        fault: as pydantic tells it; of a type that has no Chinese words it stays English.

    """
    kind, told = fault["type"], fault.get("ctx", {})
    if isinstance(ours := told.get("error"), Fault):
        return Said(str(ours), ours.zh)
    en = SHAPES.get(kind) or fault["msg"].removeprefix(_OURS)
    return Said(en, in_chinese(kind, told) or en)
