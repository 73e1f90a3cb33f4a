"""Which octets of a frame are secret: passwords, keys, cipher blocks and MACs; operator codes are not.

What cannot be told is taken for secret. Source: spec sections 2.1 and 2.2; control-and-prepayment 2.2.
"""

from __future__ import annotations

from collections.abc import Iterator

from meterwire.dlt645 import security
from meterwire.dlt645.command_codec import Span, field_spans
from meterwire.dlt645.commands import SECRET_FIELDS
from meterwire.dlt645.control import CIPHER_LEVELS, MAC_LEVELS
from meterwire.dlt645.frame import Frame
from meterwire.dlt645.functions import READS, SECURITY, Edition, edition

MAC_OCTETS = 4
"""Octets of the MAC behind data that is written under level 99H."""
_PASSWORDS = frozenset({*range(0x04000C01, 0x04000C0B), 0xC212})


def secret_spans(frame: Frame, hint: Edition = "dlt645-2007") -> tuple[tuple[int, int], ...]:
    """The secret octets of ``frame.data``, as (first, one after), in order.

    Args:
        frame: of either edition.
        hint: the edition of the codes that both have.

    """
    of = edition(frame.function, hint)
    again = of == "dlt645-1997" and frame.function == SECURITY
    if frame.abnormal or frame.function in READS or again or not frame.data:
        return ()
    spans = field_spans(frame, of)
    if spans is None:
        return ((0, len(frame.data)),)
    return tuple(secret for span in spans for secret in _secrets_in(frame, span, spans))


def _secrets_in(frame: Frame, span: Span, spans: tuple[Span, ...]) -> Iterator[tuple[int, int]]:
    if span.name == "payload":
        yield from _payload_secrets(frame, span, spans)
    elif span.name in SECRET_FIELDS:
        yield span.start, span.end


def _payload_secrets(frame: Frame, span: Span, spans: tuple[Span, ...]) -> Iterator[tuple[int, int]]:
    raw = {one.name: frame.data[one.start : one.end] for one in spans}
    di = int.from_bytes(raw["di"], "little")
    if frame.function == SECURITY:
        fields = security.split(di, "reply" if frame.from_meter else "request", raw["payload"])
        if fields is None:
            yield span.start, span.end
            return
        for value in fields:
            if value.field.name in security.SECRETS:
                yield span.start + value.start, span.start + value.start + len(value.raw)
        return
    level = raw["level"][0]
    if level in CIPHER_LEVELS or di in _PASSWORDS:
        yield span.start, span.end
    elif level in MAC_LEVELS:
        yield max(span.start, span.end - MAC_OCTETS), span.end
