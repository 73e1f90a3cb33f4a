"""Reading on demand in simulated time: before the plans, cheap for the neighbours, given up at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.acquisition import on_demand
from meterlink.acquisition.on_demand import READS_MAX, READS_OF_A_LINE_MAX
from meterlink.acquisition.on_demand_read import LEASE_S
from meterlink.acquisition.poller import LATE_ANSWER_S
from meterlink.daemon.control_socket import owners
from meterlink.errors import BadRequest, BusFull, NotAllowed, Unknown
from metersim import Faults, Meter, Station
from metersim.dlt698 import Meter698
from meterwire.dlt698.apdus.get import GetRequestNormalList
from meterwire.dlt698.apdus.link_management import ServerErrorResponse
from tests.support.agreement import readings_of
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import one_meter
from tests.support.simulated import ITEMS, START, SimulatedGateway, slots_between

_ME = min(owners())
_ADDRESSES = [f"{number:012d}" for number in range(1, 9)]
_TIMEOUT_S = 0.5
_APART = (
    "frequency",
    "voltage.a",
    "current.a",
    "active_power",
    "power_factor",
    "forward_active_energy",
    "reverse_active_energy",
    "meter_number",
)
"""None of them goes into one exchange with another."""
_RECORDS = "load_records@class.1/load_which.2"


def _gateway(
    tmp_path: Path,
    *,
    faults: Mapping[str, Faults] | None = None,
    every_s: int = 30,
    reply_delay_ms: int = 20,
    plans: Sequence[Mapping[str, object]] | None = None,
) -> SimulatedGateway:
    stations = [
        Station(
            meter=Meter(address, seed=7, growth_kw=Decimal(7200)),
            reply_delay_ms=reply_delay_ms,
            faults=(faults or {}).get(address, Faults()),
        )
        for address in _ADDRESSES
    ]
    return SimulatedGateway(tmp_path, stations, every_s=every_s, plans=plans)


async def _begin(gateway: SimulatedGateway, meter: str, *items: str, **more: object) -> Mapping[str, Any]:
    args = {"count": 0, "tries": 2, "timeout_s": 60, **more}
    return await gateway.ask(_ME, "read.begin", meter=meter, items=list(items), **args)


async def _read(gateway: SimulatedGateway, meter: str, *items: str, **more: object) -> Mapping[str, Any]:
    """A read with its results."""
    read = await _begin(gateway, meter, *items, **more)
    while read["state"] == "waiting":
        read = await gateway.ask(_ME, "read.follow", id=read["id"], wait_s=5)
    return read


def _kinds(read: Mapping[str, Any]) -> list[str | None]:
    """Of each item: the class of its error, or none."""
    return [item["error"] and item["error"]["kind"] for item in read["items"]]


def test_what_a_meter_answers_comes_and_is_kept_by_nobody(tmp_path: Path) -> None:
    """People would read other numbers than the meter shows, or bills would hold slots of no plan."""
    gateway = _gateway(tmp_path)
    reads: list[Mapping[str, Any]] = []

    async def meanwhile() -> None:
        await asyncio.sleep(10)
        reads.append(await _read(gateway, f"m{_ADDRESSES[2]}", "frequency", "forward_active_energy.*"))

    gateway.run(seconds=29, meanwhile=meanwhile)
    [read] = reads
    assert ("done", "line1", _ADDRESSES[2], [None, None]) == (
        read["state"],
        read["line"],
        read["address"],
        _kinds(read),
    )
    told = {value["item"]: value["value"] for item in read["items"] for value in item["values"]}
    answers = [answer for answer in gateway.answers if answer.at > START + timedelta(seconds=10)]
    assert {item: str(value) for answer in answers for item, value in answer.values.items()} == told
    assert {"frequency", "forward_active_energy", "forward_active_energy.t1"} <= told.keys()
    assert set(ITEMS) == {reading.item for reading in readings_of(gateway.rows())}
    gateway.check()


def test_it_overtakes_everything_that_a_full_line_polls(tmp_path: Path) -> None:
    """Who asks while the line is behind would wait for the whole night's work."""
    plans = [
        {"name": f"p{number}", "every_s": 10, "items": [item]}
        for number, item in enumerate((*ITEMS, "voltage.b", "current.b", "active_power"))
    ]
    gateway = _gateway(tmp_path, reply_delay_ms=400, plans=plans)
    seen: list[tuple[int, int]] = []

    async def meanwhile() -> None:
        await asyncio.sleep(12.3)  # the round of ten seconds takes twenty
        for meter in _ADDRESSES[4:]:
            before = len(gateway.answers)
            read = await _read(gateway, f"m{meter}", "frequency")
            assert [None] == _kinds(read)
            asked = [set(answer.values) for answer in gateway.answers[before:]]
            seen.append((asked.index({"frequency"}), len(asked)))

    gateway.run(seconds=60, meanwhile=meanwhile)
    assert len(_ADDRESSES[4:]) == len(seen)
    assert all(place <= 1 for place, _ in seen), f"one exchange was in hand, no more goes before: {seen}"
    gateway.check()


