"""What a sink promises, and what InfluxDB does with what we write: the same in memory as for real."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from meterlink.errors import SinkAway, SinkRefused
from meterlink.ingest.files import FileSink
from meterlink.ingest.influx import InfluxSink
from meterlink.ingest.line_protocol import lines_of
from meterlink.ingest.memory import MemorySink
from meterlink.ingest.sink import PointSink
from meterlink.model.envelope import Envelope
from meterlink.model.reading import Record
from tests.support.processes import request
from tests.support.records import EPOCH, reading
from tests.support.servers import InfluxDB, Point, VictoriaMetrics

_TOKEN = "a token nobody may read"
_INFLUXDB = pytest.mark.server("influxdb")
_VICTORIA = pytest.mark.server("victoria-metrics")
_T0 = int(EPOCH.timestamp())


class _Database:
    """A sink, and a way to ask what is stored behind it."""

    def __init__(self, sink: PointSink, points: Callable[[str, str], list[Point]]) -> None:
        self.sink = sink
        self.points = points


def _memory() -> _Database:
    sink = MemorySink()

    def points(measurement: str, field: str) -> list[Point]:
        found = [
            Point(key[1], key[2], float(fields[field]))
            for key, fields in sink.points.items()
            if key[0] == measurement and field in fields
        ]
        return sorted(found)

    return _Database(sink, points)


def _influx(url: str) -> InfluxSink:
    return InfluxSink(url, token=_TOKEN, org="none", bucket=InfluxDB.bucket, timeout_s=5)


@pytest.fixture(params=["memory", pytest.param("influxdb", marks=_INFLUXDB)])
def strict(request: pytest.FixtureRequest) -> Iterator[_Database]:
    """The databases with InfluxDB's own rules."""
    if request.param == "memory":
        yield _memory()
        return
    with InfluxDB() as server:
        yield _Database(_influx(server.url), server.points)


@pytest.fixture(
    params=[
        "memory",
        pytest.param("influxdb", marks=_INFLUXDB),
        pytest.param("victoria-metrics", marks=_VICTORIA),
    ]
)
def database(request: pytest.FixtureRequest) -> Iterator[_Database]:
    """Every database."""
    if request.param == "memory":
        yield _memory()
    elif request.param == "influxdb":
        with InfluxDB() as server:
            yield _Database(_influx(server.url), server.points)
    else:
        with VictoriaMetrics() as victoria:

            def points(measurement: str, field: str) -> list[Point]:
                found = victoria.points(f'{{__name__="{measurement}_{field}"}}')
                return [point._replace(tags=_without_db(point.tags)) for point in found]

            yield _Database(_influx(victoria.url), points)


def _without_db(tags: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in tags if pair[0] != "db")  # VictoriaMetrics adds the name of the bucket


@pytest.mark.asyncio
async def test_points_are_stored_and_overwritten_by_key(database: _Database) -> None:
    """A repeated message must overwrite its point, not make a second one."""
    first = [f"m,a=1 v={n}.5,marks=0i {_T0 + n}" for n in range(10)]
    await database.sink.write(first)
    await database.sink.write(first[:5])
    await database.sink.write([f"m,a=2 v=7.0 {_T0}"])
    await database.sink.aclose()
    expected = [Point((("a", "1"),), _T0 + n, n + 0.5) for n in range(10)]
    expected += [Point((("a", "2"),), _T0, 7.0)]
    assert sorted(expected) == database.points("m", "v")
    assert 10 == len(database.points("m", "marks"))


@pytest.mark.asyncio
async def test_another_value_takes_the_place_of_the_first(strict: _Database) -> None:
    """InfluxDB's rule. VictoriaMetrics keeps now the one, now the other: a key must never get two values."""
    await strict.sink.write([f"m,a=1 v=9.5 {_T0}"])
    await strict.sink.write([f"m,a=1 v=99.0 {_T0}"])
    await strict.sink.aclose()
    assert [Point((("a", "1"),), _T0, 99.0)] == strict.points("m", "v")


@pytest.mark.asyncio
async def test_any_name_comes_back_as_it_was(database: _Database) -> None:
    """Meters are named by people; a comma, a blank or Chinese in a name must not lose its readings."""
    random = Random(1)
    names = {"".join(random.choices(",= \"'表a#.é/{}()*;", k=random.randrange(1, 8))) for _ in range(200)}
    lines, expected = [], []
    for n, name in enumerate(sorted(names)):
        record = Record(meter=name, data_class="instant", readings=(reading(name, "v", slot=EPOCH),))
        lines += lines_of(Envelope(gateway=f"g{n}", boot=1, seq=n, record=record), site=name)
        expected.append((("gateway", f"g{n}"), ("meter", name), ("site", name)))
    await database.sink.write(lines)
    await database.sink.aclose()
    assert sorted(expected) == [point.tags for point in database.points("instant", "v")]


