"""The fixtures of real servers: they are real, they keep what they promise, and they leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import aiomqtt
import pytest

from tests.support.processes import LOOPBACK, accepts, request, wait_until
from tests.support.server_fixtures import REQUIRE_VARIABLE
from tests.support.servers import SEARCH_PATH_VARIABLE, SERVERS, InfluxDB, Mosquitto, Point, VictoriaMetrics

_ROOT = Path(__file__).parents[2]
_SLOT = 1_795_316_400
_LINE = f"instant,meter=m1 voltage_a=230.5 {_SLOT}\n"
_POINT = Point((("meter", "m1"),), _SLOT, 230.5)


def _write(url: str, lines: str) -> tuple[int, str]:
    return request(f"{url}/api/v2/write?org=any&bucket={InfluxDB.bucket}&precision=s", lines.encode())


@pytest.mark.asyncio
async def test_a_retained_message_survives_the_death_of_the_broker(mosquitto: Mosquitto) -> None:
    """Soaks kill the broker; one that forgot would make our own losses look like its."""
    payload = b"kept over kill -9"
    async with aiomqtt.Client(LOOPBACK, mosquitto.port) as client:
        await client.publish("meterlink/test", payload, qos=1, retain=True)
    wait_until(lambda: mosquitto.store.exists() and payload in mosquitto.store.read_bytes(), what="the store")
    mosquitto.kill()
    assert not accepts(mosquitto.port)
    mosquitto.start()
    async with aiomqtt.Client(LOOPBACK, mosquitto.port) as client:
        await client.subscribe("meterlink/test", qos=1)
        message = await anext(aiter(client.messages))
    assert payload == message.payload
    assert message.retain


@pytest.mark.asyncio
async def test_the_broker_keeps_more_than_a_thousand_messages_for_an_absent_client(
    mosquitto: Mosquitto,
) -> None:
    """With mosquitto's default the 1001st message of a stopped ingest would be gone without a word."""
    sent = 1_200
    v311 = aiomqtt.ProtocolVersion.V311

    def ingest() -> aiomqtt.Client:
        return aiomqtt.Client(
            LOOPBACK, mosquitto.port, identifier="ingest", clean_session=False, protocol=v311
        )

    async with ingest() as client:
        await client.subscribe("up/#", qos=1)
    async with aiomqtt.Client(LOOPBACK, mosquitto.port, max_queued_outgoing_messages=0) as client:
        for number in range(sent):
            await client.publish("up/m", str(number), qos=1)
    async with ingest() as client:
        messages = aiter(client.messages)
        numbers = [int(bytes(message.payload)) for message in [await anext(messages) for _ in range(sent)]]
    assert list(range(sent)) == numbers


def test_a_point_comes_out_of_victoria_metrics(victoria_metrics: VictoriaMetrics) -> None:
    """The far end of the end-to-end tests; a stop in good order must keep it."""
    assert (204, "") == _write(victoria_metrics.url, _LINE)
    assert [_POINT] == victoria_metrics.points("instant_voltage_a")
    victoria_metrics.stop()
    victoria_metrics.start()
    assert victoria_metrics.points('instant_voltage_a{meter="m1"}') == [_POINT]


def test_a_repeated_point_is_one_point_in_victoria_metrics(victoria_metrics: VictoriaMetrics) -> None:
    """A crash repeats a window of messages; without deduplication each repeat would be a second point."""
    for _ in range(3):
        assert (204, "") == _write(victoria_metrics.url, _LINE)
    assert [_POINT] == victoria_metrics.points("instant_voltage_a")


def test_an_old_point_is_kept_by_victoria_metrics(victoria_metrics: VictoriaMetrics) -> None:
    """With the default retention of a month a point of last year would be dropped with 204."""
    slot = _SLOT - 400 * 86_400
    assert _write(victoria_metrics.url, f"instant,meter=m1 voltage_a=1 {slot}\n") == (204, "")
    assert [Point((("meter", "m1"),), slot, 1.0)] == victoria_metrics.points("instant_voltage_a")


def test_a_point_comes_out_of_influxdb(influxdb: InfluxDB) -> None:
    """The other far end, through nginx's v2 path; a repeat must overwrite and a kill lose nothing."""
    for _ in range(2):
        assert (204, "") == _write(influxdb.url, _LINE)
    assert [_POINT] == influxdb.points("instant", "voltage_a")
    influxdb.kill()
    influxdb.start()
    assert [_POINT] == influxdb.points("instant", "voltage_a")


