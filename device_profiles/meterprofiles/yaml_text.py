"""A file of YAML -> its tree of nodes, which remember their lines; what costs too much is refused."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

UTF8_OCTETS_MAX: Final = 4
"""Octets of a character in UTF-8, at most."""
SHORT_MAX: Final = 65_536
"""Longer texts of others are read by libyaml, where it is there, as ours are: ten times as fast, less exact
about where it broke."""

_REMEDIES: Final[Mapping[int, tuple[str, str]]] = {
    errno.ENOENT: ("name a file that is there", "请指定已有的文件"),
    errno.EISDIR: ("name a file in that folder", "请指定该目录中的文件"),
    errno.EACCES: ("let this user read it", "请允许当前用户读取"),
}
_REMEDY: Final = ("name another file", "请指定其他文件")


class FileFault(Exception):
    """A file that cannot be used; the message says file, line and remedy.

    Args:
        message: for people.
        zh: the same in Chinese; empty: whose file it is speaks English alone.

    """

    def __init__(self, message: str, zh: str = "") -> None:
        super().__init__(message)
        self.zh = zh


def text_of(path: Path, *, text_max: int, fault: type[FileFault]) -> str:
    """The text of a file.

    Args:
        path: the file.
        text_max: most characters; of one that has more for certain, or no end, no more is read.
        fault: what is raised; its message has file and line.

    Raises:
        FileFault: of ``fault``: it cannot be read, is too long, or no UTF-8.

    """
    octets_max = UTF8_OCTETS_MAX * text_max
    try:
        with path.open("rb") as file:
            octets = file.read(octets_max + 1)
    except OSError as error:
        raise fault(f"{path}: {unreadable(error)}", f"{path}: {_unreadable_zh(error)}") from None
    if len(octets) > octets_max:
        raise fault(
            f"{path}:1: too long, at most {text_max} characters are taken",
            f"{path}:1: 文件过长,至多 {text_max} 个字符",
        )
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        octet = octets[error.start]
        raise fault(
            f"{path}:{line}: octet {octet:02X}H is no UTF-8; save the file as UTF-8",
            f"{path}:{line}: 字节 {octet:02X}H 不是 UTF-8 编码:请将文件另存为 UTF-8",
        ) from None


def unreadable(error: OSError) -> str:
    """Why a file cannot be read, and what to do."""
    return f"cannot be read: {error.strerror or error}; {_REMEDIES.get(error.errno or 0, _REMEDY)[0]}"


def _unreadable_zh(error: OSError) -> str:
    return f"无法读取:{error.strerror or error};{_REMEDIES.get(error.errno or 0, _REMEDY)[1]}"


def node_of(
    text: str, file: str, *, fault: type[FileFault], text_max: int, depth_max: int, is_ours: bool = False
) -> yaml.Node:
    """The root of a file.

    Args:
        text: YAML.
        file: how errors call it.
        fault: what is raised; its message has file and line.
        text_max: most characters.
        depth_max: deepest nesting.
        is_ours: it came with the program, so it is whole, and what counts is the time that a start takes.

    Raises:
        FileFault: of ``fault``: no YAML, an alias, empty, too long or nested too deep.

    """
    if len(text) > text_max:
        raise fault(
            f"{file}:1: {len(text)} characters, at most {text_max} are taken",
            f"{file}:1: 有 {len(text)} 个字符,至多 {text_max} 个",
        )
    is_exact = len(text) <= SHORT_MAX and not is_ours
    loader = yaml.SafeLoader if is_exact else getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_events(text, file, fault, depth_max, loader)
        node = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        problem = getattr(error, "problem", None) or error
        raise fault(
            f"{file}:{line}: no YAML: {problem}", f"{file}:{line}: 不是 YAML 格式:{problem}"
        ) from None
    if node is None:
        raise fault(f"{file}:1: the file is empty", f"{file}:1: 文件为空")
    assert isinstance(node, yaml.Node)
    return node


def _check_events(text: str, file: str, fault: type[FileFault], depth_max: int, loader: Any) -> None:
    """Refuse aliases and deep nesting."""
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        line = 1 if event.start_mark is None else event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise fault(
                f"{file}:{line}: aliases are not taken; write it out",
                f"{file}:{line}: 不支持 YAML 别名,请完整写出",
            )
        if depth > depth_max:
            raise fault(
                f"{file}:{line}: nested more than {depth_max} deep", f"{file}:{line}: 嵌套超过 {depth_max} 层"
            )
