"""The archive, the collected records, and reads through a concentrator."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from meterwire.dlt698.apdus.action import ActionRequestNormal
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.apdus.get import GetRequestRecord
from meterwire.dlt698.apdus.parts import AttributeResult, Dar, Piid
from meterwire.dlt698.apdus.proxy import ProxyGetResponseList, ProxyGetResult, ProxyTransCommandResponse
from meterwire.dlt698.axdr.data import data_from_octets, data_to_octets
from meterwire.dlt698.axdr.selection import AllMeters, Comdcb, Oad, SelectLast, Tsa
from meterwire.dlt698.axdr.values import NULL, Data
from meterwire.dlt698.objects.answers import NO_ANSWER
from meterwire.dlt698.objects.concentrator import (
    ARCHIVE,
    CARRIER,
    FIRST_RS485,
    METERS_MAX,
    ArchiveEntry,
    ReadCollected,
    add_meters,
    archive_data,
    archive_of,
    clear_archive,
    delete_meter,
    forward,
    meter_set,
    proxy_answers,
    proxy_get,
    reply_of,
)
from meterwire.errors import LocalProtocolError

_civil = datetime.fromisoformat
_ENTRY = ArchiveEntry(
    number=3,
    address="000000000010",
    baud=3,
    port=CARRIER,
    wiring=3,
    rated_current=Decimal("1.5"),
    asset_number="010203040506",
)


def test_an_archive_entry_is_written_as_devices_accept_it() -> None:
    """A concentrator would refuse a meter, or look for it elsewhere (a download that devices accept)."""
    captured = (
        "020412000302" + "0A5507050000000000101603160351F2090201090011041100" + "160312089812000F"
        "0204550705000000000000090601020304050612000112" + "00010100"
    )
    assert "0101" + captured == data_to_octets(archive_data([_ENTRY])).hex().upper()


def test_the_archive_comes_back() -> None:
    """A meter of the archive would change on the way."""
    other = replace(_ENTRY, number=4, address="000000000011", rated_voltage=None, rated_current=None)
    data = archive_data([_ENTRY, other])
    assert ((_ENTRY, other), 0) == archive_of(data)
    assert ((), 0) == archive_of(Data("array", ()))
    assert Data("array", ()) == archive_data([])


def test_an_entry_that_cannot_be_read_is_counted() -> None:
    """One odd entry would hide the others, or become a meter with made-up settings."""
    (good,) = archive_data([_ENTRY]).value
    odd = Data("structure", (good.value[0], NULL, good.value[2], good.value[3]))
    assert ((_ENTRY,), 1) == archive_of(Data("array", (odd, good)))


def test_the_methods_of_the_archive() -> None:
    """A meter would be added or deleted by the wrong method."""
    item = add_meters([_ENTRY])
    assert ("60008000", archive_data([_ENTRY])) == (str(item.omd), item.data)
    apdu = ActionRequestNormal(piid=Piid(1), item=delete_meter(3))
    assert "070101600083001200" + "0300" == encode_apdu(apdu).hex().upper()
    assert ("60008600", NULL) == (str(clear_archive().omd), clear_archive().data)
    assert "60000200" == str(ARCHIVE)


def test_collected_freezes_are_asked_for_by_storage_time() -> None:
    """The freezes of another day or meter would be read (spec 8.1 and 9.27)."""
    read = ReadCollected(
        items=("forward_active_energy.*",),
        stored_from=_civil("2018-11-26"),
        stored_to=_civil("2018-11-27"),
        meters=("660700101924",),
    )
    apdu = GetRequestRecord(piid=Piid(4), record=read.records()[0])
    expected = (
        "05030460120300" + "0707E20B1A00000007E20B1B00000003000103010705660700101924"
        "0400202A02000060420200006041020001500402000220210200" + "0010020000"
    )
    assert expected == encode_apdu(apdu).hex().upper()
    assert apdu == decode_apdu(encode_apdu(apdu))


_VOLTAGE = ReadCollected(items=("voltage.a",), freeze="", stored_from=_civil("2018-11-26"))


@pytest.mark.parametrize(("read", "rsd"), [
    (_VOLTAGE, "0507E20B1A00000001"),
    (ReadCollected(items=("voltage.a",), freeze="", last=2), "0A0201"),
])  # fmt: skip
def test_other_ways_to_ask_for_collected_records(read: ReadCollected, rsd: str) -> None:
    """The latest records of all meters could not be asked for."""
    octets = encode_apdu(GetRequestRecord(piid=Piid(4), record=read.records()[0])).hex().upper()
    assert octets.startswith("05030460120300" + rsd)
    assert octets.endswith("002000020100")


def test_collected_records_without_a_value_are_refused() -> None:
    """A concentrator answers such a request with nothing, as if there were no data."""
    with pytest.raises(LocalProtocolError, match="name an item"):
        ReadCollected(items=()).records()


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ({"last": 0}, "1 to 255"),
        ({"last": 256}, "1 to 255"),
        ({"last": -1}, "1 to 255"),
        ({"stored_from": _civil("2018-11-27"), "stored_to": _civil("2018-11-26")}, "not after the start"),
        ({"stored_from": _civil("2018-11-27"), "stored_to": _civil("2018-11-27")}, "not after the start"),
        ({"stored_to": _civil("2018-11-27")}, "from when on"),
    ],
)
def test_collected_records_that_cannot_be_are_refused(which: dict[str, Any], words: str) -> None:
    """A concentrator would answer with nothing, or with all it has, as if that had been asked for."""
    with pytest.raises(LocalProtocolError, match=words):
        ReadCollected(items=("voltage.a",), **which).records()


@pytest.mark.parametrize("last", [1, 255])
def test_the_most_collected_records_that_can_be_asked_for(last: int) -> None:
    """A limit that is off by one would refuse the longest read."""
    [request] = ReadCollected(items=("voltage.a",), last=last).records()
    assert SelectLast(last, AllMeters()) == request.rsd


def test_a_set_of_meters_has_a_limit() -> None:
    """A request would outgrow every frame."""
    addresses = [f"{number:012d}" for number in range(METERS_MAX + 1)]
    assert meter_set(addresses[:METERS_MAX])
    with pytest.raises(LocalProtocolError, match=str(METERS_MAX)):
        meter_set(addresses)
    with pytest.raises(LocalProtocolError, match=str(METERS_MAX)):
        proxy_get(Piid(1), dict.fromkeys(addresses, ()), timeout_s=60)
    with pytest.raises(LocalProtocolError, match=str(METERS_MAX)):
        archive_data([_ENTRY] * (METERS_MAX + 1))


def test_two_meters_are_read_at_once_and_told_apart() -> None:
    """One meter's registers would be booked on another, or a silent meter would spoil its neighbour's."""
    energy, voltage = Oad.of("00100201"), Oad.of("20000201")
    request = proxy_get(Piid(2), {"000000000001": [energy], "000000000002": [energy, voltage]}, timeout_s=60)
    assert request == decode_apdu(encode_apdu(request))
    value, second = Data("double-long-unsigned", 12345), Tsa.of("000000000002")
    response = ProxyGetResponseList(
        piid=Piid(2),
        targets=(
            ProxyGetResult(
                Tsa.of("000000000002"), (AttributeResult(energy, value), AttributeResult(voltage, Dar(4)))
            ),
            ProxyGetResult(Tsa.of("000000000001"), (AttributeResult(energy, NO_ANSWER),)),
            ProxyGetResult(second, (AttributeResult(Oad.of("12340200"), value),)),
        ),
    )
    answers = proxy_answers(response)
    reading, other = answers["000000000002"].values
    assert ("12340200", "double-long-unsigned:12345") == (other.item, other.text)
    assert ("forward_active_energy", Decimal("123.45")) == (reading.item, reading.value)
    assert ({voltage: Dar(4)}, False) == (answers["000000000002"].refused, answers["000000000002"].is_silent)
    assert answers["000000000001"].is_silent
    with pytest.raises(LocalProtocolError, match="no meter"):
        proxy_get(Piid(2), {}, timeout_s=60)


def test_a_frame_is_forwarded_as_it_is() -> None:
    """A 645 meter behind a concentrator could not be read."""
    frame = bytes.fromhex("FEFE68AAAAAAAAAAAA681300DF16")
    request = forward(Piid(3), frame, port=FIRST_RS485, settings=Comdcb(3, 2, 8, 1, 0), frame_timeout_s=10)
    expected = "090703F2010201" + "0302080100" + "000A" + "0064" + "0E" + frame.hex().upper() + "00"
    assert expected == encode_apdu(request).hex().upper()


@pytest.mark.parametrize(("result", "reply"), [
    (b"\xfe\x68", b"\xfe\x68"), (b"", NO_ANSWER), (Dar(33), NO_ANSWER), (Dar(3), Dar(3)),
])  # fmt: skip
def test_a_silent_meter_is_silent_in_either_form(result: bytes | Dar, reply: bytes | Dar) -> None:
    """An empty reply would be taken for a frame."""
    response = ProxyTransCommandResponse(piid=Piid(3), port=FIRST_RS485, result=result)
    assert reply == reply_of(response)


def test_an_archive_of_a_device_decodes() -> None:
    """An entry without rated values, as drafts of the standard have it, could not be read."""
    octets = data_to_octets(archive_data([replace(_ENTRY, rated_voltage=None, rated_current=None)]))
    assert b"\x02\x08\x55" in octets
    assert None is archive_of(data_from_octets(octets)).entries[0].rated_voltage


_NO_ADDRESSES = ["", "16", "161", "0000000000161", "00000000000A", "zz0000000000", "raw:05000000000010"]


@pytest.mark.parametrize("address", _NO_ADDRESSES)
def test_an_address_is_twelve_digits(address: str) -> None:
    """Another meter would be asked, or none at all; or an error of Python come out that nobody catches."""
    with pytest.raises(LocalProtocolError, match="digits"):
        ReadCollected(items=("voltage.a",), meters=(address,)).records()
    with pytest.raises(LocalProtocolError, match="digits"):
        meter_set((address,))
    with pytest.raises(LocalProtocolError, match="digits"):
        proxy_get(Piid(1), {address: (Oad(0x2000, 2, 0),)}, timeout_s=60)


@pytest.mark.parametrize("address", _NO_ADDRESSES[1:-1])
@pytest.mark.parametrize("member", ["address", "collector"])
def test_an_address_of_the_archive_is_twelve_digits(address: str, member: str) -> None:
    """A concentrator would look for meter 16 with an address of one octet, and find none."""
    with pytest.raises(LocalProtocolError, match="digits"):
        archive_data([replace(_ENTRY, **{member: address})])  # type: ignore[arg-type]


def test_an_address_of_other_length_in_an_archive_stays_as_it_is() -> None:
    """A meter of a concentrator's would change its address, because somebody has read the archive."""
    octets = data_to_octets(archive_data([_ENTRY])).replace(
        bytes.fromhex("550705000000000010"), bytes.fromhex("55050320160001")
    )
    read = archive_of(data_from_octets(octets))
    assert "raw:0320160001" == read.entries[0].address
    assert octets == data_to_octets(archive_data(read.entries))


