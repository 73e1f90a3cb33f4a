"""Reading ``meterlink.toml``: every error names the file, the line and what to do."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsError

from meterlink.config.fault import Said, refusal, said_of, too_deep, unreadable
from meterlink.config.settings import Settings
from meterlink.config.toml_places import line_of
from meterlink.errors import ConfigError

_ENV_PREFIX = Settings.model_config["env_prefix"]
_ENV_DELIMITER = Settings.model_config["env_nested_delimiter"] or ""

_FIELD = re.compile(r'for field "([^"]+)"')
"""Where pydantic says which of the environment's variables it could not read."""

_NO_BRACKETS = Said(
    "write [[meters]], in two brackets, above the keys of each meter",
    "请在每只电表的各键上方写 [[meters]](两层方括号)",
)

FILE_MAX_OCTETS = 16 * 1024 * 1024
"""A larger configuration is refused before it is read."""


def load_settings(path: Path) -> Settings:
    """Read and check a configuration file; variables of the environment override its tables' keys.

    Args:
        path: a TOML file.

    Raises:
        ConfigError: with one line for each fault: ``file:line: what, and what to do``.

    """
    text = _text(path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}", f"{path}: 不是 TOML 格式:{error}") from None
    except RecursionError:
        raise too_deep(path) from None
    for place in _places_of_nul(document):
        where = f"{path}:{line_of(text, place)}: {_dotted(place)}: "
        raise ConfigError(f"{where}a text may not contain \\u0000", f"{where}文本中不能有 \\u0000")
    try:
        return _from_document(document)
    except SettingsError as error:
        raise _no_json(error) from None
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise refusal(_fault(path, text, fault) for fault in _causes(found)) from None


def data_dir(settings: Settings) -> Path:
    """Where journal and files are: configured, or given by systemd, or below the home directory."""
    if settings.gateway.data_dir is not None:
        return settings.gateway.data_dir.expanduser()
    if state := os.environ.get("STATE_DIRECTORY"):
        return Path(state.partition(":")[0])
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "meterlink"


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_MAX_OCTETS:
            most = FILE_MAX_OCTETS // 1024 // 1024
            raise ConfigError(
                f"{path}: larger than {most} MiB: is this the right file?",
                f"{path}: 大于 {most} MiB:文件是否选错?",
            )
        return path.read_text(encoding="utf-8-sig")  # some editors put a byte order mark first
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        octet = error.object[error.start]
        raise ConfigError(
            f"{path}:{line}: octet {octet:02X}H is no UTF-8; save the file as UTF-8",
            f"{path}:{line}: 字节 {octet:02X}H 不是 UTF-8 编码:请将文件另存为 UTF-8",
        ) from None


def _no_json(error: SettingsError) -> ConfigError:
    """A variable that stands for a whole table or list, and is none; what it holds is not repeated."""
    field = _FIELD.search(str(error))
    begin = _ENV_PREFIX + (field[1] if field else "")
    names = ", ".join(sorted(name for name in os.environ if name.upper().startswith(begin.upper())))
    return ConfigError(
        f"environment variable {names}: must be JSON, as it stands for a whole table or list",
        f"环境变量 {names}: 代表整个表或列表,须为 JSON",
    )


def _places_of_nul(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where texts contain NUL, which no path, address or name has, and which the system's calls trip over."""
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places_of_nul(part, (*place, key))
    elif isinstance(value, str) and "\0" in value:
        yield place


def _from_document(document: dict[str, Any]) -> Settings:
    """Environment before file: the sources are merged table by table, key by key."""
    return _FileSettings(**document)


class _FileSettings(Settings):
    """``Settings`` whose file is given as arguments and yields to the environment."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then the file; nothing else."""
        return env_settings, init_settings


def _causes(faults: list[Any]) -> list[Any]:
    """Leave out a list that is "too short" only because its entries are wrong."""
    deeper = {fault["loc"][:length] for fault in faults for length in range(1, len(fault["loc"]))}
    return [fault for fault in faults if fault["type"] != "too_short" or fault["loc"] not in deeper]


def _fault(path: Path, text: str, fault: Any) -> Said:
    place = tuple(fault["loc"])
    line = line_of(text, place)
    where = zh = f"{path}:{line}: " if line else f"{path}: "
    variable = _ENV_PREFIX + _ENV_DELIMITER.join(map(str, place)).upper()
    if variable in os.environ:
        where, zh = f"environment variable {variable}: ", f"环境变量 {variable}: "
    if fault["type"] == "extra_forbidden":
        return _unknown(place).behind(where, zh)
    said = said_of(fault)
    if place == ("meters",) and fault["type"] == "tuple_type":
        said = _NO_BRACKETS
    return (said.behind(f"{_dotted(place)}: ") if place else said).behind(where, zh)


def _dotted(place: tuple[str | int, ...]) -> str:
    text = ""
    for part in place:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _unknown(place: tuple[str | int, ...]) -> Said:
    """What is said of a key that there is not: one that is near, or those that there are."""
    en, zh = f"unknown key {_dotted(place)!r}; ", f"未知的键 {_dotted(place)!r};"
    keys = _keys_beside(place)
    if near := difflib.get_close_matches(str(place[-1]), keys, n=1):
        return Said(f"did you mean {near[0]!r}?", f"是否为 {near[0]!r}?").behind(en, zh)
    return Said(f"known keys: {', '.join(keys)}", f"已知的键:{', '.join(keys)}").behind(en, zh)


def _keys_beside(place: tuple[str | int, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in place[:-1]:
        field = model.model_fields.get(str(part))
        if field is None:
            continue
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
        inner = [kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel)]
        model = inner[0] if inner else model
    return [field.alias or name for name, field in model.model_fields.items()]
