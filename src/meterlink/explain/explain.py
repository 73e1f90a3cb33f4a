"""Octets -> explanation, whatever the protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from meterlink.explain import dlt645, dlt698, gdw1376_module, gdw1376_terminal, modbus
from meterlink.explain.parts import Explanation, Text

Protocol = Literal[
    "dlt645-2007", "dlt645-1997", "dlt698.45", "gdw1376.1", "gdw1376.2", "modbus-rtu", "modbus-tcp", "auto"
]
DLT698: Final = "dlt698.45"
GDW1376_1: Final = "gdw1376.1"
GDW1376_2: Final = "gdw1376.2"
MODBUS_RTU: Final = "modbus-rtu"
MODBUS_TCP: Final = "modbus-tcp"
AUTO: Final = "auto"

EXPLAINERS: Final[dict[str, Callable[[bytes], Explanation]]] = {
    DLT698: dlt698.explain,
    GDW1376_1: gdw1376_terminal.explain,
    GDW1376_2: gdw1376_module.explain,
    "dlt645-2007": dlt645.explain,
    MODBUS_RTU: modbus.explain_rtu,
    MODBUS_TCP: modbus.explain_tcp,
}
"""The protocols that are guessed among. Of two that fit alike, the one whose frames rubbish imitates least
comes first: two 16-bit checks, two equal lengths, a length with a sum, two start octets with a sum, a 16-bit
check without any start octet, and a head that nothing checks."""

_NAMES: Final = {
    DLT698: "DL/T 698.45",
    GDW1376_1: "Q/GDW 1376.1",
    GDW1376_2: "Q/GDW 1376.2",
    "dlt645-2007": "DL/T 645",
    MODBUS_RTU: "Modbus RTU",
    MODBUS_TCP: "Modbus TCP",
}
_HEAD_1376_1: Final = 6


class _Fit(NamedTuple):
    """How a protocol fits: octets that it leaves over, and what it makes of them."""

    left: int
    name: str
    explanation: Explanation


def explain(octets: bytes, protocol: Protocol | None = None) -> Explanation:
    """Find and explain every frame in ``octets``.

    Args:
        octets: a frame, or a stream with anything in it.
        protocol: whose frames; ``auto``: whichever leaves fewest octets over, and the explanation says how
            sure that is; ``None``: the same without the words.

    """
    if protocol == "dlt645-1997":
        return dlt645.explain(octets, protocol)
    if protocol is not None and protocol != AUTO:
        return EXPLAINERS[protocol](octets)
    best, second = _fits(octets)[:2]
    if protocol is None:
        return best.explanation
    return replace(best.explanation, guess=_sureness(best, second))


def _fits(octets: bytes) -> list[_Fit]:
    """How every protocol fits, the best first."""
    found = []
    for protocol, explainer in EXPLAINERS.items():
        explanation = explainer(octets)
        left = explanation.skipped if explanation.frames else len(octets)
        found.append(_Fit(left, protocol, explanation))
    if not any(fit.explanation.frames for fit in found):
        likeliest = GDW1376_1 if _has_head_1376_1(octets) else "dlt645-2007"
        found.sort(key=lambda fit: fit.name != likeliest)
    return sorted(found, key=lambda fit: (fit.left, not fit.explanation.frames))


def _has_head_1376_1(octets: bytes) -> bool:
    head = octets[octets.find(b"\x68") :][:_HEAD_1376_1]
    return len(head) == _HEAD_1376_1 and head[1:3] == head[3:5] and head[5] == head[0]


def _sureness(best: _Fit, second: _Fit) -> Text:
    """How sure the guess is: it is when every octet fits, and fits nothing else as well.

    Nothing checks a frame of Modbus TCP, so that one is never more than likely.
    """
    name, size = _NAMES[best.name], len(best.explanation.octets)
    if not best.explanation.frames:
        return Text(
            f"no protocol fits; looked at as {name}, which is no more than a guess",
            f"没有规约符合；按 {name} 查看，仅为猜测",
        )
    fitting, rival = size - best.left, size - second.left
    if best.left == 0 and second.left and best.name != MODBUS_TCP:
        how = Text("sure", "确定")
    elif best.left < second.left and 2 * fitting > size:
        how = Text("likely", "可能")
    else:
        how = Text("unsure", "不确定")
    return Text(
        f"{name}, {how.en}: {fitting} of {size} octets fit; next {_NAMES[second.name]} with {rival}",
        f"{name}，{how.zh}：{size} 字节中 {fitting} 字节符合；其次 {_NAMES[second.name]}，{rival} 字节",
    )
