"""Sealing a day: files, manifest, signature and act; supplements; and no half of it, wherever it is cut."""

from __future__ import annotations

import csv
import errno
import gc
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, cast

import openpyxl
import pytest
from pyarrow import parquet

from meterlink.billing import formats, sealing, settlements
from meterlink.billing.days import end_of
from meterlink.billing.disk import RealDisk
from meterlink.billing.formats import COLUMNS, FORMATS, Format
from meterlink.billing.manifest import MANIFEST, SIGNATURE, signer_of
from meterlink.billing.settlements import Settlements, folder_of_area
from meterlink.errors import BadRequest, SettlementBroken, Unknown
from meterlink.journal.ledger_rows import Due, Planned
from meterlink.model.act import Topic
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.reading import Reading, Record
from meterlink.model.slot import SlotKey
from meterlink.model.zone import CHINA_TIME
from tests.support.billing import FIRST_DAY, TOTAL, Plant, plant

_NEXT = FIRST_DAY + timedelta(days=1)
_NAMES = {"daily-freeze.csv", "daily-freeze.jsonl", "daily-freeze.xlsx", "daily-freeze.parquet"}


async def _a_night(at: Plant) -> None:
    """Three meters in the east, of which two were read; one elsewhere."""
    await at.put(1, 2, 3, area="east", ct="0.000001", pt="100000")
    await at.put(4, area="")
    at.after(FIRST_DAY)
    await at.keep("m1", FIRST_DAY, {TOTAL: "123456.70", f"{TOTAL}.t1": None}, marks=Marks.METER_FAULT)
    await at.keep("m2", FIRST_DAY, {TOTAL: "7.50"}, marks=Marks.SUDDEN_CHANGE)
    await at.keep("m4", FIRST_DAY, {TOTAL: "1.00"})


def _rows(sealed: Settlements, area: str, number: int) -> list[dict[str, str]]:
    with sealed.open_file(FIRST_DAY, area, number, "daily-freeze.csv") as file:
        return list(csv.DictReader(io.StringIO(file.read().decode(), newline="")))


@pytest.mark.asyncio
async def test_a_sealed_day_says_what_is_in_it_and_what_is_not(tmp_path: Path) -> None:
    """Billing reconciles by the counts, the reasons and the hashes; the chain holds the manifest's hash."""
    async with plant(tmp_path) as at:
        await _a_night(at)
        settled = await at.settler().settle(FIRST_DAY, "east", actor="li")
        [sealed] = at.settlements().of(FIRST_DAY, "east")
        manifest = sealed.manifest
        assert settled.manifest == manifest
        told = (manifest.kind, manifest.number, manifest.freezes, manifest.before)
        assert ("seal", 1, 2, "") == told
        counts = manifest.counts
        assert (3, 2, 1, 1, 0, 1, 0) == (
            counts.in_service,
            counts.with_freeze,
            counts.valid,
            counts.suspect,
            counts.rejected,
            counts.missing,
            counts.beside,
        )
        assert "0.6666" == counts.shares["with_freeze"]
        [missing] = manifest.missing
        assert ("m3", "unplanned") == (missing.meter, missing.reason)
        assert "m3" in missing.en and "m3" in missing.zh
        assert _NAMES == {file.name for file in manifest.files}
        assert _NAMES | {MANIFEST, SIGNATURE} == {path.name for path in sealed.folder.iterdir()}
        with at.settlements().open_file(FIRST_DAY, "east", 1, SIGNATURE) as file:
            assert at.key.public_hex == signer_of(manifest.octets(), file.read())
        [act] = await at.journal.acts.of_subject(Topic.SETTLEMENT, "2026-11-01/east")
        assert (sealed.sha256, "li", "seal") == (act.act.body["manifest_sha256"], act.act.actor, act.act.verb)


