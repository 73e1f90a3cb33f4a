"""Load records and curves: damaged ones among good ones, and none at all."""

from __future__ import annotations

import pytest

from meterwire.dlt645 import Entry, ItemValue, dictionary
from meterwire.errors import RemoteProtocolError
from meterwire.primitives.checksum import sum8


def _entry(di: int) -> Entry:
    entry = dictionary().by_di(di)
    assert entry is not None
    return entry


def _record() -> bytes:
    """Of class 1 alone."""
    body = bytes.fromhex("0012310125" + "162216221622" + "341280" * 3 + "0250" + "AA" * 6)
    record = b"\xa0\xa0" + bytes((len(body),)) + body
    return record + bytes((sum8(record), 0xE5))


_GOOD = _record()
_BAD_SUM = _GOOD[:-2] + bytes((_GOOD[-2] ^ 1,)) + _GOOD[-1:]


def _voltages(data: bytes) -> list[ItemValue]:
    return [value for value in _entry(0x06010000).decode(data) if value.item == "voltage.a"]


@pytest.mark.parametrize(
    ("data", "records"),
    [
        (_GOOD, 1),
        (_GOOD + _GOOD, 2),
        (_GOOD + b"\xff\xff", 1),
        (_GOOD + b"\xa0\xa0", 1),
        (_GOOD + _GOOD[:-1], 1),
        (_GOOD + _BAD_SUM + _GOOD, 2),
        (_BAD_SUM, 0),
        (b"\xe0\xe0" + _GOOD[2:], 0),
        (b"\xe0\xe0" + _GOOD[2:] + _GOOD, 1),
        (b"", 0),
    ],
)
def test_what_is_no_good_record_costs_no_other_one(data: bytes, records: int) -> None:
    """One damaged record would cost a day's curve, and "no record" would look like a broken answer."""
    assert records == len(_voltages(data))


@pytest.mark.parametrize("data", [b"\xff\xff", _GOOD[:-1], b"\x00" + _GOOD])
def test_what_holds_no_record_at_all_is_refused(data: bytes) -> None:
    """Rubbish would pass for an empty memory."""
    with pytest.raises(RemoteProtocolError):
        _voltages(data)


@pytest.mark.parametrize("di", [0x06100101, 0x061001FF, 0x06000001])
def test_no_data_says_that_there_is_no_record(di: int) -> None:
    """A meter without the hour that was asked for would count as broken."""
    assert () == _entry(di).decode(b"")
    assert b"" == _entry(di).encode([])
