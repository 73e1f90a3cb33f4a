"""Where every command writes: what meters, terminals and other people sent is shown, and never obeyed.

A nameplate, an event of a terminal, a reason that somebody typed: a terminal would take an escape sequence in
it for an order, clear lines that stand there, or write letters backwards. So all that a command says passes
here, or the console of ``console``, and nothing else in the command line writes text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Final

import typer

_ASCII: Final = re.compile(r"[\n\t\x20-\x7e]*")
_NEVER: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of Unicode: controls, directions and joiners, half characters, ends of lines and paragraphs."""


def seen(text: str) -> str:
    r"""Text as a screen may have it: what would be obeyed is written out (``\u001b``); wide characters stay.

    In a JSON document these are the escapes of JSON: it stays the same document.

    Args:
        text: of whomever; ends of lines and tabs in it are taken for our own.

    """
    if _ASCII.fullmatch(text):
        return text
    return "".join(_shown(letter) for letter in text)


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Write text and the end of a line.

    Args:
        text: what is said.
        err: on standard error.
        nl: without it the line goes on.

    """
    typer.echo(seen(text), err=err, nl=nl)


def _shown(letter: str) -> str:
    if letter in "\n\t" or unicodedata.category(letter) not in _NEVER:
        return letter
    if letter == "\x7f":
        return r"\u007f"
    return json.dumps(letter)[1:-1]
