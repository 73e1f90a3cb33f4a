"""One line of a listing of what a protocol can read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One identifier of a family.

    Args:
        di: the identifier.
        item: the name that it is asked for by.
        en: English words.
        zh: Chinese words.

    """

    di: str
    item: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One line of a listing.

    Args:
        di: the identifier, ``{slots}`` where it may vary.
        item: name of its first member.
        en: English words.
        zh: Chinese words.
        unit: unit of the (first) value.
        octets: octets of one value; ``None`` where they vary.
        format: data format as the dictionary writes it.
        access: ``r``, ``rw`` or ``w``.
        obis: IEC 62056-61 code, or empty.
        slots: what each slot may hold.
        member: the identifier that was looked for, when it was one.

    """

    di: str
    item: str
    en: str
    zh: str
    unit: str
    octets: int | None
    format: str
    access: str
    obis: str
    slots: dict[str, str]
    member: Member | None = None

    def as_json(self) -> str:
        """The family as one JSON line."""
        return json.dumps(asdict(self), ensure_ascii=False)
