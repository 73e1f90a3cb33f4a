"""``registers:`` of a profile -> ``RegisterMap``, checked row by row and as a whole."""

from __future__ import annotations

import itertools
import re
from decimal import Decimal
from typing import Final, cast

from meterprofiles.places import Place
from meterprofiles.registers import (
    ADDRESSINGS,
    ROWS_MAX,
    TABLES,
    TEXT_REGISTERS_MAX,
    UNITS,
    Addressing,
    RegisterMap,
    RegisterRow,
    RowType,
    Table,
)
from meterwire.catalogue import Quantity, quantities
from meterwire.modbus.pdus.functions import ADDRESSES, REGISTERS_MAX
from meterwire.modbus.pdus.registers import NUMBER_TYPES, REGISTERS, WORD_ORDERS, WordOrder

MODELS_MAX: Final = 65_534
"""Largest ID of a SunSpec model; the next one ends the chain."""
BITS: Final = 16
"""Of a register."""
_GAP_MAX: Final = REGISTERS_MAX - 2
_DIMENSIONS: Final = {"tariff": r"t[1-9][0-9]?", "phase": "[abc]", "order": r"h[1-9][0-9]?"}
_SCALE: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,9})?")
_ROW_KEYS: Final = ("scale", "scale_at", "unit", "absent", "count", "model")


def register_map(place: Place) -> RegisterMap:
    """The map of a profile.

    Args:
        place: what stands under ``registers``.

    Raises:
        ProfileError: a fault; the message has file, line and remedy.

    """
    table = place.table(("document", "table", "words", "rows"), ("addressing", "registers_max", "gap_max"))
    addressing = table["addressing"].one_of(ADDRESSINGS) if "addressing" in table else ADDRESSINGS[0]
    most = table["registers_max"].whole(2, REGISTERS_MAX) if "registers_max" in table else REGISTERS_MAX
    rows: list[RegisterRow] = []
    for one in table["rows"].rows(ROWS_MAX):
        row = _row(one, is_sunspec=addressing == "sunspec")
        if row.registers > most:
            raise one.error(
                f"{row.item} has {row.registers} registers, one request reads {most} at most",
                f"{row.item} 有 {row.registers} 个寄存器,一次请求至多读 {most} 个",
            )
        _check_beside(one, row, rows)
        rows.append(row)
    if not rows:
        raise table["rows"].error(
            "write one row or more: without one there is nothing to read", "至少写一行:没有行就没有可读的数据"
        )
    return RegisterMap(
        document=table["document"].text(),
        table=cast(Table, table["table"].one_of(TABLES)),
        words=cast(WordOrder, table["words"].one_of(WORD_ORDERS)),
        addressing=cast(Addressing, addressing),
        registers_max=most,
        gap_max=table["gap_max"].whole(0, _GAP_MAX) if "gap_max" in table else 0,
        rows=tuple(rows),
    )


def _check_beside(place: Place, row: RegisterRow, others: list[RegisterRow]) -> None:
    """Refuse a second row of one item, and two of one register."""
    for other in others:
        if other.item == row.item:
            raise place.error(f"{row.item} stands here twice", f"{row.item} 在此处写了两次")
        if other.model != row.model:
            continue
        for (start, count), (begun, length) in itertools.product(row.spans, other.spans):
            is_scale = start == row.scale_at and begun == other.scale_at
            if start < begun + length and begun < start + count and not is_scale:
                shared = max(start, begun)
                raise place.error(
                    f"{row.item} and {other.item} share register {shared}",
                    f"{row.item} 与 {other.item} 占用同一寄存器 {shared}",
                )


