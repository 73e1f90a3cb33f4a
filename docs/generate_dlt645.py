"""Write the generated pages anew: ``python -m docs.generate_dlt645``. A test fails when one is out of date."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from meterwire.dlt645 import dictionary
from meterwire.dlt645.command_codec import COMMANDS
from meterwire.dlt645.functions import EDITIONS, Edition, function_name

_HERE = Path(__file__).parent
_VECTORS = _HERE.parent / "tests" / "vectors"
PAGE = _HERE / "protocols" / "dlt645.md"

_READS = {
    "dlt645-2007": {0x11: "Read", 0x12: "ReadFollowing"},
    "dlt645-1997": {0x01: "Read", 0x02: "ReadFollowing"},
}

_HEAD = """# DL/T 645

`meterwire.dlt645` speaks DL/T 645-2007 and DL/T 645-1997, both roles, without I/O.
This page is written by `python -m docs.generate_dlt645` from the code and the vectors.

## Function codes

Each message is built and read in both directions; a refusal (D6 set) is an `AbnormalReply` with its bits in English and Chinese.
The last column names a vector that shows the code; without one the layout comes from the reference alone.

| edition | code | function | 功能 | messages | vector |
| --- | --- | --- | --- | --- | --- |
"""

_TAIL = """
## Known deviations, and how they are met

- FEH in any number before a frame, and other octets before, between and after frames: skipped and counted.
- A length octet that was made too large by noise: the frame that is complete first wins.
- More than 200 octets of DATA: received, never sent.
- A digit of the address that is A..F: received; a request with an A digit takes the answer of any meter.
- FFH filling is "absent", digits that are none are "invalid-bcd": neither becomes a number.
- A closing AAH of a block, and AAH between the parts of a freeze block: dropped.
- Records of other lengths (exports, test benches) are told apart by their length; an unknown length gives no values.
- D5 on a whole single item (a call for the report word): the item is kept when the following piece is refused or silent.
- 1997 meters that answer with the wildcard address: accepted when a wildcard was asked.

## What is refused

- Anything that changes a meter (write, baud rate, password, clears, control, security) for the broadcast or a shortened address.
- A control request with an expiry that is no date; in plain with level 98H.
- A freeze pattern that the standard does not have, a baud word with other than one bit.
- A following piece out of order, or more than 32 of them: the read fails, half a record is no data.
- A purchase, an account or a key is never made here: the security chip's part comes from outside.
"""


def page() -> str:
    """The page on DL/T 645."""
    parts = [_HEAD, *_functions(), "\n## Dictionaries\n"]
    for edition in EDITIONS:
        rows = dictionary(edition).rows
        parts.append(
            f"\n### {edition}: {len(rows)} families\n\nClauses are chapters of the reference; EXT marks a supplement.\n"
        )
        parts.append("\n| clause | families | formats |\n| --- | --- | --- |\n")
        parts += _clauses(edition)
        parts.append(
            "\n| identifier | item | 中文 | unit | format | access |\n| --- | --- | --- | --- | --- | --- |\n"
        )
        parts += _families(edition)
    return "".join([*parts, _TAIL])


def _functions() -> Iterator[str]:
    shown = _shown()
    for edition in EDITIONS:
        codes = {code for kind in COMMANDS for of, code in kind.LAYOUTS if of == edition} | set(
            _READS[edition]
        )
        for code in sorted(codes):
            read = _READS[edition].get(code)
            names = [kind.__name__ for kind in COMMANDS if (edition, code) in kind.LAYOUTS]
            messages = ", ".join([f"{read}Request", f"{read}Reply"] if read else names)
            name = function_name(code, edition)
            vector = shown.get((edition, code), "")
            yield f"| {edition[-4:]} | {code:02X}H | {name.en} | {name.zh} | {messages} | {vector} |\n"


def _shown() -> dict[tuple[str, int], str]:
    """The first vector of each function code."""
    found: dict[tuple[str, int], str] = {}
    for file in ("dlt645.jsonl", "control.jsonl"):
        for line in (_VECTORS / file).read_text(encoding="utf-8").splitlines():
            vector = json.loads(line)
            if vector["protocol"].startswith("dlt645") and "control" in vector.get("expect", {}):
                key = vector["protocol"], int(vector["expect"]["control"], 16) & 0x1F
                found.setdefault(key, vector["id"])
    return found


def _clauses(edition: Edition) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for row in dictionary(edition).rows:
        groups.setdefault(row.clause, []).append(
            row.format.partition(":")[0] if ":" in row.format else row.format
        )
    for clause, formats in sorted(groups.items()):
        yield f"| {clause} | {len(formats)} | {', '.join(f'`{one}`'.replace('|', '+') for one in sorted(set(formats)))} |\n"


def _families(edition: Edition) -> Iterator[str]:
    for row in dictionary(edition).rows:
        entry = row.entry(row.first)
        if "/items/" in entry.item:
            continue  # the fields of a record, read one by one: the record's own line stands for them
        written = row.format.replace("|", "+")
        yield f"| `{row.pattern}` | `{entry.item}` | {entry.label.zh} | {entry.unit} | `{written}` | {entry.access} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
