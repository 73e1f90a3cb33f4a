"""How days, cursors and numbers are written in a request, exact enough to stand in the OpenAPI.

What a pattern takes, the daemon takes: a client that is made from the OpenAPI is refused nothing that it
was allowed to write.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from meterlink.drivers import registers

_28: Final = r"(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
_30: Final = r"(?:0[13-9]|1[0-2])-(?:29|30)"
_31: Final = r"(?:0[13578]|1[02])-31"
_LEAP: Final = r"2(?:[048]00|[0-9](?:0[48]|[2468][048]|[13579][26]))-02-29"
DAY_PATTERN: Final = rf"^(?:2[0-9]{{3}}-(?:{_28}|{_30}|{_31})|{_LEAP})$"
"""A day of the years 2000 to 2999 that the calendar has."""

_THREE: Final = "(?:[MN][DTjz]|O[DT])[AEIMQUYcgk][w-z0-5]"
_THREE_FIRST: Final = "(?:M[Tjz]|N[DTjz]|O[DT])[AEIMQUYcgk][w-z0-5]"
_TWO: Final = "(?:[MN][DTjz]|O[DT])[AEIMQUYcgk]"
_TWO_FIRST: Final = "(?:M[Tjz]|N[DTjz]|O[DT])[AEIMQUYcgk]"
_ONE: Final = "(?:[MN][AQgw]|O[AQ])"
_PLACE: Final = rf"(?:{_ONE}|{_TWO_FIRST}|{_THREE_FIRST}(?:{_THREE}){{0,4}}(?:{_ONE}|{_TWO}|{_THREE})?)"
_ORIGIN: Final = "(?:~[0-9a-f]{12})?"
CURSOR_PATTERN: Final = rf"^ZjE6{_PLACE}{_ORIGIN}(?:\.[0-9a-f]{{16}})?$"
"""A cursor as ``billing.cursors`` writes it: base64 of digits, up to 18 of them, the first no zero; the
origin of the row, and the digest of a question."""
SEALS_CURSOR_PATTERN: Final = rf"^czE6{_PLACE}{_ORIGIN}$"
"""The same of one that follows what is sealed."""

PLACE_MAX: Final = 64
"""Longest area, meter or item, in characters."""

FILE_PATTERN: Final = r"^[a-z0-9-]{1,64}\.[a-z]{2,10}$"
"""Name of a file of a sealed day."""

Day = Annotated[str, Field(pattern=DAY_PATTERN, examples=["2026-11-21"])]
Cursor = Annotated[str, Field(pattern=CURSOR_PATTERN, max_length=64)]
CursorOfAll = Annotated[str, Field(pattern=rf"^ZjE6{_PLACE}{_ORIGIN}$", max_length=64)]
"""A cursor of a question about all days and areas."""
SealsCursor = Annotated[str, Field(pattern=SEALS_CURSOR_PATTERN, max_length=64)]
Item = Annotated[str, Field(pattern=registers.pattern(), max_length=PLACE_MAX)]
"""A register, as the catalogue names it; of one tariff with its number."""
Area = Annotated[str, Field(max_length=PLACE_MAX)]
Behind = Annotated[str, Field(max_length=PLACE_MAX)]
"""A cursor that is the name of the last row: any text is behind some names and before others."""