@pytest.mark.asyncio
async def test_a_bad_line_is_refused_with_words_and_the_rest_is_stored(strict: _Database) -> None:
    """F39: the ingest halves on a refusal; without the server's words nobody could mend the cause."""
    await strict.sink.write([f"m,a=1 v=1.0 {_T0}"])
    for bad, words in [
        ("no line at all", "unable to parse"),
        (f"m,a=1 v=abc {_T0}", "unable to parse"),
        (f"m,a=1 v=3i {_T0 + 1}", "field type conflict"),
    ]:
        with pytest.raises(SinkRefused) as refused:
            await strict.sink.write([f"m,a=1 v=2.0 {_T0 + 2}", bad, f"m,a=1 v=3.0 {_T0 + 3}"])
        assert words in refused.value.words
    await strict.sink.aclose()
    assert [1.0, 2.0, 3.0] == [point.value for point in strict.points("m", "v")]


@pytest.mark.asyncio
async def test_a_database_that_is_away_takes_nothing_and_returns(influxdb: InfluxDB) -> None:
    """Every way of being away must mean: try again; and none may need a restart of ours."""
    sink = _influx(influxdb.url)
    line = f"m v=1.0 {_T0}"
    influxdb.unavailable(True)
    with pytest.raises(SinkAway, match="503"):
        await sink.write([line])
    influxdb.unavailable(False)
    await asyncio.to_thread(influxdb.stop)
    with pytest.raises(SinkAway, match="502"):
        await sink.write([line])
    await asyncio.to_thread(influxdb.start)
    await sink.write([line])
    await sink.aclose()
    assert [1.0] == [point.value for point in influxdb.points("m", "v")]


async def _answers(status: str, body: str = "") -> tuple[asyncio.Server, str, list[bytes]]:
    """A web server that answers every request the same way and keeps what it got."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
            )
            requests.append(head + await reader.readexactly(length))
            if status:
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
                await writer.drain()
            else:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("204 No Content", None),
        ("400 Bad Request", SinkRefused),
        ("413 Too Large", SinkRefused),
        ("422 Unprocessable", SinkRefused),
        ("401 Unauthorized", SinkAway),
        ("403 Forbidden", SinkAway),
        ("404 Not Found", SinkAway),
        ("429 Too Many Requests", SinkAway),
        ("500 Oops", SinkAway),
        ("503 Unavailable", SinkAway),
        ("302 Found", SinkAway),
    ],
)
@pytest.mark.asyncio
async def test_the_status_decides(status: str, error: type[Exception] | None) -> None:
    """A wrong token must not throw the readings away; a wrong line must not be tried for ever."""
    server, url, requests = await _answers(status, '{"code":"x","message":"because\\n of it"}')
    sink = _influx(url)
    async with server:
        if error is None:
            await sink.write(["m v=1.0 1", "m v=2.0 2"])
        else:
            with pytest.raises(error, match="because of it") as caught:
                await sink.write(["m v=1.0 1"])
            assert _TOKEN not in repr(caught.value) + str(caught.value.__cause__)
        await sink.aclose()
    assert 1 == len(requests)  # one write is one request: no retry behind our back
    assert b"POST /api/v2/write?org=none&bucket=meterlink&precision=s" in requests[0]
    assert _TOKEN.encode() in requests[0]


@pytest.mark.asyncio
async def test_a_server_that_does_not_answer_is_away(caplog: pytest.LogCaptureFixture) -> None:
    """A hanging database must cost a timeout, never the ingest; and the token stays out of every text."""
    server, url, _ = await _answers("")
    sink = InfluxSink(url, token=_TOKEN, org="none", bucket="b", timeout_s=0.2)
    async with server:
        with pytest.raises(SinkAway, match="timed out") as caught:
            await sink.write(["m v=1.0 1"])
        await sink.aclose()
    nobody = InfluxSink(url, token=_TOKEN, org="none", bucket="b", timeout_s=0.2)
    with pytest.raises(SinkAway, match="refused"):
        await nobody.write(["m v=1.0 1"])
    await nobody.aclose()
    assert _TOKEN not in str(caught.value) + caplog.text + repr(vars(sink))


def _whole(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("*.lp")))


@pytest.mark.asyncio
async def test_files_are_taken_by_a_database_as_they_are(
    tmp_path: Path, influxdb: InfluxDB, victoria_metrics: VictoriaMetrics
) -> None:
    """What was collected without a database must be one command away from being in one."""
    sink = FileSink(tmp_path / "points")
    await sink.write([f"m,a=表\\ 1 v={n}.0 {_T0 + n}" for n in range(100)])
    await sink.aclose()
    body = _whole(tmp_path / "points")
    expected: list[Any] = [Point((("a", "表 1"),), _T0 + n, float(n)) for n in range(100)]
    for url in (influxdb.url, victoria_metrics.url):
        status, words = request(f"{url}/api/v2/write?bucket={InfluxDB.bucket}&precision=s", body)
        assert 204 == status, words
    assert expected == influxdb.points("m", "v")
    assert expected == [p._replace(tags=_without_db(p.tags)) for p in victoria_metrics.points("m_v")]