@pytest.mark.asyncio
async def test_a_slot_that_is_kept_without_a_register_is_said_to_be(tmp_path: Path) -> None:
    """A signed manifest would give no reason at all, where its readers are promised a word."""
    async with plant(tmp_path) as at:
        await _a_night(at)
        slot = end_of(FIRST_DAY, CHINA_TIME)
        before = slot - timedelta(days=2)
        due = Due(int(slot.timestamp()), int(slot.timestamp()))
        planned = Planned(meter="m3", data_class=DAILY_FREEZE, every_s=86_400, slots=(due,))
        await at.journal.ledger.plan([planned])
        reading = Reading(
            meter="m3",
            item=TOTAL,
            value=Decimal(1),
            unit="kWh",
            slot=before,
            taken_at=slot,
            marks=NO_MARKS,
            route="line1",
        )
        record = Record(meter="m3", data_class=DAILY_FREEZE, readings=(reading,))
        await at.journal.keep(record, settles=SlotKey("m3", DAILY_FREEZE, 86_400, slot))
        await at.settler(formats=("csv",)).settle(FIRST_DAY, "east")
        [missing] = at.settlements().of(FIRST_DAY, "east")[0].manifest.missing
    assert ("m3", "kept") == (missing.meter, missing.reason)
    assert missing.en and missing.zh


@pytest.mark.asyncio
async def test_all_formats_say_the_same_exactly(tmp_path: Path) -> None:
    """A binary fraction in one of them is a cent more or less on a bill."""
    async with plant(tmp_path) as at:
        await _a_night(at)
        await at.settler().settle(FIRST_DAY, "east")
        folder = at.settlements().of(FIRST_DAY, "east")[0].folder
    rows = _rows(at.settlements(), "east", 1)
    assert list(COLUMNS) == list(rows[0])
    first = rows[0]
    assert ("123456.70", "0.1", "12345.670") == (first["value"], first["multiplier"], first["multiplied"])
    assert ("2026-11-01", "2026-11-01T16:00:00Z", "m1") == (first["day"], first["frozen_at"], first["meter"])
    assert ("", "", "meter_fault") == (rows[1]["value"], rows[1]["multiplied"], rows[1]["marks"])
    book = openpyxl.load_workbook(folder / "daily-freeze.xlsx", read_only=True)
    cells = [
        ["" if cell is None else cell for cell in line] for line in book.active.iter_rows(values_only=True)
    ]
    assert [list(COLUMNS), *(list(row.values()) for row in rows)] == cells
    book.close()
    table = parquet.read_table(folder / "daily-freeze.parquet").to_pylist()
    assert [Decimal("123456.70"), None, Decimal("7.50")] == [row["value"] for row in table]
    assert Decimal("12345.670") == table[0]["multiplied"]
    assert [int(row["seq"]) for row in rows] == [row["seq"] for row in table]
    lines = (folder / "daily-freeze.jsonl").read_text("utf-8").splitlines()
    freezes = [json.loads(line) for line in lines]
    assert ["123456.70", None] == [one["value"] for one in freezes[0]["registers"]]
    assert ["valid", "suspect"] == [one["quality"] for one in freezes]


@pytest.mark.asyncio
async def test_what_comes_later_is_a_supplement_and_nothing_is_nothing(tmp_path: Path) -> None:
    """A correction that changes a sealed file, or is lost behind it, is a bill that nobody can explain."""
    async with plant(tmp_path) as at:
        await _a_night(at)
        settler = at.settler(formats=("csv",))
        await settler.settle(FIRST_DAY, "east")
        assert (await settler.settle(FIRST_DAY, "east")).manifest is None
        await at.keep("m3", FIRST_DAY, {TOTAL: "9.00"}, marks=Marks.BACKFILL)
        await at.keep("m2", FIRST_DAY, {TOTAL: "7.60"}, marks=Marks.CONFLICT)
        await at.keep("m4", FIRST_DAY, {TOTAL: "1.10"})
        assert (await settler.preview(FIRST_DAY, "east")).manifest is not None
        await settler.settle(FIRST_DAY, "east")
        seal, supplement = at.settlements().of(FIRST_DAY, "east")
        manifest = supplement.manifest
        assert ("supplement", 2, 2, seal.sha256) == (
            manifest.kind,
            manifest.number,
            manifest.freezes,
            manifest.before,
        )
        assert (seal.manifest.to_seq, 0, 3) == (
            manifest.from_seq,
            manifest.counts.missing,
            manifest.counts.with_freeze,
        )
        assert ["m3", "m2"] == [row["meter"] for row in _rows(at.settlements(), "east", 2)]
        assert 2 == len(await at.journal.acts.of_subject(Topic.SETTLEMENT, "2026-11-01/east"))
        assert ["", "east"] == await settler.areas(FIRST_DAY)


