"""The qualifications of a gateway: read from the log, asked by the rules, withdrawn by what contradicts them.

It goes with every step of an order (``Companion``): when the outcome of one contradicts what is proven of its
model, the withdrawal of all firmware versions of that model and its alarm stand in the same transaction.
Source: decision 33.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import structlog

from meterlink.audit.keys import GatewayKey
from meterlink.drivers.control import SHOWN_BY, Standing
from meterlink.errors import JournalError
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Topic
from meterlink.model.order import OrderKind, OrderState
from meterlink.orders.attention.alarms import Seen, raised
from meterlink.orders.judging.proven import Proven
from meterlink.orders.life import witnesses
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.orders.life.switch_proof import CROSSED
from meterlink.orders.life.witnesses import Word
from meterlink.orders.life.written import seen_in
from meterlink.orders.people import DAEMON
from meterlink.orders.qualification.facts import MODELS_MAX, Qualification, agreed, combined, unproven
from meterlink.orders.qualification.walk import SESSIONS, Walk
from meterlink.orders.rules.live_switch import SHOWN
from meterlink.roster.roster import Roster, RosterMeter

WITHDRAWN: Final = "QUALIFICATION_WITHDRAWN"
"""The alarm that a model is qualified no more."""
NOT_QUALIFIED: Final = "qualification"
"""What is unproven of a model that was never qualified, or is no more."""
ASSUMED: Final = MappingProxyType({"command_bit": "state_grid"})
"""By what a meter is read at which a walk goes on, until the walk finds it: its person sees the contact."""
_RECORDED: Final = frozenset({OrderKind.TRIP, OrderKind.DIRECT_CLOSE})

_log = structlog.get_logger(__name__)


class Qualifications:
    """Of every model and firmware; see ``Models`` and ``Companion``.

    Args:
        acts: the log.
        roster: the meters.
        key: signs, and is what signatures are checked with.
        zone: of the plant, whose days alarms have.

    """

    def __init__(self, acts: ActLog, roster: Roster, key: GatewayKey, zone: timezone) -> None:
        self._acts = acts
        self._roster = roster
        self._key = key
        self._zone = zone
        self._standing: dict[str, Qualification] = {}
        self._trials: dict[str, Mapping[str, str]] = {}

    async def load(self) -> None:
        """Read what stands from the log, and what walks have found so far; once, before anything is asked.

        Raises:
            JournalError: it cannot be read, or too many stand.

        """
        names = await self._acts.subjects(Topic.QUALIFICATION, only_open=True, limit=MODELS_MAX)
        for name in names:
            try:
                if name.startswith(SESSIONS):
                    walk = Walk.of(await self._acts.of_subject(Topic.QUALIFICATION, name))
                    self.try_out(walk.meter, walk.facts)
                    continue
                kept = await self._acts.last_of(Topic.QUALIFICATION, name)
                assert kept is not None, "it was listed"
                self._standing[name] = Qualification.of(kept, self._key.public_hex)
            except (ValueError, KeyError, TypeError) as error:
                _log.error("qualification_not_believed", model=name, reason=str(error))

    @property
    def public_hex(self) -> str:
        """The key that signs them."""
        return self._key.public_hex

    def __iter__(self) -> Iterator[Qualification]:
        return iter(sorted(self._standing.values(), key=lambda one: one.subject))

    # --- what is proven ---

    async def __call__(self, meter: RosterMeter, kind: OrderKind, firmware: str | None = None) -> Proven:
        """See ``Models``."""
        found = [self._judged(meter, kind, one) for one in self._of(meter, firmware)]
        if kind is OrderKind.TOP_UP and not found:
            return Proven(unproven=())
        return min(found, key=lambda one: len(one.unproven), default=Proven(unproven=(NOT_QUALIFIED,)))

    async def switch_facts(self, meter: RosterMeter, firmware: str | None = None) -> SwitchFacts:
        """See ``Models``; of a meter at which a walk goes on, what it has found so far counts too."""
        known = self._known(meter, firmware)
        waits = known.get("permit_waits_for_key")
        return SwitchFacts(
            # Where a permit waits, the command has turned and the contact has not: so it turns by itself.
            command_at_once=waits == "yes",
            waits_for_key=None if waits is None else waits == "yes",
            expiry_obeyed=known.get("expiry") == "obeyed",
            basic_current_a=_basic_current(meter),
            keeps_records=known.get("records") == "kept",
            known={key: known[key] for key in SHOWN_BY if key in known},
            firmware=firmware,
        )

    def _known(self, meter: RosterMeter, firmware: str | None) -> Mapping[str, str]:
        known, _ = combined(meter.profile, agreed(self._of(meter, firmware)))
        trial = self._trials.get(meter.id)
        return known if trial is None else {**ASSUMED, **known, **trial}

    def try_out(self, meter: str, facts: Mapping[str, str] | None) -> None:
        """Read a meter by what a qualification in hand has found so far; ``None``: no longer."""
        if facts is None:
            self._trials.pop(meter, None)
        else:
            self._trials[meter] = dict(facts)

    # --- what changes it ---

    async def signed(self, qualification: Qualification) -> Act:
        """The act that keeps a new qualification; it counts once ``kept`` is told of it."""
        kept = await self._acts.last_of(Topic.QUALIFICATION, qualification.subject)
        return qualification.act(self._key, step=1 if kept is None else kept.act.step + 1)

    def kept(self, acts: Iterable[Act]) -> None:
        """See ``Companion.kept``."""
        for act in acts:
            if act.topic is not Topic.QUALIFICATION:
                continue
            if act.verb == "withdraw":
                self._standing.pop(act.subject, None)
            elif act.verb == "qualify":
                self._standing[act.subject] = Qualification.of_body(act.body)

    async def beside(self, before: Life, after: Life, act: Act) -> Sequence[Act]:
        """See ``Companion.beside``."""
        meter = self._roster.meter(after.order.meter)
        if meter is None or not (why := self._contradiction(meter, before, after, act)):
            return ()
        return await self.falling(meter, why, after.order.id, act.at)

    async def falling(self, meter: RosterMeter, why: str, evidence: str, at: datetime) -> Sequence[Act]:
        """The acts that take away what is proven of a meter's model, and raise the alarm; none: nothing is.

        Args:
            meter: that contradicts it.
            why: what it shows, by name.
            evidence: id of the order or of the walk that showed it.
            at: when.

        Raises:
            JournalError: the log cannot be read.

        """
        falling = [one for one in self._standing.values() if _is_same_model(one, meter)]
        if not falling:
            return ()
        acts = [await self._withdrawal(one, meter, why, evidence, at) for one in falling]
        return [*acts, *await self._alarm(meter, why, evidence, at)]

    def _contradiction(self, meter: RosterMeter, before: Life, after: Life, act: Act) -> str:
        """What a step of an order shows that cannot be if the facts are right; empty: nothing."""
        if after.state is OrderState.RELAY_FAULT and before.state is not after.state:
            return _fault_of_model(act)
        if act.verb in (Signal.REFUSE, Signal.LEAVE):
            return next((CROSSED for one in act.body.get("rules", ()) if _is_crossed(one)), "")
        facts = None if after.sent is None else after.sent.facts
        is_done = act.verb == Signal.PROVE and after.order.kind in _RECORDED
        is_kept = is_done and facts is not None and facts.keeps_records
        return "record_missing" if is_kept and _is_unrecorded(after, act) else ""

    async def _withdrawal(
        self, one: Qualification, meter: RosterMeter, why: str, evidence: str, at: datetime
    ) -> Act:
        kept = await self._acts.last_of(Topic.QUALIFICATION, one.subject)
        if kept is None:
            raise JournalError(f"the qualification {one.subject} is not in the log")
        return Act(
            topic=Topic.QUALIFICATION,
            subject=one.subject,
            step=kept.act.step + 1,
            verb="withdraw",
            at=at,
            actor=DAEMON,
            meter=meter.id,
            body={"why": why, "evidence": evidence},
        )

    async def _alarm(self, meter: RosterMeter, why: str, evidence: str, at: datetime) -> list[Act]:
        seen = Seen(
            rule=WITHDRAWN,
            origin="QUAL-01",
            meter=meter.id,
            area=meter.area,
            value=f"{meter.protocol}/{meter.model}: {why}",
            evidence=(f"order:{evidence}",),
        )
        return await raised(self._acts, seen, at=at, zone=self._zone)

    # --- whose it is ---

    def _of(self, meter: RosterMeter, firmware: str | None) -> list[Qualification]:
        """Those of a meter's model; ``None``: of the firmware that its file names, or of any."""
        same = [one for one in self._standing.values() if _is_same_model(one, meter)]
        if firmware is None and not meter.firmware:
            return same
        wanted = meter.firmware if firmware is None else firmware
        return [one for one in same if wanted == one.firmware]

    def _judged(self, meter: RosterMeter, kind: OrderKind, one: Qualification) -> Proven:
        known, clash = combined(meter.profile, one.facts)
        missing = unproven(meter.protocol, kind, known, line_is_ours=meter.line_is_ours)
        return Proven(unproven=(*clash, *(key for key in missing if key not in clash)), facts=known)


