"""What ``meterlink consumption`` does: look into the journal, and show amounts or why there are none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from meterlink.billing import days
from meterlink.billing.consumption import LACK_WORDS, Consumption
from meterlink.billing.opening import open_freezes
from meterlink.cli.desk import DaemonAway, Refusal, leave
from meterlink.cli.estimate_ask import estimates
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.explained import explained
from meterlink.cli.language import Lang, chosen
from meterlink.cli.saying import say
from meterlink.config import data_dir, load_settings
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.drivers.profiles import MeterProfiles
from meterlink.drivers.registers import check_register
from meterlink.errors import BadRequest, UnknownItem, with_chinese

_SUSPECT: Final = {"en": "to be confirmed by a person", "zh": "须人工确认"}
_ESTIMATE: Final = {
    "en": "  ESTIMATED {amount} {unit}, no reading: version {version} by {actor}, the median of {basis}",
    "zh": "  估算 {amount} {unit}(非示数):第 {version} 版,{actor},取 {basis} 的中位数",
}
DAYS_MAX: Final = 36_600
"""From the first day to the last: a register's life and more."""


class ConsumptionLook:
    """One command's way of looking at consumption.

    Args:
        config: the configuration.
        as_json: one document on standard output in place of text.
        lang: asked for; ``None``: the locale's.

    """

    def __init__(self, config: Path, *, as_json: bool, lang: Lang | None) -> None:
        self._config = config
        self._as_json = as_json
        self._lang = chosen(lang)

    def show(
        self, meter: str, first: str, last: str, items: Sequence[str], *, is_estimating: bool = False
    ) -> int:
        """Show what some registers counted; the exit code."""
        estimated: dict[str, Mapping[str, Any]] = {}
        try:
            with explained():
                if is_estimating and first != last:
                    raise BadRequest("--estimate is for one day: --from and --to the same / 估算仅限一日")
                found = self._found(meter, first, last, items)
                missing = [one.item for one in found if one.amount is None]
                if is_estimating and missing:
                    made = estimates(load_settings(self._config), meter, first, missing)
                    estimated = dict(zip(missing, made, strict=True))
        except (Refusal, DaemonAway) as error:
            leave(error, as_json=self._as_json, lang=self._lang)
        if self._as_json:
            registers = [
                as_json(one) | ({"estimate": estimated.get(one.item)} if is_estimating else {})
                for one in found
            ]
            told = {"meter": meter, "from": first, "to": last, "registers": registers}
            say(json.dumps(told, ensure_ascii=False))
        else:
            for one in found:
                say(self._line(one))
                if one.item in estimated:
                    say(self._estimate_line(one.item, estimated[one.item]))
        return ExitCode.OK if all(one.amount is not None for one in found) else ExitCode.NO_VALUE

    def _found(self, meter: str, first: str, last: str, items: Sequence[str]) -> list[Consumption]:
        since, until = days.parsed(first), days.parsed(last)
        if not 0 <= (until - since).days <= DAYS_MAX:
            raise BadRequest(
                f"from {first} to {last}: the last day comes after the first, by at most {DAYS_MAX} days "
                f"/ 起止日期有误,最多相隔 {DAYS_MAX} 天"
            )
        for item in items:
            try:
                check_register(item)
            except UnknownItem as error:
                raise with_chinese(BadRequest(str(error)), error.said("zh")) from None
        settings = load_settings(self._config)
        path, zone = data_dir(settings) / JOURNAL_FILE, settings.gateway.plant_time
        with open_freezes(path, MeterProfiles(settings.gateway.profiles), zone) as freezes:
            if freezes.points.settings(meter) is None:
                raise BadRequest(f"the roster never knew a meter {meter!r} / 档案中没有该电能表")
            return [freezes.consumption(meter, item, since, until) for item in items]

    def _line(self, one: Consumption) -> str:
        if one.lack is not None:
            at = f" ({one.at_meter})" if one.at_meter else ""
            return f"{one.item}  -  {LACK_WORDS[one.lack][self._lang]}{at}"
        parts = " + ".join(f"{meter}: {counted:f} x {ratio:f}" for meter, counted, ratio in one.parts)
        doubts = f"  {_SUSPECT[self._lang]}: {', '.join(one.marks.names)}" if one.quality != "valid" else ""
        return f"{one.item}  {one.amount:f} {_unit(one.item)}  ({parts}){doubts}"

    def _estimate_line(self, item: str, told: Mapping[str, Any]) -> str:
        return _ESTIMATE[self._lang].format(
            amount=told["amount"],
            unit=_unit(item),
            version=told["version"],
            actor=told["actor"],
            basis=", ".join(told["basis"]),
        )


def as_json(one: Consumption) -> dict[str, Any]:
    """For programs; decimals are text."""
    return {
        "item": one.item,
        "kind": one.kind,
        "amount": None if one.amount is None else format(one.amount, "f"),
        "quality": one.quality,
        "marks": list(one.marks.names),
        "lack": None if one.lack is None else one.lack.value,
        "en": "" if one.lack is None else LACK_WORDS[one.lack]["en"],
        "zh": "" if one.lack is None else LACK_WORDS[one.lack]["zh"],
        "at_meter": one.at_meter,
        "parts": [
            {"meter": meter, "counted": format(counted, "f"), "multiplier": format(ratio, "f")}
            for meter, counted, ratio in one.parts
        ],
        "seqs": list(one.seqs),
    }


def _unit(item: str) -> str:
    """Of a register of energy."""
    return "kvarh" if "reactive" in item else "kVAh" if "apparent" in item else "kWh"
