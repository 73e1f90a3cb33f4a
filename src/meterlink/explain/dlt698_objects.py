"""Names of 698.45 objects and units of their values: the seam to the dictionary of objects."""

from __future__ import annotations

from meterlink.explain.parts import NOTHING, Text
from meterwire.dlt698.selection import Oad, Omd
from meterwire.dlt698.values import Data


def object_words(of: Oad | Omd) -> Text:
    """What an attribute or method is; nothing when the dictionary does not have it."""
    return NOTHING


def measured(of: Oad | None, data: Data) -> Text | None:
    """A measured value with its decimal point and unit; ``None`` when the dictionary does not say."""
    return None
