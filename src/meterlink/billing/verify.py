"""Is a sealed day as it was sealed? Offline, on any machine, with the public key that was given elsewhere.

A folder is a seal or a supplement, or holds some: of a day of an area, of a day, of all days. Each file that
is not as its manifest says is named, and each manifest that does not follow on the one before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from meterlink.billing.manifest import MANIFEST, SIGNATURE, SIGNATURE_OCTETS_MAX, Manifest, signer_of
from meterlink.billing.sealing import size_and_hash
from meterlink.billing.settlements import Sealed, folder_of_area, folder_of_number, sealed
from meterlink.errors import SettlementBroken

FAULTS_MAX: Final = 1_000
"""Faults that are told; there may be more."""
_DEPTH: Final = 3

Progress = Callable[[int, int], None]
"""Is told how many folders were looked at, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealFault:
    """What is wrong.

    Args:
        path: of the file or folder.
        en: one sentence, without its full stop.
        zh: the same in Chinese.

    """

    path: Path
    en: str
    zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was found.

    Args:
        sealed: the seals and supplements that were looked at and whose manifests could be read.
        faults: what is wrong; empty: all is as it was sealed.
        keys: public keys that signed.

    """

    sealed: Sequence[Sealed]
    faults: Sequence[SealFault]
    keys: Sequence[str]


def verified(folder: Path, keys: Sequence[str], progress: Progress) -> Verified:
    """Look at every seal and supplement of a folder.

    Args:
        folder: a sealed day, or a folder that holds some.
        keys: public keys that may have signed, 64 hexadecimal digits each; empty: any.
        progress: is told how far it is.

    """
    folders = sorted(_folders(folder, _DEPTH))
    found: list[Sealed] = []
    faults: list[SealFault] = []
    signers: set[str] = set()
    if not folders:
        faults.append(SealFault(path=folder, en="nothing is sealed here", zh="此处没有封存数据"))
    for number, one in enumerate(folders, start=1):
        try:
            seal = sealed(one)
        except SettlementBroken as error:
            faults.append(SealFault(path=one, en=str(error), zh=f"清单无法读取:{error}"))
        else:
            found.append(seal)
            faults += _signature(seal, keys, signers)
            faults += _files(seal)
            faults += _names(seal)
        progress(number, len(folders))
    if folders != [folder]:  # one alone, as it was sent, is whole in itself
        faults += _chains(found)
    return Verified(sealed=found, faults=faults[:FAULTS_MAX], keys=sorted(signers))


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / MANIFEST).exists() or (folder / SIGNATURE).exists():
        yield folder
    elif folder.is_dir() and depth:
        for one in folder.iterdir():
            if one.is_dir() and not one.name.startswith("."):
                below = list(_folders(one, depth - 1))
                # A folder with a number is a seal also where its manifest is gone.
                yield from below or ([one] if one.name.isdecimal() else [])


def _signature(seal: Sealed, keys: Sequence[str], signers: set[str]) -> Iterator[SealFault]:
    path = seal.folder / SIGNATURE
    try:
        with path.open("rb") as file:
            signed = file.read(SIGNATURE_OCTETS_MAX)
        signer = signer_of((seal.folder / MANIFEST).read_bytes(), signed)
    except OSError as error:
        yield _unreadable(path, error)
        return
    except SettlementBroken as error:
        en = f"{error}: it or {SIGNATURE} was changed, and what it says of the files is worth nothing"
        zh = f"签名与清单不符:{MANIFEST} 或 {SIGNATURE} 被改动,清单所列文件信息不可信"
        yield SealFault(path=seal.folder / MANIFEST, en=en, zh=zh)
        return
    signers.add(signer)
    if keys and signer not in keys:
        yield SealFault(path=path, en=f"signed by another key, {signer}", zh=f"签名密钥不是所给公钥:{signer}")


def _unreadable(path: Path, error: OSError) -> SealFault:
    return SealFault(path=path, en=f"cannot be read: {error.strerror}", zh=f"无法读取:{error.strerror}")


def _files(seal: Sealed) -> Iterator[SealFault]:
    for told in seal.manifest.files:
        path = seal.folder / told.name
        try:
            octets, found = size_and_hash(path)
        except OSError as error:
            yield SealFault(
                path=path, en=f"cannot be read: {error.strerror}", zh=f"无法读取:{error.strerror}"
            )
            continue
        if (octets, found) != (told.octets, told.sha256):
            yield SealFault(
                path=path,
                en=f"is not as it was sealed: {octets} octets, sealed were {told.octets}",
                zh=f"与封存时不一致:{octets} 字节,封存时 {told.octets} 字节",
            )
    strange = {one.name for one in seal.folder.iterdir()}
    strange -= {MANIFEST, SIGNATURE, *(one.name for one in seal.manifest.files)}
    for name in sorted(strange):
        yield SealFault(path=seal.folder / name, en="was not sealed", zh="不是封存的文件")


def _names(seal: Sealed) -> Iterator[SealFault]:
    """Whether a folder that lies in its place lies in the right one."""
    manifest, folder = seal.manifest, seal.folder.absolute()
    place = (manifest.day.isoformat(), folder_of_area(manifest.area), folder_of_number(manifest.number))
    if folder.name.isdecimal() and _is_day(folder.parent.parent.name) and folder.parts[-3:] != place:
        told = "/".join(place)
        yield SealFault(path=folder, en=f"is the seal of {told}, in another place", zh=f"应位于 {told}")


def _chains(found: Sequence[Sealed]) -> Iterator[SealFault]:
    """Of each day and area: the numbers are without gaps, and each manifest follows on the one before."""
    chains: dict[tuple[date, str], list[Sealed]] = {}
    for one in found:
        chains.setdefault((one.day, one.area), []).append(one)
    for chain in chains.values():
        chain.sort(key=lambda one: one.number)
        before: Sealed | None = None
        for one in chain:
            if one.number != (before.number + 1 if before else 1):
                yield SealFault(path=one.folder, en="the one before it is missing", zh="缺少前一份")
            elif before is not None and not _follows(one.manifest, before):
                yield SealFault(
                    path=one.folder, en="does not follow on the one before it", zh="与前一份不衔接"
                )
            before = one


def _follows(manifest: Manifest, before: Sealed) -> bool:
    return (manifest.before, manifest.from_seq) == (before.sha256, before.manifest.to_seq)


def _is_day(name: str) -> bool:
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False
