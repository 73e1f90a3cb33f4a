"""The port for programs that watch: what it answers, and whom it lets go."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from meterlink.bus.work import STUCK_S, LineWork, Outcome
from meterlink.daemon.monitor import CONNECTIONS_MAX, LOOPBACK, REQUEST_OCTETS_MAX, Page, monitor
from meterlink.errors import LineBusy
from meterlink.journal import work as journal_work
from meterlink.journal.work import JournalWork
from meterlink.metrics.exposition import exposition
from meterlink.metrics.numbers import LINES_MAX, OTHER_LINES, LineNumbers, Numbers, SinkNumbers

_NUMBERS = Numbers(
    version="1.2",
    uptime_s=5.5,
    loop_lag_s=0.25,
    lines={f"line{n}": LineNumbers(exchanges={"answered": 3, "silent": 1}, seconds=2.5) for n in range(3)},
    commits=7,
    rows=9,
    sinks={"mqtt": SinkNumbers(lag_s=12.5, waiting=4)},
    published=5,
    reloads={"applied": 1},
)


async def _hello() -> Page:
    return Page.of(200, {"hello": "世界"})


async def _bug() -> Page:
    raise ZeroDivisionError


async def _say(port: int, octets: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.write(octets)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split(b" ")[1]) if head else 0), body


@pytest.mark.asyncio
async def test_it_answers_what_there_is_and_nothing_else() -> None:
    """A watcher gets what it asked for, or a word why not; anybody else cannot hold or end the daemon."""
    async with monitor(0, {"/hello": _hello, "/bug": _bug}) as port:
        assert (200, {"hello": "世界"}) == await _json(port, b"GET /hello?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert 404 == (await _json(port, b"GET / HTTP/1.1\r\n\r\n"))[0]
        assert 405 == (await _json(port, b"POST /hello HTTP/1.1\r\n\r\n"))[0]
        assert 503 == (await _json(port, b"GET /bug HTTP/1.0\r\n\r\n"))[0], "and it goes on"
        for rubbish in (b"\x68\x16\r\n\r\n", b"GET /hello\r\n\r\n", b"GET /hello HTTP/2\r\n\r\n"):
            assert 400 == (await _json(port, rubbish))[0]
        most = b"GET /hello HTTP/1.1\r\nX: ".ljust(REQUEST_OCTETS_MAX, b"x")
        assert 200 == (await _say(port, most + b"\r\n\r\n"))[0]
        assert 400 == (await _say(port, most + b"x\r\n\r\n"))[0]
        assert 200 == (await _say(port, b"GET /hello HTTP/1.1\r\n\r\n"))[0]


async def _json(port: int, octets: bytes) -> tuple[int, object]:
    status, body = await _say(port, octets)
    return status, json.loads(body)


@pytest.mark.asyncio
async def test_who_says_nothing_keeps_nobody_else_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers that dial and wait would use up all descriptors of the daemon."""
    monkeypatch.setattr("meterlink.daemon.monitor.REQUEST_S_MAX", 0.3)
    async with monitor(0, {"/hello": _hello}) as port:
        silent = [await asyncio.open_connection(LOOPBACK, port) for _ in range(CONNECTIONS_MAX)]
        await asyncio.sleep(0)
        assert 503 == (await _json(port, b""))[0], "whatever he would have asked"
        assert [b""] * CONNECTIONS_MAX == [await reader.read() for reader, _ in silent], "they are let go"
        for _, writer in silent:
            writer.close()
            await writer.wait_closed()
        assert 200 == (await _json(port, b"GET /hello HTTP/1.1\r\n\r\n"))[0]


@pytest.mark.asyncio
async def test_it_listens_on_loopback_alone_and_says_that_a_port_is_taken() -> None:
    """Numbers of a plant would be open to the network, or the daemon end in a page of Python."""
    async with monitor(0, {}) as port:
        with socket.socket() as outside, pytest.raises(OSError, match="refused"):
            outside.connect(("127.0.0.2", port))
        with pytest.raises(LineBusy, match=f"port {port}"):
            async with monitor(port, {}):
                raise AssertionError("two on one port")


