"""After one wrong MAC, or one refused authentication, a meter is asked to prove nothing more.

Meters count wrong proofs and lock themselves after some, one after three, another after two hundred a day;
and what is wrong once will be wrong again, since it tells of other keys or another meter. So the first one
shuts the meter, whoever met it: for orders, for the read-back of a top-up, for looks at the wallet. What
needs no proof goes on. A refusal that may hide a wrong MAC shuts it too: of a meter that does not tell why,
nobody knows whether it has begun to count. Which ones do is decided here; the state is what the log says, and
a person who has found the cause opens the meter again. Source: control-and-prepayment, section 1.3.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meterlink.drivers.control import Cause, ControlAnswer, Verdict
from meterlink.errors import SecurityFailed
from meterlink.model.act import Act, KeptAct, Topic

SHUT: Final = "shut"
OPEN: Final = "open"
CODES: Final = frozenset({"mac", "not_verified", "locked", "refused_by_meter"})
"""Codes that do: the meter found our proof wrong, or refused it and does not say why; we found its wrong; or
it has locked itself."""
CAUSES: Final = frozenset({Cause.MAC, Cause.POSSIBLY_MAC, Cause.SUSPENDED})
"""Causes of a refusal that do; a meter that is suspended has counted too many already."""


def shuts(met: ControlAnswer | SecurityFailed) -> bool:
    """Whether nothing more may be proved to a meter after this."""
    if isinstance(met, SecurityFailed):
        return met.code in CODES
    return met.verdict is Verdict.REJECTED and met.cause in CAUSES


def subject(meter: str) -> str:
    """What the acts of a meter's latch are about."""
    return f"mac:{meter}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MacLatch:
    """Whether a meter is shut for all that has to be proved to it.

    Args:
        meter: our id of it.
        step: acts that there were.
        is_shut: whether it is.
        shut_by: what met the wrong proof: the id of an order, or ``reconciliation``; empty: nothing did.

    """

    meter: str
    step: int = 0
    is_shut: bool = False
    shut_by: str = ""

    @classmethod
    def of(cls, meter: str, acts: Iterable[Act | KeptAct]) -> MacLatch:
        """The latch of a meter as the acts of its subject tell it, oldest first."""
        latch = cls(meter=meter)
        for one in acts:
            act = one.act if isinstance(one, KeptAct) else one
            is_shut = act.verb == SHUT
            order = str(act.body.get("order", "")) if is_shut else ""
            latch = cls(meter=meter, step=act.step, is_shut=is_shut, shut_by=order)
        return latch

    def check(self) -> None:
        """Let something that must be proved pass, or not.

        Raises:
            SecurityFailed: the meter is shut, code ``shut``.

        """
        if self.is_shut:
            raise SecurityFailed(
                f"meter {self.meter!r} is shut since {self.shut_by!r} met a wrong MAC, a refused "
                "authentication, or a refusal that may hide one: find out whose keys are wrong, then open it",
                code="shut",
            )

    def shut(self, *, at: datetime, order: str, code: str) -> Act:
        """The act that shuts it.

        Args:
            at: when; aware.
            order: what met the wrong proof: the id of an order, or ``reconciliation``.
            code: how it showed: a code of ``SecurityFailed``, or a ``Cause``.

        """
        return self._act(SHUT, at, actor="meterlink", body={"order": order, "code": code})

    def open(self, *, at: datetime, actor: str, reason: str) -> Act:
        """The act of a person who opens it again.

        Raises:
            ValueError: there is no reason, or it is open.

        """
        if not self.is_shut or not reason.strip():
            raise ValueError("a meter that is shut is opened by a person who says why")
        return self._act(OPEN, at, actor=actor, body={"reason": reason})

    def _act(self, verb: str, at: datetime, *, actor: str, body: dict[str, str]) -> Act:
        return Act(
            topic=Topic.POLICY,
            subject=subject(self.meter),
            step=self.step + 1,
            verb=verb,
            at=at,
            actor=actor,
            meter=self.meter,
            body=body,
            is_open=verb == SHUT,
        )
