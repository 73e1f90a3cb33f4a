"""Event objects of a simulated DL/T 698.45 meter: tables, counts, what it showed before and after."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from metersim.dlt698 import FACTORY_PASSWORD, Meter698
from metersim.dlt698.events import RELATED_MAX
from metersim.dlt698.tables import FREEZES
from metersim.works.load import Load
from metersim.works.plate import Plate
from metersim.works.works import Works
from meterwire.dlt698.apdus.action import ActionRequestNormal
from meterwire.dlt698.apdus.parts import ActionItem, Dar, Piid, SetItem
from meterwire.dlt698.apdus.set import SetRequestNormal
from meterwire.dlt698.axdr.selection import (
    NoMeters,
    Oad,
    Omd,
    SelectAll,
    SelectEqual,
    SelectLast,
    SelectNthLast,
)
from meterwire.dlt698.axdr.values import NULL, Data
from meterwire.dlt698.objects.records import EVENT_NUMBER
from tests.support.meter698 import AT, Client

ADDRESS = "000000000161"
NUMBER, START, END, SOURCE = "20220200", "201E0200", "20200200", "20240200"
HOUR = timedelta(hours=1)
PIID = Piid.of(1)


def works(phases: int = 3) -> Works:
    plate = Plate(address=ADDRESS, phases=phases, settlement_day=20)  # type: ignore[arg-type]
    return Works(plate, seed=1, load=Load(mean_kw=Decimal(3)))


def client_of(here: Works, at: datetime = AT + 3 * HOUR) -> Client:
    return Client(Meter698(ADDRESS, seed=1, works=here), at=at)


def lost(here: Works, phase: int, at: datetime, duration: timedelta) -> None:
    """A phase has half of its voltage for a while."""
    low = [1000, 1000, 1000]
    low[phase] = 500
    here.history.change(at, voltage_per_mille=tuple(low))
    here.history.change(at + duration, voltage_per_mille=(1000, 1000, 1000))


def test_each_phase_has_a_table_of_its_own() -> None:
    """A lost phase would be told as another one, or as all."""
    here = works()
    lost(here, 1, AT, HOUR)
    client = client_of(here)
    for attribute, rows in (("07", 0), ("08", 1), ("09", 0)):
        assert rows == len(client.records(f"3000{attribute}00", SelectAll(), NUMBER, START).rows), attribute
    [row] = client.records("30000800", SelectLast(3, NoMeters()), NUMBER, START, END, SOURCE).rows
    shown = here.clock.shows
    began, ended = (shown(moment).replace(tzinfo=None) for moment in (AT, AT + HOUR))
    assert (1, began) == (row.number, row.at)
    assert [began, ended] == [value.moment for value in row.values[1:3]]
    assert NULL == row.values[3].raw


def test_a_row_knows_the_registers_before_and_after() -> None:
    """What was lost while a phase was gone could not be worked out."""
    here = works()
    lost(here, 0, AT, HOUR)
    columns = ("00102201", "00104201", "00106201", "00108201", "20002201", "20004201", "20008201")
    [row] = client_of(here).records("30000700", SelectNthLast(1), *columns).rows
    energies = [value.value for value in row.values[:4]]
    before = timedelta(microseconds=1)
    moments = (AT - before, AT, AT + HOUR - before, AT + HOUR)
    assert [here.value("forward_active_energy", moment) for moment in moments] == energies
    assert energies[1] < energies[2]  # type: ignore[operator]
    volts = [Decimal(str(value.value)) for value in row.values[4:]]
    assert volts[1] < 130 < min(volts[0], volts[2])
    assert "forward_active_energy@voltage_loss/start" == row.values[0].label.key


def test_an_event_that_lasts_has_no_end() -> None:
    """Somebody would believe that the phase is back."""
    here = works()
    here.history.change(AT, voltage_per_mille=(500, 1000, 1000))
    [row] = client_of(here).records("30000700", SelectNthLast(1), START, END, "00108201").rows
    assert [NULL, NULL] == [value.raw for value in row.values[1:]]


def test_counts_and_times_go_with_the_tables() -> None:
    """A head-end that polls counts would not fetch the record, or fetch it for ever."""
    here = works()
    for number in range(12):
        lost(here, 2, AT + number * 10 * timedelta(minutes=1), timedelta(minutes=2))
    here.history.change(AT + 2 * HOUR, cover_open=True)
    client = client_of(here)
    read = {
        oad: client.get(oad)
        for oad in ("30000300", "30000400", "30000A00", "30000D00", "301B0400", "301B0A00")
    }
    values = {oad: data.value for oad, data in read.items() if isinstance(data, Data)}
    assert [0, 0, 0, 10] == [one.value for one in values["30000300"]]
    assert (10, 1) == (values["30000400"], values["301B0400"])
    total, *phases = [[one.value for one in part.value] for part in values["30000A00"]]
    assert [[12, 1440], [0, 0], [0, 0], [12, 1440]] == [total, *phases]
    assert [12, 1440] == [one.value for one in values["30000D00"][:2]]
    [of_cover] = values["301B0A00"]
    began, ended = of_cover.value[1].value
    assert here.clock.shows(AT + 2 * HOUR).replace(tzinfo=None) == began.value.civil()
    assert ended.value.civil() is None, "it lasts"
    found = client.records("30000900", SelectEqual(EVENT_NUMBER, Data("double-long-unsigned", 12)), NUMBER)
    assert [12] == [row.number for row in found.rows]


def test_a_reversed_sum_has_a_table_and_a_lost_sum_has_not() -> None:
    """Attribute 6 is the sum of the phases where meters have one, and nothing where they have not."""
    here = works()
    here.history.change(AT, angle_deg=(180, 180, 180))
    client = client_of(here)
    assert 1 == len(client.records("30070600", SelectAll(), NUMBER).rows)
    assert Dar(4) == client.records("30000600", SelectAll(), NUMBER).dar
    assert Dar(3) == client.get("30070600")


def test_a_password_is_needed_to_change_what_events_keep() -> None:
    """A stranger could silence a meter."""
    client = client_of(works())
    add = ActionRequestNormal(piid=PIID, item=ActionItem(Omd(0x3011, 4), Data("OAD", Oad.of("20000200"))))
    flag = SetRequestNormal(piid=PIID, item=SetItem(Oad.of("30110800"), Data("enum", 3)))
    assert (15, 15) == (client.ask(add).item.dar, client.ask(flag).item.dar)
    client.connect(FACTORY_PASSWORD)
    assert (0, 0) == (client.ask(add).item.dar, client.ask(flag).item.dar)
    assert Data("enum", 3) == client.get("30110800")
    related = client.get("30110300")
    assert isinstance(related, Data)
    assert Oad.of("20000200") == related.value[-1].value
    delete = ActionRequestNormal(piid=PIID, item=ActionItem(Omd(0x3011, 5), Data("OAD", Oad.of("20000200"))))
    assert [0, 8] == [client.ask(delete).item.dar for _ in range(2)]


@pytest.mark.parametrize(("value", "dar"), [(Data("enum", 4), 8), (Data("bool", True), 7)])
def test_a_report_flag_has_two_bits(value: Data, dar: int) -> None:
    """A flag that means nothing would be kept."""
    client = client_of(works())
    client.connect(FACTORY_PASSWORD)
    request = SetRequestNormal(piid=PIID, item=SetItem(Oad.of("30000B00"), value))
    assert dar == client.ask(request).item.dar


def test_related_objects_have_a_limit() -> None:
    """A client could make a row longer than any answer."""
    client = client_of(works())
    client.connect(FACTORY_PASSWORD)

    def add(index: int) -> int:
        item = ActionItem(Omd(0x3011, 4), Data("OAD", Oad(0x0010, 2, index)))
        return int(client.ask(ActionRequestNormal(piid=PIID, item=item)).item.dar)

    assert [0] * (RELATED_MAX - 4) + [8] == [add(index) for index in range(RELATED_MAX - 3)]


# --- freezes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("oi", FREEZES)
def test_every_table_of_the_works_is_read_as_they_hold_it(oi: int) -> None:
    """A table that a meter keeps could not be read, or by other times than it has."""
    here = works()
    here.history.happen(AT + HOUR, "frozen", table="instant_freeze")
    client = client_of(here)
    found = client.records(f"{oi:04X}0200", SelectLast(3, NoMeters()), "20230200", "20210200", "00100201")
    held = list(here.freezes(FREEZES[oi].table, client.at))[:3][::-1]
    assert held
    assert [one.number for one in held] == [row.number for row in found.rows]
    assert [one.frozen_at.replace(tzinfo=None, microsecond=0) for one in held] == [
        row.at for row in found.rows
    ]
    shown = [here.value("forward_active_energy", one.taken_at) for one in held]
    assert shown == [row.readings[0].value for row in found.rows]
    columns = client.get(f"{oi:04X}0300")
    assert isinstance(columns, Data)
    named = [one.value[1].value for one in columns.value]
    assert [column for column in FREEZES[oi].columns if column in named] == named


def test_a_settlement_keeps_the_demand_of_its_month() -> None:
    """The demand on the bill would be that of the first quarter of the new month."""
    here = works()
    client = client_of(here)
    [row] = client.records("50050200", SelectNthLast(1), "20210200", "10100201").rows
    demand, moment = (value for value in row.readings)
    assert here.settled("forward_active_max_demand", 1, client.at) == demand.value != 0
    assert row.at is not None
    assert moment.moment is not None
    assert timedelta() <= row.at - moment.moment <= timedelta(days=31)


def test_a_meter_of_one_phase_freezes_what_it_has() -> None:
    """Columns without a register behind them would be named, and sent as NULL for ever."""
    client = client_of(works(phases=1))
    found = client.records("50060200", SelectNthLast(1))
    [row] = found.rows
    assert all(value.problem is None for value in row.values)
    three = client_of(works()).records("50060200", SelectNthLast(1))
    assert 5 + 6 + 6 + 1 == len(row.readings) < len(three.rows[0].readings)