def test_a_dead_meter_costs_its_neighbours_one_budget(tmp_path: Path) -> None:
    """A hundred people who ask for a dead meter would stop its line for minutes."""
    dead = _ADDRESSES[0]
    plans = [{"name": "p", "every_s": 3600, "items": ITEMS}]
    gateway = _gateway(tmp_path, faults={dead: Faults(silence=1.0)}, plans=plans)
    took_s: list[float] = []
    kinds: list[list[str | None]] = []

    async def meanwhile() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(60)
        begun = loop.time()
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(_read(gateway, f"m{dead}", "frequency", "voltage.a")) for _ in range(100)
            ]
            others = [group.create_task(_read(gateway, f"m{a}", "frequency")) for a in _ADDRESSES[1:]]
            await asyncio.wait(others)
            took_s.append(loop.time() - begun)
        took_s.append(loop.time() - begun)
        kinds.extend(_kinds(task.result()) for task in asked)
        assert [[None]] * len(others) == [_kinds(task.result()) for task in others]
        assert "asked 2 times" in asked[-1].result()["items"][0]["error"]["message"]

    gateway.run(seconds=120, meanwhile=meanwhile)
    assert [["ReplyTimeout", "ReplyTimeout"]] * 100 == kinds
    neighbours_s, all_s = took_s
    assert neighbours_s < 2 * _TIMEOUT_S
    assert 2 * _TIMEOUT_S + LATE_ANSWER_S <= all_s < 2 * _TIMEOUT_S + LATE_ANSWER_S + 0.5


def test_a_meter_that_was_silent_is_asked_again_by_the_next_caller(tmp_path: Path) -> None:
    """A meter that is connected again would stay dead for those who ask."""
    dead = _ADDRESSES[0]
    gateway = _gateway(tmp_path, faults={dead: Faults(silence=0.5)})
    kinds: list[str | None] = []

    async def meanwhile() -> None:
        await asyncio.sleep(8)
        for _ in range(20):
            kinds.extend(_kinds(await _read(gateway, f"m{dead}", "frequency", tries=1)))

    gateway.run(seconds=60, meanwhile=meanwhile)
    assert {None, "ReplyTimeout"} == set(kinds)


def test_a_hundred_callers_at_once(tmp_path: Path) -> None:
    """Callers would get each other's values, be turned away, or stop the plans for good."""
    gateway = _gateway(tmp_path)
    values: list[tuple[str, dict[str, str]]] = []

    async def one(number: int) -> None:
        address = _ADDRESSES[number % len(_ADDRESSES)]
        read = await _read(gateway, f"m{address}", "frequency", "voltage.*")
        assert [None, None] == _kinds(read)
        told = {value["item"]: value["value"] for item in read["items"] for value in item["values"]}
        values.append((address, told))

    async def meanwhile() -> None:
        await asyncio.sleep(35)
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(one(number))

    gateway.run(seconds=119, meanwhile=meanwhile)
    assert 100 == len(values)
    known = {(a.address, item, str(value)) for a in gateway.answers for item, value in a.values.items()}
    assert all((address, *pair) in known for address, told in values for pair in told.items())
    due = slots_between(START, 30, 4)
    assert all(due == gateway.slots_of(address, item) for address in _ADDRESSES for item in ITEMS)
    gateway.check()


