"""How a request came, and the words with which a meter refuses."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from meterwire.dlt698.apdus.parts import SUCCESS, ActionItem, Dar, SetItem, TimeTag
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import Data

DENIED: Final = Dar(3)
NO_SUCH_ATTRIBUTE: Final = Dar(4)
CLASS_UNFIT: Final = Dar(5)
NO_SUCH_OBJECT: Final = Dar(6)
TYPE_UNFIT: Final = Dar(7)
OUT_OF_RANGE: Final = Dar(8)
NOT_AUTHORISED: Final = Dar(15)
SECURITY_MISMATCH: Final = Dar(20)
REPEATED: Final = Dar(21)
WRONG_MAC: Final = Dar(22)
NOT_AUTHENTICATED: Final = Dar(23)
WRONG_CUSTOMER: Final = Dar(24)
WRONG_COUNT: Final = Dar(25)
HOARDING: Final = Dar(26)
UNDECIPHERABLE: Final = Dar(28)
SUSPENDED: Final = Dar(31)
TIME_TAG_INVALID: Final = Dar(32)
OTHER: Final = Dar(255)


class Strength(enum.IntEnum):
    """How a request is protected, weakest first; the bits of a security mode. Source: spec section 5.3."""

    PLAIN = 8
    PLAIN_MAC = 4
    CIPHER = 2
    CIPHER_MAC = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How a request came.

    Args:
        at: true time, aware.
        trusted: in an association by password or by keys.
        everybody: to a group, to all, or to whoever hears it.
        broadcast: nobody is answered.
        reads: how its reads are protected; a random number is enough for the MAC of an answer.
        changes: how everything else in it is.
        tag: its time tag.

    """

    at: datetime
    trusted: bool = False
    everybody: bool = False
    broadcast: bool = False
    reads: Strength = Strength.PLAIN
    changes: Strength = Strength.PLAIN
    tag: TimeTag | None = None


class Done(NamedTuple):
    """How a method ended, and what it returned."""

    dar: Dar = SUCCESS
    data: Data | None = None


class Part(Protocol):
    """A part of a meter with objects of its own; ``None`` says that the object has no such member."""

    @property
    def objects(self) -> frozenset[int]:
        """Its objects."""

    def read(self, oad: Oad, at: datetime) -> Data | Dar | None:
        """A whole attribute.

        Args:
            oad: of one of its objects, without an index.
            at: true time, aware.

        """

    def write(self, item: SetItem, how: Circumstances) -> Dar | None:
        """Set an attribute; who may do so was asked before."""

    def act(self, item: ActionItem, how: Circumstances) -> Done | None:
        """Run a method; who may do so was asked before."""


class Unfit(Exception):
    """A parameter that does not fit its method or attribute, or a selector that does not fit its table.

    Args:
        dar: what the meter says of it.

    """

    def __init__(self, dar: Dar) -> None:
        super().__init__(repr(dar))
        self.dar = dar


def members(data: Data, *types: str) -> tuple[Any, ...]:
    """Values of the members of a structure.

    Args:
        data: what came.
        types: what its members have to be.

    Raises:
        Unfit: it is no structure, or not of these.

    """
    if data.type != "structure" or tuple(one.type for one in data.value) != types:
        raise Unfit(TYPE_UNFIT)
    return tuple(one.value for one in data.value)


def only_element(data: Data) -> Data:
    """The one element of an array; meters take no more at once.

    Raises:
        Unfit: no array, or not of one.

    """
    if data.type != "array":
        raise Unfit(TYPE_UNFIT)
    if len(data.value) != 1:
        raise Unfit(OUT_OF_RANGE)
    element: Data = data.value[0]
    return element
