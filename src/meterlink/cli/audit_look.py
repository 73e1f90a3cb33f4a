"""What ``meterlink audit verify`` does: keys and checkpoints from files, the walk, and its words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from meterlink.audit import verify as audit
from meterlink.audit.keys import PUBLIC_KEY
from meterlink.audit.verify import Findings, verify
from meterlink.cli.console import stderr
from meterlink.cli.saying import say
from meterlink.cli.usage import Wrong
from meterlink.journal.reader import JournalReader
from meterlink.model.checkpoint import Checkpoint
from meterlink.model.payload import time_out

FILE_OCTETS_MAX: Final = 65_536
"""A key or a checkpoint is far smaller."""

_Language = Literal["en", "zh"]
_WHOLE: Final = {
    "en": "The chain is whole: {acts} acts, in agreement with {checkpoints} checkpoints.",
    "zh": "链完整:共 {acts} 条记录,与 {checkpoints} 个检查点一致。",
}
_BROKEN: Final = {
    "en": "The chain is NOT whole: {fault}. Acts 1 to {acts} are sound.",
    "zh": "链不完整:{fault}。第 1 至 {acts} 条记录完好。",
}
_SIGNED: Final = {
    "en": "Signed up to act {signed_to} ({signed_at}); the {unsigned} behind it could have been rewritten.",
    "zh": "签名到第 {signed_to} 条({signed_at});其后 {unsigned} 条尚无签名,可能被改写。",
}
_UNSIGNED: Final = {
    "en": "Nothing of it is signed: whoever had the file could have rewritten all of it.",
    "zh": "没有任何签名:能写该文件的人可以全部改写。",
}
_ANY_KEY: Final = {
    "en": "No --key was given. Compare {key} with what `meterlink audit key` prints at the gateway.",
    "zh": "未给出 --key。签名密钥为 {key}:请与网关所示(meterlink audit key)核对。",
}


def keys_of(given: Sequence[str]) -> list[str]:
    """Public keys, as digits or in files.

    Raises:
        Wrong: neither.

    """
    return [_key(text) for text in given]


def saved_of(files: Sequence[Path]) -> list[Checkpoint]:
    """Checkpoints out of files.

    Raises:
        Wrong: a file cannot be read or holds none.

    """
    found = []
    for file in files:
        try:
            found.append(Checkpoint.from_json(_text_of(file, "--checkpoint")))
        except ValueError as error:
            raise Wrong(f"{file}: {error}", f"{file}:不是检查点:{error}", param_hint="--checkpoint") from None
    return found


def look(
    reader: JournalReader,
    keys: Sequence[str],
    saved: Sequence[Checkpoint],
    *,
    as_json: bool,
    lang: _Language,
) -> bool:
    """Follow the chain and say what was found; whether it is whole.

    Raises:
        JournalError: the file cannot be read.

    """
    with _progress() as progress:
        found = verify(reader, keys=keys, saved=saved, progress=progress)
    if as_json:
        say(json.dumps(_document(found), ensure_ascii=False))
    else:
        for line in _lines(found, bool(keys), lang):
            say(line)
    return found.fault is None


def _key(text: str) -> str:
    if PUBLIC_KEY.fullmatch(text.lower()):
        return text.lower()
    content = _text_of(Path(text), "--key").strip().lower()
    if not PUBLIC_KEY.fullmatch(content):
        raise Wrong(
            f"{text}: this is no public key: 64 hex digits",
            f"{text}:不是公钥,应为64位十六进制数字",
            param_hint="--key",
        )
    return content


def _text_of(file: Path, option: str) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(FILE_OCTETS_MAX).decode(errors="replace")
    except OSError as error:
        raise Wrong(
            f"{file}: cannot be read: {error.strerror}",
            f"{file}:无法读取:{error.strerror}",
            param_hint=option,
        ) from None


@contextmanager
def _progress() -> Iterator[audit.Progress]:
    """A bar for somebody who waits at a terminal."""
    console = stderr(soft_wrap=False)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("acts", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _document(found: Findings) -> dict[str, object]:
    fault = found.fault
    return {
        "ok": fault is None,
        "acts": found.acts,
        "hash": found.hash,
        "checkpoints": found.checkpoints,
        "signed_to": found.signed_to,
        "signed_at": time_out(found.signed_at) if found.signed_at else None,
        "unsigned": found.unsigned,
        "keys": list(found.keys),
        "fault": None
        if fault is None
        else {
            "kind": fault.kind.value,
            "first": fault.first,
            "last": fault.last,
            "row": fault.log_id,
            "en": fault.en,
            "zh": fault.zh,
        },
    }


def _lines(found: Findings, has_key: bool, lang: _Language) -> Iterator[str]:
    if found.fault is not None:
        told = found.fault.zh if lang == "zh" else found.fault.en
        yield _BROKEN[lang].format(fault=told, acts=found.acts)
    else:
        yield _WHOLE[lang].format(acts=found.acts, checkpoints=found.checkpoints)
    if found.signed_at is not None:
        at = time_out(found.signed_at)
        yield _SIGNED[lang].format(signed_to=found.signed_to, signed_at=at, unsigned=found.unsigned)
    elif found.acts:
        yield _UNSIGNED[lang]
    if found.keys and not has_key:
        yield _ANY_KEY[lang].format(key=", ".join(found.keys))
