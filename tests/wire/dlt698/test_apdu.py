"""APDUs of every service: round trips, garbage, truncation, limits, and what their text shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterwire.dlt698.apdus.action import ActionRequestNormal
from meterwire.dlt698.apdus.apdu import LATER_EDITIONS, Apdu, decode_apdu, encode_apdu, inner_apdu, walk_apdu
from meterwire.dlt698.apdus.association import ConnectRequest, PasswordSecurity
from meterwire.dlt698.apdus.get import GetRequestNormalList, GetResponseNormal, GetResponseRecord
from meterwire.dlt698.apdus.parts import SERVICES, ActionItem, AttributeResult, Dar, Piid, RecordResult
from meterwire.dlt698.apdus.secrets import secret_spans
from meterwire.dlt698.apdus.security import CipherUnit, Mac, PlainUnit, SecurityResponse
from meterwire.dlt698.axdr import lengths
from meterwire.dlt698.axdr.selection import Oad, Omd
from meterwire.dlt698.axdr.syntax import leaves
from meterwire.dlt698.axdr.values import NULL, Data
from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.primitives.ranges import Ranges
from tests.wire.dlt698.apdu_strategies import BY_SERVICE, apdus

_NAMES = sorted(BY_SERVICE)


def _decoded(octets: bytes) -> Apdu | None:
    """The garbage rule: an APDU or a RemoteProtocolError, nothing else."""
    try:
        return decode_apdu(octets)
    except RemoteProtocolError as error:
        assert error.offset is not None
        assert 0 <= error.offset <= max(len(octets), lengths.APDU_OCTETS_MAX)
        assert error.kind
        assert octets == error.octets
        return None


@pytest.mark.parametrize("name", _NAMES)
@settings(max_examples=40)
@given(data=st.data())
def test_what_is_encoded_decodes_to_the_same(name: str, data: st.DataObject) -> None:
    """A meter would receive something else than was meant, or a value would change on its way."""
    apdu = data.draw(BY_SERVICE[name])
    octets = encode_apdu(apdu)
    assert apdu == decode_apdu(octets)
    assert octets == encode_apdu(decode_apdu(octets))


@given(apdu=apdus)
def test_the_spans_cover_each_octet_once(apdu: Apdu) -> None:
    """An octet would be missing from an explanation, or a secret shift out of its mask."""
    octets = encode_apdu(apdu)
    span = walk_apdu(octets)
    assert apdu == span.value
    at = 0
    for one in leaves(span):
        assert at == one.start
        at = one.end
    assert len(octets) == at


@given(apdu=apdus, data=st.data())
def test_a_cut_or_lengthened_apdu_is_refused(apdu: Apdu, data: st.DataObject) -> None:
    """A frame that lost its end would be taken for another message, or kill the line's task."""
    octets = encode_apdu(apdu)
    at = data.draw(st.integers(0, len(octets) - 1))
    cut = _decoded(octets[:at])
    assert cut is None or encode_apdu(cut) == octets[:at]
    with pytest.raises(RemoteProtocolError) as refused:
        decode_apdu(octets + b"\x00")
    assert refused.value.kind == "trailing"
    assert len(octets) == refused.value.offset


def _is_in_order(spans: Ranges, size: int) -> bool:
    """Whether each span has octets, begins behind the one before, and ends inside of ``size`` octets."""
    bounds = [0, *(at for span in spans for at in span), size]
    return bounds == sorted(bounds) and all(start < end for start, end in spans)


@given(octets=st.binary(min_size=1, max_size=200))
def test_any_octets_are_an_apdu_or_refused(octets: bytes) -> None:
    """A meter could stop the program with octets that nobody thought of, or have them shown."""
    apdu, hidden = _decoded(octets), secret_spans(octets)
    assert _is_in_order(hidden, len(octets))
    assert apdu is not None or ((0, len(octets)),) == hidden


@given(head=st.sampled_from(sorted(SERVICES)), body=st.binary(max_size=60))
def test_any_body_of_a_service_is_an_apdu_or_refused(head: bytes, body: bytes) -> None:
    """The same, behind the checks of the service."""
    apdu = _decoded(head + body)
    if apdu is not None:
        again = encode_apdu(apdu)
        assert encode_apdu(decode_apdu(again)) == again