@pytest.mark.asyncio
async def test_an_exchanged_seal_is_found_behind_its_supplement(tmp_path: Path) -> None:
    """Whoever exchanges a seal would have the gateway go on with it, and seal more behind it."""
    async with plant(tmp_path) as at:
        await _a_night(at)
        await at.settler(formats=("csv",)).settle(FIRST_DAY, "east")
        await at.keep("m3", FIRST_DAY, {TOTAL: "3.00"})
        await at.settler(formats=("csv",)).settle(FIRST_DAY, "east")
        await at.keep("m2", FIRST_DAY, {TOTAL: "7.60"})
        seal, supplement = at.settlements().of(FIRST_DAY, "east")
        exchanged = replace(seal.manifest, sealed_at=seal.manifest.sealed_at + timedelta(seconds=1))
        (seal.folder / MANIFEST).write_bytes(exchanged.octets())
        with pytest.raises(SettlementBroken, match="0001: its manifest is another"):
            await at.settler(formats=("csv",)).settle(FIRST_DAY, "east")
        assert [1, supplement.number] == [one.number for one in at.settlements().of(FIRST_DAY, "east")]


@pytest.mark.asyncio
async def test_a_rejected_freeze_at_another_time_hides_no_valid_one(tmp_path: Path) -> None:
    """A freeze at nine in the morning, which nobody may bill, would take the one of midnight off the bill."""
    nine = timedelta(hours=9)
    async with plant(tmp_path) as at:
        await at.put(1)
        at.after(FIRST_DAY, hours=10)
        await at.keep("m1", FIRST_DAY - timedelta(days=1), {TOTAL: "1.00"})
        await at.keep("m1", FIRST_DAY, {TOTAL: "5.00"})
        await at.keep("m1", FIRST_DAY, {TOTAL: "6.00"}, marks=Marks.FRZ_TIME, at=nine)
        settled = await at.settler(formats=("csv",)).settle(FIRST_DAY, "")
        assert settled.manifest is not None
        assert (1, 0) == (settled.manifest.counts.valid, settled.manifest.counts.rejected)
        with at.freezes() as freezes:
            assert Decimal(4) == freezes.consumption("m1", TOTAL, FIRST_DAY, FIRST_DAY).amount
        await at.keep("m1", FIRST_DAY, {TOTAL: "5.00"}, marks=Marks.FRZ_TIME)
        settled = await at.settler(formats=("csv",)).settle(FIRST_DAY, "")
        assert settled.manifest is not None
        assert (0, 1) == (settled.manifest.counts.valid, settled.manifest.counts.rejected), "told anew"


@pytest.mark.asyncio
async def test_what_cannot_be_sealed_says_why(tmp_path: Path) -> None:
    """Of a day that is not over, or an area that is not there, an empty seal would say: nothing was used."""
    async with plant(tmp_path) as at:
        await _a_night(at)
        settler = at.settler(formats=("csv",))
        with pytest.raises(BadRequest, match="not over"):
            await settler.settle(_NEXT, "east")
        with pytest.raises(BadRequest, match="no meter in area"):
            await settler.settle(FIRST_DAY, "south")
        await settler.settle(FIRST_DAY, "east")
        with pytest.raises(Unknown):
            at.settlements().open_file(FIRST_DAY, "east", 1, "../../../journal.sqlite3")
        path = at.settlements().of(FIRST_DAY, "east")[0].folder
        path.rename(path.with_name("away"))
        with pytest.raises(SettlementBroken, match="gone"):
            await settler.settle(FIRST_DAY, "east")


