"""What ``meterlink journal check`` does: the file, then the chain of acts, and what is said of both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from meterlink.audit.chain import Fault
from meterlink.audit.verify import verify
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.saying import say
from meterlink.cli.waiting import waiting_bars
from meterlink.journal.reader import JournalReader
from meterlink.journal.soundness import Part, Unsound, faults

_ACTS: Final = "acts"
_TAMPERED: Final = frozenset({Part.GUARDS, Part.BOUNDARIES})
_NAMES: Final = {
    "en": {
        Part.GUARDS: "tables and guards",
        Part.PAGES: "pages",
        Part.REFERENCES: "references",
        Part.BOUNDARIES: "boundaries",
        _ACTS: "chain of acts",
    },
    "zh": {
        Part.GUARDS: "表与保护",
        Part.PAGES: "数据页",
        Part.REFERENCES: "引用",
        Part.BOUNDARIES: "边界",
        _ACTS: "操作记录链",
    },
}
_SOUND: Final = {"en": "sound", "zh": "完好"}
_VERDICT: Final = {
    True: {"en": "The journal is sound.", "zh": "日志库完好。"},
    False: {"en": "The journal is NOT sound.", "zh": "日志库有问题。"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found.

    Args:
        unsound: of the file.
        chain: of the acts; ``None``: their chain is whole.
        acts: that are sound, from the first on.

    """

    unsound: tuple[Unsound, ...]
    chain: Fault | None
    acts: int

    @property
    def exit_code(self) -> ExitCode:
        """Damage goes before tampering: what cannot be read proves nothing about anybody."""
        if any(fault.part not in _TAMPERED for fault in self.unsound):
            return ExitCode.JOURNAL
        return ExitCode.TAMPERED if self.unsound or self.chain else ExitCode.OK


def look(reader: JournalReader) -> Found:
    """Look at all of it.

    Raises:
        JournalError: the file cannot be read.

    """
    with waiting_bars() as tell:
        unsound = tuple(faults(reader, lambda part, done, of: tell(part.value, done, of)))
        chain = verify(reader, progress=lambda done, of: tell(_ACTS, done, of))
    return Found(unsound=unsound, chain=chain.fault, acts=chain.acts)


def tell(found: Found, *, as_json: bool, lang: Literal["en", "zh"]) -> None:
    """Say what was found, on standard output."""
    if as_json:
        say(json.dumps(_document(found), ensure_ascii=False))
        return
    for line in _lines(found, lang):
        say(line)


def _document(found: Found) -> dict[str, object]:
    faults_of = [{"part": fault.part.value, "en": fault.words} for fault in found.unsound]
    if found.chain is not None:
        faults_of.append({"part": _ACTS, "en": found.chain.en, "zh": found.chain.zh})
    return {"ok": not faults_of, "acts": found.acts, "faults": faults_of}


def _lines(found: Found, lang: Literal["en", "zh"]) -> Iterator[str]:
    for part in Part:
        words = [fault.words for fault in found.unsound if fault.part is part]
        yield from (f"{_NAMES[lang][part]}: {each}" for each in words or [_SOUND[lang]])
    chain = found.chain
    said = _SOUND[lang] if chain is None else chain.zh if lang == "zh" else chain.en
    yield f"{_NAMES[lang][_ACTS]} ({found.acts}): {said}"
    yield _VERDICT[found.exit_code is ExitCode.OK][lang]