@pytest.mark.parametrize("digits", ["", "161", "zz", "00 01", "00" * 17])
def test_what_is_no_address_is_no_tsa(digits: str) -> None:
    """An error of Python would come out of a message that a person has written."""
    with pytest.raises(LocalProtocolError, match="2 to 32 digits"):
        Tsa.of(digits)
    assert "00" * 16 == Tsa.of("00" * 16, 3).digits
    with pytest.raises(LocalProtocolError, match="0 to 3"):
        Tsa.of("0001", 4)


@pytest.mark.parametrize("seconds", [-1, 65_536])
def test_times_that_no_message_can_say_are_refused_where_they_are_given(seconds: int) -> None:
    """The message would be built, and break later, in the task that sends it."""
    wanted = {"000000000001": (Oad(0x2000, 2, 0),)}
    assert 65_535 == proxy_get(Piid(1), wanted, timeout_s=65_535).timeout_s
    with pytest.raises(LocalProtocolError, match="timeout_s"):
        proxy_get(Piid(1), wanted, timeout_s=seconds)
    with pytest.raises(LocalProtocolError, match="meter_timeout_s"):
        proxy_get(Piid(1), wanted, timeout_s=1, meter_timeout_s=seconds)
    port = Comdcb(6, 2, 8, 1, 0)
    with pytest.raises(LocalProtocolError, match="frame_timeout_s"):
        forward(Piid(1), b"\x68", port=CARRIER, settings=port, frame_timeout_s=seconds)
    with pytest.raises(LocalProtocolError, match="byte_timeout_ms"):
        forward(Piid(1), b"\x68", port=CARRIER, settings=port, frame_timeout_s=1, byte_timeout_ms=seconds)