def _row(place: Place, *, is_sunspec: bool) -> RegisterRow:
    table = place.table(("item", "address", "type", "source"), _ROW_KEYS)
    if is_sunspec and "model" not in table:
        raise place.error("name the `model`", "请写 `model`")
    if "model" in table and not is_sunspec:
        raise place.error("`model` goes with `addressing: sunspec`", "`model` 仅用于 `addressing: sunspec`")
    quantity = _quantity(table["item"])
    kind = cast(RowType, table["type"].one_of((*NUMBER_TYPES, "text")))
    if (kind == "text") != (quantity.kind == "text"):
        en, zh = ("a text", "是文本") if quantity.kind == "text" else ("no text", "不是文本")
        raise table["type"].error(f"{quantity.name} is {en}", f"{quantity.name} {zh}")
    row = RegisterRow(
        item=table["item"].text(),
        address=_address(table["address"]),
        type=kind,
        scale=_scale(table.get("scale")) * _factor(place, table.get("unit"), quantity),
        scale_at=_address(table["scale_at"]) if "scale_at" in table else None,
        absent=_absent(table["absent"], kind) if "absent" in table else None,
        count=_count(place, table.get("count"), kind),
        model=table["model"].whole(1, MODELS_MAX) if "model" in table else 0,
        source=table["source"].text(),
    )
    if row.address + row.registers > ADDRESSES:
        raise table["address"].error(
            f"{row.registers} registers from {row.address} on leave the table",
            f"从 {row.address} 起的 {row.registers} 个寄存器超出寄存器表",
        )
    return row


def _quantity(place: Place) -> Quantity:
    """The quantity of an item."""
    name, *dimensions = place.text().split(".")
    quantity = quantities().get(name)
    if quantity is None:
        raise place.error(
            f"the catalogue has no quantity {name!r} (`meterlink items` lists what there is)",
            f"目录中没有数据项 {name!r}(见 `meterlink items`)",
        )
    open_ones = iter(quantity.dimensions)
    for dimension in dimensions:
        if not any(re.fullmatch(_DIMENSIONS[one], dimension) for one in open_ones):
            raise place.error(f"{name} has no dimension {dimension!r}", f"{name} 没有分项 {dimension!r}")
    return quantity


def _address(place: Place) -> int:
    text = place.text()
    if re.fullmatch("0x[0-9A-Fa-f]{1,4}", text):
        return int(text, 16)
    return place.whole(0, ADDRESSES - 1)


def _absent(place: Place, kind: RowType) -> int:
    """The bits that mean "none"; as many as the registers have."""
    text = place.text()
    bits = int(text, 0) if re.fullmatch("0x[0-9A-Fa-f]{1,16}|0|[1-9][0-9]{0,19}", text) else -1
    if kind == "text" or not 0 <= bits < 1 << BITS * REGISTERS[kind]:
        raise place.error(
            f"{text!r} are no bits of a {kind}; write a number without sign, e.g. 0x8000",
            f"{text!r} 不是 {kind} 的位值:请写无符号数,例如 0x8000",
        )
    return bits


def _scale(place: Place | None) -> Decimal:
    if place is None:
        return Decimal(1)
    if not _SCALE.fullmatch(place.text()) or not Decimal(place.text()):
        raise place.error(
            f"{place.text()!r} is no scale; write a number over 0, e.g. 0.1",
            f"{place.text()!r} 不是换算系数:请写大于 0 的数,例如 0.1",
        )
    return Decimal(place.text())


def _factor(place: Place, unit: Place | None, quantity: Quantity) -> Decimal:
    """What one of the document's unit is in that of the catalogue."""
    if unit is None:
        if quantity.unit:
            raise place.error(
                f"the key 'unit' is missing; {quantity.name} is kept in {quantity.unit}",
                f"缺少键 'unit';{quantity.name} 的单位为 {quantity.unit}",
            )
        return Decimal(1)
    if unit.text() == quantity.unit:
        return Decimal(1)
    factor = UNITS.get((unit.text(), quantity.unit))
    if factor is None:
        raise unit.error(
            f"{unit.text()} is no unit of {quantity.name}, which is kept in {quantity.unit!r}",
            f"{unit.text()} 不是 {quantity.name} 的单位,其单位为 {quantity.unit!r}",
        )
    return factor


def _count(place: Place, count: Place | None, kind: RowType) -> int:
    if kind == "text":
        if count is None:
            raise place.error(
                "the key 'count' is missing: how many registers the text has",
                "缺少键 'count',即文本占用的寄存器个数",
            )
        return count.whole(1, TEXT_REGISTERS_MAX)
    if count is not None:
        raise count.error(
            f"{kind} has {REGISTERS[kind]} registers; leave the key out",
            f"{kind} 有 {REGISTERS[kind]} 个寄存器,请去掉该键",
        )
    return 0
