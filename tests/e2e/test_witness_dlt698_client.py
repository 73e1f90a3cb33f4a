"""PyPI's ``dlt698`` client, unchanged, before our simulated DL/T 698.45 meter over TCP, in each association.

Disagreements that are tolerated, each shown by a test here; an unlisted one fails:

1. it takes addresses in the order of the wire, lowest octet first;
2. it asks nobody by a wildcard, so it cannot learn an address;
3. it takes a server that names a larger APDU than it did itself for a broken agreement, where the standard
   lets each side name its own: so our meter names no more than the client (spec section 1.8);
4. it does not ask for the block behind one that is numbered 1, as the standard's example is; from 0 it does;
5. without CONNECT it takes APDUs of its own default, 1024 octets; our meter sends the 2000 that are customary
   (spec section 1.8), so it is told so;
6. of a list of records in blocks it takes whole records only, where ours go on in the next block (spec
   section 3.5): it asks for every block, and then has no answer. One record alone it joins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dlt698 import _native as native
from dlt698.app.async_client import AsyncClient
from dlt698.app.client import Client
from dlt698.common.errors import Dlt698Error, RequestTimeoutError
from dlt698.security.backend import SecurityBackend

from metersim.dlt698 import Limits, Meter698
from metersim.dlt698.meter import FACTORY_PASSWORD
from metersim.works.items import items_of
from metersim.works.moments import INSTALLED_AT, PLANT_TIME
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.link.segments import SegmentKind, decode_segment
from meterwire.dlt698.sessions.association import Association, Offer
from tests.support.metersim_process import RunningMetersim, running_metersim

ADDRESS = "000000000161"
METER = Meter698(ADDRESS, seed=1)
PROFILES = {
    "local_preset": ("--first-block=0",),  # disagreement 4
    "local_public": ("--first-block=0",),
    "remote_public": ("--first-block=0", "--login"),
}
CLOCK, REPORTS_ALLOWED, NO_SUCH = (0x4000, 2, 0), (0x4300, 8, 0), (0x0300, 2, 0)
BROADCAST_TIME = native.Omd(oi=0x4000, method=127, mode=0)
NO_METHOD = native.Omd(oi=0x4000, method=126, mode=0)
FROZEN_AT, FREEZE_NUMBER = (0x2021, 2, 0), (0x2023, 2, 0)
ENERGIES = {
    (0x0000, 2, 0): "combined_active_energy",
    (0x0010, 2, 0): "forward_active_energy",
    (0x0020, 2, 0): "reverse_active_energy",
}
DEMANDS = {
    (0x1010, 2, 0): "forward_active_max_demand",
    (0x1020, 2, 0): "reverse_active_max_demand",
}
MEASURED = {
    (0x2000, 2, 0): ("voltage", -1),
    (0x2001, 2, 0): ("current", -3),
    (0x2004, 2, 0): ("active_power", -4),
    (0x2005, 2, 0): ("reactive_power", -4),
    (0x2006, 2, 0): ("apparent_power", -4),
    (0x200A, 2, 0): ("power_factor", -3),
    **{oad: (item, -2) for oad, item in ENERGIES.items()},
}
BLOCK = bytes.fromhex("8505")
LAST_ONE = native.Selector9(previous=1)
SMALL_OCTETS, CUSTOMARY_OCTETS = 400, 2000


def oad(key: tuple[int, int, int]) -> Any:
    """Its descriptor."""
    oi, attribute, index = key
    return native.Oad(oi=oi, attribute=attribute, index=index)


def digits(data: Any, exponent: int) -> list[Decimal]:
    """The numbers in its Data, scaled."""
    found = data.value if isinstance(data.value, list) else [data]
    return [Decimal(one.value).scaleb(exponent) for one in found]


def moment(data: Any) -> datetime:
    """The time in its date_time_s."""
    high, low, month, day, hour, minute, second = bytes(data.value)
    return datetime(high << 8 | low, month, day, hour, minute, second, tzinfo=PLANT_TIME)


@dataclass(frozen=True, slots=True)
class Reader:
    """Its client, connected, and the simulator that it reads."""

    client: Any
    plant: RunningMetersim

    def answered_at(self) -> datetime:
        """When the last answer was given."""
        return datetime.fromisoformat(self.plant.answers()[-1]["at"])

    def blocks(self) -> int:
        """How many blocks were given; a block in segments counts once, by its first."""
        answers = [bytes.fromhex(one["octets"]) for one in self.plant.answers()]
        frames = [frame for octets in answers for frame in Deframer().feed(octets)]
        segments = [decode_segment(frame.user_data) for frame in frames if frame.segmented]
        begun = [one.piece for one in segments if one.kind is SegmentKind.FIRST]
        begun += [frame.user_data for frame in frames if not frame.segmented]
        return sum(apdu.startswith(BLOCK) for apdu in begun)

    def records(self, table: int, rows: Any, *columns: tuple[int, int, int]) -> Any:
        """Its answer to a read of records."""
        return self.client.get_record(record(table, rows, *columns))


def plant_port(plant: RunningMetersim) -> int:
    """Where its first line is."""
    return int(plant.urls[0].rpartition(":")[2])


def record(table: int, rows: Any, *columns: tuple[int, int, int]) -> Any:
    """Its GetRecord."""
    wanted = [oad(column) for column in columns]
    return native.GetRecord(attribute=oad((table, 2, 0)), rows=rows, columns=wanted)


def options(
    *,
    address: str = "610100000000",
    kind: Any = native.AddressType.single,
    small: bool = False,
    request_timeout: float = 5.0,
) -> Any:
    """Its options; the address in the order of the wire (disagreement 1)."""
    server = native.ServerAddress(bytes=bytes.fromhex(address), type=kind)
    session = native.SessionOptions(server=server, request_timeout=request_timeout)
    parameters = session.parameters
    parameters.apdu_bytes = SMALL_OCTETS if small else CUSTOMARY_OCTETS
    if small:
        parameters.receive_frame_bytes = SMALL_OCTETS
    session.parameters = parameters
    return native.ClientOptions(protocol=session)


@contextmanager
def reading(folder: Path, profile: str, **wanted: Any) -> Iterator[Reader]:
    """Its client before our meter, associated."""
    with running_metersim(
        folder, "--protocol=dlt698.45", "--first-address=161", "--td-ms=0", *PROFILES[profile]
    ) as plant:
        client = Client(options(**wanted))
        client.connect_tcp("127.0.0.1", plant_port(plant), getattr(native.ConnectionProfile, profile))
        try:
            yield Reader(client, plant)
        finally:
            client.close()


def expected(item: str, at: datetime) -> list[Decimal | None]:
    """What the meter shows for a quantity."""
    return [METER.value(one, at) for one in items_of(item)]


@pytest.mark.parametrize("profile", PROFILES)
def test_its_client_reads_what_our_meter_shows(tmp_path: Path, profile: str) -> None:
    """Other people's head-ends would not understand our simulated meter in this association."""
    with reading(tmp_path, profile) as reader:
        for key, (item, exponent) in MEASURED.items():
            read = reader.client.get(oad(key)).require_data()
            assert expected(item, reader.answered_at()) == digits(read, exponent), item
        assert bytes.fromhex(ADDRESS) == reader.client.get(oad((0x4001, 2, 0))).require_data().value
        assert 6 == reader.client.get(oad((0x0300, 2, 0))).dar
        assert 4 == reader.client.get(oad((0x2000, 9, 0))).dar


