"""The words for fields, from ``rows/fields.csv``: English, Chinese, unit, and whether they are secret."""

from __future__ import annotations

import functools
from typing import NamedTuple

from meterwire.gdw1376.functions.tables import lines


class FieldWords(NamedTuple):
    """What people call a field.

    Args:
        en: English words.
        zh: Chinese words.
        unit: of its values, or empty.
        secret: it holds a password.

    """

    en: str
    zh: str
    unit: str = ""
    secret: bool = False


@functools.cache
def field_words() -> dict[str, FieldWords]:
    """The words by field name."""
    return {
        line["name"]: FieldWords(line["en"], line["zh"], line["unit"], line["hidden"] == "yes")
        for line in lines("fields.csv")
    }