def test_what_a_meter_refuses_costs_its_other_items_nothing(tmp_path: Path) -> None:
    """One wrong item of sixteen would lose the other fifteen."""
    gateway = _gateway(tmp_path)
    reads: list[Mapping[str, Any]] = []

    async def meanwhile() -> None:
        await asyncio.sleep(5)
        reads.append(await _read(gateway, f"m{_ADDRESSES[0]}", "frequency", "voltage.a@curve", "voltage.a"))

    gateway.run(seconds=20, meanwhile=meanwhile)
    assert [None, "Refused", None] == _kinds(reads[0])
    assert "02" == reads[0]["items"][1]["error"]["error_word"]


def _items_since(gateway: SimulatedGateway, place: int) -> list[str]:
    """The single items that were answered since."""
    return [item for answer in gateway.answers[place:] for item in answer.values]


def test_taken_back_it_takes_no_more_of_the_line(tmp_path: Path) -> None:
    """Ctrl-C would free a terminal and leave the line busy for nobody."""
    gateway = _gateway(tmp_path, every_s=3600, reply_delay_ms=400)
    asked: list[str] = []

    async def meanwhile() -> None:
        await asyncio.sleep(60)
        place = len(gateway.answers)
        read = await _begin(gateway, f"m{_ADDRESSES[0]}", "frequency", "voltage.b", "current.b")
        await asyncio.sleep(0.5)
        cancelled = await gateway.ask(_ME, "read.cancel", id=read["id"])
        assert ("cancelled", []) == (cancelled["state"], cancelled["items"])
        with pytest.raises(Unknown, match="cancelled"):
            await gateway.ask(_ME, "read.follow", id=read["id"], wait_s=0)
        await asyncio.sleep(5)
        asked.extend(_items_since(gateway, place))
        assert [None] == _kinds(await _read(gateway, f"m{_ADDRESSES[0]}", "frequency")), "the meter is free"

    gateway.run(seconds=90, meanwhile=meanwhile)
    assert ["frequency", "voltage.b"] == asked, "what was in hand comes to its end"


def test_left_alone_it_is_given_up_and_forgotten(tmp_path: Path) -> None:
    """A terminal that is closed while it waits would leave the line busy, and results that nobody fetches."""
    gateway = _gateway(tmp_path, every_s=3600, reply_delay_ms=450)
    asked: list[str] = []

    async def meanwhile() -> None:
        await asyncio.sleep(60)
        place = len(gateway.answers)
        fetched = await _begin(gateway, f"m{_ADDRESSES[1]}", "voltage.b")
        for _ in range(8):  # 8 reads of 8 items take half a minute
            await _begin(gateway, f"m{_ADDRESSES[0]}", *_APART)
        await asyncio.sleep(LEASE_S + 5)
        asked.extend(_items_since(gateway, place))
        await _begin(gateway, f"m{_ADDRESSES[2]}", "voltage.c")
        with pytest.raises(Unknown, match="left for too long"):
            await gateway.ask(_ME, "read.follow", id=fetched["id"], wait_s=0)

    gateway.run(seconds=90, meanwhile=meanwhile)
    assert LEASE_S / 0.5 - 3 <= len(asked) - 1 <= LEASE_S / 0.45 + 1


def test_its_time_ends_the_wait(tmp_path: Path) -> None:
    """A program with a deadline would hang behind everybody else's reads, or lose what it has."""
    gateway = _gateway(tmp_path, every_s=3600, reply_delay_ms=400)
    reads: list[Mapping[str, Any]] = []
    took_s: list[float] = []

    async def meanwhile() -> None:
        await asyncio.sleep(60)
        for _ in range(4):
            await _begin(gateway, f"m{_ADDRESSES[0]}", *_APART[:8])
        begun = asyncio.get_running_loop().time()
        reads.append(await _read(gateway, f"m{_ADDRESSES[1]}", *_APART[:8], timeout_s=3))
        took_s.append(asyncio.get_running_loop().time() - begun)

    gateway.run(seconds=90, meanwhile=meanwhile)
    kinds = _kinds(reads[0])
    assert ([None], {"OutOfTime"}) == (kinds[:1], set(kinds[-3:]))
    assert "not read within 3 s; 4 requests were before this one" in reads[0]["items"][-1]["error"]["message"]
    assert pytest.approx(3.0, abs=0.01) == took_s[0]


