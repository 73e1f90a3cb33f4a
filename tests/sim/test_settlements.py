"""A daemon that seals its days: at their time by itself, and when somebody asks at the control socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from meterlink.audit.keys import GatewayKey
from meterlink.billing.opening import FreezesOf
from meterlink.billing.sealing import Sealer
from meterlink.billing.settlements import Settlements
from meterlink.billing.verify import verified
from meterlink.clock import SystemClock
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import BadRequest
from meterlink.journal.reader import JournalReader
from meterlink.model.act import Topic
from meterlink.model.zone import CHINA_TIME
from metersim import Faults, Meter, Station
from tests.support.simulated import START, SimulatedGateway

_DAY = date(2026, 11, 21)
"""The day that the newest freeze at ``START`` ends."""
_PLANS: list[Mapping[str, object]] = [{"class": "daily_freeze", "items": ["forward_active_energy.*"]}]


def _gateway(folder: Path, silence: float, start: datetime, *, seals: bool = True) -> SimulatedGateway:
    """Two meters, of which the second may be silent."""
    faults = (Faults(), Faults(silence=silence))
    stations = [
        Station(meter=Meter(f"{number:012d}", seed=7), faults=fault) for number, fault in enumerate(faults, 1)
    ]
    more = {"billing": {"folder": str(folder / "sealed"), "formats": ["json"]}} if seals else {}
    return SimulatedGateway(folder, stations, plans=_PLANS, more=more, start=start)


def test_a_daemon_seals_the_day_and_its_supplement(tmp_path: Path) -> None:
    """Billing would pull a day that nobody has sealed, or of which nobody says why a meter is missing."""
    _gateway(tmp_path, 1.0, START).run(seconds=620)
    later = _gateway(tmp_path, 0.0, START + timedelta(hours=1))
    answers: list[Mapping[str, object]] = []

    async def meanwhile() -> None:
        await asyncio.sleep(300)
        assert {"areas": [""]} == await later.ask("li", "settlement.areas", day=_DAY.isoformat())
        for dry_run in (True, False, False):
            asked = {"day": _DAY.isoformat(), "area": "", "dry_run": dry_run}
            answers.append(await later.ask("li", "settlement.settle", **asked))
        with pytest.raises(BadRequest, match="dry_run"):
            await later.ask("li", "settlement.settle", day=_DAY.isoformat())

    later.run(seconds=310, meanwhile=meanwhile)
    seal, supplement = Settlements(tmp_path / "sealed").of(_DAY, "")
    [missing] = seal.manifest.missing
    assert ("m000000000002", "silent") == (missing.meter, missing.reason)
    assert "did not answer" in missing.en and "无应答" in missing.zh
    assert (0, 1) == (supplement.manifest.counts.missing, supplement.manifest.freezes)
    assert [True, True, False] == [answer["is_new"] for answer in answers]
    with JournalReader(tmp_path / JOURNAL_FILE) as reader:
        acts = reader.acts_of_subject(Topic.SETTLEMENT, f"{_DAY}/")
    assert ["meterlink", "li"] == [kept.act.actor for kept in acts]
    key = GatewayKey.find(tmp_path).public_hex
    assert not verified(tmp_path / "sealed", [key], lambda done, of: None).faults


def test_a_seal_without_its_act_gets_it_also_where_people_seal(tmp_path: Path) -> None:
    """Where `meterlink settle` was killed behind the rename, a seal could be taken away and nobody notice."""
    _gateway(tmp_path, 0.0, START, seals=False).run(seconds=300)
    key = GatewayKey.find(tmp_path)
    settlements = Settlements(tmp_path / "settlements")
    sealer = Sealer(settlements, key, gateway="gw1", formats=("json",), clock=SystemClock())
    with FreezesOf(tmp_path / JOURNAL_FILE, MeterProfiles(), CHINA_TIME)() as freezes:
        sealed = sealer.seal(freezes, _DAY, "")  # and here the process ends
    assert sealed is not None and sealed.manifest.freezes == 2
    _gateway(tmp_path, 0.0, START + timedelta(hours=1), seals=False).run(seconds=60)
    with JournalReader(tmp_path / JOURNAL_FILE) as reader:
        [act] = reader.acts_of_subject(Topic.SETTLEMENT, f"{_DAY}/")
    assert sealed.sha256 == act.act.body["manifest_sha256"]