@pytest.mark.parametrize("profile", PROFILES)
def test_its_client_reads_lists(tmp_path: Path, profile: str) -> None:
    """A list would be misread, or one refusal in it would take the rest along."""
    asked = [*MEASURED, (0x0300, 2, 0)]
    with reading(tmp_path, profile) as reader:
        answer = reader.client.get_list([oad(key) for key in asked])
        at = reader.answered_at()
    assert [oad(key) for key in asked] == [one.attribute for one in answer.attributes]
    assert 6 == answer.attributes[-1].result
    for one, (item, exponent) in zip(answer.attributes, MEASURED.values(), strict=False):
        assert expected(item, at) == digits(one.result, exponent), item


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("rows", "least"),
    [
        (native.Selector9(previous=1), 1),
        (native.Selector10(latest=7, meters=native.NoMeters()), 7),
        (native.SelectAll(), 62),
    ],
    ids=["nth-last", "last", "all"],
)
def test_its_client_reads_daily_freezes(tmp_path: Path, profile: str, rows: Any, least: int) -> None:
    """A table of freezes would be misread: 62 rows are several blocks, each in segments."""
    with reading(tmp_path, profile) as reader:
        answer = reader.records(0x5004, rows, FROZEN_AT, *ENERGIES)
        blocks = reader.blocks()
    assert least == len(answer.result)
    assert (blocks >= 2) == (least > 7), "all of them in blocks"
    times = []
    for frozen_at, *energies in answer.result:
        times.append(moment(frozen_at))
        for item, cell in zip(ENERGIES.values(), energies, strict=True):
            assert expected(item, times[-1]) == digits(cell, -2)
    assert sorted(set(times)) == times


