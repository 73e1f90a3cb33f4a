"""Which octets of Q/GDW 1376 are secret: PW, passwords in parameters and events, and what a payload hides.

Two questions: which octets of a content (``field_secrets``), and which octets of a piece of the wire
(``terminal_secret_ranges``, ``module_secret_ranges``), where rubbish and broken frames stand beside good
ones.
A payload is another protocol's frame; who asks says what is secret in it. What cannot be told is taken for
secret, and so is the checksum of a frame with a secret in it, being a sum over it.
Source: spec sections A12, A14, B1 and B3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from meterwire.errors import RemoteProtocolError
from meterwire.gdw1376.functions.words import field_words
from meterwire.gdw1376.layouts.nodes import Field
from meterwire.gdw1376.link import module_frame, terminal_frame
from meterwire.gdw1376.link.auxiliary import auxiliary_octets, password_octets
from meterwire.gdw1376.link.deframer import MODULE, TERMINAL, Deframer, Grammar
from meterwire.gdw1376.link.unit_ids import ID_OCTETS
from meterwire.gdw1376.messages import module, terminal
from meterwire.primitives.ranges import Ranges, marked

SecretRanges = Callable[[bytes], Ranges]
"""Which octets of a payload are secret."""

UNREAD_SHOWN: Final = frozenset({0x09, 0x0B, 0x0C, 0x0D})
"""Functions of 1376.1 whose data holds readings and no password, so that it is shown even when unread. Not
AFN 00: a frame with an address of seven octets looks like one, and hides its own AFN and PW in the data."""


def all_of(payload: bytes) -> Ranges:
    """A payload is secret as a whole: for who knows no other protocol."""
    return ((0, len(payload)),) if payload else ()


def field_secrets(fields: Iterable[Field], content: bytes, inner: SecretRanges) -> Iterator[tuple[int, int]]:
    """The secret octets of a content, as (first, one after).

    Args:
        fields: of the content.
        content: its octets.
        inner: which octets of a payload are secret.

    """
    words = field_words()
    for field in fields:
        if (field.name in words and words[field.name].secret) or field.name == "raw":
            yield field.start, field.end
        elif field.name == "payload":
            for first, after in inner(content[field.start : field.end]):
                yield field.start + first, field.start + after
        else:
            yield from field_secrets(field.parts, content, inner)


def terminal_secret_ranges(octets: bytes, inner: SecretRanges = all_of, *, wide: bool = False) -> Ranges:
    """The secret octets of a piece of a 1376.1 line; never raises.

    Args:
        octets: what was sent, or what came before the next request: whole frames, or broken ones.
        inner: which octets of a payload are secret.
        wide: addresses have seven octets, and all behind them stands two octets further on.

    """
    return _ranges(octets, TERMINAL, lambda frame: _in_terminal_frame(frame, inner, wide=wide))


def module_secret_ranges(octets: bytes, inner: SecretRanges = all_of) -> Ranges:
    """The secret octets of a piece of a 1376.2 line; never raises.

    Args:
        octets: what was sent, or what came before the next request: whole frames, or broken ones.
        inner: which octets of a payload are secret.

    """
    return _ranges(octets, MODULE, lambda frame: _in_module_frame(frame, inner))


def _ranges(octets: bytes, grammar: Grammar, within: Callable[[bytes], list[tuple[int, int]]]) -> Ranges:
    hidden = bytearray(b"\x01" * len(octets))
    for span in Deframer(grammar).feed(octets):
        end = span.start + len(span.octets)
        try:
            secrets = within(span.octets)
        except RemoteProtocolError:
            continue
        if secrets:
            secrets.append((len(span.octets) - 2, len(span.octets) - 1))
        hidden[span.start : end] = bytes(len(span.octets))
        for first, after in secrets:
            hidden[span.start + first : span.start + after] = b"\x01" * (after - first)
    return marked(hidden)


def _in_terminal_frame(octets: bytes, inner: SecretRanges, *, wide: bool) -> list[tuple[int, int]]:
    frame = terminal_frame.decode(octets, wide=wide)
    message = terminal.from_frame(frame)
    start = at = terminal_frame.body_at(wide=wide)
    found: list[tuple[int, int]] = []
    for group in message.groups:
        at += ID_OCTETS
        for unit in group.units:
            end = at + len(unit.content)
            if unit.fields is None:
                found += [] if frame.afn in UNREAD_SHOWN or at == end else [(at, end)]
            else:
                spans = field_secrets(unit.fields, unit.content, inner)
                found += [(at + first, at + after) for first, after in spans]
            at = end
    if message.rest and frame.afn not in UNREAD_SHOWN:
        found.append((at, at + len(message.rest)))
    if size := password_octets(frame):
        password_at = start + len(frame.body) - auxiliary_octets(frame)
        found.append((password_at, password_at + size))
    return found


def _in_module_frame(octets: bytes, inner: SecretRanges) -> list[tuple[int, int]]:
    message = module.from_frame(module_frame.decode(octets))
    start, data = module_frame.data_at(octets, 0), message.frame.data
    if message.fields is None:
        return [(start, start + len(data))]
    found = [(start + first, start + after) for first, after in field_secrets(message.fields, data, inner)]
    if message.rest:
        found.append((start + len(data) - len(message.rest), start + len(data)))
    return found
