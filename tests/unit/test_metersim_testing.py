"""Plants for other people's tests, as the fixtures of the plugin give them."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import serial

from metersim.plant.checked import PlantError
from metersim.plant.plant import Plant
from metersim.testing import PlantEnded, PlantMaker, RunningMeter, SimulatedPlant
from metersim.testing.maker import PLANTS_MAX
from metersim.testing.thread import PlantThread
from meterwire.dlt645 import ReadReply, ReadRequest, decode, encode, from_frame, to_frame
from meterwire.dlt645.messages.control import ControlRequest
from meterwire.dlt698.link.deframer import Deframer
from tests.support.octets import plain_client

ENERGY, VOLTAGE = 0x00010000, 0x02010100
FAR_AHEAD = bytes.fromhex("000000311299")  # 2099-12-31 00:00:00, lowest octet first
TRIP = 0x1A
FAST = {"lines": [{"meters": [{"count": 2, "address": 161, "reply_delay_ms": 0}]}]}


def request(address: str, di: int = ENERGY) -> bytes:
    return encode(to_frame(ReadRequest(address=address, di=di)), preamble=4)


def trip(address: str) -> bytes:
    order = ControlRequest(
        address=address,
        level=2,
        password="000000",
        operator_code="00000007",
        command=TRIP,
        duration=0,
        expires=FAR_AHEAD,
    )
    return encode(to_frame(order))


def read(meter: RunningMeter, di: int = ENERGY) -> Decimal:
    with plain_client(meter.url) as client:
        [frame] = client.ask(request(meter.address, di))
    reply = from_frame(frame)
    assert isinstance(reply, ReadReply)
    return Decimal(reply.data[::-1].hex()) / 100


def test_a_meter_is_there_without_another_word(metersim_meter: RunningMeter) -> None:
    """Whoever begins could not ask a meter, or the answer would not be what the meter shows."""
    metersim_meter.set("forward_active_energy", "123456.78")
    assert Decimal("123456.78") == read(metersim_meter) == metersim_meter.value("forward_active_energy")
    assert 1 == metersim_meter.answers
    with pytest.raises(ValueError, match="has no number for 'sunshine'"):
        metersim_meter.value("sunshine")
    with pytest.raises(ValueError, match="make the plant with over='pty'"):
        _ = metersim_meter.device


@pytest.mark.metersim(profile="dlt645-2007/remote-cost-control", address=2, meters=2)
def test_a_marker_says_which_meter(metersim_meter: RunningMeter) -> None:
    """The plant of the marker, or its choice of a meter, would be passed over."""
    assert "000000000002" == metersim_meter.address
    assert not metersim_meter.contact_open


@pytest.mark.metersim(over="pty", first_address=161)
def test_a_meter_on_a_pseudo_terminal(metersim_meter: RunningMeter) -> None:
    """A client for serial lines would have no line."""
    with serial.Serial(metersim_meter.device, 2400, parity=serial.PARITY_EVEN, timeout=10) as port:
        port.write(request(metersim_meter.address))
        octets = port.read_until(b"\x16")
    assert "000000000161" == decode(octets[octets.index(0x68) :]).address
    with pytest.raises(ValueError, match="not reached over TCP"):
        _ = metersim_meter.port


def test_a_trip_is_obeyed_once_and_the_key_closes(metersim_meter: RunningMeter) -> None:
    """A test could not ask the meter itself how often it was switched."""
    with plain_client(metersim_meter.url) as client:
        client.ask(trip(metersim_meter.address))
    [obeyed] = metersim_meter.obeyed("trip")
    assert ("645", "00000007") == (obeyed.came_by, obeyed.operator)
    assert metersim_meter.contact_open
    assert not metersim_meter.press_key()  # nobody has permitted it
    assert () == metersim_meter.obeyed("direct_close")


@pytest.mark.asyncio
async def test_async(metersim_plant: PlantMaker) -> None:
    """A test whose own loop asks would wait for a plant that lives in the same loop."""
    meter = metersim_plant(FAST).meter(162)
    reader, writer = await asyncio.open_connection(meter.host, meter.port)
    writer.write(request(meter.address))
    heard = await reader.readuntil(b"\x16")
    assert meter.address == decode(heard[heard.index(0x68) :]).address
    assert 1 == meter.answers  # blocks the loop of the test, not the plant
    writer.close()


def test_faults_come_and_go_while_the_plant_runs(metersim_plant: PlantMaker) -> None:
    """Somebody's retry could not be seen at work."""
    plant = metersim_plant(FAST)
    first, second = plant.meters.values()
    echo = first.fault("echo", times=1)
    anywhere = plant.fault("noise", item="voltage.a")
    with plain_client(plant.url) as client:
        [_, answer] = client.ask(request(first.address), frames=2)
        assert first.address == answer.address
        client.ask(request(second.address))
    assert (1, 1, 0) == (echo.struck, echo.seen, anywhere.struck)
    read(first, VOLTAGE)
    assert (2, 1) == (echo.seen, anywhere.struck)
    anywhere.remove()
    anywhere.remove()  # does nothing
    read(first, VOLTAGE)
    assert 1 == anywhere.struck
    with pytest.raises(ValueError, match="no such fault"):
        first.fault("thunder")