@pytest.mark.parametrize("profile", PROFILES)
def test_its_client_reads_all_columns_of_several_tables(tmp_path: Path, profile: str) -> None:
    """Columns that the meter names by itself, or the second table of a list, would be lost."""
    last = native.Selector9(previous=1)
    with reading(tmp_path, profile) as reader:
        answer = reader.client.get_record_list([record(0x5004, last), record(0x5006, last, FROZEN_AT)])
    daily, monthly = answer.records
    assert [oad(key) for key in (FREEZE_NUMBER, FROZEN_AT, *ENERGIES, *DEMANDS)] == daily.columns
    [[_, frozen_at, *energies]] = daily.result
    for item, cell in zip(ENERGIES.values(), energies, strict=False):
        assert expected(item, moment(frozen_at)) == digits(cell, -2)
    [[first_of_month]] = monthly.result
    assert 1 == moment(first_of_month).day


def test_its_client_reads_a_curve_by_time(tmp_path: Path) -> None:
    """The selector that load curves are read by would be understood otherwise by the two."""
    with reading(tmp_path, "local_public") as reader:
        [[newest]] = reader.records(0x5002, native.Selector9(previous=1), FROZEN_AT).result
        midnight = moment(newest).replace(hour=0, minute=0)
        span = native.Selector2(
            attribute=oad(FROZEN_AT),
            begin=native.Data.date_time_s(_parts(midnight, hour=0)),
            end=native.Data.date_time_s(_parts(midnight, hour=4)),
            interval=native.Data.ti(native.Ti(unit=1, interval=15)),
        )
        answer = reader.records(0x5002, span, FROZEN_AT, (0x2004, 2, 1), (0x0010, 2, 1))
    until = min(moment(newest), midnight.replace(hour=3, minute=45))
    assert (until - midnight).total_seconds() / 900 + 1 == len(answer.result)
    for frozen_at, power, energy in answer.result:
        at = moment(frozen_at)
        assert [METER.value("active_power", at)] == digits(power, -4)
        assert [METER.value("forward_active_energy", at)] == digits(energy, -2)


def _parts(day: datetime, hour: int) -> list[int]:
    return [*day.year.to_bytes(2, "big"), day.month, day.day, hour, 0, 0]


@pytest.mark.parametrize("profile", ["local_public", "remote_public"])
def test_small_sizes_make_blocks_for_its_client(tmp_path: Path, profile: str) -> None:
    """A client that takes little would be sent more than it takes, or lose what is between blocks."""
    with reading(tmp_path, profile, small=True) as reader:
        answer = reader.records(0x5004, native.SelectAll(), FROZEN_AT, *ENERGIES)
        given = [bytes.fromhex(one["octets"]) for one in reader.plant.answers()]
        assert reader.blocks() > 10
    assert 62 == len(answer.result)
    assert max(map(len, given)) <= SMALL_OCTETS
    for frozen_at, *energies in answer.result:
        for item, cell in zip(ENERGIES.values(), energies, strict=True):
            assert expected(item, moment(frozen_at)) == digits(cell, -2)


