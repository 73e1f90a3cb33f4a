"""What the API says about a plant: one class a thing, made from the plant as it is now.

Numbers of meters are texts of digits, so that none is lost on the way; times have their zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from metersim.carrier.module import CarrierModule
from metersim.line.answers import AnswerRecord
from metersim.line.fault_rules import FaultRule, RuleReport
from metersim.plant.built_line import BuiltLine, BuiltMeter
from metersim.plant.happening_runner import HappeningReport
from metersim.works.events import KINDS, Event
from metersim.works.memory import Control, Move
from metersim.works.works import Works
from meterwire.item_value import Content

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_View = TypeVar("_View", bound="DataclassInstance")


def _view(kind: type[_View], thing: object, **others: Any) -> _View:
    """A view of a thing: the fields that are not given are the thing's own, by the same names."""
    own = (field.name for field in fields(kind) if field.name not in others)
    return kind(**{name: getattr(thing, name) for name in own}, **others)


def written(content: Content) -> str | None:
    """Content as a text; ``None``: there is none."""
    return None if content is None else str(content)


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierView:
    """A carrier module.

    Args:
        main_node: its own address.
        slaves: in its list.
        joined: of them, those that are in its network.
        exchanges: with meters, so far.
        delivered: frames that reached a meter.
        resets: how often it was reset.
        dropped: requests and reports for which it had no room.

    """

    main_node: str
    slaves: int
    joined: int
    exchanges: int
    delivered: int
    resets: int
    dropped: int

    @classmethod
    def of(cls, module: CarrierModule) -> CarrierView:
        """As it is now."""
        nodes = module.standing.nodes.all
        return cls(
            main_node=module.standing.main_node,
            slaves=len(nodes),
            joined=sum(node.joined for node in nodes),
            exchanges=module.reader.exchanges,
            delivered=module.air.delivered,
            resets=module.resets,
            dropped=module.dropped,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """A line.

    Args:
        name: how it is called.
        url: where it is reached from outside; ``None``: nowhere.
        meters: how many hang on it.
        paced: whether octets take their time.
        requests: how often somebody began to ask.
        answers: that left.
        faulty: of them, those that a fault befell.
        digest: SHA-256 over direction, time and octets of everything that passed.
        carrier: the carrier module before its meters; ``None``: there is none.

    """

    name: str
    url: str | None
    meters: int
    paced: bool
    requests: int
    answers: int
    faulty: int
    digest: str
    carrier: CarrierView | None

    @classmethod
    def of(cls, line: BuiltLine, url: str | None) -> LineView:
        """As it is now."""
        return cls(
            name=line.name,
            url=url,
            meters=len(line.meters),
            paced=line.row.paced,
            requests=line.traffic.requests,
            answers=line.counts.answers,
            faulty=line.counts.faulty,
            digest=line.traffic.digest,
            carrier=None if line.carrier is None else CarrierView.of(line.carrier),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterRow:
    """A meter in a list.

    Args:
        address: 12 digits.
        line: name of its line.
        protocol: what it speaks.
        profile: which model it is.
        answers: that it gave.
        contact_open: whether it is tripped.

    """

    address: str
    line: str
    protocol: str
    profile: str
    answers: int
    contact_open: bool

    @classmethod
    def of(cls, meter: BuiltMeter) -> MeterRow:
        """As it is now."""
        return cls(
            address=meter.address,
            line=meter.line.name,
            protocol=meter.row.profile.protocol,
            profile=meter.row.profile.name,
            answers=meter.answers,
            contact_open=meter.works.switch.contact_open,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockView:
    """The clock of a meter.

    Args:
        true: the plant's true time.
        shows: what the meter shows.
        ahead_s: by how many seconds it is ahead; negative: behind.

    """

    true: datetime
    shows: datetime
    ahead_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchView:
    """The switch of a meter.

    Args:
        contact_open: the contact is open: nothing is supplied.
        command_open: the last command was to open, also while it waits.
        waits_for_key: closing is permitted and somebody has to press the key.
        alarm: an alarm was ordered.
        guarantee: supply is guaranteed.

    """

    contact_open: bool
    command_open: bool
    waits_for_key: bool
    alarm: bool
    guarantee: bool

    @classmethod
    def of(cls, works: Works) -> SwitchView:
        """As it is now."""
        return _view(cls, works.switch)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """The wallet of a meter.

    Args:
        opened: whether it was opened.
        remaining_cents: money left.
        overdraft_cents: what is overdrawn.
        purchase_count: of the last purchase.
        purchased_cents: all that was ever bought.
        alarm_level: 0, or the number of the alarm that is on.
        customer_number: 12 digits.

    """

    opened: bool
    remaining_cents: int
    overdraft_cents: int
    purchase_count: int
    purchased_cents: int
    alarm_level: int
    customer_number: str

    @classmethod
    def of(cls, works: Works, at: datetime) -> AccountView | None:
        """As it is at a true time, now; ``None``: the meter has none."""
        account = works.account
        if account is None:
            return None
        return _view(
            cls,
            account,
            remaining_cents=account.remaining_cents(at),
            overdraft_cents=account.overdraft_cents(at),
            alarm_level=account.alarm_level(at),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """Something that a meter noted.

    Args:
        kind: what, e.g. ``power_down``.
        number: how manieth of its kind.
        started_at: true time.
        ended_at: true time; ``None``: it lasts.
        details: what its record holds besides.

    """

    kind: str
    number: int
    started_at: datetime
    ended_at: datetime | None
    details: Mapping[str, str | None]

    @classmethod
    def of(cls, event: Event) -> EventView:
        """As it is now."""
        return _view(cls, event, details={name: written(content) for name, content in event.details.items()})


def events_of(works: Works, at: datetime, kind: str | None = None) -> list[EventView]:
    """The events that a meter remembers, newest first; each kind keeps the last ten.

    Args:
        works: of the meter.
        at: true time, now.
        kind: only of this kind; ``None``: of every kind.

    """
    kinds = KINDS if kind is None else (kind,)
    found = [event for one in kinds for event in works.events.events(one, at)]
    found.sort(key=lambda event: (event.started_at, event.number), reverse=True)
    return [EventView.of(event) for event in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterView:
    """A meter.

    Args:
        address: 12 digits.
        line: name of its line.
        protocol: what it speaks.
        profile: which model it is.
        meter_number: 12 digits.
        customer_number: 12 digits.
        powered: whether it has a voltage; without one it says nothing.
        answers: that it gave.
        clock: its clock.
        switch: its contact, and what was ordered.
        account: its wallet; ``None``: it has none.
        obeyed: how many controls of each kind it obeyed.
        events: the last ten things that it noted, newest first.

    """

    address: str
    line: str
    protocol: str
    profile: str
    meter_number: str
    customer_number: str
    powered: bool
    answers: int
    clock: ClockView
    switch: SwitchView
    account: AccountView | None
    obeyed: Mapping[str, int]
    events: list[EventView]

    @classmethod
    def of(cls, meter: BuiltMeter, at: datetime) -> MeterView:
        """As it is at a true time, now."""
        works = meter.works
        ahead_s = works.clock.ahead(at).total_seconds()
        return _view(
            cls,
            MeterRow.of(meter),
            meter_number=works.plate.meter_number,
            customer_number=works.plate.customer_number,
            powered=works.powered(at),
            clock=ClockView(true=at, shows=works.clock.shows(at), ahead_s=ahead_s),
            switch=SwitchView.of(works),
            account=AccountView.of(works, at),
            obeyed=works.memory.counts(),
            events=events_of(works, at)[:10],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """An item of a meter.

    Args:
        item: its name.
        value: what the meter shows now; ``None``: nothing.
        unit: of a number.
        en: what it is.
        zh: the same in Chinese.

    """

    item: str
    value: str | None
    unit: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlView:
    """An order that a meter obeyed.

    Args:
        number: from 1.
        kind: what was ordered, e.g. ``trip``.
        obeyed_at: true time.
        shown_at: what the meter's clock showed.
        came_by: how the order came.
        operator: operator code.
        frame_id: what the sender of the frame called it.
        details: what else there is to say; never a secret.
        meter_number: of the meter that obeyed it, as another one may hang at its place since.

    """

    number: int
    kind: str
    obeyed_at: datetime
    shown_at: datetime
    came_by: str
    operator: str
    frame_id: str | None
    details: dict[str, str]
    meter_number: str

    @classmethod
    def of(cls, control: Control) -> ControlView:
        """The same."""
        return _view(cls, control, details=dict(control.details))


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlsView:
    """What a meter obeyed.

    Args:
        controls: every control that it obeyed, as asked for, oldest first; there is no secret in it.
        moves: how its contact moved, the same.
        turned_away: controls that it did not obey because its memory was full.

    """

    controls: list[ControlView]
    moves: list[Move]
    turned_away: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultView:
    """A fault rule and its fate.

    Args:
        number: of the rule.
        name: how reports call it.
        seen: exchanges that it addressed.
        struck: exchanges that it struck.
        spent: whether it never strikes again.
        rule: the rule.

    """

    number: int
    name: str
    seen: int
    struck: int
    spent: bool
    rule: FaultRule

    @classmethod
    def of(cls, report: RuleReport) -> FaultView:
        """As it is now."""
        return _view(cls, report)


@dataclass(frozen=True, slots=True, kw_only=True)
class HappeningView:
    """Something that happens, and its fate.

    Args:
        number: of the happening.
        name: how reports call it.
        what: its kind.
        meter: whom it means.
        befallen: meters that it befell, each time counted.
        failed: meters that it could not befall.
        last_error: why the last one could not; empty: none.
        next_at: true time at which it comes next; ``None``: never again.

    """

    number: int
    name: str
    what: str
    meter: str
    befallen: int
    failed: int
    last_error: str
    next_at: datetime | None

    @classmethod
    def of(cls, report: HappeningReport) -> HappeningView:
        """As it is now."""
        return _view(cls, report, what=report.happening.what, meter=report.happening.meter)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerView:
    """What a meter said.

    Args:
        at: true time.
        meter: its address.
        asked: identifier of what was asked for; ``None``: none.
        values: what a careful reader may take from it.
        faults: that befell it.

    """

    at: datetime
    meter: str
    asked: str | None
    values: Mapping[str, str]
    faults: tuple[str, ...]

    @classmethod
    def of(cls, answer: AnswerRecord) -> AnswerView:
        """Without its octets."""
        return cls(
            at=answer.at,
            meter=answer.address,
            asked=f"{answer.di:08X}" if isinstance(answer.di, int) else answer.di,
            values={item: str(value) for item, value in answer.values.items()},
            faults=answer.faults,
        )