def test_what_happens_now_and_later(metersim_plant: PlantMaker) -> None:
    """Time could not be skipped, or what is due in it would not happen."""
    plant = metersim_plant(meters=2, reply_delay_ms=0)
    here, there = plant.meters.values()
    report = here.happen("register_set", item="forward_active_energy", value=Decimal(7))
    assert (1, Decimal(7)) == (report.befallen, here.value("forward_active_energy"))
    plant.happen("registers_reset", after=timedelta(hours=2))
    plant.jump(timedelta(hours=1))
    before = [here.value("forward_active_energy"), there.value("forward_active_energy")]
    assert Decimal(7) < before[0]
    plant.jump(timedelta(hours=1, seconds=1))
    assert [Decimal(0)] * 2 == [meter.value("forward_active_energy") for meter in (here, there)]
    with pytest.raises(ValueError, match="forward"):
        plant.jump(timedelta(seconds=-1))


def in_simulated_time(metersim_plant: PlantMaker, seed: int) -> tuple[SimulatedPlant, bytes]:
    plant = metersim_plant.simulated({**FAST, "scenario": "noisy-line"}, seed=seed)

    async def main() -> bytes:
        heard = b""
        async with plant.connect() as client:
            for _ in range(20):
                await client.send(request(plant.meter().address))
                await asyncio.sleep(900)
                heard += await client.receive()
        return heard

    return plant, plant.run(main())


def test_a_seed_is_a_run(metersim_plant: PlantMaker) -> None:
    """A test that failed could not be run again as it was."""
    (one, heard), (again, same) = (in_simulated_time(metersim_plant, 7) for _ in range(2))
    other, different = in_simulated_time(metersim_plant, 8)
    assert (heard, one.digests()) == (same, again.digests())
    assert heard != different
    assert one.digests() != other.digests()
    assert timedelta(hours=5) == one.clock.utc_now() - datetime.fromisoformat("2026-01-01T00:00Z")
    with pytest.raises(ValueError, match=r"use connect\(\)"):
        _ = one.url


def test_a_concentrator_in_simulated_time_is_reached_as_over_a_socket(metersim_plant: PlantMaker) -> None:
    """A test would talk to the wires behind the concentrator, and never to the concentrator."""
    concentrators = [{"address": "20000000001", "meters": [{"address": "161"}]}, {"address": "20000000002"}]
    alone = metersim_plant.simulated({"lines": [], "concentrators": concentrators})
    mixed = metersim_plant.simulated({"lines": [{}], "concentrators": concentrators})

    async def who_logs_in(plant: SimulatedPlant, name: str | None) -> str:
        async with plant.connect(name) as master, asyncio.timeout(30):
            [login] = Deframer().feed(await master.receive())
            return login.server.digits

    assert "020000000001" == alone.run(who_logs_in(alone, None))
    assert "020000000002" == alone.run(who_logs_in(alone, "behind-020000000002"))
    assert "020000000001" == mixed.run(who_logs_in(mixed, "behind-020000000001"))
    with pytest.raises(TimeoutError):
        mixed.run(who_logs_in(mixed, None))
    with pytest.raises(KeyError, match="behind-020000000003"):
        alone.connect("behind-020000000003")


def test_a_failure_in_simulated_time_comes_out_as_it_is(metersim_plant: PlantMaker) -> None:
    """A failed assertion would be buried in a group of exceptions."""
    plant = metersim_plant.simulated()

    async def fail() -> None:
        pytest.fail("as it is")

    with pytest.raises(pytest.fail.Exception, match="as it is"):
        plant.run(fail())


