"""``meterlink decode``: what the octets of a frame say, or why it was refused."""

from __future__ import annotations

import contextlib
import enum
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TextIO

import typer

from meterlink.cli.language import chosen
from meterlink.cli.options import Language
from meterlink.cli.saying import say
from meterlink.cli.usage import Wrong


class Protocol(enum.StrEnum):
    """What ``decode`` can explain."""

    DLT645_2007 = "dlt645-2007"
    DLT645_1997 = "dlt645-1997"
    DLT698_45 = "dlt698.45"
    GDW1376_1 = "gdw1376.1"
    GDW1376_2 = "gdw1376.2"
    MODBUS_RTU = "modbus-rtu"
    MODBUS_TCP = "modbus-tcp"
    AUTO = "auto"


def decode(
    octets: Annotated[
        list[str] | None,
        typer.Argument(metavar="OCTETS", help="Octets, with or without blanks between them."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Read from a file, one frame a line; - is standard input."),
    ] = None,
    protocol: Annotated[
        Protocol | None,
        typer.Option(help="Protocol of the octets; auto says how sure it is. Default: whichever fits."),
    ] = None,
    jsonl: Annotated[
        bool,
        typer.Option("--jsonl", help="Conformance vectors in (standard input), one JSON answer a line out."),
    ] = False,
    lang: Language = None,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Show passwords, keys and MACs.")
    ] = False,
) -> None:
    """Explain octets: every field of every frame in them, or why there is no good frame. 报文解析。

    \b
    Examples:
      meterlink decode 68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16
      meterlink decode --lang zh --file frames.txt
      meterlink decode 68 17 00 43 45 AA AA AA AA AA AA 00 5B 4F 05 01 25 40 01 02 00 00 0A 92 16
      meterlink decode --protocol auto 68 32 00 32 00 68 C9 03 44 04 00 00 02 71 00 00 01 00 88 16
      meterlink decode --protocol modbus-rtu 01 04 00 00 00 02 71 CB 01 04 04 43 66 80 00 6F DF
      tail -f line.log | meterlink decode --file -
      meterlink decode --jsonl < vectors.jsonl

    """
    if octets and (file is not None or jsonl):
        raise Wrong("give octets, or a file of them, not both", "报文与文件只能给出一种")
    if jsonl:
        _answer_lines(file)
        return
    from meterlink.cli.console import output
    from meterlink.explain.explain import explain
    from meterlink.explain.hexadecimal import NotHexadecimal, octets_of
    from meterlink.explain.tree import render

    console = output()
    any_line, all_good = False, True
    for text in [" ".join(octets)] if octets else _lines(file):
        try:
            explanation = explain(octets_of(text), None if protocol is None else protocol.value)
        except NotHexadecimal as error:
            raise Wrong(
                f"{error}; give octets like 68 61 01 ...", f"{error};请给出如 68 61 01 ... 的报文"
            ) from None
        for shown in render(explanation, chosen(lang), show_secrets=show_secrets):
            console.print(shown)
        any_line, all_good = True, all_good and not explanation.faults
    if not any_line:
        say("nothing to explain: no line has octets", err=True)
    if not (any_line and all_good):
        raise typer.Exit(1)


def _lines(file: Path | None) -> Iterator[str]:
    """Lines that are not blank; a line over the limit is cut just behind it, so that it can be refused."""
    from meterlink.explain.jsonl import LINE_CHARACTERS_MAX

    with _opened(file) as stream:
        while line := stream.readline(LINE_CHARACTERS_MAX + 1):
            rest = line
            while rest and not rest.endswith("\n"):
                rest = stream.readline(LINE_CHARACTERS_MAX)
            if line.strip():
                yield line


def _opened(file: Path | None) -> contextlib.AbstractContextManager[TextIO]:
    if file is None or str(file) == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise Wrong(
                "give octets, --file, or something on standard input", "请给出报文、--file,或从标准输入给出"
            )
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(encoding="utf-8", errors="replace")
        return contextlib.nullcontext(sys.stdin)
    try:
        return file.open(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Wrong(f"{file}: {error.strerror}", f"{file}:无法读取:{error.strerror}") from None


def _answer_lines(file: Path | None) -> None:
    from meterlink.explain.jsonl import answers

    for answer in answers(_lines(file)):
        say(answer)
