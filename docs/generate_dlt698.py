"""What the page on DL/T 698.45 takes from the code and the vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from meterwire.dlt698.apdus.apdu import head_of
from meterwire.dlt698.apdus.enumerations import enumeration
from meterwire.dlt698.apdus.parts import SERVICES
from meterwire.dlt698.axdr.data import TAGS
from meterwire.dlt698.link.frame import decode
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.object_rows import CHAPTERS, Object, Row, class_rows
from meterwire.errors import RemoteProtocolError

_VECTORS = Path(__file__).parent.parent / "tests" / "vectors" / "dlt698.jsonl"
_OBJECT = (False, 0)


def services() -> str:
    """Every APDU, what it is called in code, and a vector that shows it."""
    shown = _shown()
    lines = ["| octets | APDU | what it is | vector |", "| --- | --- | --- | --- |"]
    for head, service in sorted(SERVICES.items()):
        said = (service.__doc__ or "").partition("\n")[0]
        lines.append(f"| `{head.hex(' ').upper()}` | `{service.__name__}` | {said} | {shown.get(head, '')} |")
    return "\n".join(lines) + "\n"


def _shown() -> dict[bytes, str]:
    """The first vector of each APDU."""
    found: dict[bytes, str] = {}
    for line in _VECTORS.read_text(encoding="utf-8").splitlines():
        vector = json.loads(line)
        if "apdu" in vector.get("expect", {}) and "hex" in vector:
            try:
                octets = decode(bytes.fromhex(vector["hex"]).lstrip(b"\xfe")).user_data
            except RemoteProtocolError:
                continue
            found.setdefault(head_of(octets), vector["id"])
    return found


def data_types() -> str:
    """Every type of Data with its tag."""
    lines = ["| tag | type |", "| --- | --- |"]
    lines += [f"| {tag:02X} | `{name}` |" for name, tag in sorted(TAGS.items(), key=lambda item: item[1])]
    return "\n".join(lines) + "\n"


def access_results() -> str:
    """Every DAR by name."""
    lines = ["| DAR | name | words | 中文 |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {code} | `{what.name}` | {what.en} | {what.zh} |" for code, what in enumeration("dar").items()
    ]
    return "\n".join(lines) + "\n"


def classes() -> str:
    """Interface classes with the attributes and methods that all of their objects have."""
    lines = ["| class | name | 名称 | attributes | methods |", "| --- | --- | --- | --- | --- |"]
    for number, rows in sorted(class_rows().items()):
        of = rows[_OBJECT]
        attributes = [row for (is_method, n), row in sorted(rows.items()) if not is_method and n]
        methods = [row for (is_method, _), row in sorted(rows.items()) if is_method]
        lines.append(
            f"| {number} | {of.en} | {of.zh} | {_members(attributes)} | {_members(methods) or 'none common'} |"
        )
    return "\n".join(lines) + "\n"


def _members(rows: list[Row]) -> str:
    return ", ".join(f"{row.number} {row.en}" for row in rows)


def objects() -> str:
    """How many objects each chapter has, and every family with its attributes and methods."""
    count = len(dictionary().objects)
    parts = [
        f"{count} objects in {len(dictionary().families)} families.\n\n",
        "| section | objects | rows |\n",
    ]
    parts.append("| --- | --- | --- |\n")
    for chapter, section in CHAPTERS.items():
        known = [one for one in dictionary().objects if one.chapter == chapter]
        rows = sum(len(one.own) for one in dictionary().families if one.chapter == chapter)
        parts.append(f"| {section} | {len(known)} | {rows} |\n")
    parts.append("\n| descriptor | item | what it is | 中文 | unit | type | access | by |\n")
    parts.append("| --- | --- | --- | --- | --- | --- | --- | --- |\n")
    for one in dictionary().families:
        parts += _object(one)
    return "".join(parts)


def _object(one: Object) -> Iterator[str]:
    yield f"| **{one.pattern}** | | **{one.en}** | **{one.zh}** | | class {one.interface_class} | | {one.by} |\n"
    for (is_method, number), row in sorted(one.own.items()):
        member = f"method {number}" if is_method else f"{number}"
        item = f"`{row.item}`" if row.item else ""
        written = f"`{row.written}`".replace("](", "] (")  # no link
        scaler = f"10^{row.scaler} " if row.scaler else ""
        yield (
            f"| {one.pattern} {member} | {item} | {row.en} | {row.zh} | {scaler}{row.unit} | {written} "
            f"| {row.access} | {row.by} |\n"
        )
