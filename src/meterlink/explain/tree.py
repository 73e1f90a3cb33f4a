"""An explanation as a tree for people (rich), in English or Chinese."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from rich.console import RenderableType
from rich.text import Text as RichText
from rich.tree import Tree

from meterlink.explain.parts import (
    ExplainedApdu,
    ExplainedFrame,
    Explanation,
    Language,
    Part,
    Text,
    printable,
)
from meterwire.errors import RemoteProtocolError

_OCTETS_A_LINE = 12
_SERVICE_OCTETS = 2
"""Octets of an APDU that say which one it is: service and choice."""
_HIDDEN = Text("hidden; --show-secrets shows it", "已隐藏；用 --show-secrets 显示")
_WHY = {
    "no-frame": Text("there is no start octet 68H", "没有起始符 68H"),
    "second-start": Text("the second start octet is not 68H", "第二个起始符不是 68H"),
    "truncated": Text("the frame ends too early", "帧不完整"),
    "end": Text("the end octet is not 16H", "结束符不是 16H"),
    "checksum": Text("the checksum is wrong", "校验码错误"),
    "length": Text("the length does not fit", "长度不符"),
    "start": Text("the start octet is not 68H", "起始符不是 68H"),
    "short": Text("too few octets", "字节数太少"),
    "trailing": Text("octets follow the frame", "帧后有多余字节"),
    "hcs": Text("the header check is wrong", "帧头校验HCS错误"),
    "fcs": Text("the frame check is wrong", "帧校验FCS错误"),
    "apdu": Text("the APDU cannot be decoded", "APDU无法解析"),
    "auxiliary": Text("the auxiliary fields are missing", "附加信息域不完整"),
    "address": Text("the address has another length", "地址域长度不同"),
    "unit": Text("there is no such unit", "单元地址无效"),
    "protocol": Text("the protocol identifier is not 0", "协议标识不为0"),
    "crc": Text("the CRC is wrong", "CRC校验错误"),
    "function": Text("there is no frame of a known function", "没有已知功能码的帧"),
    "value": Text("a field is out of its range", "字段超出范围"),
}


def render(
    explanation: Explanation, language: Language, *, show_secrets: bool = False
) -> Iterator[RenderableType]:
    """How sure the protocol is, where it was guessed; one tree a frame; what was skipped or refused."""
    if explanation.guess is not None:
        yield RichText(explanation.guess.in_(language), style="magenta")
    for frame in explanation.frames:
        yield _frame_tree(frame, language, show_secrets)
    for joined in explanation.joined or ():
        yield _joined_tree(joined, language, show_secrets)
    if explanation.fault is not None:
        if explanation.refused:
            yield _refused_tree(explanation.refused, explanation.fault, language, show_secrets)
        told = show_secrets or not any(part.secret for part in explanation.refused)
        yield _refusal(explanation.fault, language, told=told)
    elif explanation.skipped:
        words = Text(
            f"{explanation.skipped} octets belong to no frame", f"{explanation.skipped} 字节不属于任何帧"
        )
        yield RichText(words.in_(language), style="yellow")


def _frame_tree(frame: ExplainedFrame, language: Language, show_secrets: bool) -> Tree:
    title = Text(
        f"frame, octets {frame.start} to {frame.end - 1}", f"帧，第 {frame.start} 至 {frame.end - 1} 字节"
    )
    tree = Tree(RichText(title.in_(language), style="bold"))
    for part in frame.parts:
        _add(tree, part, language, show_secrets)
    if frame.fault is not None:
        told = show_secrets or not _is_of_secret(frame.fault, frame.parts)
        tree.add(_refusal(frame.fault, language, told=told))
    return tree


def _joined_tree(joined: ExplainedApdu, language: Language, show_secrets: bool) -> Tree:
    """What came in several frames, put together."""
    numbers = ", ".join(str(number + 1) for number in joined.frames)
    title = Text(f"put together from frames {numbers}", f"由第 {numbers} 帧拼接")
    tree = Tree(RichText(title.in_(language), style="bold"))
    for part in joined.parts:
        _add(tree, part, language, show_secrets)
    if joined.fault is not None:
        told = show_secrets or not _is_of_secret(joined.fault, joined.parts)
        tree.add(_refusal(joined.fault, language, told=told))
    return tree


def _refused_tree(
    parts: tuple[Part, ...], fault: RemoteProtocolError, language: Language, show_secrets: bool
) -> Tree:
    """What comes nearest to a frame, with the fault at its field."""
    tree = Tree(RichText(Text("no good frame", "没有正确的帧").in_(language), style="bold red"))
    for part in parts:
        end = part.start + len(part.octets)
        guilty = fault.offset is not None and part.start <= fault.offset < end
        why = _WHY.get(fault.kind, Text(fault.kind, fault.kind))
        _add(tree, replace(part, problem=why) if guilty else part, language, show_secrets)
    return tree


def _add(tree: Tree, part: Part, language: Language, show_secrets: bool) -> None:
    hidden = part.secret and not show_secrets
    shown = _octets(part, hidden, show_secrets)
    line = RichText(f"{part.start:4d}  ", style="dim")
    line.append(shown, style="cyan")
    line.append("  " + part.name.in_(language))
    says = _HIDDEN if hidden else part.says
    if said := says.in_(language):
        line.append(": ", style="dim").append(printable(said), style="dim" if hidden else "green")
    if problem := part.problem.in_(language):
        line.append("  " + problem, style="red")
    branch = tree.add(line)
    for inner in part.parts:
        _add(branch, inner, language, show_secrets)


def _octets(part: Part, hidden: bool, show_secrets: bool) -> str:
    """The first octets; those of a secret within are stars too."""
    shown = ["**" if hidden else f"{octet:02X}" for octet in part.octets[:_OCTETS_A_LINE]]
    for start, end in () if show_secrets else _secrets_within(part):
        for index in range(start - part.start, min(end - part.start, len(shown))):
            shown[index] = "**"
    if len(part.octets) > _OCTETS_A_LINE:
        shown.append(f"… ({len(part.octets)})")
    return " ".join(shown)


def _secrets_within(part: Part) -> Iterator[tuple[int, int]]:
    for inner in part.parts:
        if inner.secret:
            yield inner.start, inner.start + len(inner.octets)
        elif inner.start < part.start + _OCTETS_A_LINE:
            yield from _secrets_within(inner)


def _is_of_secret(fault: RemoteProtocolError, parts: Iterable[Part]) -> bool:
    """Whether the fault, whose words name octets, is in a secret; which service an APDU is, is none."""
    if fault.offset is None:
        return False
    head = _SERVICE_OCTETS if fault.kind == "apdu" else 0
    return any(
        _is_of_secret(fault, part.parts)
        or (part.secret and part.start + head <= fault.offset < part.start + len(part.octets))
        for part in parts
    )


def _refusal(fault: RemoteProtocolError, language: Language, *, told: bool = True) -> RichText:
    """Why, and the words of the error where they may be ``told``: they name octets and sums."""
    why = _WHY.get(fault.kind, Text(fault.kind, fault.kind)).in_(language)
    where = (
        ""
        if fault.offset is None
        else Text(f", octet {fault.offset}", f"，第 {fault.offset} 字节").in_(language)
    )
    line = RichText(Text("refused: ", "拒绝：").in_(language) + why + where, style="bold red")
    return line.append(f"  ({fault})", style="dim") if told else line
