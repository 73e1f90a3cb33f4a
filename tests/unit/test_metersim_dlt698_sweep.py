"""Every object of the dictionary, asked of every kind of 698.45 meter in the catalogue: it always answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metersim.dlt698 import FACTORY_PASSWORD, Meter698
from metersim.dlt698.events import tables
from metersim.dlt698.tables import FREEZES
from metersim.plant.making import speaker
from metersim.plant.plant import read_plant
from meterwire.dlt698.apdus import action, get
from meterwire.dlt698.apdus import set as writing
from meterwire.dlt698.apdus.parts import ActionItem, Dar, Piid, RecordRequest, SetItem
from meterwire.dlt698.axdr.data import data_from_octets
from meterwire.dlt698.axdr.selection import Oad, Omd, SelectEqual, SelectRange
from meterwire.dlt698.axdr.values import NULL, Data
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.records import EVENT_NUMBER, EVENT_STARTED_AT, FREEZE_NUMBER, FROZEN_AT
from meterwire.dlt698.sessions.association import Offer
from tests.support.meter698 import AT, Client
from tests.wire.dlt698.apdu_strategies import BY_SERVICE
from tests.wire.dlt698.data_strategies import datas

KINDS = ("single-phase", "three-phase", "remote-cost-control", "local-prepayment")
PIID = Piid.of(9)
BIG = Offer(rx_max=16_000, apdu_max=16_000)
_TABLES = [*(Oad(oi, 2, 0) for oi in FREEZES), *(table for table, _ in tables())]


def meter(kind: str) -> Meter698:
    """A meter of the catalogue, to which a few things happened."""
    plant = read_plant(f"lines: [{{meters: [{{address: 161, profile: dlt698.45/{kind}}}]}}]", "plant.yaml")
    [named] = plant.meters()
    made = speaker(named, seed=1, start=AT - timedelta(days=40))
    assert isinstance(made, Meter698)
    made.works.history.change(AT - timedelta(days=2), cover_open=True, voltage_per_mille=(600, 1000, 1000))
    made.works.history.change(AT - timedelta(days=1), cover_open=False, voltage_per_mille=(1000, 1000, 1000))
    made.clock.set(AT - timedelta(hours=5), AT - timedelta(hours=5, minutes=1))
    return made


def trusted(kind: str) -> Client:
    client = Client(meter(kind), offer=BIG)
    client.connect(FACTORY_PASSWORD)
    return client


@pytest.mark.parametrize("kind", KINDS)
def test_every_attribute_is_read_or_refused(kind: str) -> None:
    """One attribute of one object would silence a meter, or send what its own dictionary cannot read."""
    client = Client(meter(kind), offer=BIG)
    client.connect()
    given = 0
    for found in dictionary().objects:
        oads = tuple(Oad(found.oi, row.number, 0) for row in found.rows if not row.is_method)
        answer = client.ask(get.GetRequestNormalList(piid=PIID, oads=oads))
        assert oads == tuple(one.oad for one in answer.results)
        for oad, result in answer.results:
            entry = dictionary().entry(oad)
            if isinstance(result, Dar):
                assert result in {3, 4, 6}, oad
            elif entry is not None:
                given += 1
                problems = {value.problem for value in entry.decode(result)}
                assert problems <= {None, "empty", "absent"}, oad
    assert given > 200


@pytest.mark.parametrize("kind", KINDS)
def test_every_attribute_takes_a_value_or_refuses_it(kind: str) -> None:
    """A write would fail the plant, or be answered with nothing."""
    client = trusted(kind)
    for found in dictionary().objects:
        rows = [row for row in found.rows if not row.is_method]
        values = [data_from_octets(row.sample) if row.sample else NULL for row in rows]
        items = [SetItem(Oad(found.oi, row.number, 0), data) for row, data in zip(rows, values, strict=True)]
        items += [SetItem(item.oad, NULL) for item in items]
        answer = client.ask(writing.SetRequestNormalList(piid=PIID, items=tuple(items)))
        assert [item.oad for item in items] == [one.oad for one in answer.items]


@pytest.mark.parametrize("kind", KINDS)
def test_every_method_is_run_or_refused(kind: str) -> None:
    """The same of methods."""
    client = trusted(kind)
    for found in dictionary().objects:
        rows = [row for row in found.rows if row.is_method]
        if not rows:
            continue
        values = [data_from_octets(row.sample) if row.sample else NULL for row in rows]
        items = [
            ActionItem(Omd(found.oi, row.number, 0), data) for row, data in zip(rows, values, strict=True)
        ]
        items += [ActionItem(item.omd, Data("unsigned", 1)) for item in items]
        answer = client.ask(action.ActionRequestNormalList(piid=PIID, items=tuple(items)))
        assert [item.omd for item in items] == [one.omd for one in answer.items]


_KEYS = st.sampled_from([FROZEN_AT, FREEZE_NUMBER, EVENT_STARTED_AT, EVENT_NUMBER, Oad.of("00100200")])
_NUMBERS = st.integers(0, 2000).map(lambda number: Data("double-long-unsigned", number))
_OURS = st.builds(SelectRange, _KEYS, _NUMBERS | datas(), _NUMBERS | datas(), st.just(NULL) | datas())
_SELECTIONS = _OURS | st.builds(SelectEqual, _KEYS, _NUMBERS | datas())
_COLUMNS = st.sampled_from(
    [
        *(FROZEN_AT, FREEZE_NUMBER, EVENT_STARTED_AT, EVENT_NUMBER),
        *map(Oad.of, ("20200200", "20240200", "33000200", "00100200", "00108201", "00112200")),
        *map(Oad.of, ("10100200", "20000200", "2014020A", "F1000200", "401C0200")),
    ]
)


@settings(max_examples=150)
@given(
    kind=st.sampled_from(KINDS),
    table=st.sampled_from(_TABLES),
    asked=BY_SERVICE["GetRequestRecord"],
    ours=st.none() | _SELECTIONS,
    columns=st.none() | st.lists(_COLUMNS, max_size=5).map(tuple),
)
def test_any_selector_of_any_table_is_answered(
    kind: str, table: Oad, asked: Any, ours: Any, columns: tuple[Oad, ...] | None
) -> None:
    """A selector that somebody mistyped would fail the meter, or bring rows as wide as nobody asked."""
    here = _METERS.setdefault(kind, meter(kind))
    client = Client(here, offer=BIG)
    client.connect()
    rcsd = asked.record.rcsd if columns is None else columns
    wanted = RecordRequest(table, asked.record.rsd if ours is None else ours, rcsd)
    answer = client.ask(replace(asked, piid=PIID, time_tag=None, record=wanted))
    assert isinstance(answer, get.GetResponseRecord), answer
    assert table == answer.record.oad
    assert rcsd in {answer.record.rcsd, ()}
    if isinstance(answer.record.result, tuple):
        assert {len(row) for row in answer.record.result} <= {len(answer.record.rcsd)}


_METERS: dict[str, Meter698] = {}
