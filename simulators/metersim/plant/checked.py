"""YAML text and a frozen dataclass of pydantic in, an instance or every fault with its line out.

A scalar is handed on as the text that stands there, and the field says what it becomes: an address that
begins with zeros is no octal number, and ``no`` is no truth value where a name is wanted.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from meterprofiles.yaml_text import FileFault, node_of

TEXT_MAX: Final = 4_194_304
"""Most characters of a file: 10,000 meters, each on a line of its own, have room."""
DEPTH_MAX: Final = 12
STRICT: Final = ConfigDict(extra="forbid")
"""Of a dataclass of a file: a key that it does not know is a fault."""
SECRETS: Final = ("passwords",)
"""Keys whose keys and values no error shows: a person may have written one in place of the other."""
_LEVEL: Final = re.compile("[0-9]").fullmatch
FAULTS_SHOWN_MAX: Final = 20
"""Faults of one file that are shown."""

SENTENCES: Final[Mapping[str, str]] = {
    "dict_type": "write keys and values",
    "dataclass_type": "write keys and values",
    "tuple_type": "write a list: [...], or a line with '- ' for each",
    "list_type": "write a list: [...], or a line with '- ' for each",
    "string_type": "write a text",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "write a whole number"),
    **dict.fromkeys(
        ("float_type", "float_parsing", "decimal_type", "decimal_parsing"), "write a number, as 0.5"
    ),
    **dict.fromkeys(("bool_type", "bool_parsing"), "write true or false"),
    **dict.fromkeys(
        ("datetime_type", "datetime_parsing", "datetime_from_date_parsing"),
        "write a time with its zone, as 2026-10-01T00:00:00+08:00",
    ),
}
"""What to write, by the kind of fault that pydantic found; its own words are of classes."""

Loc = tuple[str | int, ...]
_T = TypeVar("_T")


class PlantError(FileFault, ValueError):
    """A file of a plant that cannot be used; each line of the message says file, line and remedy."""


class Misplaced(ValueError):
    """A fault that a check of the whole found in a part of it.

    Args:
        sentence: what is wrong, and what to do.
        loc: keys and indexes from where it was checked to where it stands.

    """

    def __init__(self, sentence: str, *loc: str | int) -> None:
        super().__init__(sentence)
        self.loc: Loc = loc


def checked(
    text: str,
    file: str,
    wanted: type[_T],
    *,
    whole: str,
    context: object = None,
    text_max: int = TEXT_MAX,
    fault: type[FileFault] = PlantError,
) -> _T:
    """What a file says.

    Args:
        text: YAML.
        file: how errors call it.
        wanted: a dataclass of pydantic.
        whole: what such a file is, for who wrote something else.
        context: handed to its validators.
        text_max: most characters.
        fault: what is raised.

    Raises:
        Exception: of ``fault``; the message names up to 20 faults, a line each.

    """
    root = node_of(text, file, fault=fault, text_max=text_max, depth_max=DEPTH_MAX)
    data = _data(root, file, fault)
    try:
        return TypeAdapter(wanted).validate_python(data, context=context)
    except ValidationError as error:
        raise fault(_told(file, sorted(_faults(error, root, wanted, whole)))) from None


def refuse(
    misplaced: Iterable[Misplaced],
    text: str,
    file: str,
    *,
    text_max: int = TEXT_MAX,
    fault: type[FileFault] = PlantError,
) -> None:
    """Refuse a file for what its sentences mean together, with the line of each.

    Args:
        misplaced: what is wrong; nothing: the file is taken.
        text: YAML that was read.
        file: how errors call it.
        text_max: most characters.
        fault: what is raised.

    Raises:
        Exception: of ``fault``; the message names up to 20 faults, a line each.

    """
    found = list(misplaced)
    if not found:
        return
    root = node_of(text, file, fault=fault, text_max=text_max, depth_max=DEPTH_MAX)
    raise fault(_told(file, sorted(_sentence(root, one.loc, str(one)) for one in found)))


def scalar_at(text: str, file: str, key: str, *, fault: type[FileFault] = PlantError) -> str | None:
    """What is written behind a key of a file that was read; ``None`` where that is no single word or text.

    Args:
        text: YAML.
        file: how errors call it.
        key: at the top of it.
        fault: what is raised.

    Raises:
        Exception: of ``fault``: the text cannot be read.

    """
    below = _below(node_of(text, file, fault=fault, text_max=TEXT_MAX, depth_max=DEPTH_MAX), key)
    return str(below[1].value) if below and isinstance(below[1], yaml.ScalarNode) else None


def _told(file: str, faults: list[tuple[int, str]]) -> str:
    shown = [f"{file}:{line}: {sentence}" for line, sentence in faults[:FAULTS_SHOWN_MAX]]
    if len(faults) > len(shown):
        shown.append(f"{file}: and {len(faults) - len(shown)} more")
    return "\n".join(shown)


def _sentence(root: yaml.Node, loc: Loc, sentence: str) -> tuple[int, str]:
    line, path = _place(root, loc)
    return line, f"{path}: {sentence}" if path else sentence


def _data(node: yaml.Node, file: str, fault: type[FileFault], key: str = "") -> Any:
    """Mappings, lists and texts; ``None`` where nothing stands.

    ``key`` is what it stands behind.
    """
    if isinstance(node, yaml.ScalarNode):
        return None if node.style is None and node.value in {"", "~", "null"} else str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_data(each, file, fault, key) for each in node.value]
    assert isinstance(node, yaml.MappingNode), "YAML has three kinds of nodes"
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise fault(f"{file}:{line}: a key is one word")
        if key_node.value in found:
            twice = "a key" if key in SECRETS else f"key {key_node.value!r}"
            raise fault(f"{file}:{line}: {twice} stands here twice")
        found[str(key_node.value)] = _data(value_node, file, fault, str(key_node.value))
    return found


def _faults(error: ValidationError, root: yaml.Node, wanted: type, whole: str) -> Iterator[tuple[int, str]]:
    for fault in error.errors(include_url=False, include_input=False):
        loc, cause = fault["loc"], fault.get("ctx", {}).get("error")
        if isinstance(cause, ValueError):
            sentence = str(cause)
        else:
            sentence = SENTENCES.get(fault["type"]) or fault["msg"].replace("Input ", "", 1)
        match fault["type"]:
            case "unexpected_keyword_argument" | "extra_forbidden":
                sentence = _unknown(str(loc[-1]), _keys(wanted, loc[:-1]))
            case "missing" | "missing_argument":
                sentence = "the key is missing"
            case "dataclass_type":
                sentence = f"{sentence}: {', '.join(_keys(wanted, loc))}" if loc else whole
        if isinstance(cause, Misplaced):
            loc = (*loc, *cause.loc)
        yield _sentence(root, loc, sentence)


def _unknown(key: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown key{meant}; there are: {', '.join(known)}"


def _place(node: yaml.Node, loc: Loc) -> tuple[int, str]:
    """Line and path of what stands at ``loc``, as far as the file goes."""
    line, path, secret = node.start_mark.line + 1, "", False
    for part in loc:
        below = _below(node, part)
        shown = _shown(part, secret=secret)
        secret = secret or part in SECRETS
        if below is None:
            if isinstance(shown, str) and shown.isidentifier() and isinstance(node, yaml.MappingNode):
                path += f"{'.' if path else ''}{shown}"  # a key that is missing
            continue
        line, node = below
        path += f"[{shown + 1}]" if isinstance(shown, int) else f"{'.' if path else ''}{shown}"
    return line, path


def _shown(part: str | int, *, secret: bool) -> str | int:
    """A part of a path as errors show it."""
    return "***" if secret and isinstance(part, str) and not _LEVEL(part) else part


def _below(node: yaml.Node, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            if key_node.value == part:
                return key_node.start_mark.line + 1, value_node
    return None


def _keys(wanted: object, loc: Loc) -> tuple[str, ...]:
    """The keys of the dataclass at ``loc``."""
    for part in loc:
        here = _dataclass_in(wanted)
        hints = typing.get_type_hints(here, include_extras=True) if isinstance(part, str) and here else {}
        wanted = hints.get(str(part), wanted)
    found = _dataclass_in(wanted)
    return tuple(field.name for field in dataclasses.fields(found)) if found else ()


def _dataclass_in(hint: object) -> type | None:
    """The first dataclass in a type: itself, or of what it is made."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and not isinstance(hint, types.GenericAlias):
        return hint
    found = (_dataclass_in(part) for part in typing.get_args(hint))
    return next((one for one in found if one is not None), None)
