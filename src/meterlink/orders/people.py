"""Who may do what: roles, the deeds they allow, and who has which.

A role is a post, not a rank: no role contains another, and nobody may hold two that would let one person do
alone what the posts divide. Source: AUD-01, AUD-02, CTRL-10; decision 27.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import AfterValidator

from meterlink.config.fault import Fault
from meterlink.model.order import OrderKind

SENDER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
"""What a sender of evidence may be called: 1 to 32 characters."""
DAEMON: Final = "meterlink"
"""The actor of what the daemon does by itself; no person has this name."""
ROLES: Final = "roles"
"""Under which the act of a person keeps the roles that he held."""


class Role(enum.StrEnum):
    """A post. Source: decision 27."""

    VIEWER = "viewer"
    BILLING = "billing"
    OPERATOR = "operator"
    CLERK = "clerk"
    APPROVER = "approver"
    DISPATCHER = "dispatcher"
    FIELD = "field"
    INSPECTOR = "inspector"
    SECURITY = "security"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Deed(enum.StrEnum):
    """What somebody may want to do about orders."""

    LOOK = "look"
    CREATE = "create"
    APPROVE = "approve"
    OPERATE = "operate"
    """Arm and operate."""
    CANCEL = "cancel"
    FIND = "find"
    """Say what became of an order that ended unknown."""
    AUTHORISE_FIELD = "authorise_field"
    """Give field staff the one-time authorisation of a reconnection."""
    RELEASE_QUARANTINE = "release_quarantine"
    DELETE_QUARANTINE = "delete_quarantine"
    RELEASE_BATCH = "release_batch"
    STOP = "stop"
    """Throw the kill switch."""
    RESUME = "resume"
    """Ask for, or confirm, that trips may go again."""
    FREEZE = "freeze"
    """Say that weather or an event forbids trips."""
    LIFT_FREEZE = "lift_freeze"
    UNLOCK_METER = "unlock_meter"
    """Let orders go to a meter again that met a wrong MAC."""
    QUALIFY = "qualify"
    """Find out at a meter what its model does, at a load that may be switched."""
    CHANGE_ROSTER = "change_roster"
    """Say which meters there are, and what may be done to them."""
    READ_METER = "read_meter"
    """Read a meter on demand, in front of what the plans read."""
    SET_CLOCK = "set_clock"
    """Set the clock of a concentrator, by which nights are filed."""
    SETTLE = "settle"
    """Seal a day for whoever bills."""
    RECONCILE = "reconcile"
    """Compare payments, log and wallets: each wallet is asked, and what does not agree is written down."""


_WORKING: Final = frozenset(Role) - {Role.VIEWER, Role.AUDITOR, Role.BILLING}
DEEDS: Final[Mapping[Deed, frozenset[Role]]] = MappingProxyType(
    {
        Deed.LOOK: frozenset(Role),
        Deed.CREATE: frozenset({Role.CLERK}),
        Deed.APPROVE: frozenset({Role.APPROVER}),
        Deed.OPERATE: frozenset({Role.DISPATCHER}),
        Deed.CANCEL: frozenset({Role.CLERK, Role.APPROVER, Role.DISPATCHER, Role.INSPECTOR}),
        Deed.FIND: frozenset({Role.APPROVER, Role.DISPATCHER, Role.INSPECTOR}),
        Deed.AUTHORISE_FIELD: frozenset({Role.DISPATCHER}),
        Deed.RELEASE_QUARANTINE: frozenset({Role.SECURITY}),
        Deed.DELETE_QUARANTINE: frozenset({Role.SECURITY, Role.APPROVER, Role.INSPECTOR}),
        Deed.RELEASE_BATCH: frozenset({Role.SECURITY}),
        Deed.STOP: _WORKING,
        Deed.RESUME: frozenset({Role.SECURITY, Role.ADMIN}),
        Deed.FREEZE: _WORKING,
        Deed.LIFT_FREEZE: frozenset({Role.SECURITY, Role.ADMIN}),
        Deed.UNLOCK_METER: frozenset({Role.SECURITY}),
        Deed.QUALIFY: frozenset({Role.FIELD, Role.INSPECTOR}),
        Deed.CHANGE_ROSTER: frozenset({Role.OPERATOR}),
        Deed.READ_METER: frozenset({Role.OPERATOR, Role.DISPATCHER, Role.FIELD, Role.INSPECTOR}),
        Deed.SET_CLOCK: frozenset({Role.DISPATCHER}),
        Deed.SETTLE: frozenset({Role.BILLING, Role.OPERATOR}),
        Deed.RECONCILE: frozenset({Role.BILLING, Role.OPERATOR, Role.APPROVER, Role.DISPATCHER}),
    }
)
"""Which roles allow a deed; what is not here nobody may do."""

FIELD_KINDS: Final = frozenset({OrderKind.PERMIT_CLOSE, OrderKind.DIRECT_CLOSE})
"""What field staff may operate, with a one-time authorisation. Source: CTRL-17, AUD-01."""


def _sender(text: str) -> str:
    if not SENDER.fullmatch(text):
        raise Fault(
            "write 1 to 32 of A-Z a-z 0-9 . _ - beginning with a letter or digit",
            "请写 1 至 32 个字符(A-Z a-z 0-9 . _ -),以字母或数字开头",
        )
    return text.lower()


Sender = Annotated[str, AfterValidator(_sender)]
"""In small letters: two that differ in capitals alone are one sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something.

    Args:
        name: of a person, or ``DAEMON``.
        roles: that the person holds now.
        accounts: customer numbers of the person's own.
        senders: as whom the person may bring records of evidence; empty: under the own name.

    """

    name: str
    roles: frozenset[Role] = frozenset()
    accounts: frozenset[str] = frozenset()
    senders: frozenset[str] = frozenset()

    @property
    def is_daemon(self) -> bool:
        """Whether the daemon does it by itself."""
        return self.name == DAEMON

    @property
    def noted(self) -> dict[str, list[str]]:
        """What the act of a person keeps beside the name: the roles held then. Source: business-rules 2."""
        return {} if self.is_daemon else {ROLES: sorted(role.value for role in self.roles)}

    def may(self, deed: Deed) -> bool:
        """Whether one of the roles allows it; whether the rules do is another question."""
        return bool(self.roles & DEEDS[deed])

    def may_send_as(self, sender: str) -> bool:
        """Whether records of that sender may come from this person; capitals do not count."""
        return sender.casefold() in {name.casefold() for name in self.senders or {self.name}}


THE_DAEMON: Final = Actor(name=DAEMON)


class People:
    """Everybody who has a role here.

    Args:
        actors: one a name.

    """

    def __init__(self, actors: tuple[Actor, ...]) -> None:
        self._actors = {actor.name: actor for actor in actors}

    def actor(self, name: str) -> Actor:
        """The person of a local user's name; somebody unknown has no role.

        Raises:
            NotAllowed: who has which role cannot be said at this moment.

        """
        return self.last(name)

    def last(self, name: str) -> Actor:
        """The same, as it was last known: for what only keeps people from harm."""
        return self._actors.get(name, Actor(name=name))

    @property
    def fault(self) -> str:
        """Why it cannot be said who has which role; empty: it can."""
        return ""

    @property
    def fault_zh(self) -> str:
        """The same in Chinese, as of the last look."""
        return ""

    @property
    def were_known(self) -> bool:
        """Whether it could be said at some time in this life of the program."""
        return True