@pytest.mark.parametrize("profile", PROFILES)
def test_long_lists_make_blocks_for_its_client(tmp_path: Path, profile: str) -> None:
    """What stands on either side of the end of a block would be lost, or counted to the next table."""
    asked, nights = [*ENERGIES] * 30, range(1, 41)
    with reading(tmp_path, profile) as reader:
        attributes = reader.client.get_list([oad(key) for key in asked]).attributes
        at, of_list = reader.answered_at(), reader.blocks()
        last = [record(0x5004, native.Selector9(previous=night), FROZEN_AT, *ENERGIES) for night in nights]
        records = reader.client.get_record_list(last).records
        of_records = reader.blocks() - of_list
    assert of_list >= 2
    assert [oad(key) for key in asked] == [one.attribute for one in attributes]
    for one, key in zip(attributes, asked, strict=True):
        assert expected(ENERGIES[key], at) == digits(one.result, -2)
    assert of_records >= 2
    times = [moment(frozen_at) for one in records for frozen_at, *_ in one.result]
    assert [times[0] - timedelta(days=night - 1) for night in nights] == times


@pytest.mark.parametrize("profile", PROFILES)
def test_without_a_password_its_client_changes_nothing(tmp_path: Path, profile: str) -> None:
    """A public client could set the clock of a meter, or switch its reports on."""
    time = native.Data.date_time_s([0x07, 0xEA, 1, 1, 0, 0, 0])
    writes = [native.SetAttribute(attribute=oad(key), value=time) for key in (CLOCK, NO_SUCH)]
    methods = [native.ActionMethod(method=method, parameter=time) for method in (BROADCAST_TIME, NO_METHOD)]
    with reading(tmp_path, profile) as reader:
        assert 15 == reader.client.set(oad(CLOCK), time)
        assert 15 == reader.client.action(BROADCAST_TIME, time).dar
        assert [15, 6] == [one.dar for one in reader.client.set_list(writes).attributes]
        assert [15, 4] == [one.dar for one in reader.client.action_list(methods).methods]


class _Password(SecurityBackend):
    """Proves itself by the password that meters leave the factory with; its application is not protected."""

    def begin_connect(self) -> Any:
        return native.PasswordSecurity(password=FACTORY_PASSWORD)

    def verify_connect(self, request: Any, response: Any) -> None:
        assert 0 == response.result

    def _never(self, message: Any) -> Any:
        raise AssertionError(f"nobody asked for this: {message}")

    accept_connect: Any = _never
    protect_request: Any = _never
    open_request: Any = _never
    protect_response: Any = _never
    open_response: Any = _never

    def reset(self) -> None:
        """Nothing is kept."""


@pytest.mark.parametrize("profile", ["local_public", "remote_public"])
def test_with_the_password_its_client_sets_and_acts(tmp_path: Path, profile: str) -> None:
    """What a foreign head-end writes would be kept as another value, or refused to who may write."""
    wanted = options()
    protocol = wanted.protocol
    protocol.security_backend, protocol.protect_application = _Password(), False
    wanted.protocol = protocol

    async def change(port: int) -> None:
        client = AsyncClient(wanted)
        try:
            await client.connect_tcp("127.0.0.1", port, getattr(native.ConnectionProfile, profile))
            time = (await client.get(oad(CLOCK))).require_data()
            assert 0 == await client.set(oad(CLOCK), time)
            allowed = native.Data.boolean(True)
            assert 0 == await client.set(oad(REPORTS_ALLOWED), allowed)
            assert allowed.value == (await client.get(oad(REPORTS_ALLOWED))).require_data().value
            writes = [native.SetAttribute(attribute=oad(key), value=time) for key in (REPORTS_ALLOWED, CLOCK)]
            assert [7, 0] == [one.dar for one in (await client.set_list(writes)).attributes]
            assert 0 == (await client.action(BROADCAST_TIME, time)).dar
            methods = [native.ActionMethod(method=one, parameter=time) for one in (BROADCAST_TIME, NO_METHOD)]
            assert [3, 4] == [one.dar for one in (await client.action_list(methods)).methods], "once a day"
        finally:
            await client.aclose()

    with running_metersim(
        tmp_path, "--protocol=dlt698.45", "--first-address=161", "--td-ms=0", *PROFILES[profile]
    ) as plant:
        asyncio.run(change(plant_port(plant)))


