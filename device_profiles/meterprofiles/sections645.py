"""The sections of a profile that only DL/T 645 has: how such meters depart from their dictionary."""

from __future__ import annotations

from typing import cast

from meterprofiles.places import Place
from meterprofiles.schema import (
    QUIRK_KINDS,
    Quirk,
    QuirkKind,
)
from meterwire.dlt645.items.dialects import Choices, choices, dialects, switches
from meterwire.dlt645.items.dialects import table as identifiers
from meterwire.dlt645.items.dictionary import dictionary
from meterwire.dlt645.items.overlays import signed
from meterwire.dlt645.link.functions import Edition
from meterwire.errors import LocalProtocolError


def dialect(place: Place | None, protocol: Edition) -> str:
    """The dialect of such meters; empty: that of the standard.

    Args:
        place: where it stands; ``None``: the profile does not say.
        protocol: what such meters speak.

    Raises:
        ProfileError: a fault; the message has file, line and remedy.

    """
    return place.one_of([one.name for one in dialects() if one.edition == protocol]) if place else ""


def layout(place: Place, protocol: Edition, dialect_name: str) -> Choices:
    """Which of the forms such meters have that the standard leaves open.

    Args:
        place: where it stands.
        protocol: what such meters speak.
        dialect_name: of the profile; empty: that of the standard.

    Raises:
        ProfileError: a fault; the message has file, line and remedy.

    """
    known = switches(protocol)
    if not known:
        raise place.error(
            f"{protocol} has no switches; leave the key out", f"{protocol} 没有开关项,请去掉该键"
        )
    table = place.table((), tuple(known))
    for name, value in table.items():
        value.one_of([one.name for one in known[name].values])
    layout = choices(protocol, {name: value.text() for name, value in table.items()})
    try:
        dictionary(protocol, dialect_name, layout)
    except LocalProtocolError as error:
        raise place.error(
            f"does not go with the dialect {dialect_name}: {error}",
            f"不能与 dialect {dialect_name} 同用:{error}",
        ) from None
    return layout


def quirk(place: Place, protocol: Edition, dialect_name: str) -> Quirk:
    """A known departure.

    Args:
        place: where it stands.
        protocol: what such meters speak.
        dialect_name: of the profile; empty: that of the standard.

    Raises:
        ProfileError: a fault; the message has file, line and remedy.

    """
    table = place.table(("kind", "item", "evidence"))
    item = table["item"].text()
    rows = identifiers(protocol, dialect_name)
    names = (name for row in rows for name in row["name"].split("|"))
    if item not in {name.partition("@")[0].partition(".")[0] for name in names}:
        raise table["item"].error(
            f"{protocol} has no quantity {item!r} (`meterlink items` lists all)",
            f"{protocol} 没有数据项 {item!r}(见 `meterlink items`)",
        )
    kind = cast(QuirkKind, table["kind"].one_of(QUIRK_KINDS))
    if kind == "signed_value" and signed(rows, frozenset({item})) == rows:
        raise table["item"].error(
            f"{item} has a sign already, or is no number; leave the quirk out",
            f"{item} 已带符号或不是数值:请去掉该 quirk",
        )
    return Quirk(kind=kind, item=item, evidence=table["evidence"].text())