_ODD_ENTRIES = {
    "password": (
        "0A5507050000000000101603160351F20902010903AABBCC110411001603120898" + "12000F",
        "0204550705000000000000090112120001120001" + "0100",
    ),
    "annex": (
        "0A5507050000000000101603160351F209020109020000110411001603120898" + "12000F",
        "0204550705000000000000090112120001120001" + "010102025140000200" + "1105",
    ),
    "no asset number": (
        "0A5507050000000000101603160351F209020109020000110411001603120898" + "12000F",
        "020455070500000000000000120001120001" + "0100",
    ),
    "no collector": (
        "0A5507050000000000101603160351F209020109020000110411001603120898" + "12000F",
        "020400090112120001120001" + "0100",
    ),
    "a collector of no octets": (
        "0A5507050000000000101603160351F209020109020000110411001603120898" + "12000F",
        "02045500090112120001120001" + "0100",
    ),
    "an annex of NULL": (
        "0A5507050000000000101603160351F209020109020000110411001603120898" + "12000F",
        "0204550705000000000000090112120001120001" + "00",
    ),
}


@pytest.mark.parametrize("name", _ODD_ENTRIES)
def test_an_archive_that_is_read_and_written_back_is_the_same(name: str) -> None:
    """The concentrator would forget a meter's password and annex, and its meter be silent from then on."""
    basic, rest = _ODD_ENTRIES[name]
    octets = bytes.fromhex(f"0101020412000302{basic}{rest}")
    entries, unreadable = archive_of(data_from_octets(octets))
    assert 0 == unreadable
    assert octets == data_to_octets(archive_data(entries))
    assert octets == data_to_octets(add_meters(entries).data)
    assert "AABBCC" not in repr(entries).upper()
    assert r"\xaa" not in repr(entries)


def test_collectors_of_an_archive_are_told_apart() -> None:
    """People would be shown ``raw:`` for a collector, or a meter without one would be no meter."""
    found = {
        name: archive_of(data_from_octets(bytes.fromhex(f"0101020412000302{basic}{rest}")))
        for name, (basic, rest) in _ODD_ENTRIES.items()
    }
    assert None is found["no collector"].entries[0].collector
    assert "" == found["a collector of no octets"].entries[0].collector
    assert None is found["no asset number"].entries[0].asset_number


@pytest.mark.parametrize("data", [NULL, Data("long-unsigned", 1), Data("structure", ())])
def test_what_is_no_archive_has_no_meters(data: Data) -> None:
    """An answer of another shape would break us, or be an archive of nobody."""
    assert () == archive_of(data).entries