def test_every_area_has_a_folder_of_its_own() -> None:
    """Two areas in one folder would be one day sealed twice; a slash in a name would be another place."""
    areas = [
        "",
        "=",
        ".",
        "..",
        "a/b",
        "a%2Fb",
        "台区12",
        "a b",
        "A",
        "a",
        "电" * 64,
        "😀" * 64,
        "-",
        "a.b",
        "~",
    ]
    names = [folder_of_area(area) for area in areas]
    assert len(areas) == len(set(names))
    assert not any("/" in name or name.startswith(".") or len(name.encode()) > 255 for name in names)
    assert "台区12" in names


class _CutOff(BaseException):
    """The power is gone."""


@dataclass
class _DyingDisk(RealDisk):
    """Dies at an operation, before it or in the middle of it; what was not synced is lost then.

    Args:
        dies_at: which operation; 0: none.

    """

    dies_at: int = 0
    done: int = 0
    unsynced: list[Path] = field(default_factory=list)

    def make_folder(self, path: Path) -> None:
        self._step()
        super().make_folder(path)

    def create(self, path: Path) -> BinaryIO:
        self._step()
        self.unsynced.append(path)
        return super().create(path)

    def sync(self, file: BinaryIO) -> None:
        self._step()
        super().sync(file)
        self.unsynced.remove(Path(file.name))

    def sync_folder(self, path: Path) -> None:
        self._step()
        super().sync_folder(path)

    def rename(self, old: Path, new: Path) -> None:
        self._step()
        super().rename(old, new)

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)

    def _step(self) -> None:
        self.done += 1
        if self.done == self.dies_at:
            for path in self.unsynced:
                path.write_bytes(b"")
            raise _CutOff


@pytest.mark.asyncio
async def test_a_cut_at_any_step_leaves_no_seal_or_a_whole_one(tmp_path: Path) -> None:
    """Half a seal under a good name would be billed; one without an act could be taken away unseen."""
    async with plant(tmp_path) as at:
        await _a_night(at)
        whole = _DyingDisk()
        await at.settler(formats=("csv", "json"), disk=whole).settle(FIRST_DAY, "")
        assert whole.done >= 14, "the folder, four files, their syncs, the rename"
        outcomes = set()
        for number, dies_at in enumerate(range(1, whole.done + 1), start=10):
            await at.put(number, area=f"a{number}")
            await at.keep(f"m{number}", FIRST_DAY, {TOTAL: f"{number}.00"})
            disk, area = _DyingDisk(dies_at=dies_at), f"a{number}"
            with pytest.raises(_CutOff):
                await at.settler(formats=("csv", "json"), disk=disk).settle(FIRST_DAY, area)
            left = at.settlements().of(FIRST_DAY, area)
            outcomes.add(len(left))
            made = await at.settler().make_up()
            assert len(left) == made, "the start makes the act of a seal without one"
            await at.settler(formats=("csv", "json")).settle(FIRST_DAY, area)
            [sealed] = at.settlements().of(FIRST_DAY, area)
            assert [f"m{number}"] == [row["meter"] for row in _rows(at.settlements(), area, 1)]
            assert {"daily-freeze.csv", "daily-freeze.jsonl", MANIFEST, SIGNATURE} == {
                path.name for path in sealed.folder.iterdir()
            }
            assert 1 == len(await at.journal.acts.of_subject(Topic.SETTLEMENT, f"{FIRST_DAY}/{area}"))
            assert not [path for path in sealed.folder.parent.iterdir() if path.name.startswith(".")]
        assert {0, 1} == outcomes


class _FullFile(io.FileIO):
    """A file on a disk without room."""

    def write(self, octets: object, /) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class _FullDisk(RealDisk):
    def create(self, path: Path) -> BinaryIO:
        return cast("BinaryIO", _FullFile(path, "xb"))