def test_influxdb_refuses_a_bad_line_in_words_and_keeps_the_others(influxdb: InfluxDB) -> None:
    """The ingest's dead letters carry these words, and its halving relies on the partial write."""
    status, words = _write(influxdb.url, f"{_LINE}nonsense\n")
    assert 400 == status
    assert "unable to parse 'nonsense'" in words
    assert [_POINT] == influxdb.points("instant", "voltage_a")


def test_influxdb_can_be_made_unavailable(influxdb: InfluxDB) -> None:
    """Tests of a database that is away need both ways of being away, and the way back."""
    influxdb.unavailable(True)
    assert 503 == _write(influxdb.url, _LINE)[0]
    influxdb.unavailable(False)
    influxdb.stop()
    assert 502 == _write(influxdb.url, _LINE)[0]
    influxdb.start()
    assert 204 == _write(influxdb.url, _LINE)[0]


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_nothing_is_left_behind_when_the_starter_is_killed(name: str) -> None:
    """A run that is killed would leave servers and folders on the machine, and the next run would suffer."""
    if SERVERS[name].missing():
        pytest.skip(f"{name} is absent")
    code = f"""
import os, signal
from tests.support.servers import SERVERS
server = SERVERS[{name!r}]().__enter__()
print(server.port, server.folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    assert -signal.SIGKILL == done.returncode, done.stderr
    port, folder = done.stdout.split()
    wait_until(lambda: not accepts(int(port)) and not Path(folder).exists(), what="the warden", timeout_s=10)


def _run_pytest(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    test = folder / "test_sample.py"
    test.write_text(
        "import pytest\n"
        "def test_uses_a_fixture(mosquitto): assert mosquitto.port\n"
        '@pytest.mark.server("influxdb")\n'
        "def test_says_it_with_a_marker(): pass\n",
        encoding="utf-8",
    )
    settings = folder / "pytest.ini"
    settings.write_text(
        "[pytest]\nmarkers = server(name): needs it\nconsole_output_style = classic\n", encoding="utf-8"
    )
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.support.server_fixtures",
            "-p",
            "no:cacheprovider",
            *options,
            str(test),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(_ROOT), REQUIRE_VARIABLE: "0", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("workers", ["0", "2"])
def test_an_absent_server_is_said_in_the_last_lines(workers: str, tmp_path: Path) -> None:
    """A run without servers would look as good as a run with them, also where workers share it."""
    done = _run_pytest(tmp_path, "-n", workers, **{SEARCH_PATH_VARIABLE: str(tmp_path)})
    assert 0 == done.returncode, done.stdout
    last_lines = done.stdout.splitlines()[-6:]
    assert last_lines[:5] == [
        "ABSENT: influxdb, which leaves out 1 test:",
        "  test_sample.py::test_says_it_with_a_marker",
        "ABSENT: mosquitto, which leaves out 1 test:",
        "  test_sample.py::test_uses_a_fixture",
        "`make servers` installs what is absent.",
    ]
    assert "2 skipped" in last_lines[5]


def test_an_absent_server_fails_where_servers_are_required(tmp_path: Path) -> None:
    """In CI a server that stopped installing would quietly take its tests along."""
    done = _run_pytest(tmp_path, **{SEARCH_PATH_VARIABLE: str(tmp_path), REQUIRE_VARIABLE: "1"})
    assert 1 == done.returncode
    assert "2 errors" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_last_lines_name_the_servers_that_were_real(
    workers: str, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """The README promises that a run says what it ran against, whichever worker it was that did."""
    done = _run_pytest(tmp_path, "-n", workers)
    assert 0 == done.returncode, done.stdout
    assert f"ran against {mosquitto.version()}: 1 test" in done.stdout


def test_a_failed_test_shows_the_servers_log(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Without it a server that refused us has to be debugged from the outside."""
    (tmp_path / "conftest.py").write_text("", encoding="utf-8")
    test = tmp_path / "test_fails.py"
    test.write_text("def test_fails(mosquitto): assert not mosquitto.port\n", encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.support.server_fixtures",
            "-p",
            "no:cacheprovider",
            str(test),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 1 == done.returncode
    assert "mosquitto log" in done.stdout
    assert "mosquitto version" in done.stdout
