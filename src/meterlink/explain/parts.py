"""What an explanation is made of, whatever the protocol: parts of a frame, frames of a stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from meterwire.dlt645 import ItemValue
from meterwire.dlt645.link.functions import Edition
from meterwire.errors import RemoteProtocolError

Language = Literal["en", "zh"]


class Text(NamedTuple):
    """The same words in both languages."""

    en: str
    zh: str

    def in_(self, language: Language) -> str:
        """The words in one of them."""
        return self.zh if language == "zh" else self.en


NOTHING: Final = Text("", "")
"""No words at all."""


def printable(text: str) -> str:
    """Text for a terminal: what a meter sends may hold control characters, which are shown and not obeyed."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def same(words: str) -> Text:
    """Words that are the same in both languages: numbers, names, codes."""
    return Text(words, words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some octets of a frame and what they say.

    Args:
        start: index of the first octet in the whole stream.
        octets: as on the wire.
        name: what the field is.
        says: what it holds; empty when the name says it all.
        secret: a password, key, MAC or cipher block, or octets that may hold one.
        problem: what is wrong with the field, empty when nothing is.
        parts: the fields within.

    """

    start: int
    octets: bytes
    name: Text
    says: Text = NOTHING
    secret: bool = False
    problem: Text = NOTHING
    parts: tuple[Part, ...] = ()

    @property
    def holds_secret(self) -> bool:
        """Whether it is secret, or something within."""
        return self.secret or any(part.holds_secret for part in self.parts)


@dataclass(slots=True, kw_only=True)
class Said:
    """What DATA says.

    Args:
        protocol: the edition it was read by.
        parts: its fields.
        values: what a reply holds.
        decoded: the same in the terms of the conformance vectors.
        fault: why a good frame is refused for what it says.

    """

    protocol: Edition = "dlt645-2007"
    parts: list[Part] = field(default_factory=list)
    values: tuple[ItemValue, ...] = ()
    decoded: dict[str, Any] = field(default_factory=dict)
    fault: RemoteProtocolError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedFrame:
    """One good frame.

    Args:
        start: index of its first octet, preamble included.
        end: index after its last octet.
        parts: its fields in order.
        decoded: the same for machines, in the terms of the conformance vectors.
        fault: why a good frame is refused for what it says (a date that no calendar has), or ``None``.

    """

    start: int
    end: int
    parts: tuple[Part, ...]
    decoded: dict[str, Any]
    fault: RemoteProtocolError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedApdu:
    """What several frames carried together.

    Args:
        octets: put together.
        frames: positions of the frames that carried it, from 0.
        parts: its fields in order.
        decoded: the same for machines, in the terms of the conformance vectors.
        fault: why it is refused, or ``None``.

    """

    octets: bytes
    frames: tuple[int, ...]
    parts: tuple[Part, ...]
    decoded: dict[str, Any]
    fault: RemoteProtocolError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A whole octet string.

    Args:
        octets: what was explained.
        frames: the good frames, in order.
        skipped: number of octets that belong to none and are no preamble.
        fault: why there is no good frame, when there is none.
        refused: then the fields of what comes nearest to a frame, as far as they are there.
        joined: what came in several frames; ``None`` where the protocol does not cut.
        guess: which protocol it was taken for and how sure that is; ``None`` where nobody asked.

    """

    octets: bytes
    frames: tuple[ExplainedFrame, ...] = field(default=())
    skipped: int = 0
    fault: RemoteProtocolError | None = None
    refused: tuple[Part, ...] = ()
    joined: tuple[ExplainedApdu, ...] | None = None
    guess: Text | None = None

    @property
    def faults(self) -> list[RemoteProtocolError]:
        """Everything that is wrong, the whole first."""
        every = [self.fault, *(frame.fault for frame in self.frames)]
        every += [joined.fault for joined in self.joined or ()]
        return [fault for fault in every if fault is not None]
