"""Which APDU answers which: service, PIID, time tag, and the objects that were asked for.

A table of pairs says for each request what its answer is, and where in both the names of the objects
stand. An answer names nothing that was not asked, and something where anything was asked; so an answer
to another question never passes, not even under the same service number (there are only 64).
Source: spec sections 2.1 and 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from meterwire.dlt698.apdus import action, association, get, link_management, proxy, report, set
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.parts import AttributeResults, RecordResults


class Pair(NamedTuple):
    """A request's answer, and where both name the objects.

    Args:
        answer: class of the answer.
        asked: places in the request, e.g. ``"targets[].tsa.digits"``.
        told: the same places in the answer.

    """

    answer: type
    asked: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


_TARGETS = ("targets[].tsa.digits", "targets[].items[].oad")
_METHODS = ("targets[].tsa.digits", "targets[].items[].omd")

PAIRS: Final[dict[type, Pair]] = {
    association.ConnectRequest: Pair(association.ConnectResponse),
    association.ReleaseRequest: Pair(association.ReleaseResponse),
    get.GetRequestNormal: Pair(get.GetResponseNormal, ("oad",), ("result.oad",)),
    get.GetRequestNormalList: Pair(get.GetResponseNormalList, ("oads[]",), ("results[].oad",)),
    get.GetRequestRecord: Pair(get.GetResponseRecord, ("record.oad",), ("record.oad",)),
    get.GetRequestRecordList: Pair(get.GetResponseRecordList, ("records[].oad",), ("records[].oad",)),
    get.GetRequestNext: Pair(get.GetResponseNext),
    get.GetRequestMD5: Pair(get.GetResponseMD5, ("oad",), ("oad",)),
    set.SetRequestNormal: Pair(set.SetResponseNormal, ("item.oad",), ("item.oad",)),
    set.SetRequestNormalList: Pair(set.SetResponseNormalList, ("items[].oad",), ("items[].oad",)),
    set.SetThenGetRequestNormalList: Pair(
        set.SetThenGetResponseNormalList, ("items[].oad",), ("items[].oad",)
    ),
    action.ActionRequestNormal: Pair(action.ActionResponseNormal, ("item.omd",), ("item.omd",)),
    action.ActionRequestNormalList: Pair(action.ActionResponseNormalList, ("items[].omd",), ("items[].omd",)),
    action.ActionThenGetRequestNormalList: Pair(
        action.ActionThenGetResponseNormalList, ("items[].omd",), ("items[].omd",)
    ),
    proxy.ProxyGetRequestList: Pair(
        proxy.ProxyGetResponseList, ("targets[].tsa.digits", "targets[].items[]"), _TARGETS
    ),
    proxy.ProxyGetRequestRecord: Pair(
        proxy.ProxyGetResponseRecord, ("tsa.digits", "record.oad"), ("tsa.digits", "record.oad")
    ),
    proxy.ProxySetRequestList: Pair(proxy.ProxySetResponseList, _TARGETS, _TARGETS),
    proxy.ProxySetThenGetRequestList: Pair(proxy.ProxySetThenGetResponseList, _TARGETS, _TARGETS),
    proxy.ProxyActionRequestList: Pair(proxy.ProxyActionResponseList, _METHODS, _METHODS),
    proxy.ProxyActionThenGetRequestList: Pair(proxy.ProxyActionThenGetResponseList, _METHODS, _METHODS),
    proxy.ProxyTransCommandRequest: Pair(proxy.ProxyTransCommandResponse, ("port",), ("port",)),
    # The server begins these; a report's acknowledgement may leave the objects out.
    link_management.LinkRequest: Pair(link_management.LinkResponse, ("time",), ("request_time",)),
    report.ReportNotificationList: Pair(report.ReportResponseList),
    report.ReportNotificationRecordList: Pair(report.ReportResponseRecordList),
    report.ReportNotificationTransData: Pair(report.ReportResponseTransData),
}
"""What answers each request; ``ReleaseNotification`` has no answer, a SECURITY envelope is opened first."""

ERRORS: Final = (link_management.ServerErrorResponse, link_management.ClientErrorResponse)
BLOCKWISE: Final = (
    get.GetRequestNormal,
    get.GetRequestNormalList,
    get.GetRequestRecord,
    get.GetRequestRecordList,
)
"""Requests that a server may answer in blocks."""


def answers(request: Apdu, answer: Apdu) -> bool:
    """Whether ``answer`` answers ``request``: an error, a block or the answer proper.

    Args:
        request: out of its envelope.
        answer: out of its envelope.

    """
    pair = PAIRS.get(type(request))
    if pair is None or not _same_service_number(request, answer) or not _tag_is_repeated(request, answer):
        return False
    if isinstance(answer, ERRORS):
        return True
    if isinstance(answer, get.GetResponseNext) and isinstance(request, BLOCKWISE):
        return _block_fits(request, answer, pair)
    if not isinstance(answer, pair.answer):
        return False
    places = zip(pair.asked, pair.told, strict=True)
    return all(_names_only(answer, told, frozenset(values(request, asked))) for asked, told in places)


def _same_service_number(request: Any, answer: Any) -> bool:
    number = getattr(answer, "piid", None)
    return number is not None and number.number == request.piid.number


def _tag_is_repeated(request: Any, answer: Any) -> bool:
    """An answer repeats the tag of its request; some leave it out."""
    return getattr(answer, "time_tag", None) in {None, getattr(request, "time_tag", None)}


def _block_fits(request: Any, block: get.GetResponseNext, pair: Pair) -> bool:
    records = isinstance(request, get.GetRequestRecord | get.GetRequestRecordList)
    if isinstance(block.result, AttributeResults | RecordResults):
        asked = frozenset(values(request, pair.asked[0]))
        wanted = RecordResults if records else AttributeResults
        return isinstance(block.result, wanted) and _names_only(block.result, "items[].oad", asked)
    return True


def _names_only(answer: Any, place: str, asked: frozenset[Any]) -> bool:
    told = frozenset(values(answer, place))
    return told <= asked and (bool(told) or not asked)


def values(apdu: Any, place: str) -> Iterator[Any]:
    """The values at a place of an APDU; ``[]`` behind a name stands for each of its elements."""
    name, _, rest = place.partition(".")
    found = getattr(apdu, name.removesuffix("[]"))
    for one in found if name.endswith("[]") else (found,):
        if rest:
            yield from values(one, rest)
        else:
            yield one
