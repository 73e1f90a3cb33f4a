"""What is said of an item that meters do not have, or that a plan cannot keep, whatever they speak."""

from __future__ import annotations

from meterlink.errors import UnknownItem
from meterlink.model.data_classes import DataClass


def no_moment(item: str) -> UnknownItem:
    """An item that is no value of the moment.

    Args:
        item: as it was asked for.

    """
    return UnknownItem(
        f"{item!r} is no value of the moment: an interval plan reads no others",
        f"{item!r} 不是当前值:按间隔抄读的计划只读当前值",
    )


def no_number(item: str) -> UnknownItem:
    """An item that an interval plan cannot keep.

    Args:
        item: as it was asked for.

    """
    return UnknownItem(
        f"{item!r} is text or a time, or holds one: an interval plan keeps numbers",
        f"{item!r} 是或含有文本或时间:按间隔抄读的计划只保存数值",
    )


def no_status(item: str) -> UnknownItem:
    """An item that is neither word nor number.

    Args:
        item: as it was asked for.

    """
    return UnknownItem(
        f"{item!r} is text or a time, holds one, or is of another time: a status plan keeps words and "
        "numbers",
        f"{item!r} 是或含有文本或时间,或不属于当前时刻:状态计划只保存状态字和数值",
    )


def kept_by_none(who: str, data_class: DataClass) -> UnknownItem:
    """Data of a class that meters do not keep.

    Args:
        who: the profile of the meters.
        data_class: of the data.

    """
    return UnknownItem(
        f"meters of {who} keep no {data_class}", f"规约档案 {who} 的电表不保存 {data_class} 类数据"
    )