def test_a_line_that_is_down_says_since_when(tmp_path: Path) -> None:
    """Nobody would know whether to wait a minute or to drive there."""
    gateway = _gateway(tmp_path, every_s=10)
    reads: list[Mapping[str, Any]] = []

    async def meanwhile() -> None:
        await asyncio.sleep(35)
        gateway.unplug()
        await asyncio.sleep(120)
        reads.append(await _read(gateway, f"m{_ADDRESSES[0]}", "frequency", "voltage.a"))
        gateway.plugged = True
        await asyncio.sleep(30)
        reads.append(await _read(gateway, f"m{_ADDRESSES[0]}", "frequency"))

    gateway.run(seconds=200, meanwhile=meanwhile)
    down, up = reads
    assert (["LineLost", "LineLost"], [None]) == (_kinds(down), _kinds(up))
    said = down["items"][0]["error"]["message"]
    assert "no such device; line1 is down since 2026-11-22 11:00:4" in said, "polling met it at 40 s"
    assert said.endswith("+08:00")


def test_a_stop_ends_what_waits(tmp_path: Path) -> None:
    """The daemon would not stop while somebody asks, or he would wait for ever."""
    gateway = _gateway(tmp_path, every_s=3600, reply_delay_ms=400)
    reads: list[Mapping[str, Any]] = []

    async def meanwhile() -> None:
        await asyncio.sleep(28)
        reads.append(await _read(gateway, f"m{_ADDRESSES[0]}", *_APART))

    gateway.run(seconds=30, meanwhile=meanwhile)
    assert {None, "LineClosed"} == set(_kinds(reads[0]))


def test_too_many_reads_are_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that asks in a loop would fill memory, and the line for a day."""
    gateway = _gateway(tmp_path, every_s=3600, reply_delay_ms=450)
    meter = f"m{_ADDRESSES[0]}"

    async def meanwhile() -> None:
        await asyncio.sleep(60)
        assert READS_OF_A_LINE_MAX < READS_MAX
        for _ in range(READS_OF_A_LINE_MAX):
            await _begin(gateway, meter, "frequency")
        with pytest.raises(BusFull, match=f"{READS_OF_A_LINE_MAX} requests wait for line1"):
            await _begin(gateway, meter, "frequency")
        monkeypatch.setattr(on_demand, "READS_MAX", READS_OF_A_LINE_MAX)
        with pytest.raises(BusFull, match="are being read on demand already"):
            await _begin(gateway, meter, "frequency")
        await asyncio.sleep(LEASE_S + 1)  # everybody has gone
        await _begin(gateway, meter, "frequency")

    gateway.run(seconds=90, meanwhile=meanwhile)


def test_what_is_asked_for_has_its_limits(tmp_path: Path) -> None:
    """One request would hold a line for an hour; and nobody would learn what to write instead."""
    gateway = _gateway(tmp_path)
    meter = f"m{_ADDRESSES[0]}"
    refused: list[tuple[tuple[str, ...], dict[str, object], str]] = [
        ((), {}, "items must be a list of 1 to 16"),
        (("frequency",) * 17, {}, "items must be a list of 1 to 16"),
        (("f" * 257,), {}, "at most 256 characters"),
        (("frequency",), {"tries": 4}, "tries must be a whole number from 1 to 3"),
        (("frequency",), {"tries": 0}, "tries must be a whole number from 1 to 3"),
        (("frequency",), {"timeout_s": 601}, "timeout_s must be a whole number from 1 to 600"),
        (
            ("load_records@class.1/load_which.2",),
            {"count": 256},
            "count must be a whole number from 0 to 255",
        ),
        (("load_records@class.1/load_which.2",) * 3, {"count": 171}, "at most 512 records at once"),
        (("frequency",), {"since": "yesterday"}, "since must be a time with its zone"),
        (("frequency",), {"count": 2}, "frequency"),
        (("frequenzy",), {}, "near it: frequency"),
        (("password@level.2",), {}, "'password@level.2' can only be written"),
    ]

    async def meanwhile() -> None:
        await asyncio.sleep(10)
        for items, more, said in refused:
            with pytest.raises(BadRequest) as raised:
                await _begin(gateway, meter, *items, **more)
            assert said in str(raised.value)
        at_the_limit = await _read(gateway, meter, *["frequency"] * 16, tries=3, timeout_s=600)
        assert [None] * 16 == _kinds(at_the_limit)
        records = await _read(gateway, meter, _RECORDS, count=2)
        assert 2 == sum(value["item"].startswith("recorded_at") for value in records["items"][0]["values"])

    gateway.run(seconds=25, meanwhile=meanwhile)


def test_the_user_of_the_daemon_alone_reads_where_nobody_has_roles(tmp_path: Path) -> None:
    """Every user in the socket's group would have the lines to himself."""
    gateway = _gateway(tmp_path)

    async def meanwhile() -> None:
        await asyncio.sleep(5)
        with pytest.raises(NotAllowed, match="only the daemon's own user"):
            await gateway.ask("mallory", "read.begin", meter="m", items=["frequency"])
        for op in ("read.follow", "read.cancel"):
            with pytest.raises(NotAllowed, match="only the daemon's own user"):
                await gateway.ask("mallory", op, id="1")
        with pytest.raises(Unknown, match="near it: m0000000000"):
            await _begin(gateway, f"m{_ADDRESSES[0][:-1]}", "frequency")

    gateway.run(seconds=10, meanwhile=meanwhile)


