"""Commands and files out of the project's Markdown."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str, *languages: str) -> list[str]:
    """The fenced blocks of some languages, in order."""
    return [body for language, body in _FENCE.findall(text) if language in languages]


def commands(text: str) -> list[str]:
    """What a reader would type: lines behind ``$`` of ``console`` blocks, and all lines of ``sh`` blocks."""
    console = [
        line.removeprefix("$ ")
        for body in blocks(text, "console")
        for line in body.splitlines()
        if line.startswith("$ ")
    ]
    return console + [line for body in blocks(text, "sh") for line in body.splitlines() if line.strip()]


def printed(text: str, command: str) -> str:
    """What the page shows below a command of a ``console`` block; empty when it shows nothing."""
    for body in blocks(text, "console"):
        _, found, below = body.partition(f"$ {command}\n")
        if found:
            return re.split(r"^\$ ", below, maxsplit=1, flags=re.MULTILINE)[0]
    return ""
