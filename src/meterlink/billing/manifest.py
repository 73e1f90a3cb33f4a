"""What a sealed day says of itself: a manifest beside its files, and a signature over the manifest.

The manifest is the seal: it names each file with its hash, and the manifest before it with its own. So who
has the newest manifest of a day, and the gateway's public key, can tell whether anything became other.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Final, Literal, Self

from meterlink.audit.keys import GatewayKey, is_signed
from meterlink.billing import cursors
from meterlink.errors import SettlementBroken
from meterlink.journal.origins import NO_ORIGIN, ORIGIN_DIGITS
from meterlink.model.payload import time_in, time_out

FORMAT: Final = 2
"""Version of the layout of a sealed day."""
FORMAT_WITHOUT_ORIGIN: Final = 1
"""That of one which does not tell the origin of its last row, as those from before origins were kept."""
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
PURPOSE: Final = "settlement"
"""What the gateway's key signs it for."""
MANIFEST_OCTETS_MAX: Final = 128 * 1024 * 1024
"""A hundred thousand missing meters with their reasons are some fifty megabytes."""
SIGNATURE_OCTETS_MAX: Final = 4_096
_PLACES: Final = Decimal("0.0001")
_ORIGIN: Final = re.compile(f"[0-9a-f]{{{ORIGIN_DIGITS}}}")
_HASH: Final = re.compile("[0-9a-f]{64}")
_SIGNED: Final = re.compile("[0-9a-f]{128}")
_NAME: Final = re.compile(r"[a-z0-9-]{1,64}\.[a-z]{2,10}")

Kind = Literal["seal", "supplement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One file of a sealed day.

    Args:
        name: of the file, in its folder.
        rows: rows of data in it, without a header.
        octets: its size.
        sha256: 64 hexadecimal digits.

    """

    name: str
    rows: int
    octets: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A meter in service of which no freeze was kept.

    Args:
        meter: our id of it.
        meter_number: 12 digits; may be empty.
        customer_number: 12 digits; may be empty.
        reason: the ledger's word, e.g. ``silent``; ``unplanned``: nothing was due of it;
            ``kept``: the ledger says that it was kept.
        en: one sentence.
        zh: the same in Chinese.

    """

    meter: str
    meter_number: str
    customer_number: str
    reason: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How the day stands with this seal or supplement, those before it included.

    Args:
        in_service: meters that stood at customers' at the end of the day.
        with_freeze: of those, how many have a freeze.
        valid: of those with one, how many have nothing doubtful about it.
        suspect: that billing takes when a person has confirmed them.
        rejected: that billing never takes.
        missing: in service and without a freeze.
        beside: meters with a freeze that were not in service at the end of the day.

    """

    in_service: int
    with_freeze: int
    valid: int
    suspect: int
    rejected: int
    missing: int
    beside: int

    @property
    def shares(self) -> dict[str, str | None]:
        """Of the meters in service, never rounded up: 1 is all of them; ``None``: there are none."""
        told = ("with_freeze", "valid", "suspect", "rejected", "missing")
        return {name: self._share(getattr(self, name)) for name in told}

    def _share(self, count: int) -> str | None:
        if not self.in_service:
            return None
        return str((Decimal(count) / self.in_service).quantize(_PLACES, ROUND_FLOOR))


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What one seal, or one supplement, says of itself.

    Args:
        gateway: id of the gateway.
        day: which ended at the freezes.
        area: transformer area; may be empty.
        sealed_at: when; aware, UTC.
        number: 1 is the seal, 2 its first supplement.
        from_seq: the freezes of the log behind this row are in it,
        to_seq: up to this one.
        origin: of the row ``to_seq``; empty: it has none, or the layout is the older one.
        freezes: how many.
        counts: of the whole day.
        missing: which meters, in the order of their ids.
        files: of the data.
        before: SHA-256 of the manifest before it; empty: it is the seal.

    """

    gateway: str
    day: date
    area: str
    sealed_at: datetime
    number: int
    from_seq: int
    to_seq: int
    freezes: int
    counts: Counts
    missing: tuple[Missing, ...]
    files: tuple[DataFile, ...]
    before: str
    origin: str = NO_ORIGIN

    @property
    def kind(self) -> Kind:
        """Whether it is the seal or a supplement."""
        return "seal" if self.number == 1 else "supplement"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "format": FORMAT if self.origin else FORMAT_WITHOUT_ORIGIN,
            "gateway": self.gateway,
            "day": self.day.isoformat(),
            "area": self.area,
            "kind": self.kind,
            "number": self.number,
            "sealed_at": time_out(self.sealed_at),
            "from_seq": self.from_seq,
            "to_seq": self.to_seq,
            **({"origin": self.origin} if self.origin else {}),
            "cursor": cursors.written(self.to_seq, self.origin, day=self.day, area=self.area),
            "freezes": self.freezes,
            "counts": _told(self.counts),
            "shares": self.counts.shares,
            "missing": [_told(one) for one in self.missing],
            "files": [_told(one) for one in self.files],
            "before": self.before,
        }

    def octets(self) -> bytes:
        """As it stands in its file."""
        return json.dumps(self.as_json(), ensure_ascii=False).encode() + b"\n"

    @classmethod
    def parsed(cls, octets: bytes) -> Self:
        """Undo ``octets``.

        Raises:
            SettlementBroken: it is no manifest, or one of another version.

        """
        try:
            told = json.loads(octets)
            if told["format"] not in {FORMAT, FORMAT_WITHOUT_ORIGIN}:
                raise SettlementBroken(
                    f"this manifest is of format {told['format']!r}, and this program knows {FORMAT}"
                )
            found = cls._of(told)
            if found.octets() != octets:
                raise ValueError("it is not written as a manifest is")
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError) as error:
            raise SettlementBroken(f"this is no manifest: {type(error).__name__}: {error}") from None
        return found

    @classmethod
    def _of(cls, told: Mapping[str, Any]) -> Self:
        found = cls(
            gateway=str(told["gateway"]),
            day=date.fromisoformat(told["day"]),
            area=str(told["area"]),
            sealed_at=time_in(told["sealed_at"]),
            number=int(told["number"]),
            from_seq=int(told["from_seq"]),
            to_seq=int(told["to_seq"]),
            freezes=int(told["freezes"]),
            counts=Counts(**told["counts"]),
            missing=tuple(Missing(**one) for one in told["missing"]),
            files=tuple(DataFile(**one) for one in told["files"]),
            before=str(told["before"]),
            origin=str(told.get("origin", NO_ORIGIN)),
        )
        if found.origin and not _ORIGIN.fullmatch(found.origin):
            raise ValueError(f"origin {found.origin!r}")
        for file in found.files:
            if not _NAME.fullmatch(file.name) or not _HASH.fullmatch(file.sha256) or file.octets < 0:
                raise ValueError(f"file {file.name!r}")
        return found


