"""Everything that the rules look at for one order at one moment; they look at nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from meterlink.clock import SET_FROM
from meterlink.config.control import ControlSettings
from meterlink.drivers.control import ClockLook, Identity, Opening, Purse, Standing
from meterlink.model.order import Order, OrderKind, OrderState
from meterlink.orders.evidence.records import Agreement, BalanceStatement
from meterlink.orders.evidence.told import Told
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.orders.limits.calendar import Calendar
from meterlink.orders.limits.caps import Limited
from meterlink.orders.people import Actor
from meterlink.roster.roster import RosterMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What became of the order so far, as far as rules ask.

    Args:
        created_by: name; empty: it is being created.
        approved_by: names, in order; empty: nobody yet.
        approved_at: of the newest approval.
        approval_set: by how much our clock was set forward since then; negative: back.
        armed_by: name of who armed it; empty: nobody, or it was operated since.
        field_grant: one-time authorisation of field staff, if there is one.
        field_person: who operated it by such an authorisation; empty: nobody, or somebody of another post.
        is_field_still: whether that person still is of the field staff.
        sent_at: when its octets left, each time.

    """

    created_by: str = ""
    approved_by: tuple[str, ...] = ()
    approved_at: datetime | None = None
    approval_set: timedelta = timedelta()
    armed_by: str = ""
    field_grant: FieldGrant | None = None
    field_person: str = ""
    is_field_still: bool = False
    sent_at: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldGrant:
    """That one person may reconnect one meter once. Source: CTRL-17, AUD-01.

    Args:
        person: name.
        granted_at: it lasts ``field_hours`` from here.
        is_used: whether an order was operated with it.

    """

    person: str
    granted_at: datetime
    is_used: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """That a person at the meter asked for the order of a probe. Source: decision 33.

    Args:
        by: name.
        confirmed_at: when that person said that the load may be switched.

    """

    by: str
    confirmed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherOrder:
    """Another order of the same meter that matters for this one.

    Args:
        id: its id.
        kind: what it wants.
        state: where it stands.
        payment: the payment record that it comes from.
        reference: of one that nobody ordered by hand, the other record that it comes from.
        is_of_wait: whether it is to bring current by itself to the household that this one is for.
        is_open: whether it has not ended, or its unknown end holds the meter.
        sent_at: when its octets left, each time.
        arrives_until: until when its newest frame may still come to the meter; ``None``: nobody can say.
        finding: of an unknown one ``done`` or ``not_done``, as two persons found; empty: they did not.
        purchase_count: that a top-up wanted the wallet to have; ``None``: it was not sent.
        sent_to: number of the meter that its frame went to; empty: the log does not tell.

    """

    id: str
    kind: OrderKind
    state: OrderState
    payment: str = ""
    reference: str = ""
    is_of_wait: bool = False
    is_open: bool = False
    sent_at: tuple[datetime, ...] = ()
    arrives_until: datetime | None = None
    finding: str = ""
    purchase_count: int | None = None
    sent_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What the meter itself said, minutes ago at most.

    Args:
        identity: who answered under the address.
        standing: how its switch stands.
        clock: ``None``: it cannot be read.
        purse: of a meter with a wallet.
        opening: how it is set to open its contact (8000 attribute 2; 04001401 to 04001403).
        provider: name that the security provider gives itself; ``password`` for none.
        firmware: maker and versions as the meter tells them; empty: it does not.
        facts: by which its switch was read, and is read back: those of that firmware.

    """

    identity: Identity
    standing: Standing
    clock: ClockLook | None = None
    purse: Purse | None = None
    opening: Opening = field(default_factory=Opening)
    provider: str = ""
    firmware: str = ""
    facts: SwitchFacts = field(default_factory=SwitchFacts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts of one order at one moment.

    Args:
        order: what is wanted.
        meter: of which meter.
        actor: who is about to do the step; the daemon at ``PAPER`` and ``LIVE``.
        now: aware, UTC.
        settings: the limits.
        calendar: when trips may go.
        steps: what became of the order so far.
        told: the evidence that concerns the meter, and the policy that the order names.
        limited: what the caps, the brake and the kill switch say of it.
        others: other orders of this meter: the open ones, and those of the same payment, cause or wait.
        credited: meter number and purchase count of each top-up here that was proved, of other payments.
        last_read_at: the newest successful reading of the meter; ``None``: there is none.
        unproven: facts that this kind of order depends on and that nobody has proven of the meter's model
            and firmware; empty: it is qualified.
        model: what is proven of the model, fact by name. Source: decision 33.
        told_elsewhere: payments told of other meters that are of the same transfer as the order's, or may be.
        cut_at: where in the log the order was created that has cut the meter off, or may have; 0: none has.
        spared: revisions of the roster, by which the household must not be cut off since it was, if the
            order names one; see ``waiting.spared``.
        live: what the meter said; only at ``LIVE``.
        probing: who asked for it at the meter; only of an order of a probe.
        clock_from: a clock that shows less is not set, or behind what the log has written.
        people_fault: why it cannot be said who has which role; empty: it can.
        people_fault_zh: the same in Chinese.
        people_were_known: whether it could be said since the program started.
        log_doubt: why the log may be an old copy of itself; empty: it is not.

    """

    order: Order
    meter: RosterMeter
    actor: Actor
    now: datetime
    settings: ControlSettings
    calendar: Calendar
    steps: Steps
    told: Told
    limited: Limited
    others: tuple[OtherOrder, ...] = ()
    credited: frozenset[tuple[str, int]] = frozenset()
    last_read_at: datetime | None = None
    unproven: tuple[str, ...] = ()
    model: Mapping[str, str]
    told_elsewhere: tuple[str, ...] = ()
    cut_at: int = 0
    spared: frozenset[str] = frozenset()
    live: Live | None = None
    probing: Probing | None = None
    clock_from: datetime = SET_FROM
    people_fault: str = ""
    people_fault_zh: str = ""
    people_were_known: bool = True
    log_doubt: str = ""

    @property
    def agreement(self) -> Agreement | None:
        """What the customer signed, while it holds; ``None``: billed afterwards."""
        found = self.told.find(self.meter.agreement, Agreement)
        return found if found and found.at <= self.now and holds(found.until, self.now) else None

    @property
    def balance(self) -> BalanceStatement | None:
        """The newest statement that is not too old to count."""
        found = self.told.newest(BalanceStatement)
        age_max = timedelta(hours=self.settings.evidence_age_max_hours)
        return found if found and self.aged(found.at, self.told.set_since(found)) <= age_max else None

    @property
    def seen(self) -> Live:
        """What the meter said; only for looks at ``LIVE``."""
        assert self.live is not None, "a rule of the live meter is judged before the meter was read"
        return self.live

    def ago(self, instant: datetime) -> timedelta:
        """How long ago something was."""
        return self.now - instant

    def aged(self, instant: datetime, set_since: timedelta) -> timedelta:
        """How old something is that is good for so long, by the clock that makes it older.

        Args:
            instant: when it was, by our clock of then.
            set_since: by how much that was set forward since; negative: back.

        """
        return self.now - min(instant, instant + set_since)

    def waited(self, instant: datetime, set_since: timedelta) -> timedelta:
        """How long a wait has lasted that protects somebody, by the clock that makes it shorter."""
        return self.now - max(instant, instant + set_since)


def holds(until: datetime | None, now: datetime) -> bool:
    """Whether what has this last moment still holds."""
    return until is None or now <= until