def _is_same_model(one: Qualification, meter: RosterMeter) -> bool:
    return bool(meter.model) and (one.protocol, one.model) == (meter.protocol, meter.model)


def _is_crossed(verdict: Mapping[str, Any]) -> bool:
    """Whether current through an open contact stopped it; a contact without voltage may be without mains."""
    is_stop = verdict.get("rule") == "CTRL-20" and not verdict.get("passed")
    return is_stop and verdict.get("inputs", {}).get(SHOWN) == CROSSED


def _fault_of_model(act: Act) -> str:
    """What a relay fault shows that an outage does not; empty: nothing.

    A meter whose mains are out says "closed" and measures no voltage, drives no relay and may write no
    record: that is one place, and no fact of a model. Somebody is sent there by ``RELAY_FAULT`` all the same.
    Current through an open contact no outage gives. Source: facts 3 and 4; decision 33.
    """
    shown = str(act.body.get("inputs", {}).get("contradiction", "")) or "relay_fault"
    return shown if not _is_without_mains(act) else CROSSED if CROSSED in shown.split() else ""


def _is_without_mains(act: Act) -> bool:
    """Whether the look of an act, if it has one, shows no voltage on any phase."""
    seen = seen_in(act.body["look"]["seen"]) if "look" in act.body else None
    return isinstance(seen, Standing) and witnesses.is_dead(seen)


def _is_unrecorded(done: Life, act: Act) -> bool:
    """Whether the contact went where it was ordered, and no record tells of it.

    What stood there before was not moved, so nothing is missing: a trip over a permit whose key nobody has
    pressed finds the contact open.
    """
    if act.body.get("inputs", {}).get("record") == Word.FOR or done.sent is None:
        return False
    before, after = done.sent.before, seen_in(act.body["look"]["seen"])
    if not isinstance(before, Standing) or not isinstance(after, Standing):
        return False
    return witnesses.has_moved(done.order.kind, before, after)


def _basic_current(meter: RosterMeter) -> Decimal:
    return Decimal(meter.profile.meter.basic_current_a)