def _told(one: Counts | Missing | DataFile) -> dict[str, Any]:
    """As ``asdict``, which would copy each text of a hundred thousand missing meters."""
    return {field.name: getattr(one, field.name) for field in fields(one)}


def hash_of(manifest: bytes) -> str:
    """64 hexadecimal digits over a manifest as it stands in its file."""
    return hashlib.sha256(manifest).hexdigest()


def signature(key: GatewayKey, manifest: bytes) -> bytes:
    """The signature file of a manifest."""
    return _signature_of(key.public_hex, key.sign(PURPOSE, {"manifest_sha256": hash_of(manifest)}))


def _signature_of(key: str, signed: str) -> bytes:
    return json.dumps({"key": key, "signature": signed}, indent=1).encode() + b"\n"


def signer_of(manifest: bytes, signed: bytes) -> str:
    """The public key that signed a manifest, 64 hexadecimal digits.

    Args:
        manifest: as it stands in its file.
        signed: its signature file.

    Raises:
        SettlementBroken: the signature is not one of this manifest.

    """
    try:
        told = json.loads(signed)
        key, given = str(told["key"]), str(told["signature"])
    except (KeyError, TypeError, ValueError, RecursionError):
        raise SettlementBroken("this is no signature") from None
    # The same numbers can be written in many ways: then a changed octet would pass.
    is_plain = _HASH.fullmatch(key) and _SIGNED.fullmatch(given)
    if not is_plain or signed != _signature_of(key, given):
        raise SettlementBroken("the signature is not written as one is")
    if not is_signed(key, given, PURPOSE, {"manifest_sha256": hash_of(manifest)}):
        raise SettlementBroken("the signature is not one of this manifest")
    return key