@pytest.mark.asyncio
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of zipfile, which has no end
@pytest.mark.parametrize("kind", FORMATS)
async def test_a_full_disk_leaves_no_draft_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Format
) -> None:
    """A daemon would end with its disk; half a seal, tried again and again, would keep the disk full."""
    beside = tmp_path / "beside"
    beside.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(beside))
    async with plant(tmp_path) as at:
        await _a_night(at)
        with pytest.raises(SettlementBroken, match="No space left"):
            await at.settler(formats=(kind,), disk=_FullDisk()).settle(FIRST_DAY, "east")
        assert [] == list(at.settlements().place(FIRST_DAY, "east").iterdir())
        gc.collect()
        assert [] == list(beside.iterdir()), "parts of a workbook"
        settled = await at.settler(formats=(kind,)).settle(FIRST_DAY, "east")
        assert settled.manifest is not None
        gc.collect()
        assert [] == list(beside.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.asyncio
async def test_what_root_seals_belongs_to_whoever_has_the_data(tmp_path: Path) -> None:
    """The daemon could neither read what root has sealed by hand, nor seal a supplement beside it."""
    async with plant(tmp_path) as at:
        await _a_night(at)
        os.chown(tmp_path, 65_533, 65_532)
        await at.settler(formats=("csv", "xlsx")).settle(FIRST_DAY, "east")
        root = at.settlements().folder
        made = [root, *root.rglob("*")]
        assert 8 == len(made), "three folders around the seal, the seal, and four files"
        assert {(65_533, 65_532)} == {(one.stat().st_uid, one.stat().st_gid) for one in made}


@pytest.mark.asyncio
async def test_a_folder_that_is_not_ours_to_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root seals a day by hand, and the daemon, which may not look into the folder, would end."""
    async with plant(tmp_path) as at:
        await _a_night(at)
        settler = at.settler(formats=("csv",))
        await settler.settle(FIRST_DAY, "east")
        theirs = at.settlements().place(FIRST_DAY, "east")

        real = Path.iterdir

        def of_another(folder: Path) -> Iterator[Path]:
            if folder in {theirs, theirs.parent}:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
            return real(folder)

        monkeypatch.setattr(Path, "iterdir", of_another)
        looks: list[Callable[[], object]] = [
            at.settlements().days,
            at.settlements().list,
            lambda: at.settlements().list(FIRST_DAY),
            lambda: at.settlements().of(FIRST_DAY, "east"),
        ]
        for look in looks:
            with pytest.raises(SettlementBroken, match=r"2026-11-01.*Permission denied"):
                look()
        with pytest.raises(SettlementBroken, match="Permission denied"):
            await settler.settle(FIRST_DAY, "east")


@pytest.mark.asyncio
async def test_too_much_is_divided_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Excel would cut a sheet off at its end; a supplement too many would have a folder that nobody finds."""
    monkeypatch.setattr(formats, "SHEET_ROWS_MAX", 2)
    monkeypatch.setattr(sealing, "NUMBERS_MAX", 1)
    async with plant(tmp_path) as at:
        await _a_night(at)
        settler = at.settler(formats=("xlsx",))
        await settler.settle(FIRST_DAY, "east")
        await at.keep("m3", FIRST_DAY, {TOTAL: "9.00"})
        with pytest.raises(SettlementBroken, match="at most 1"):
            await settler.settle(FIRST_DAY, "east")
        [sealed] = at.settlements().of(FIRST_DAY, "east")
    book = openpyxl.load_workbook(sealed.folder / "daily-freeze.xlsx", read_only=True)
    assert [3, 2] == [len(list(sheet.iter_rows())) for sheet in book.worksheets], "each with its header"
    book.close()
    assert 3 == sealed.manifest.files[0].rows
    monkeypatch.setattr(settlements, "MANIFEST_OCTETS_MAX", len(sealed.manifest.octets()))
    assert sealed.manifest == settlements.sealed(sealed.folder).manifest
    monkeypatch.setattr(settlements, "MANIFEST_OCTETS_MAX", len(sealed.manifest.octets()) - 1)
    with pytest.raises(SettlementBroken, match="at most"):
        settlements.sealed(sealed.folder)
