"""Whatever stands in a valid envelope, a simulated meter answers: it never fails, and tells no secret."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from metersim.security.suite698 import Level
from metersim.works.cost_control import LOCAL
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.apdus.get import GetRequestNormal
from meterwire.dlt698.apdus.parts import SUCCESS, SetItem
from meterwire.dlt698.apdus.security import (
    CipherUnit,
    PlainUnit,
    Rn,
    RnMac,
    SecurityRequest,
    SecurityResponse,
)
from meterwire.dlt698.apdus.set import SetRequestNormal
from meterwire.dlt698.axdr.data import data_from_octets
from meterwire.dlt698.axdr.selection import Oad, Sid, SidMac
from meterwire.dlt698.axdr.values import Data, DateTimeS
from meterwire.dlt698.objects.dictionary import dictionary
from tests.support.secured698 import Secured, close_data, trip_data, works_of
from tests.wire.dlt698.apdu_strategies import BY_SERVICE
from tests.wire.dlt698.data_strategies import datas

_OURS = (0x8000, 0x8001, 0x8002, 0x8003, 0x8004, 0xF100, 0xF101, 0xF205, 0x202C, 0x401E, 0x401F, 0x2040)
_METHODS = [
    (oi, row.number, row.sample)
    for oi in _OURS
    for row in dictionary().object(oi).rows  # type: ignore[union-attr]
    if row.is_method
]
_ATTRIBUTES = [
    Oad(oi, row.number, index)
    for oi in _OURS
    for row in dictionary().object(oi).rows  # type: ignore[union-attr]
    for index in (0, 1)
    if not row.is_method
]
_REQUESTS = [BY_SERVICE[name] for name in BY_SERVICE if "Request" in name and "Security" not in name]
_octets = st.binary(max_size=40)
_UNITS = st.builds(PlainUnit, _octets) | st.builds(CipherUnit, _octets)
_VERIFICATIONS = (
    st.builds(Rn, st.binary(max_size=20))
    | st.builds(RnMac, _octets, _octets)
    | st.builds(Sid, st.integers(0, 2**32 - 1), _octets)
    | st.builds(SidMac, st.just(0x4C414201), _octets, st.binary(min_size=4, max_size=4))
)
_tried = settings(max_examples=60)


def _client() -> Secured:
    client = Secured(works_of(LOCAL, preset_cents=5_000))
    assert 0 == client.associate().result
    return client


@_tried
@given(method=st.sampled_from(_METHODS), data=datas(), as_printed=st.booleans())
def test_any_parameter_of_any_method_is_answered(
    method: tuple[int, int, bytes], data: Data, as_printed: bool
) -> None:
    """A parameter that fails the meter would fail a whole plant with it."""
    oi, number, sample = method
    parameter = data_from_octets(sample) if as_printed and sample else data
    client = _client()
    assert client.order(oi, number, parameter).dar is not None


def _data(octets: bytes) -> Data:
    from meterwire.dlt698.axdr.data import data_from_octets

    return data_from_octets(octets)


@_tried
@given(oad=st.sampled_from(_ATTRIBUTES), data=datas())
def test_any_value_of_any_attribute_is_answered(oad: Oad, data: Data) -> None:
    """The same of what is written and read."""
    client = _client()
    piid = client.association.next_piid()
    written = client.sealed(SetRequestNormal(piid=piid, item=SetItem(oad, data)))
    assert (piid, oad) == (written.piid, written.item.oad)
    read = client.sealed(GetRequestNormal(piid=piid, oad=oad))
    assert (piid, oad) == (read.piid, read.result.oad)


@_tried
@given(request=st.one_of(_REQUESTS), level=st.sampled_from(Level))
def test_any_request_in_an_envelope_is_answered_in_one(request: object, level: Level) -> None:
    """Services that the meter has not, too."""
    octets = encode_apdu(request)  # type: ignore[arg-type]
    assume(len(octets) <= 400)  # one frame
    client = _client()
    answer = client.send(client.envelope(decode_apdu(octets), level))
    assert answer is not None


@_tried
@given(unit=_UNITS, verify=_VERIFICATIONS)
def test_any_envelope_is_answered(unit: PlainUnit | CipherUnit, verify: Rn | RnMac | Sid | SidMac) -> None:
    """An envelope that nobody sealed is refused, and the next one is taken."""
    client = _client()
    answer = client.send(SecurityRequest(unit=unit, verify=verify))
    assert answer is not None
    assert () == client.works.memory.controls
    assert SUCCESS == client.order(0x8000, 129, trip_data()).dar


def test_an_answer_goes_in_the_words_of_its_request() -> None:
    """Also when the request has set the clock beyond the end of its own association."""
    client = _client()
    piid = client.association.next_piid()
    noon = Data("date_time_s", DateTimeS(2026, 10, 2, 12, 0, 0))
    request = SetRequestNormal(piid=piid, item=SetItem(Oad(0x4000, 2, 0), noon))
    assert SUCCESS == client.sealed(request).item.dar
    refused = client.send(client.envelope(client.action(0x8000, 130, close_data(1))))
    assert isinstance(refused, SecurityResponse)
    assert 23 == refused.unit
