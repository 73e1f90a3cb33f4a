"""What must hold of a roster as a whole, and of each of its meters; no I/O.

Whoever is out of service takes part in none of it, but for one thing: his number stays his. Evidence, orders
and limits are found by a meter's id, so that under a second one all of them would be forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from meterlink.config import LineSettings, MeterSettings, Settings
from meterlink.config.fault import Fault as WrongValue
from meterlink.config.line_checks import check_listeners
from meterlink.config.line_finder import LineFinder
from meterlink.config.meters import METERS_MAX
from meterlink.drivers.profiles import MeterProfiles
from meterlink.drivers.registers import capacities
from meterlink.errors import ConfigError
from meterlink.roster.entries import Meters, is_gone
from meterlink.roster.faults import Fault, Words
from meterlink.roster.fits import Fits
from meterlink.roster.saying import Saying
from meterlink.validation.facts import MeterFacts

_NAMED_MAX: Final = 5
"""Lines that a message names."""
RETIRED_FREELY: Final = 10
"""So many meters go out of service without a word, and any number that is not more than half of them."""
ENTRIES_MAX: Final = 3 * METERS_MAX
"""Entries of a roster with those out of service: every meter was replaced twice."""


class Checks:
    """What rosters are held against.

    Args:
        settings: the lines and providers of the configuration.
        profiles: that there are.

    Attributes:
        zone: of the plant.

    """

    def __init__(self, settings: Settings, profiles: MeterProfiles) -> None:
        self._lines = settings.lines
        self._profiles = profiles
        self.zone: Final = settings.gateway.plant_time
        self._fits = Fits(profiles, frozenset(one.name for one in settings.security_providers))

    def facts(self, meter: MeterSettings) -> MeterFacts | None:
        """What the registers of a meter are judged by; ``None``: no profile knows it.

        Args:
            meter: its entry.

        """
        try:
            profile = self._profiles.find(meter.protocol, meter.model)
        except ConfigError:
            return None
        return MeterFacts.of(meter, profile, capacities=partial(capacities, meter.protocol), zone=self.zone)

    def faults(
        self, meters: Meters, touched: Sequence[MeterSettings], at: datetime, rows: Mapping[str, int]
    ) -> list[Fault]:
        """Everything that is wrong with a roster in which some entries became other.

        Args:
            meters: the whole roster, as it would be.
            touched: the entries that became other.
            at: now.
            rows: by id, the row that names a meter.

        """
        there = [meter for meter in meters.values() if not is_gone(meter, at)]
        if faults := _too_many(len(there), len(meters)):
            return faults
        lines, found = LineFinder(self._lines), list[Fault]()
        places: dict[str, LineSettings] = {}
        for meter in there:
            try:
                places[meter.id] = lines.find(meter.line)
            except WrongValue as error:
                found.append(_fault(rows, meter, "line", Words(str(error), error.zh)))
        others = [meter for meter in touched if meter.id in places]
        for meter in others:
            for misfit in self._fits.misfits(meter, places[meter.id]):
                found.append(_fault(rows, meter, misfit.column, misfit.words))
        found += _twice(there, places, rows)
        found += _come_back(meters, others, at, rows)
        found += _listeners(there, places, rows)
        found += _one_place(others, places, rows)
        return found


def overwritten(
    before: Meters, touched: Sequence[MeterSettings], rows: Mapping[str, int], saying: Saying
) -> Iterator[Fault]:
    """Entries that would be another meter under the same id: what was told of the one is not the other's.

    Evidence, orders and limits are found by the id. An exchange gives the new meter one of its own, and says
    what follows its customer.

    Args:
        before: the roster as it is, with those out of service.
        touched: the entries that become other.
        rows: by id, the row that names a meter.
        saying: what people say of numbers that become other.

    """
    if saying is Saying.CORRECTED:
        return
    for meter in touched:
        old = before.get(meter.id)
        if old is None:
            continue
        if saying is Saying.NOTHING and old.customer_number not in {"", meter.customer_number}:
            words = Words(
                f"the customer of this meter has the number {old.customer_number!r}, and would get "
                f"{meter.customer_number!r}: if another customer has it from now on, say so "
                "(`--new-customers`); if it was written down wrongly, say that (`--correct-numbers`): "
                "only then what protects the customer and what he paid stays his",
                f"该表户号为 {old.customer_number!r},将改为 {meter.customer_number!r}:如已换用户,"
                "请加 `--new-customers`;如原户号录入有误,请加 `--correct-numbers`(保护信息和缴费随之保留)",
            )
            yield _fault(rows, meter, "customer_number", words)
        if old.meter_number not in {"", meter.meter_number}:
            words = Words(
                f"the meter under this id has the number {old.meter_number!r}, and would get "
                f"{meter.meter_number!r}: if it was exchanged, record that (`meterlink roster exchange`); if "
                "its number was written down wrongly, say so (`--correct-numbers`)",
                f"该标识的表号为 {old.meter_number!r},将改为 {meter.meter_number!r}:如已换表,请登记换表;"
                "如原表号录入有误,请加 `--correct-numbers`",
            )
            yield _fault(rows, meter, "meter_number", words)


def put_back(
    before: Meters,
    touched: Sequence[MeterSettings],
    rows: Mapping[str, int],
    at: datetime,
    told_gone: Collection[str] = (),
) -> Iterator[Fault]:
    """Meters out of service that would come back so that days on which they were gone become others.

    Who was taken out of a table by mistake comes back under his id. Whose end was told with what the meter
    showed has had his last bill; whose place another meter has would be billed beside it.

    Args:
        before: the roster as it is, with those out of service.
        touched: the entries that become other.
        rows: by id, the row that names a meter.
        at: now.
        told_gone: our ids of the meters of which it was told that they were taken out, and what they showed.

    """
    after = {one.replaces: one.id for one in before.values() if one.replaces}
    for meter in touched:
        old = before.get(meter.id)
        if old is None or not is_gone(old, at) or _ends_no_later(meter, old):
            continue
        if meter.id in after:
            why, zh = f"was replaced by {after[meter.id]!r}", f"已换装为 {after[meter.id]!r}"
        elif meter.id in told_gone:
            why, zh = "was taken out, and its last bill is made of what it showed", "已登记拆表止码"
        elif old.customer_number not in {"", meter.customer_number, *meter.customer_was}:
            why, zh = f"was that of customer {old.customer_number!r} when it went", "退运时属其他用户"
        else:
            continue
        words = Words(
            f"this meter {why}: put back, it would make days that are billed into others; give it another id",
            f"该表{zh},恢复在运会改变已计费的日期:请使用新的标识",
        )
        yield _fault(rows, meter, "in_service_until", words)


def _ends_no_later(meter: MeterSettings, old: MeterSettings) -> bool:
    assert old.in_service_until is not None, "it is out of service"
    return meter.in_service_until is not None and meter.in_service_until <= old.in_service_until


def many_retired(before: Meters, retired: int, at: datetime, *, named: int) -> Iterator[Fault]:
    """A table that would take most meters out of service: it is cut off, empty, or of another place.

    Args:
        before: the roster as it is, with those out of service.
        retired: how many meters would go out of service because the table does not name them.
        at: now.
        named: how many meters the table names.

    """
    there = sum(not is_gone(meter, at) for meter in before.values())
    if not retired or (named and (retired <= RETIRED_FREELY or 2 * retired <= there)):
        return
    words = Words(
        f"the table names {named} meters, and {retired} of the {there} in service would go out of it: if it "
        "names only some of them, say so (`--partial`); if they are to go, say that (`--retire-many`)",
        f"该表列出 {named} 只电能表,在运的 {there} 只中将有 {retired} 只退运:"
        "如只列出部分电能表,请加 `--partial`;如确需退运,请加 `--retire-many`",
    )
    yield Fault(row=0, column="", meter="", words=words)


def _too_many(there: int, entries: int) -> list[Fault]:
    if there > METERS_MAX:
        words = Words(
            f"{there} meters would be in service, at most {METERS_MAX} may be",
            f"在运电能表将达 {there} 只,最多 {METERS_MAX} 只",
        )
    elif entries > ENTRIES_MAX:
        words = Words(
            f"the roster would have {entries} entries with those out of service, at most {ENTRIES_MAX}",
            f"档案(含退运)将达 {entries} 条,最多 {ENTRIES_MAX} 条",
        )
    else:
        return []
    return [Fault(row=0, column="", meter="", words=words)]


def _twice(
    there: Sequence[MeterSettings], places: Mapping[str, LineSettings], rows: Mapping[str, int]
) -> Iterator[Fault]:
    """Two meters that could not be told apart."""
    numbers: dict[str, MeterSettings] = {}
    addresses: dict[tuple[str, str], MeterSettings] = {}
    for meter in there:
        if meter.meter_number and (other := numbers.setdefault(meter.meter_number, meter)) is not meter:
            yield _same(rows, meter, other, "meter_number", "meter number", "表号")
        if (line := places.get(meter.id)) is None:
            continue
        if (other := addresses.setdefault((line.url, meter.address), meter)) is not meter:
            yield _same(rows, meter, other, "address", "address on the same line", "线路和通信地址")


def _come_back(
    meters: Meters, others: Sequence[MeterSettings], at: datetime, rows: Mapping[str, int]
) -> Iterator[Fault]:
    """Meters that were here under another id and come back, with no exchange that would say why."""
    gone: dict[str, list[MeterSettings]] = {}
    after: dict[str, list[MeterSettings]] = {}
    for meter in meters.values():
        if meter.meter_number and is_gone(meter, at):
            gone.setdefault(meter.meter_number, []).append(meter)
        if meter.replaces:
            after.setdefault(meter.replaces, []).append(meter)
    for meter in others:
        before = meters.get(meter.replaces) if meter.replaces else None
        if before is not None and _is_another(before, meter):
            continue  # it was put in by an exchange
        for old in gone.get(meter.meter_number, []):
            if old.id != meter.id and not any(_is_another(old, one) for one in after.get(old.id, [])):
                words = Words(
                    f"the meter of this number was {old.id!r} here, and no exchange took it out: bring it "
                    "back under that id, evidence and orders are found by it; or record the exchange first",
                    f"该表号原为表 {old.id!r},且无换表记录:请沿用原标识,或先登记换表",
                )
                yield _fault(rows, meter, "meter_number", words)


def _is_another(old: MeterSettings, new: MeterSettings) -> bool:
    """Whether two entries are two meters, as their numbers say."""
    return bool(new.meter_number) and old.meter_number != new.meter_number


def _same(
    rows: Mapping[str, int], meter: MeterSettings, other: MeterSettings, column: str, en: str, zh: str
) -> Fault:
    if rows.get(meter.id, 0) < rows.get(other.id, 0):  # the later row is the one to look at
        meter, other = other, meter
    row = rows.get(other.id)
    where, ort = (f" in row {row}", f"(第 {row} 行)") if row else (" in the roster", "(已在档案中)")
    words = Words(
        f"meter {other.id!r}{where} has the same {en}: two meters of one {column} cannot be told apart",
        f"与表 {other.id!r}{ort}的{zh}相同",
    )
    return _fault(rows, meter, column, words)


def _listeners(
    there: Sequence[MeterSettings], places: Mapping[str, LineSettings], rows: Mapping[str, int]
) -> Iterator[Fault]:
    """The first line that another one leaves no port for."""
    first: dict[str, MeterSettings] = {}
    for meter in there:
        if meter.id in places:
            first.setdefault(places[meter.id].url, meter)
    urls = [places[meter.id].parsed_url for meter in first.values()]
    try:
        check_listeners(urls)
    except WrongValue as error:
        low, high = 0, len(urls)
        while high - low > 1:  # the first so many are good, the first so many are not
            middle = (low + high) // 2
            try:
                check_listeners(urls[:middle])
            except WrongValue:
                high = middle
            else:
                low = middle
        meter = list(first.values())[high - 1]
        yield _fault(rows, meter, "line", Words(str(error), error.zh))


def _one_place(
    others: Sequence[MeterSettings], places: Mapping[str, LineSettings], rows: Mapping[str, int]
) -> Iterator[Fault]:
    """Meters on a line that another one writes in another way; what nobody touches may stay so."""
    urls: dict[str, dict[str, LineSettings]] = {}
    for line in places.values():
        urls.setdefault(line.parsed_url.place, {})[line.url] = line
    first = {places[meter.id].url: meter for meter in reversed(others)}
    for url, meter in first.items():
        if other := next((one for one in urls[places[meter.id].parsed_url.place] if one != url), ""):
            words = Words(
                f"{url} is the same line as {other}, where other meters stand, and only one of them could be "
                "opened: write one URL for all",
                f"{url} 与其他表所在的 {other} 是同一条线路,只能打开其中一个:请统一写法",
            )
            yield _fault(rows, meter, "line", words)


def _fault(rows: Mapping[str, int], meter: MeterSettings, column: str, words: Words) -> Fault:
    return Fault(row=rows.get(meter.id, 0), column=column, meter=meter.id, words=words)