def test_a_plant_comes_from_file_text_mapping_or_python(metersim_plant: PlantMaker, tmp_path: Path) -> None:
    """One of the forms that the documentation names would not be taken."""
    text = "plant: east\nlines: [{meters: [{address: 301, mean_kw: 0.25}]}]"
    (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
    mapping = {"plant": "east", "lines": [{"meters": [{"address": "301", "mean_kw": Decimal("0.25")}]}]}
    python = metersim_plant(text).plant
    for source in (tmp_path / "p.yaml", str(tmp_path / "p.yaml"), mapping, python):
        plant = metersim_plant(source)
        assert ("east", ["000000000301"]) == (plant.plant.plant, [*plant.meters])
        assert python == plant.plant
    with pytest.raises(PlantError, match=r"plant:2: lines: .*|plant:\d+: .*unknown key"):
        metersim_plant({"lines": [{"metres": []}]})
    with pytest.raises(TypeError, match="figures go without one"):
        metersim_plant(text, meters=3)
    with pytest.raises(TypeError, match=r"'metres': .* so, do you mean meters.*; there are lines,"):
        metersim_plant(metres=3)
    with pytest.raises(ValueError, match="write tcp or pty"):
        metersim_plant(over="air")  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="no meter 000000000009; the plant has 000000000301"):
        metersim_plant(text).meter(9)


def test_a_figure_that_there_is_not_is_told_with_those_that_there_are(metersim_plant: PlantMaker) -> None:
    """A tester would be told about an __init__ of ours, and look up its arguments in our code."""
    plant = metersim_plant.simulated()
    meter = metersim_plant().meter()
    for ask, words in (
        (lambda: meter.fault("silence", tims=1), "'tims'.* do you mean times.*there are line, item, nth"),
        (lambda: plant.fault("silence", colour=1), "'colour': no figure is called so; there are meter, line"),
        (lambda: meter.happen("clock_jump", bye=1), "'bye'.* do you mean by"),
        (lambda: plant.happen("clock_jump", at=1), "'at': no figure is called so"),
    ):
        with pytest.raises(TypeError, match=words):
            ask()


def test_a_test_has_so_many_plants(metersim_plant: PlantMaker) -> None:
    """A loop that makes plants would eat the machine."""
    for _ in range(PLANTS_MAX):
        metersim_plant.simulated()
    with pytest.raises(ValueError, match=f"more than {PLANTS_MAX} plants"):
        metersim_plant()


def test_a_plant_that_cannot_open_says_so_and_one_that_ended_too(tmp_path: Path) -> None:
    """A test would wait for a plant that is not there."""
    with pytest.raises(OSError, match="No such file"):
        PlantThread(Plant(), tmp_path / "absent" / "capture.jsonl")
    thread = PlantThread(Plant(), tmp_path / "capture.jsonl")
    thread.stop()
    thread.stop()
    with pytest.raises(PlantEnded, match="the plant plant has ended"):
        thread.call(lambda opened: opened.urls)


def test_a_plant_ends_with_clients_that_are_still_there(tmp_path: Path) -> None:
    """A test that forgot to close its client would hang at its end."""
    thread = PlantThread(Plant(), tmp_path / "capture.jsonl")
    with plain_client(thread.urls["line-1"]) as client:
        client.ask(request("000000000001"))
        thread.stop()
    assert 2 == len((tmp_path / "capture.jsonl").read_text(encoding="utf-8").splitlines())


def test_a_plant_that_dies_says_why(tmp_path: Path) -> None:
    """A test would pass, or fail somewhere else, although its meters had stopped to answer."""
    thread = PlantThread(Plant(), tmp_path / "capture.jsonl")
    thread.call(lambda _: asyncio.get_running_loop().stop())
    with pytest.raises(PlantEnded, match="the plant plant failed") as caught:
        thread.stop()
    assert isinstance(caught.value.__cause__, RuntimeError)
    with pytest.raises(PlantEnded, match="the plant plant has ended"):
        thread.call(lambda opened: opened.urls)


def test_what_a_test_raises_on_a_connection_comes_out_as_it_is() -> None:
    """`pytest.raises(TimeoutError)` around a silent meter would meet a group of exceptions in its place."""
    plant = SimulatedPlant(Plant())

    async def wait_in_vain() -> None:
        async with plant.connect() as client, asyncio.timeout(5):
            await client.receive()

    with pytest.raises(TimeoutError):
        plant.run(wait_in_vain())
