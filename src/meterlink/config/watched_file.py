"""Files of TOML beside the configuration: read whole, held against a model, and looked at again and again."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import structlog
from pydantic import ValidationError

from meterlink.config.fault import first_of, refusal, too_deep, unreadable
from meterlink.config.table import Table
from meterlink.errors import ConfigError

_log = structlog.get_logger(__name__)

FILE_OCTETS_MAX: Final = 1_048_576
"""A larger file is refused before it is read."""
_T = TypeVar("_T")
_Model = TypeVar("_Model", bound=Table)


def octets_of(path: Path, *, is_guarded: bool = False) -> bytes:
    """What is in a file.

    Args:
        path: of the file.
        is_guarded: nobody but its owner may be able to write it.

    Raises:
        ConfigError: it cannot be read, is too large, or others may write it.

    """
    try:
        with path.open("rb") as file:
            if is_guarded and stat.S_IMODE(path.stat().st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
                raise ConfigError(
                    f"{path}: others than its owner may write it: run `chmod go-w {path}`",
                    f"{path}: 文件所有者以外的用户可以写入:请运行 `chmod go-w {path}`",
                )
            octets = file.read(FILE_OCTETS_MAX + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(octets) > FILE_OCTETS_MAX:
        raise ConfigError(
            f"{path}: larger than {FILE_OCTETS_MAX} octets: is this the right file?",
            f"{path}: 大于 {FILE_OCTETS_MAX} 字节:文件是否选错?",
        )
    return octets


def table_of(model: type[_Model], path: Path, octets: bytes) -> _Model:
    """What a file says.

    Args:
        model: of the whole file.
        path: names the file in errors.
        octets: that are in it.

    Raises:
        ConfigError: they are no TOML, or not what the model wants.

    """
    try:
        return model.model_validate(tomllib.loads(octets.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}", f"{path}: 不是 TOML 格式:{error}") from None
    except RecursionError:
        raise too_deep(path) from None
    except ValidationError as error:
        place, said = first_of(error)
        raise refusal([said.behind(f"{path}: {place}: " if place else f"{path}: ")]) from None


class WatchedFile(Generic[_T]):
    """A file that is looked at each time somebody asks, so that a change needs no start.

    The octets themselves are compared, because the time of a file may be the same after a change. The log is
    told once of each fault (``NAME_wrong``), of its end (``NAME_right``), and of another content
    (``NAME_changed``).

    Args:
        path: of the file.
        name: what it holds, in one word.
        read: what its octets say; raises ``ConfigError``.
        told: what the log gets of that.
        is_guarded: see ``octets_of``.

    Attributes:
        last: what the file said when it was right last; ``None``: it never was in this life of the program.
        fault_zh: what was wrong with it at the last look, in Chinese; empty: nothing.

    """

    def __init__(
        self,
        path: Path,
        name: str,
        read: Callable[[Path, bytes], _T],
        told: Callable[[_T], Mapping[str, Any]],
        *,
        is_guarded: bool = False,
    ) -> None:
        self.last: _T | None = None
        self.fault_zh = ""
        self._path = path
        self._name = name
        self._read = read
        self._told = told
        self._is_guarded = is_guarded
        self._octets: bytes | None = None
        self._fault = ""

    def look(self) -> str:
        """See what the file says now.

        Returns:
            what is wrong with it; empty: nothing, and ``last`` is what it says.

        """
        try:
            self._look()
        except ConfigError as error:
            if (fault := str(error)) != self._fault:
                self._fault = fault
                _log.error(f"{self._name}_wrong", reason=fault)
            self.fault_zh = error.zh
            return fault
        self._fault = self.fault_zh = ""
        return ""

    def _look(self) -> None:
        octets = octets_of(self._path, is_guarded=self._is_guarded)
        if self.last is None or octets != self._octets:
            found = self._read(self._path, octets)
            if self.last is not None or self._fault:
                _log.info(f"{self._name}_changed", **self._told(found))
            self.last, self._octets = found, octets
        elif self._fault:
            _log.info(f"{self._name}_right")
