"""What the commands of ``meterlink settlement`` do: lists, manifests, and looking for what was changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from meterlink.billing import days
from meterlink.billing.settlements import Sealed, sealed
from meterlink.billing.verify import Verified, verified
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.explained import explained
from meterlink.cli.language import Lang, chosen
from meterlink.cli.saying import say
from meterlink.cli.tables import print_table
from meterlink.cli.waiting import waiting_bar
from meterlink.config import data_dir, load_settings
from meterlink.errors import SettlementBroken
from meterlink.model.payload import time_out

_HEADS: Final = {
    "en": ("day", "area", "number", "sealed at", "freezes", "in service", "with freeze", "missing"),
    "zh": ("日期", "台区", "序号", "封存时间", "冻结", "在运", "有冻结", "缺失"),
}
_WHOLE: Final = {
    "en": "All is as it was sealed: {count} seals and supplements.",
    "zh": "与封存时一致:共 {count} 份。",
}
_CHANGED: Final = {"en": "NOT as it was sealed:", "zh": "与封存时不一致:"}
_ANY_KEY: Final = {
    "en": "No --key was given. Compare {keys} with what `meterlink audit key` prints at the gateway.",
    "zh": "未给出 --key。签名密钥为 {keys}:请与网关所示(meterlink audit key)核对。",
}


class SettlementLook:
    """One command that looks at sealed days.

    Args:
        as_json: one document on standard output in place of text.
        lang: asked for; ``None``: the locale's.

    """

    def __init__(self, *, as_json: bool, lang: Lang | None) -> None:
        self._as_json = as_json
        self._lang = chosen(lang)

    def list(self, config: Path, day: str) -> int:
        """List what is sealed in the folder of a configuration; the exit code."""
        from meterlink.daemon.settling import settlements_of

        try:
            with explained():
                settings = load_settings(config)
                only = days.parsed(day) if day else None
                found = settlements_of(settings, data_dir(settings)).list(only)
        except SettlementBroken as error:
            say(str(error), err=True)
            return ExitCode.FAILURE
        if self._as_json:
            say(json.dumps([_listed(one) for one in found], ensure_ascii=False))
        else:
            self._show_table(found)
        return ExitCode.OK

    def show(self, folder: Path) -> int:
        """Show a manifest; the exit code."""
        try:
            found = sealed(folder)
        except SettlementBroken as error:
            say(str(error), err=True)
            return ExitCode.FAILURE
        if self._as_json:
            say(json.dumps(found.manifest.as_json(), ensure_ascii=False))
            return ExitCode.OK
        self._show_table([found])
        for file in found.manifest.files:
            say(f"{file.name}  {file.rows}  {file.octets}  {file.sha256}")
        for one in found.manifest.missing:
            say(f"{one.meter}  {one.zh if self._lang == 'zh' else one.en}")
        return ExitCode.OK

    def verify(self, folder: Path, given: Sequence[str]) -> int:
        """Look whether all is as it was sealed; the exit code."""
        from meterlink.cli.audit_look import keys_of

        keys = keys_of(given)
        with waiting_bar("verify") as tell:
            found = verified(folder, keys, tell)
        if self._as_json:
            say(json.dumps(_verified(found, has_key=bool(keys)), ensure_ascii=False))
        else:
            self._tell_verified(found, bool(keys))
        return ExitCode.TAMPERED if found.faults else ExitCode.OK

    def _tell_verified(self, found: Verified, has_key: bool) -> None:
        lang = self._lang
        say(_CHANGED[lang] if found.faults else _WHOLE[lang].format(count=len(found.sealed)))
        for fault in found.faults:
            say(f"{fault.path}: {fault.zh if lang == 'zh' else fault.en}")
        if found.keys and not has_key:
            say(_ANY_KEY[lang].format(keys=", ".join(found.keys)))

    def _show_table(self, found: Sequence[Sealed]) -> None:
        table = Table(box=None, pad_edge=False)
        for number, head in enumerate(_HEADS[self._lang]):
            table.add_column(head, justify="right" if number > 3 else "left")
        for one in found:
            manifest = one.manifest
            counts = manifest.counts
            numbers = (manifest.freezes, counts.in_service, counts.with_freeze, counts.missing)
            table.add_row(
                manifest.day.isoformat(),
                manifest.area,
                str(manifest.number),
                time_out(manifest.sealed_at.replace(microsecond=0)),
                *map(str, numbers),
            )
        print_table(table)


def _listed(one: Sealed) -> dict[str, Any]:
    told = one.manifest.as_json()
    del told["missing"]
    return {**told, "folder": str(one.folder), "manifest_sha256": one.sha256}


def _verified(found: Verified, *, has_key: bool) -> dict[str, Any]:
    keys = ", ".join(found.keys)
    hint = {lang: words.format(keys=keys) for lang, words in _ANY_KEY.items()}
    return {
        "ok": not found.faults,
        "sealed": [_listed(one) for one in found.sealed],
        "keys": list(found.keys),
        "key_given": has_key,
        "hint": hint if found.keys and not has_key else None,
        "faults": [{"path": str(one.path), "en": one.en, "zh": one.zh} for one in found.faults],
    }
