"""What work items and alarms share: who does something to them, and words that have bounds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Final, Protocol, TypeVar

from meterlink.errors import BadRequest, NotAllowed, Overtaken, StepTaken, with_chinese

WORDS_MAX: Final = 500
"""Characters of a reason, a note, a cause."""
TRIES_MAX: Final = 8
"""Others may write to the same item or alarm at the same time."""

_T = TypeVar("_T")


class Person(Protocol):
    """Who does something; the actor of an order is one."""

    @property
    def name(self) -> str:
        """As it stands in the log."""

    @property
    def roles(self) -> Collection[str]:
        """The posts that the person holds now."""


def words(text: str, what: str) -> str:
    """The text, if it says something and is not too long.

    Raises:
        BadRequest: it is empty or longer than ``WORDS_MAX``.

    """
    if not 1 <= len(text.strip()) <= len(text) <= WORDS_MAX:
        raise BadRequest(f"{what}: 1 to {WORDS_MAX} characters are needed")
    if not text.replace("\n", " ").isprintable():
        raise BadRequest(f"{what}: it holds characters that cannot be printed")
    return text


def as_words(text: str, most: int = WORDS_MAX) -> str:
    """What others have told, as ``words`` takes it: a wide space in it stops nothing.

    Args:
        text: as it came.
        most: characters; what is behind them is left out.

    """
    return "".join(c if c.isprintable() else " " for c in text)[:most]


def check_role(person: Person, roles: Collection[str], deed: str) -> None:
    """See whether somebody may do something.

    Raises:
        NotAllowed: none of the person's roles allows it.

    """
    if not set(person.roles) & set(roles):
        error = NotAllowed(
            f"{person.name} may not {deed}: it takes the role of {' or '.join(roles)}", why="role"
        )
        raise with_chinese(error, f"{person.name}没有可执行该操作的角色,须为{'、'.join(roles)}之一")


def noted(person: Person) -> dict[str, list[str]]:
    """What the act of a person keeps beside the name: the roles held then. Source: business-rules 2."""
    return {"roles": sorted(str(role) for role in person.roles)}


async def until_first(attempt: Callable[[], Awaitable[_T]]) -> _T:
    """Try again where somebody else was first, each time with a fresh look.

    Raises:
        StepTaken, Overtaken: others were first each time.

    """
    for _ in range(TRIES_MAX - 1):
        try:
            return await attempt()
        except (StepTaken, Overtaken):
            continue
    return await attempt()
