"""The roster's meters as the rules see them: whose they are, where, and what may be done to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from operator import attrgetter
from typing import Final

from meterlink.config.meters import MeterSettings, ProtectedKind, World
from meterlink.config.settings import Settings
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import ConfigError
from meterlink.roster.fits import unit_misfit, world_misfit, world_of
from meterprofiles import Profile

_WAY: Final = (
    "address",
    "line",
    "line_is_ours",
    "protocol",
    "profile",
    "model",
    "firmware",
    "meter_number",
    "customer_number",
    "world",
    "keys",
)
"""What a running daemon has built a meter's way of: while one of these is another, nothing goes there."""
_way: Final = attrgetter(*_WAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterMeter:
    """One meter.

    Args:
        id: our name of it.
        address: 12 digits, a single meter's.
        line: name of its line.
        line_is_ours: whether octets leave or are lost on it; ``False``: something may store or route them
            (a terminal that dials in). Source: decision 22.
        protocol: what it speaks.
        profile: of its model.
        model: as the roster names it; empty: not told.
        firmware: version; empty: not told.
        meter_number: 12 digits; empty: not told.
        customer_number: 12 digits; empty: not told.
        customer_was: numbers under which the same customer was known before.
        customer: for people.
        point_of_supply: for people.
        area: transformer area; meters without one are an area of their own.
        world: where the money is.
        agreement: id of its agreement's record; empty: billed afterwards.
        protected: why nobody may cut it off.
        is_important: its notices are filed.
        is_residential: a household.
        is_motor_load: ``None``: unknown.
        opening_limit_a: amperes above which its contact must not open; ``None``: not told.
        pending_replacement: whether another meter may stand there by now.
        is_rebuilding: whether the way to it is another than the one that was built, or is about to be.
        is_lab: whether no customer is behind it.
        keys: what proves orders to it, by reference.
        predecessors: ids of the meters that stood before it, the newest last; what protects their customer,
            and what was done to them, follows the customer.
        replaces: id of the one that it was exchanged for; empty: nobody told of an exchange.

    """

    id: str
    address: str
    line: str
    line_is_ours: bool
    protocol: str
    profile: Profile
    model: str = ""
    firmware: str = ""
    meter_number: str = ""
    customer_number: str = ""
    customer_was: tuple[str, ...] = ()
    customer: str = ""
    point_of_supply: str = ""
    area: str = ""
    world: World = "none"
    agreement: str = ""
    protected: tuple[ProtectedKind, ...] = ()
    is_important: bool = False
    is_residential: bool = True
    is_motor_load: bool | None = None
    opening_limit_a: Decimal | None = None
    pending_replacement: bool = False
    is_rebuilding: bool = False
    is_lab: bool = False
    keys: tuple[str | int | bool | None, ...] = ()
    predecessors: tuple[str, ...] = ()
    replaces: str = ""


class Roster:
    """The meters in service, by our id and by customer: as they are, and as the ways to them were built.

    A changed roster is *told* first, and rules read it from then on. The lines and what orders reach meters
    by are *rebuilt* after that, when what is in hand has come to its end. Between the two no order goes to a
    meter that has come, has gone, or is reached in another way: it counts as being rebuilt.

    Args:
        meters: ids are unique; they are told, and their ways are built of them.

    """

    def __init__(self, meters: tuple[RosterMeter, ...]) -> None:
        self._told = meters
        self._built = {meter.id: meter for meter in meters}
        self._take()

    def renew(self, roster: Roster) -> None:
        """Take over what a changed roster says; whatever was held back is judged by it.

        Args:
            roster: the changed one.

        """
        self._told = roster._told
        self._take()

    def rebuilt(self, roster: Roster) -> None:
        """Note that all ways lead to the meters of a roster now, which may be older than what was told since.

        Args:
            roster: of which they were built.

        """
        self._built = {meter.id: meter for meter in roster._told}
        self._take()

    def hold(self, meters: Iterable[str]) -> None:
        """Let no order go to some meters until ``renew``: what is known of them is about to become other."""
        for name in meters:
            if (meter := self._meters.get(name)) is not None:
                self._meters[name] = replace(meter, is_rebuilding=True)

    def _until_rebuilt(self, meter: RosterMeter) -> RosterMeter:
        built = self._built.get(meter.id)
        if built is not None and _way(built) == _way(meter):
            return meter
        return replace(meter, is_rebuilding=True)

    def _take(self) -> None:
        meters = {meter.id: self._until_rebuilt(meter) for meter in self._told}
        gone = (meter for name, meter in self._built.items() if name not in meters)
        self._areas = Counter(meter.area for meter in self._told)
        self._customers: dict[str, list[RosterMeter]] = {}
        for meter in meters.values():
            if meter.customer_number:
                self._customers.setdefault(meter.customer_number, []).append(meter)
        self._meters = {**meters, **{meter.id: replace(meter, is_rebuilding=True) for meter in gone}}

    @classmethod
    def of(cls, settings: Settings, profiles: MeterProfiles) -> Roster:
        """The roster of a configuration with the meters in service, see ``Settings.with_meters``.

        Raises:
            ConfigError: a profile is missing, or says of the money what the configuration contradicts.

        """
        return cls(
            tuple(
                replace(
                    _meter(meter, profiles.find(meter.protocol, meter.model), line.name, line.is_ours),
                    predecessors=tuple(settings.predecessors.get(meter.id, ())),
                )
                for line, meters in settings.meters_by_line()
                for meter in meters
            )
        )

    def __iter__(self) -> Iterator[RosterMeter]:
        return iter(self._meters.values())

    def meter(self, meter_id: str) -> RosterMeter | None:
        """The meter of that id."""
        return self._meters.get(meter_id)

    def built(self, meter_id: str) -> RosterMeter | None:
        """The meter of that id as the way to it was built; ``None``: no way leads there."""
        return self._built.get(meter_id)

    def heir_of(self, meter_id: str) -> RosterMeter | None:
        """The meter that its customer has after it; ``None``: there is none."""
        return next((meter for meter in self if meter_id in meter.predecessors), None)

    def was_exchanged(self, meter_id: str) -> bool:
        """Whether somebody has told that another meter was put in the place of one."""
        return any(meter.replaces == meter_id for meter in self)

    def of_customer(self, customer_number: str) -> tuple[RosterMeter, ...]:
        """The meters of a customer; empty: nobody has that number."""
        return tuple(self._customers.get(customer_number, ()))

    @property
    def areas(self) -> Collection[str]:
        """The areas in which meters are; those without one are in the area of no name."""
        return self._areas.keys()

    def area_size(self, area: str) -> int:
        """How many meters an area has here."""
        return self._areas[area]


def _meter(meter: MeterSettings, profile: Profile, line: str, line_is_ours: bool) -> RosterMeter:
    return RosterMeter(
        id=meter.id,
        address=meter.address,
        line=line,
        line_is_ours=line_is_ours,
        protocol=meter.protocol,
        profile=profile,
        model=meter.model,
        firmware=meter.firmware,
        meter_number=meter.meter_number,
        customer_number=meter.customer_number,
        customer_was=meter.customer_was,
        customer=meter.customer,
        point_of_supply=meter.point_of_supply,
        area=meter.area,
        world=_world(meter, profile),
        agreement=meter.agreement,
        protected=meter.protected,
        is_important=meter.important,
        is_residential=meter.residential,
        is_motor_load=meter.motor_load,
        opening_limit_a=Decimal(meter.opening_limit_a) if meter.opening_limit_a else None,
        pending_replacement=meter.pending_replacement,
        is_lab=meter.lab,
        replaces=meter.replaces or "",
        keys=(
            meter.security,
            meter.control_password,
            meter.control_level,
            meter.allow_plaintext_control,
            meter.password,
        ),
    )


def _world(meter: MeterSettings, profile: Profile) -> World:
    if misfit := unit_misfit(meter, profile) or world_misfit(meter, profile):
        raise ConfigError(f"meter {meter.id!r}: {misfit.words.en}", f"电表 {meter.id!r}:{misfit.words.zh}")
    return world_of(meter, profile)