def test_prometheus_can_read_the_numbers() -> None:
    """A page that Prometheus refuses is an empty board."""
    families = {
        family.name: family for family in text_string_to_metric_families(exposition(_NUMBERS).decode())
    }
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert 3 == samples["meterlink_exchanges_total", "line0", "answered"]
    assert (4, 2.5) == tuple(
        samples[f"meterlink_exchange_seconds_{what}", "line1"] for what in ("count", "sum")
    )
    assert (12.5, 4) == tuple(
        samples[f"meterlink_sink_{of}", "mqtt"] for of in ("lag_seconds", "waiting_rows")
    )
    assert (7, 9, 5, 0) == tuple(
        samples[f"meterlink_{of}_total",]
        for of in ("journal_commits", "journal_rows", "published", "poisoned")
    )
    assert 1 == samples["meterlink_build_info", "1.2"]
    assert 1 == samples["meterlink_reloads_total", "applied"]


def test_labels_stay_few() -> None:
    """One label too many, and fifteen thousand meters are a million series."""
    families = text_string_to_metric_families(exposition(_NUMBERS).decode())
    labels = {label for family in families for sample in family.samples for label in sample.labels}
    assert {"line", "outcome", "sink", "result", "version"} == labels


def test_a_request_in_hand_is_stuck_when_nothing_can_take_so_long() -> None:
    """A line that hangs would be found by its missing readings; one that works would be ended."""
    work = LineWork()
    assert not work.is_stuck(1e9)
    with work.in_hand(100.0):
        assert not work.is_stuck(100.0 + STUCK_S)
        assert work.is_stuck(100.1 + STUCK_S)
    assert not work.is_stuck(1e9)
    work.note(Outcome.SILENT, 1.5)
    assert ({Outcome.SILENT: 1}, 1.5) == (dict(work.exchanges), work.seconds)


def test_a_disk_is_stuck_when_nothing_comes_back() -> None:
    """A disk that hangs would be found when the queue is full; one that is only slow would end the daemon."""
    work, limit_s = JournalWork(), journal_work.STUCK_S
    assert not work.is_stuck(1e9)
    with work.waiting(100.0), work.waiting(150.0):
        assert not work.is_stuck(100.0 + limit_s)
        assert work.is_stuck(100.1 + limit_s)
        work.done(150.0)
        assert not work.is_stuck(150.0 + limit_s), "something came back: it is only slow"
        assert work.is_stuck(150.1 + limit_s)
    assert not work.is_stuck(1e9)


@pytest.mark.parametrize(
    ("lines", "series"), [(LINES_MAX, LINES_MAX), (LINES_MAX + 1, LINES_MAX + 1), (3_000, LINES_MAX + 1)]
)
def test_lines_beyond_the_limit_are_one(lines: int, series: int) -> None:
    """A roster that names each meter's line by URL would bring the database of numbers down."""
    one = LineNumbers(exchanges={"answered": 3, "silent": 1}, seconds=2.5)
    many = replace(_NUMBERS, lines={f"tcp://127.0.0.1:{n}": one for n in range(lines)})
    families = {one.name: one for one in text_string_to_metric_families(exposition(many).decode())}
    took = families["meterlink_exchange_seconds"].samples
    names = {sample.labels["line"] for sample in took}
    assert series == len(names)
    assert (lines > LINES_MAX) == (OTHER_LINES in names)
    ended = families["meterlink_exchanges"].samples
    assert 2 * series == len(ended)
    assert 4 * lines == sum(sample.value for sample in ended), "none is forgotten"
    assert 4 * lines == sum(sample.value for sample in took if sample.name.endswith("_count"))
    assert [lines] == [sample.value for sample in families["meterlink_lines"].samples]
