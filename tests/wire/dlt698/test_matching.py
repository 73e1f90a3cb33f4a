"""Which APDU answers which: the table of pairs against every service, and against recorded exchanges."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from meterwire.dlt698.apdus.apdu import decode_apdu
from meterwire.dlt698.apdus.parts import SERVICES, Dar, Piid
from meterwire.dlt698.apdus.proxy import (
    ProxyGetRequestList,
    ProxyGetResponseList,
    ProxyGetResult,
    ProxyGetTarget,
)
from meterwire.dlt698.axdr.selection import Tsa
from meterwire.dlt698.sessions.matching import ERRORS, PAIRS, answers, values
from tests.support.vectors import vectors
from tests.wire.dlt698 import plant
from tests.wire.dlt698.plant import ANSWER, ENERGY, PIID, VOLTAGE

_ENVELOPES_AND_NOTICES = {"SecurityRequest", "SecurityResponse", "ReleaseNotification", "GetResponseNext"}


def test_every_service_is_a_request_an_answer_or_named_here() -> None:
    """A service would be sent whose answer nobody recognises."""
    paired = {*PAIRS, *(pair.answer for pair in PAIRS.values()), *ERRORS}
    assert _ENVELOPES_AND_NOTICES - {"GetResponseNext"} == {
        cls.__name__ for cls in SERVICES.values() if cls not in paired
    }
    for kind, pair in PAIRS.items():
        heads = {cls: head for head, cls in SERVICES.items()}
        assert heads[kind][0] ^ 0x80 == heads[pair.answer][0]
        assert heads[kind][1:] == heads[pair.answer][1:]
        assert len(pair.asked) == len(pair.told)


def _recorded() -> dict[type, list[Any]]:
    found: dict[type, list[Any]] = {}
    for vector in vectors("dlt698.jsonl"):
        link = vector.get("expect", {}).get("link", {})
        if "apdu" in vector.get("expect", {}) and not link.get("split") and not link.get("sc"):
            octets = bytes.fromhex(vector["hex"])
            start = octets.index(b"\x68")
            data_at = start + 9 + (octets[start + 4] & 0xF)
            apdu = decode_apdu(octets[data_at:-3])
            found.setdefault(type(apdu), []).append(apdu)
    return found


def test_recorded_requests_and_answers_are_walked() -> None:
    """The place where a service names its objects would be looked for in vain."""
    recorded = _recorded()
    walked = 0
    for kind, pair in PAIRS.items():
        for apdu in recorded.get(kind, []):
            for place in pair.asked:
                walked += 1
                assert list(values(apdu, place))
        for apdu in recorded.get(pair.answer, []):
            for place in pair.told:
                walked += 1
                list(values(apdu, place))
    assert walked > 200


def test_recorded_answers_answer_their_own_kind_only() -> None:
    """An answer would be taken for that of another service."""
    recorded = _recorded()
    requests = [apdu for kind in PAIRS for apdu in recorded.get(kind, [])]
    told = [apdu for pair in PAIRS.values() for apdu in recorded.get(pair.answer, [])]
    matched: list[tuple[Any, Any]] = [
        (request, answer) for request in requests for answer in told if answers(request, answer)
    ]
    assert len(matched) > 20
    for request, answer in matched:
        assert request.piid.number == answer.piid.number
        assert PAIRS[type(request)].answer is type(answer)


_METERS = tuple(Tsa.of(digits) for digits in ("000000000001", "000000000002", "000000000003"))


def _proxied(*results: tuple[Tsa, Any]) -> ProxyGetResponseList:
    targets = tuple(ProxyGetResult(tsa, (ANSWER.result._replace(oad=oad),)) for tsa, oad in results)
    return ProxyGetResponseList(piid=PIID, targets=targets)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (_proxied((_METERS[0], ENERGY), (_METERS[1], ENERGY)), True),
        (_proxied((_METERS[1], ENERGY), (_METERS[0], ENERGY)), True),
        (_proxied((_METERS[1], ENERGY)), True),
        (_proxied((_METERS[2], ENERGY)), False),
        (_proxied((_METERS[0], VOLTAGE)), False),
        (_proxied(), False),
        (ANSWER, False),
    ],
)
def test_meters_behind_a_terminal_are_told_apart(answer: Any, expected: bool) -> None:
    """The value of one meter would be booked on another."""
    targets = tuple(ProxyGetTarget(tsa, 0, (ENERGY,)) for tsa in _METERS[:2])
    request = ProxyGetRequestList(piid=PIID, timeout_s=60, targets=targets)
    assert expected == answers(request, answer)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ANSWER, True),
        (dataclasses.replace(ANSWER, piid=Piid.of(5, acd=True)), True),
        (dataclasses.replace(ANSWER, piid=Piid.of(5, high_priority=True)), True),
        (dataclasses.replace(ANSWER, result=ANSWER.result._replace(result=Dar(6))), True),
        (dataclasses.replace(ANSWER, piid=Piid.of(4)), False),
        (plant.energy(VOLTAGE), False),
        (plant.REQUEST, False),
    ],
)
def test_service_number_and_object_decide(answer: Any, expected: bool) -> None:
    """A stale answer would pass, or one with an event flag would not."""
    assert expected == answers(plant.REQUEST, answer)
    assert not answers(answer, answer) or expected
