"""The kind of an order as somebody types it; who types what nothing here orders hears why."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final

import typer

from meterlink.cli.completion import order_kinds_like
from meterlink.cli.usage import Wrong
from meterlink.model.order import NOT_ORDERED, OrderKind

NOT_ORDERED_ZH: Final[Mapping[str, str]] = MappingProxyType(
    {
        "trip_auto_direct_close": "自动直接合闸的跳闸(1DH)停电后会提前合闸,且无人查看即合闸;"
        "请分别下达停电和复电工单",
        "trip_auto_permit_close": "自动允许合闸的跳闸(1EH)停电后会提前允许合闸;请分别下达停电和复电工单",
        "open_account": "开户(070101FF;F100 方法6操作0)属投运工作(TOP-10),没有规定其角色和流程",
        "initialise_wallet": "070103FF 和 F100 方法10 会清除表内款项,且只用测试密钥,属投运工作(TOP-10)",
        "update_keys": "密钥有误则此后全部工单失败;密钥数据由电力公司掌握(TOP-10)",
        "refund": "DL/T 645 的退费方法没有资料;DL/T 698.45 仅一份资料说明 F100 方法6操作2 的校验(TOP-09);"
        "请在系统外退费",
    }
)
"""``NOT_ORDERED`` in Chinese."""


def kind_of(text: str) -> OrderKind:
    """The kind of that name.

    Raises:
        Wrong: there is none, or nothing here orders it.

    """
    if isinstance(text, OrderKind):
        return text
    if text in NOT_ORDERED:
        raise Wrong(
            f"{text} is not ordered by this program: {NOT_ORDERED[text]}",
            f"本系统不下达 {text}:{NOT_ORDERED_ZH[text]}",
        )
    try:
        return OrderKind(text)
    except ValueError:
        there = ", ".join(OrderKind)
        raise Wrong(f"{text!r}: there are {there}", f"没有 {text!r},可选:{there}") from None


Kind = Annotated[
    OrderKind,
    typer.Option(
        help="What is to be done.",
        metavar=f"[{'|'.join(OrderKind)}]",
        show_default=False,
        parser=kind_of,
        autocompletion=order_kinds_like,
    ),
]
"""The option of a command that creates orders."""