def test_disagreement_1_it_takes_addresses_as_on_the_wire(tmp_path: Path) -> None:
    """Somebody might repair the order in this test, and ask a meter that is not there."""
    with pytest.raises(Dlt698Error), reading(tmp_path, "local_public", address=ADDRESS):
        pass


def test_disagreement_2_it_asks_nobody_by_a_wildcard(tmp_path: Path) -> None:
    """If it does one day, it ought to learn the address of our meter."""
    with running_metersim(tmp_path, "--protocol=dlt698.45") as plant:
        client = Client(options(kind=native.AddressType.wildcard, address="AA" * 6))
        with pytest.raises(Dlt698Error, match="session options"):
            client.connect_tcp("127.0.0.1", plant_port(plant), native.ConnectionProfile.local_preset)


def test_disagreement_3_it_wants_an_apdu_no_larger_than_its_own() -> None:
    """The meter would name its own size, and this client would take the CONNECT for broken."""
    meter = Meter698(ADDRESS, seed=1, limits=Limits(apdu=8000))
    association = Association(ServerAddress(ADDRESS), offer=Offer(apdu_max=1024))
    session = association.connect()
    [request] = Deframer().feed_found(session.octets_to_send())
    answer = meter.answer(request, INSTALLED_AT)
    assert answer is not None
    session.feed(answer.wording.encode())
    assert 1024 == session.reply.apdu_max


def test_disagreement_4_it_stops_at_a_block_that_is_numbered_1(tmp_path: Path) -> None:
    """If it goes on one day, metersim need not number blocks from 0 for it."""
    with running_metersim(tmp_path, "--protocol=dlt698.45", "--first-address=161", "--td-ms=0") as plant:
        client = Client(options(request_timeout=0.5))
        client.connect_tcp("127.0.0.1", plant_port(plant), native.ConnectionProfile.local_public)
        try:
            with pytest.raises(RequestTimeoutError):
                client.get_record(record(0x5004, native.SelectAll(), FROZEN_AT, *ENERGIES))
        finally:
            client.close()
        in_pieces = [answer["di"] for answer in plant.answers()[1:]]
    assert ["50040200"] * 2 == in_pieces, "one block, in two segments"


def test_disagreement_6_it_joins_no_record_of_a_list(tmp_path: Path) -> None:
    """If it joins them one day, our meter's way of cutting lists is understood by it, too."""
    with reading(tmp_path, "local_public", request_timeout=0.5) as reader:
        tables = [record(0x5004, rows, FROZEN_AT, *ENERGIES) for rows in (LAST_ONE, native.SelectAll())]
        with pytest.raises(RequestTimeoutError):
            reader.client.get_record_list(tables)
        assert 4 == reader.blocks(), "it asked for every block"


def test_disagreement_5_without_connect_it_takes_1024_octets(tmp_path: Path) -> None:
    """If it takes the customary 2000 one day, it need not be told."""
    with running_metersim(tmp_path, "--protocol=dlt698.45", "--first-address=161", "--td-ms=0") as plant:
        server = native.ServerAddress(bytes=bytes.fromhex("610100000000"))
        session = native.SessionOptions(server=server, request_timeout=1.0)
        assert 1024 == session.parameters.apdu_bytes
        client = Client(native.ClientOptions(protocol=session))
        client.connect_tcp("127.0.0.1", plant_port(plant), native.ConnectionProfile.local_preset)
        try:
            with pytest.raises(RequestTimeoutError):
                client.get_record(record(0x5004, native.SelectAll(), FROZEN_AT, *ENERGIES))
        finally:
            client.close()
        assert {512} >= {len(answer["octets"]) // 2 for answer in plant.answers()[:-1]}
