"""Verifying sealed days: offline, and each file that is not as it was sealed is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from meterlink.billing import verify
from meterlink.billing.manifest import MANIFEST, SIGNATURE, signature, signer_of
from meterlink.billing.verify import verified
from meterlink.errors import SettlementBroken
from tests.support.billing import FIRST_DAY, TOTAL, plant


async def _sealed(folder: Path) -> tuple[Path, str]:
    """A day of an area, with a supplement; its folder, and the public key."""
    async with plant(folder) as at:
        await at.put(1, 2, area="east")
        at.after(FIRST_DAY)
        await at.keep("m1", FIRST_DAY, {TOTAL: "1.00"})
        settler = at.settler(formats=("csv", "json"))
        await settler.settle(FIRST_DAY, "east")
        await at.keep("m2", FIRST_DAY, {TOTAL: "2.00"})
        await settler.settle(FIRST_DAY, "east")
        return at.settlements().place(FIRST_DAY, "east"), at.key.public_hex


def _named(folder: Path, *keys: str) -> set[str]:
    """The files at fault, below the folder."""
    found = verified(folder, keys, lambda done, of: None)
    return {str(fault.path.relative_to(folder)) for fault in found.faults}


@pytest.mark.asyncio
async def test_a_changed_byte_is_named_wherever_it_is(tmp_path: Path) -> None:
    """Whoever changed one reading between the gateway and the bill would not be found."""
    place, key = await _sealed(tmp_path)
    elsewhere = tmp_path / "copy"
    shutil.copytree(place, elsewhere)
    assert set() == _named(elsewhere, key)
    files = [path for path in elsewhere.rglob("*") if path.is_file()]
    assert 8 == len(files)
    for path in files:
        octets = path.read_bytes()
        for at in {0, len(octets) // 2, len(octets) - 2}:
            changed = bytearray(octets)
            changed[at] ^= 1
            path.write_bytes(changed)
            named = _named(elsewhere, key)
            folder = str(path.parent.relative_to(elsewhere))
            at_fault = path.name in {MANIFEST, SIGNATURE} and {folder, f"{folder}/{MANIFEST}"}
            assert named & (at_fault or {f"{folder}/{path.name}"}), (path.name, at, named)
        path.unlink()
        assert _named(elsewhere, key), path.name
        path.write_bytes(octets)
    assert set() == _named(elsewhere, key)


@pytest.mark.asyncio
async def test_a_signature_has_one_way_of_being_written(tmp_path: Path) -> None:
    """White space or capitals would change a sealed file, and nobody would be told."""
    async with plant(tmp_path) as at:
        manifest = b"{}\n"
        signed = signature(at.key, manifest)
        assert at.key.public_hex == signer_of(manifest, signed)
    others = {signed + b" ", signed + b"\n" * 5_000, b" " + signed, signed[:-1], signed.upper()}
    for number, octet in enumerate(signed):
        others.add(signed[:number] + b" " + signed[number:])
        for other in {octet ^ 1, octet ^ 0x20, 0x20, 0x09, ord(chr(octet).upper())} - {octet}:
            others.add(signed[:number] + bytes([other]) + signed[number + 1 :])
    for changed in others:
        with pytest.raises(SettlementBroken, match="signature"):
            signer_of(manifest, changed)


@pytest.mark.asyncio
async def test_what_was_put_elsewhere_or_taken_out_is_found(tmp_path: Path) -> None:
    """A day under the name of another, a supplement without its seal, a file slipped in."""
    place, key = await _sealed(tmp_path)
    days = place.parent.parent
    assert set() == _named(days, key)
    assert {f"{FIRST_DAY}/east/000{number}/{SIGNATURE}" for number in (1, 2)} == _named(days, "ab" * 32)
    (place / "0001" / "more.csv").write_text("x")
    assert {f"{FIRST_DAY}/east/0001/more.csv"} == _named(days, key)
    (place / "0001" / "more.csv").unlink()
    shutil.copytree(place.parent, days / "2026-11-02")
    assert {"2026-11-02/east/0001", "2026-11-02/east/0002"} <= _named(days, key)
    shutil.rmtree(days / "2026-11-02")
    assert set() == _named(place / "0002", key), "one alone, as it was sent, is whole in itself"
    shutil.rmtree(place / "0001")
    assert {"0002"} == _named(place, key), "but in its place the seal before it is missing"
    assert {"."} == _named(tmp_path / "nothing", key)


@pytest.mark.asyncio
async def test_a_manifest_that_was_sealed_anew_does_not_follow(tmp_path: Path) -> None:
    """Who has the key for a moment could exchange one seal of a chain."""
    place, key = await _sealed(tmp_path)
    manifest = json.loads((place / "0002" / MANIFEST).read_bytes())
    other = tmp_path / "b"
    other.mkdir()
    async with plant(other) as at:
        await at.put(1, area="east")
        at.after(FIRST_DAY)
        await at.keep("m1", FIRST_DAY, {TOTAL: "9.00"})
        await at.settler(formats=("csv", "json")).settle(FIRST_DAY, "east")
        forged, forger = at.settlements().place(FIRST_DAY, "east"), at.key.public_hex
    shutil.rmtree(place / "0001")
    shutil.copytree(forged / "0001", place / "0001")
    assert manifest["before"]
    assert {"0002"} == _named(place, key, forger)


@pytest.mark.parametrize(("seals", "told"), [(2, 2), (3, 3), (4, 3)])
def test_faults_without_end_are_not_told_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seals: int, told: int
) -> None:
    """A wrong folder would fill the memory, or one fault too few would be told."""
    monkeypatch.setattr(verify, "FAULTS_MAX", 3)
    for number in range(1, seals + 1):
        (tmp_path / f"{number:04d}").mkdir()
    assert told == len(verified(tmp_path, [], lambda done, of: None).faults)