@given(apdu=apdus, at=st.integers(0, 10_000), octet=st.integers(0, 255))
def test_a_damaged_apdu_is_an_apdu_or_refused(apdu: Apdu, at: int, octet: int) -> None:
    """The same, one octet away from what devices send."""
    octets = bytearray(encode_apdu(apdu))
    octets[at % len(octets)] = octet
    damaged, hidden = _decoded(bytes(octets)), secret_spans(bytes(octets))
    assert _is_in_order(hidden, len(octets))
    if damaged is None:
        assert ((0, len(octets)),) == hidden
    else:
        span = walk_apdu(bytes(octets))
        assert encode_apdu(damaged) == encode_apdu(span.value)
        assert [0, *(one.end for one in leaves(span))] == [*(one.start for one in leaves(span)), len(octets)]


@pytest.mark.parametrize("head", sorted(LATER_EDITIONS), ids=bytes.hex)
def test_services_of_later_editions_are_refused_by_name(head: bytes) -> None:
    """An operator would look for a damaged line where the meter speaks a later edition."""
    with pytest.raises(RemoteProtocolError, match="later edition") as refused:
        decode_apdu(head + bytes(8))
    assert refused.value.kind == "later-edition"


# --- limits -------------------------------------------------------------------------------------------


def _list_of(count: int) -> GetRequestNormalList:
    return GetRequestNormalList(piid=Piid(1), oads=(Oad.of("00100200"),) * count)


def test_as_many_elements_as_allowed_and_not_one_more() -> None:
    """A peer could take all memory, or a list of the permitted length be refused."""
    most = _list_of(lengths.ELEMENTS_MAX)
    assert most == decode_apdu(encode_apdu(most))
    with pytest.raises(LocalProtocolError):
        encode_apdu(_list_of(lengths.ELEMENTS_MAX + 1))
    head = encode_apdu(most)
    more = head[:3] + lengths.write_length(lengths.ELEMENTS_MAX + 1) + head[6:-1] + bytes(5)
    with pytest.raises(RemoteProtocolError) as refused:
        decode_apdu(more)
    assert refused.value.kind == "limit"


@pytest.mark.parametrize(
    "octets",
    [
        bytes.fromhex("85010140010200010184FFFFFFFF0000"),
        bytes.fromhex("0502 01 84 FFFFFFFF 00100200 00"),
        bytes.fromhex("8503 01 50040200 01 00 20210200 01 84 FFFFFFFF 00 00 00"),
        bytes.fromhex("850101400102000109 84 FFFFFFFF 0000"),
        bytes.fromhex("850101400102000104 88 FFFFFFFFFFFFFFFF 0000"),
    ],
    ids=["array", "list", "rows", "octet-string", "bit-string"],
)
def test_four_billion_are_refused_at_once(octets: bytes) -> None:
    """A count out of nothing would take all memory before the missing octets are noticed."""
    with pytest.raises(RemoteProtocolError) as refused:
        decode_apdu(octets)
    assert refused.value.kind == "truncated"


def _nested(depth: int) -> Data:
    data = NULL
    for _ in range(depth):
        data = Data("array", (data,))
    return data


def _answer(data: Data) -> GetResponseNormal:
    return GetResponseNormal(piid=Piid(1), result=AttributeResult(Oad.of("40010200"), data))


def test_data_as_deep_as_allowed_and_not_deeper() -> None:
    """A peer could overflow the stack, or a value of the permitted depth be refused."""
    deepest = _answer(_nested(lengths.DEPTH_MAX))
    octets = encode_apdu(deepest)
    assert deepest == decode_apdu(octets)
    with pytest.raises(LocalProtocolError):
        encode_apdu(_answer(_nested(lengths.DEPTH_MAX + 1)))
    deeper = octets[:8] + b"\x01\x01" + octets[8:]
    with pytest.raises(RemoteProtocolError) as refused:
        decode_apdu(deeper)
    assert refused.value.kind == "depth"


def test_selectors_in_selectors_are_not_followed_without_end() -> None:
    """Data may hold a selector that holds Data: a second way to overflow the stack."""
    octets = bytes.fromhex("85010140010200 01") + bytes.fromhex("5A 01 20210200") * 5000 + bytes(3)
    with pytest.raises(RemoteProtocolError) as refused:
        decode_apdu(octets)
    assert refused.value.kind == "depth"


def test_the_longest_apdu_and_one_octet_more() -> None:
    """A peer could keep us busy with an APDU that no connection can have agreed on."""
    room = lengths.APDU_OCTETS_MAX - len(encode_apdu(_answer(Data("octet-string", b"")))) - 2
    longest = _answer(Data("octet-string", bytes(room)))
    octets = encode_apdu(longest)
    assert lengths.APDU_OCTETS_MAX == len(octets)
    assert longest == decode_apdu(octets)
    with pytest.raises(LocalProtocolError):
        encode_apdu(_answer(Data("octet-string", bytes(room + 1))))
    with pytest.raises(RemoteProtocolError) as refused:
        decode_apdu(octets + b"\x00")
    assert refused.value.kind == "limit"