def test_with_control_it_takes_a_role(tmp_path: Path) -> None:
    """A clerk could have the lines to himself, or the dispatcher not see what he switches."""
    gateway = one_meter(tmp_path)
    args = {"meter": f"m{ADDRESS}", "items": ["frequency"], "count": 0, "tries": 1, "timeout_s": 9}

    async def meanwhile() -> None:
        await asyncio.sleep(5)
        for user in ("clara", "anna", "billing", "sam", "mallory", _ME):
            with pytest.raises(NotAllowed, match="it takes the role of operator"):
                await gateway.ask(user, "read.begin", **args)
        for user in ("david", "fred"):
            read = await gateway.ask(user, "read.begin", **args)
            with pytest.raises(Unknown):
                await gateway.ask("both", "read.follow", id=read["id"], wait_s=0)
            assert "done" == (await gateway.ask(user, "read.follow", id=read["id"], wait_s=5))["state"]

    gateway.run(seconds=15, meanwhile=meanwhile)


_PHASES = ("voltage.a", "frequency", "voltage.b", "voltage.c", "active_power")


class _NoLists(Meter698):
    """Answers lists with an error, as some firmware that does not know them."""

    lists = 0

    def _answered(self, apdu: Any, how: Any) -> Any:
        if isinstance(apdu, GetRequestNormalList):
            self.lists += 1
            return ServerErrorResponse(piid=apdu.piid, error=2)
        return super()._answered(apdu, how)


@pytest.mark.parametrize(
    ("meter", "exchanges"), [(Meter(ADDRESS, seed=1), 3), (Meter698(ADDRESS, seed=1), 1)], ids=["645", "698"]
)
def test_several_items_cost_one_exchange(tmp_path: Path, meter: Meter | Meter698, exchanges: int) -> None:
    """Whoever looks at a meter through a slow line would wait as often as he names items."""
    protocols = {ADDRESS: "dlt698.45"} if isinstance(meter, Meter698) else {}
    gateway = SimulatedGateway(tmp_path, [Station(meter=meter)], every_s=3600, protocols=protocols)
    reads: list[Mapping[str, Any]] = []
    places: list[int] = []

    async def meanwhile() -> None:
        await asyncio.sleep(60)
        places.append(len(gateway.answers))
        reads.append(await _read(gateway, f"m{ADDRESS}", *_PHASES))
        places.append(len(gateway.answers))

    gateway.run(seconds=90, meanwhile=meanwhile)
    assert [None] * len(_PHASES) == _kinds(reads[0])
    assert list(_PHASES) == [item["item"] for item in reads[0]["items"]], "in the order asked for"
    assert exchanges == places[1] - places[0]


def test_a_meter_that_takes_no_lists_is_asked_one_by_one(tmp_path: Path) -> None:
    """Of a meter that refuses several at once nobody would learn anything, or each read cost one more."""
    meter = _NoLists(ADDRESS, seed=1)
    gateway = SimulatedGateway(
        tmp_path, [Station(meter=meter)], every_s=3600, protocols={ADDRESS: "dlt698.45"}
    )
    reads: list[Mapping[str, Any]] = []

    async def meanwhile() -> None:
        await asyncio.sleep(60)
        for _ in range(2):
            reads.append(await _read(gateway, f"m{ADDRESS}", *_PHASES))

    gateway.run(seconds=90, meanwhile=meanwhile)
    assert [[None] * len(_PHASES)] * 2 == [_kinds(read) for read in reads]
    assert 1 == meter.lists, "it is remembered for a day"
