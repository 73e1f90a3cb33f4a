"""Every APDU of DL/T 698.45 that can carry the value of an attribute or method, out of the declarations.

Whatever a service is declared to hold is walked, so that a new service, choice or member is among them
without anybody naming it here.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Collection, Iterator
from typing import Annotated, Any, Final, NamedTuple

from meterwire.dlt698.apdus.apdu import SERVICES, Apdu, encode_apdu
from meterwire.dlt698.apdus.parts import (
    ActionItem,
    ActionResult,
    ActionThenGetItem,
    ActionThenGetResult,
    AttributeResult,
    Dar,
    Piid,
    RecordRequest,
    RecordResult,
    SetItem,
    SetThenGetItem,
    SetThenGetResult,
)
from meterwire.dlt698.apdus.security import PlainUnit
from meterwire.dlt698.axdr.coding import Characters, Fixed
from meterwire.dlt698.axdr.selection import (
    AllMeters,
    Comdcb,
    Oad,
    Omd,
    Road,
    SelectEqual,
    SelectLast,
    SelectRange,
    SelectRanges,
    Ti,
    Tsa,
)
from meterwire.dlt698.axdr.syntax import members
from meterwire.dlt698.axdr.values import NULL, Data

ENERGY: Final = Oad.of("00100200")
FREEZE: Final = Oad.of("50040200")
METER: Final = Tsa.of("201601200001")
_MANY_MAX: Final = 400
"""More carriers of one value than a test can show; then the declarations have grown beyond this builder."""

Plants = Callable[[Any], Iterator[Any]]


class Planted(NamedTuple):
    """A value somewhere in an APDU, and whether the secret is in it."""

    value: Any
    is_planted: bool


def carriers(
    of: Oad | Omd, data: Data, *, services: Collection[type] = tuple(SERVICES.values())
) -> Iterator[Apdu]:
    """APDUs that hold ``data`` as what belongs to ``of``, in every one of the services that can."""
    places = _of_method(of, data) if isinstance(of, Omd) else _of_attribute(of, data)
    yield from apdus(places, services=services)


def apdus(
    places: dict[Any, list[Any]], *, services: Collection[type] = tuple(SERVICES.values())
) -> Iterator[Apdu]:
    """APDUs with one of the values in the place of its class.

    Args:
        places: values by class; a class that is not here gets a value without a secret.
        services: of these classes of APDUs; by default of all.

    """
    for cls in dict.fromkeys(services):
        built = [one.value for one in _built(cls, places) if one.is_planted]
        assert len(built) <= _MANY_MAX
        yield from built


def enveloped(apdu: Apdu) -> dict[Any, list[Any]]:
    """Places for the APDU in a SECURITY envelope."""
    return {PlainUnit: [PlainUnit(encode_apdu(apdu))]}


# --- what holds a value ----------------------------------------------------------------------------------


def _annex(of: Oad | Omd, data: Data) -> Data:
    """As the archive and the results of a search name objects beside their values."""
    named = Data("OMD" if isinstance(of, Omd) else "OAD", of)
    return Data("array", (Data("structure", (named, data)),))


def _selectors(of: Oad, data: Data) -> list[Any]:
    other = SelectRange(ENERGY, NULL, NULL, NULL)
    return [
        SelectEqual(of, data),
        SelectRange(of, data, NULL, NULL),
        SelectRange(of, NULL, data, NULL),
        SelectRange(of, NULL, NULL, data),
        SelectRanges((other, SelectRange(of, data, data, data))),
    ]


def _of_attribute(of: Oad, data: Data) -> dict[Any, list[Any]]:
    selectors = _selectors(of, data)
    schemes = [Data("structure", (Data("RSD", rsd),)) for rsd in selectors]
    report, archive, found = Omd.of("601C7F00"), Omd.of("60008200"), Oad.of("60020200")
    return {
        SetItem: [SetItem(of, data)],
        SetThenGetItem: [SetThenGetItem(of, data, ENERGY, 1)],
        SetThenGetResult: [SetThenGetResult(ENERGY, Dar(0), AttributeResult(of, data))],
        AttributeResult: [AttributeResult(of, data), AttributeResult(found, _annex(of, data))],
        RecordResult: [
            RecordResult(Oad.of("60120300"), (ENERGY, column), ((NULL, data),))
            for column in (of, Road(FREEZE, (of,)))
        ],
        RecordRequest: [
            *(RecordRequest(FREEZE, rsd, (ENERGY,)) for rsd in selectors),
            RecordRequest(of, SelectEqual(ENERGY, data), (ENERGY,)),
        ],
        ActionItem: [ActionItem(archive, _annex(of, data)), *(ActionItem(report, one) for one in schemes)],
        ActionThenGetItem: [ActionThenGetItem(archive, _annex(of, data), ENERGY, 1)],
        ActionResult: [ActionResult(archive, Dar(0), _annex(of, data))],
        ActionThenGetResult: [
            ActionThenGetResult(archive, Dar(0), None, AttributeResult(of, data)),
            ActionThenGetResult(archive, Dar(0), _annex(of, data), AttributeResult(ENERGY, Dar(4))),
        ],
    }


def _of_method(of: Omd, data: Data) -> dict[Any, list[Any]]:
    return {
        ActionItem: [ActionItem(of, data)],
        ActionThenGetItem: [ActionThenGetItem(of, data, ENERGY, 1)],
        ActionResult: [ActionResult(of, Dar(0), data)],
        ActionThenGetResult: [ActionThenGetResult(of, Dar(0), data, AttributeResult(ENERGY, Dar(4)))],
    }


# --- values of a declaration -----------------------------------------------------------------------------

_PLAIN: Final[dict[Any, Any]] = {
    AttributeResult: AttributeResult(ENERGY, Dar(4)),
    RecordResult: RecordResult(FREEZE, (ENERGY,), Dar(4)),
    RecordRequest: RecordRequest(FREEZE, SelectLast(1, AllMeters()), (ENERGY,)),
    Piid: Piid(5),
    Dar: Dar(4),
    Data: NULL,
    Oad: ENERGY,
    Omd: Omd.of("80008100"),
    Tsa: METER,
    Ti: Ti(1, 5),
    Comdcb: Comdcb(3, 2, 8, 1, 0),
    int: 1,
    bool: True,
    bytes: b"",
    str: "",
}


def _built(hint: Any, places: dict[Any, list[Any]]) -> list[Planted]:
    """A value without the secret first, then one for each place where it can be."""
    if hint in places or hint in _PLAIN:
        plain = [Planted(_PLAIN[hint], False)] if hint in _PLAIN else []
        return plain + [Planted(value, True) for value in places.get(hint, [])]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _marked(arguments[0], arguments[1:], places)
    if origin is tuple:
        return [Planted((one.value,), one.is_planted) for one in _built(arguments[0], places)]
    if origin in (typing.Union, types.UnionType):
        found = [one for inner in arguments if inner is not type(None) for one in _built(inner, places)]
        found = [Planted(None, False), *found] if type(None) in arguments else found
        first = next(one for one in found if not one.is_planted)
        return [first, *(one for one in found if one.is_planted)]
    return [Planted(hint(1), False)] if issubclass(hint, int) else _declared(hint, places)


def _marked(base: Any, marks: tuple[Any, ...], places: dict[Any, list[Any]]) -> list[Planted]:
    """A member with marks: one of them may be a place."""
    for mark in marks:
        if isinstance(mark, Fixed):
            return [Planted(bytes(mark.size), False)]
        if isinstance(mark, Characters):
            return [Planted("0" * mark.size, False)]
        if type(mark) in places:
            return [*_built(base, {}), *_that_fit(base, places[type(mark)])]
    return _built(base, places)


def _that_fit(base: Any, values: list[Any]) -> Iterator[Planted]:
    """Of values for several kinds of members those that this one takes."""
    for value in values:
        if not isinstance(base, type) or isinstance(value, base):
            yield Planted(value, True)


def _declared(cls: Any, places: dict[Any, list[Any]]) -> list[Planted]:
    """The secret in one member after the other."""
    choices = {name: _built(hint, places) for name, hint in members(cls).items()}
    plain = {name: built[0].value for name, built in choices.items()}
    made = [Planted(cls(**plain), any(built[0].is_planted for built in choices.values()))]
    for name, built in choices.items():
        made += [Planted(cls(**plain | {name: one.value}), True) for one in built[1:] if one.is_planted]
    return made
