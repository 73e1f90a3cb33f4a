"""The file that gives people their roles, read whole and looked at again and again. Source: AUD-01."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import Field, field_validator

from meterlink.config.fault import Fault
from meterlink.config.meters import TwelveDigits
from meterlink.config.table import Table
from meterlink.config.watched_file import WatchedFile, octets_of, table_of
from meterlink.errors import ConfigError, NotAllowed, with_chinese
from meterlink.orders.people import DAEMON, Actor, People, Role, Sender

PEOPLE_MAX: Final = 1_000
"""A file with more is refused."""
_CONTROL: Final = frozenset({Role.CLERK, Role.APPROVER, Role.DISPATCHER, Role.FIELD})
_ALONE: Final[Mapping[Role, frozenset[Role]]] = MappingProxyType(
    {Role.AUDITOR: frozenset(Role) - {Role.VIEWER}, Role.ADMIN: _CONTROL, Role.BILLING: _CONTROL}
)
"""A role, and those that nobody has beside it: an auditor changes nothing, an admin has no control, and whose
records count from the time that they tell orders nothing."""


class _Person(Table):
    name: str = Field(min_length=1, max_length=64)
    roles: frozenset[Role] = Field(min_length=1)
    accounts: frozenset[TwelveDigits] = Field(frozenset(), max_length=16)
    senders: frozenset[Sender] = Field(frozenset(), max_length=16)

    @field_validator("name")
    @classmethod
    def _person(cls, value: str) -> str:
        if value == DAEMON:
            raise Fault(
                f"{DAEMON!r} is the daemon's own name; give the person another",
                f"{DAEMON!r} 是守护进程自己的名称:请为该人员另取一个",
            )
        return value

    @field_validator("roles")
    @classmethod
    def _apart(cls, value: frozenset[Role]) -> frozenset[Role]:
        for role, others in _ALONE.items():
            if role in value and (both := (value - {role}) & others):
                raise Fault(
                    f"{role.value} and {min(both).value} are posts of two people",
                    f"角色 {role.value} 与 {min(both).value} 须由两个人分别担任",
                )
        return value


class _File(Table):
    people: tuple[_Person, ...] = Field(max_length=PEOPLE_MAX)


def read_people(path: Path) -> People:
    """The people of a file (``[[people]]`` with ``name``, ``roles``, ``accounts`` and ``senders``).

    Raises:
        ConfigError: it cannot be read, is wrong, or others than its owner may write it.

    """
    return People(_actors(path, octets_of(path, is_guarded=True)))


class PeopleOfFile(People):
    """Everybody who has a role in a file, as it stands at each look: whoever is taken out is out at once.

    While the file is wrong nobody may do anything, because somebody may have been taken out of it; what only
    keeps people from harm is done by the file as it was right last, and whoever asks for it asks for
    ``last``. One that was never right in this life of the program hinders no start: until it is, nobody has
    any role.

    Args:
        path: as of ``read_people``.

    """

    def __init__(self, path: Path) -> None:
        super().__init__(())
        self._file = WatchedFile(path, "people", _by_name, _counted, is_guarded=True)
        self._file.look()

    def actor(self, name: str) -> Actor:
        """The person of a local user's name, as the file says now; somebody unknown has no role.

        Raises:
            NotAllowed: the file cannot be read or is wrong; nobody has a role until it is right.

        """
        if fault := self._file.look():
            raise _unknown(fault, self._file.fault_zh)
        return self._known(name, fault)

    def last(self, name: str) -> Actor:
        """As the file says now; while it is wrong, as it said when it was right last.

        Raises:
            NotAllowed: it was never right since the program started.

        """
        return self._known(name, self._file.look())

    @property
    def fault(self) -> str:
        """What is wrong with the file as it stands now; empty: nothing."""
        return self._file.look()

    @property
    def fault_zh(self) -> str:
        """The same in Chinese, as of the last look."""
        return self._file.fault_zh

    @property
    def were_known(self) -> bool:
        """Whether the file was right at some time since the program started."""
        return self._file.last is not None

    def _known(self, name: str, fault: str) -> Actor:
        if self._file.last is None:
            raise _unknown(fault, self._file.fault_zh)
        return self._file.last.get(name, Actor(name=name))


def _unknown(fault: str, zh: str) -> NotAllowed:
    error = NotAllowed(f"nobody may do anything until this is right: {fault}", why="people")
    return with_chinese(error, f"人员文件有误,更正之前任何人不得操作:{zh}")


def _by_name(path: Path, octets: bytes) -> Mapping[str, Actor]:
    return {actor.name: actor for actor in _actors(path, octets)}


def _counted(actors: Mapping[str, Actor]) -> dict[str, int]:
    return {"people": len(actors)}


def _actors(path: Path, octets: bytes) -> tuple[Actor, ...]:
    people = table_of(_File, path, octets).people
    names = [person.name for person in people]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            f"{path}: two [[people]] have the name {twice[0]!r}: write one, with all the roles",
            f"{path}: 两个 [[people]] 的 name 相同:{twice[0]!r}:请合并为一项,写上全部角色",
        )
    return tuple(
        Actor(name=one.name, roles=one.roles, accounts=one.accounts, senders=one.senders) for one in people
    )