# --- what we must not send ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        Data("unsigned", 256),
        Data("unsigned", "1"),
        Data("octet-string", "text"),
        Data("visible-string", b"octets"),
        Data("nonsense", 1),  # type: ignore[arg-type]
        Data("null", 1),
        Data("OAD", 1),
        Data("array", None),
        Data("date_time_s", (2026, 1)),
        Data("RSD", NULL),
    ],
    ids=lambda data: f"{data}",
)
def test_a_value_that_does_not_fit_is_refused(data: Data) -> None:
    """A wrong value would leave as octets that mean something else, or as an unexpected exception."""
    with pytest.raises(LocalProtocolError):
        encode_apdu(_answer(data))


def test_rows_of_another_width_than_the_columns_are_refused() -> None:
    """Every value behind a short row would stand in the wrong column."""
    record = RecordResult(Oad.of("50040200"), (Oad.of("20210200"),), ((NULL, NULL),))
    with pytest.raises(LocalProtocolError):
        encode_apdu(GetResponseRecord(piid=Piid(1), record=record))


def test_what_is_no_apdu_is_refused() -> None:
    """A caller's mistake would surface as a KeyError far away."""
    with pytest.raises(LocalProtocolError):
        encode_apdu("05 01")  # type: ignore[arg-type]


# --- texts and secrets ----------------------------------------------------------------------------------


def _connect(password: str) -> ConnectRequest:
    return ConnectRequest(
        piid=Piid(0),
        version=22,
        protocol_conformance=bytes(8),
        function_conformance=bytes(16),
        tx_max=512,
        rx_max=512,
        rx_window=1,
        apdu_max=2000,
        timeout_s=7200,
        auth=PasswordSecurity(password),
    )


_CLOSE = Data(
    "array",
    (
        Data(
            "structure",
            (Data("OAD", Oad.of("F2050201")), Data("enum", 0), Data("visible-string", "hunter22")),
        ),
    ),
)
_SECRET_APDUS: list[tuple[Any, bytes]] = [
    (_connect("hunter22"), b"hunter22"),
    (SecurityResponse(unit=CipherUnit(b"hunter22"), verify=Mac(b"abcd")), b"hunter22"),
    (SecurityResponse(unit=PlainUnit(bytes.fromhex("830000 00 00")), verify=Mac(b"hunter22")), b"hunter22"),
    (ActionRequestNormal(piid=Piid(9), item=ActionItem(Omd.of("80008300"), _CLOSE)), b"hunter22"),
    (_answer(Data("MAC", b"hunter22")), b"hunter22"),
    (
        GetResponseNormal(
            piid=Piid(1), result=AttributeResult(Oad.of("44010200"), Data("visible-string", "hunter22"))
        ),
        b"hunter22",
    ),
]


@pytest.mark.parametrize(("apdu", "secret"), _SECRET_APDUS, ids=lambda one: type(one).__name__)
def test_a_secret_is_neither_in_the_text_nor_outside_its_span(apdu: Apdu, secret: bytes) -> None:
    """A password or a MAC would stand in a log or in the trace ring."""
    octets = encode_apdu(apdu)
    assert secret.decode() not in repr(apdu)
    blanked = bytearray(octets)
    for start, end in secret_spans(octets):
        blanked[start:end] = bytes(end - start)
    assert secret in octets
    assert secret not in blanked
    assert blanked[:2] == octets[:2]


@given(octets=st.binary(min_size=1, max_size=40))
def test_what_cannot_be_told_is_secret(octets: bytes) -> None:
    """A piece of an APDU, or a damaged one, may hold a password that no declaration finds."""
    if _decoded(octets) is None:
        assert ((0, len(octets)),) == secret_spans(octets)


def test_a_plain_envelope_gives_the_apdu_within() -> None:
    """Readings of production meters come in envelopes; they would not be found."""
    inner = _answer(Data("double-long-unsigned", 7))
    envelope = SecurityResponse(unit=PlainUnit(encode_apdu(inner)), verify=Mac(b"1234"))
    assert inner == inner_apdu(envelope)
    assert inner_apdu(SecurityResponse(unit=CipherUnit(b"?"))) is None
    assert inner_apdu(SecurityResponse(unit=Dar(23))) is None
