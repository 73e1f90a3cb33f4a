"""`metersim run` as others run it: a process with lines that anybody's client can read."""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import threading
from contextlib import ExitStack
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from dlt645 import MeterClientService

from meterlink.daemon.audited import JOURNAL_FILE
from metersim import Meter
from metersim.serving.tcp import CLIENTS_MAX
from meterwire.dlt645 import (
    AbnormalReply,
    Frame,
    ReadReply,
    ReadRequest,
    dictionary,
    encode,
    from_frame,
    to_frame,
)
from tests.support.agreement import readings_of, rows_in
from tests.support.gateway import Process, write_config
from tests.support.metersim_process import METERSIM, running_metersim
from tests.support.octets import plain_client
from tests.support.processes import LOOPBACK, free_port, wait_until

ENERGY, VOLTAGE_A = 0x00010000, 0x02010100
EXIT_TIMEOUT_S = 10.0
FULL = Path("/dev/full")


def _request(di: int, address: str) -> bytes:
    return encode(to_frame(ReadRequest(address=address, di=di)), preamble=4)


def _values(frame: Frame) -> dict[str, str]:
    reply = from_frame(frame)
    assert isinstance(reply, ReadReply)
    entry = dictionary().by_di(reply.di)
    assert entry is not None
    return {value.item: str(value.value) for value in entry.decode(reply.data)}


@pytest.mark.parametrize("where", ["--tcp=127.0.0.1:0", "--pty"])
def test_every_meter_of_every_line_answers_and_is_listed(tmp_path: Path, where: str) -> None:
    """The list of answers is what other tests hold against the journal and the database."""
    options = ("--meters=3", "--lines=2", "--seed=9", "--first-address=161", "--td-ms=0")
    heard = []
    with running_metersim(tmp_path, where, *options) as plant:
        assert [[f"{161 + 3 * line + k:012d}" for k in range(3)] for line in range(2)] == plant.meters
        for url, meters in zip(plant.urls, plant.meters, strict=True):
            with plain_client(url) as client:
                for address in meters:
                    for di in (ENERGY, 0x0001FF00, VOLTAGE_A):
                        [frame] = client.ask(_request(di, address))
                        heard.append((frame.address, f"{di:08X}", _values(frame)))
        answers = plant.answers()
    assert heard == [(answer["address"], answer["di"], answer["values"]) for answer in answers]
    assert [*range(1, 19)] == [answer["n"] for answer in answers]
    for answer in answers:
        meter = Meter(answer["address"], seed=9)
        at = datetime.fromisoformat(answer["at"])
        for item, value in answer["values"].items():
            assert meter.value(item, at) == Decimal(value)


def test_a_pseudo_terminal_survives_its_clients(tmp_path: Path) -> None:
    """A daemon that closes the port and opens it again would find a dead line, or an old answer."""
    link = tmp_path / "ttyMETER"
    with running_metersim(tmp_path, "--pty", f"--link={link}", "--td-ms=0") as plant:
        assert [f"serial://{link}?baud=2400&parity=even"] == plant.urls
        for n in range(1, 4):
            with plain_client(plant.urls[0]) as client:
                [frame] = client.ask(_request(ENERGY, "000000000001"))
                assert plant.answers()[-1]["values"] == _values(frame)
                client.send(_request(VOLTAGE_A, "000000000001"))  # and goes without the answer
            wait_until(lambda: len(plant.answers()) == 2 * n, what="the answer that nobody read")  # noqa: B023
    assert not link.is_symlink()


def test_a_pseudo_terminal_that_nobody_reads_stays_alive(tmp_path: Path) -> None:
    """A client that only writes would stop the line for good once the port is full."""
    asked = 4_000  # 80,000 octets of answers: more than the port holds
    with running_metersim(tmp_path, "--pty", "--td-ms=0") as plant:
        with plain_client(plant.urls[0]) as client:
            for _ in range(asked // 100):
                client.send(_request(ENERGY, "000000000001") * 100)
            wait_until(lambda: asked == len(plant.answers_file.read_bytes().splitlines()), what="the answers")
        with plain_client(plant.urls[0]) as client:
            [frame] = client.ask(_request(VOLTAGE_A, "000000000001"))
            assert plant.answers()[-1]["values"] == _values(frame)


def test_a_link_that_is_no_link_is_left_alone(tmp_path: Path) -> None:
    """A slip in --link must not delete a file; a stale link of an earlier run must not be in the way."""
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    ended = _run_to_its_end("--pty", f"--link={precious}")
    assert (1, "keep me") == (ended.returncode, precious.read_text())
    assert "no link" in ended.stderr
    stale = tmp_path / "stale"
    stale.symlink_to("/dev/null")
    with (
        running_metersim(tmp_path, "--pty", f"--link={stale}") as plant,
        plain_client(plant.urls[0]) as client,
    ):
        assert 1 == len(client.ask(_request(ENERGY, "000000000001")))


def test_many_clients_each_get_their_own_answers(tmp_path: Path) -> None:
    """A second client, or one that breaks off, must not cost the first one an answer."""
    with running_metersim(tmp_path, "--meters=4", "--td-ms=1") as plant:
        seen: dict[str, set[str]] = {}

        def client(address: str) -> None:
            with plain_client(plant.urls[0]) as mine:
                seen[address] = {mine.ask(_request(ENERGY, address))[0].address for _ in range(25)}

        threads = [threading.Thread(target=client, args=(address,)) for address in plant.meters[0]]
        for thread in threads:
            thread.start()
        for _ in range(20):
            _ask_and_break_off(plant.urls[0], plant.meters[0][0])
        for thread in threads:
            thread.join()
        assert {address: {address} for address in plant.meters[0]} == seen


def _ask_and_break_off(url: str, address: str) -> None:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # end with RST
        connection.sendall(_request(ENERGY, address))


def test_the_number_of_clients_has_a_limit(tmp_path: Path) -> None:
    """A client that never closes would use up the descriptors of all lines."""
    with running_metersim(tmp_path, "--td-ms=0") as plant, ExitStack() as stack:
        request = _request(ENERGY, "000000000001")
        clients = [stack.enter_context(plain_client(plant.urls[0])) for _ in range(CLIENTS_MAX)]
        for client in clients:
            assert 1 == len(client.ask(request))
        with pytest.raises(ConnectionError), plain_client(plant.urls[0]) as one_too_many:
            one_too_many.ask(request)
        assert 1 == len(clients[0].ask(request))


def test_a_garbage_meter_stands_at_the_end_of_its_line(tmp_path: Path) -> None:
    """Tests that exempt the garbage meters must know which they are."""
    with running_metersim(tmp_path, "--meters=3", "--garbage=1", "--td-ms=0") as plant:
        ready = json.loads(plant.program.log.read_text().splitlines()[0])
        assert [["000000000003"]] == [line["garbage"] for line in ready["lines"]]
        with plain_client(plant.urls[0]) as client:
            for address in ["000000000003", "000000000001"] * 20:
                client.send(_request(ENERGY, address))
            wait_until(
                lambda: sum(a["address"] == "000000000001" for a in plant.answers()) == 20, what="20 answers"
            )
        answers = plant.answers()
    assert {"000000000003"} == {answer["address"] for answer in answers if answer["faults"]}


def test_what_was_heard_is_listed_also_after_kill_9(tmp_path: Path) -> None:
    """A simulator killed in the middle would leave readings that no list explains."""
    with running_metersim(tmp_path, "--td-ms=0", "--growth-kw=7200") as plant:
        heard = []
        with plain_client(plant.urls[0]) as client:
            for _ in range(50):
                heard.append(_values(client.ask(_request(ENERGY, "000000000001"))[0]))
            plant.program.kill()
        assert heard == [answer["values"] for answer in plant.answers()]
    with running_metersim(tmp_path, "--td-ms=0") as again:
        with plain_client(again.urls[0]) as client:
            client.ask(_request(ENERGY, "000000000001"))
        assert [*range(1, 52)] == [answer["n"] for answer in again.answers()]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("where", ["--tcp=127.0.0.1:0", "--pty"])
def test_a_signal_ends_it_in_order(how: signal.Signals, where: str) -> None:
    """A supervisor would take an orderly end for a failure, and a script would parse chatter."""
    process = subprocess.Popen(
        [METERSIM, "run", where, "--lines=2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    ready = process.stdout.readline()
    process.send_signal(how)
    rest, chatter = process.communicate(timeout=EXIT_TIMEOUT_S)
    assert 0 == process.returncode
    assert {"ready", "plant", "seed", "lines"} == json.loads(ready).keys()
    assert "" == rest
    assert "Traceback" not in chatter


def test_the_end_does_not_wait_for_clients() -> None:
    """A forgotten connection would keep the simulator, and with it a whole CI job, from ending."""
    process = subprocess.Popen([METERSIM, "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["lines"][0]["url"]
    with plain_client(url) as client:
        client.ask(_request(ENERGY, "000000000001"))
        process.terminate()
        _, chatter = process.communicate(timeout=EXIT_TIMEOUT_S)
    assert 0 == process.returncode
    assert "Traceback" not in chatter


def _run_to_its_end(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [METERSIM, "run", *options], capture_output=True, text=True, timeout=EXIT_TIMEOUT_S, check=False
    )


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    """A traceback tells an operator nothing, and a half-open plant would look whole."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        ended = _run_to_its_end(f"--tcp={LOOPBACK}:{taken.getsockname()[1]}")
    assert (1, "") == (ended.returncode, ended.stdout)
    assert "in use" in ended.stderr
    assert "Traceback" not in ended.stderr
    ended = _run_to_its_end(f"--answers={tmp_path}/no/such/folder/answers.jsonl")
    assert (1, "") == (ended.returncode, ended.stdout)
    assert "no/such/folder" in ended.stderr


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_full_disk_is_told_in_one_line() -> None:
    """Whoever writes the ready line into a file would read a page of Python."""
    with FULL.open("w") as full:
        done = subprocess.run(
            [METERSIM, "run"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=EXIT_TIMEOUT_S,
            check=False,
        )
    assert 1 == done.returncode
    assert ["metersim: No space left on device"] == done.stderr.splitlines()


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_capture_that_cannot_be_written_ends_the_plant() -> None:
    """Clients would be turned away one after the other, and nobody would say why."""
    with subprocess.Popen(
        [METERSIM, "run", "--td-ms=0", f"--capture={FULL}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            where = urlsplit(json.loads(process.stdout.readline())["lines"][0]["url"])
            with socket.create_connection((where.hostname, where.port), timeout=EXIT_TIMEOUT_S) as client:
                client.sendall(_request(ENERGY, "000000000001"))
                _, said = process.communicate(timeout=EXIT_TIMEOUT_S)
        finally:
            process.kill()
    assert 1 == process.returncode
    assert "metersim: No space left on device" == said.splitlines()[-1]
    assert "Traceback" not in said


def test_lines_get_ports_one_after_the_other(tmp_path: Path) -> None:
    """A plant with fixed ports could not be written into a configuration."""
    port = free_port()
    with running_metersim(tmp_path, f"--tcp={LOOPBACK}:{port}", "--lines=2") as plant:
        assert [f"tcp://{LOOPBACK}:{port}", f"tcp://{LOOPBACK}:{port + 1}"] == plant.urls


def test_a_refusal_reaches_the_client(tmp_path: Path) -> None:
    """A client must see "no such data", not silence, over a real line too."""
    with running_metersim(tmp_path) as plant, plain_client(plant.urls[0]) as client:
        [frame] = client.ask(_request(0x0EEEEEEE, "000000000001"))
    assert AbnormalReply(address="000000000001", function=0x11, error_word=b"\x02") == from_frame(frame)


@pytest.mark.parametrize("address", ["000000000001", "000000000002"])
def test_a_client_that_nobody_here_wrote_reads_it(tmp_path: Path, address: str) -> None:
    """Simulator and daemon share a codec, and would share its misreadings without noticing.

    PyPI's ``dlt645`` wants the address in the order of the wire and gives floats; nothing else is bent.
    """
    with running_metersim(tmp_path, "--meters=2") as plant:
        port = urlsplit(plant.urls[0]).port
        client = MeterClientService.new_tcp_client(LOOPBACK, port, timeout=EXIT_TIMEOUT_S)
        assert client.set_address(bytes.fromhex(address)[::-1].hex())
        read = [
            client.read_00(ENERGY),
            client.read_00(0x00020400),
            client.read_02(VOLTAGE_A),
            client.read_02(0x02020300),
            client.read_02(0x02030000),
        ]
        client.client.disconnect()
        answers = plant.answers()
    listed = [[Decimal(value) for value in answer["values"].values()] for answer in answers]
    assert listed == [[Decimal(str(item.value))] for item in read]
    assert [address] * 5 == [answer["address"] for answer in answers]
    assert all(shown[0] != 0 for shown in listed)
    assert listed[3][0] < 0  # phase c feeds in: the sign bit is read alike


def test_a_terminal_dials_the_daemon_and_is_polled(tmp_path: Path) -> None:
    """Lines that terminals dial in on could be tried with hardware only."""
    port = free_port()
    urls = [f"listen://{LOOPBACK}:{port}?terminal={address}" for address in ("000000000161", "000000000162")]
    lines = {url: [url[-12:]] for url in urls}
    config = write_config(
        tmp_path,
        lines,
        items=["forward_active_energy", "voltage.a"],
        reply_timeout_ms=3000,
        protocols=dict.fromkeys(lines, "dlt698.45"),
    )
    gateway = Process("run", config)
    options = ("--protocol=dlt698.45", "--lines=2", "--first-address=161", f"--dial={LOOPBACK}:{port}")
    gateway.start()
    try:
        with running_metersim(tmp_path, *options, "--heartbeat-s=1") as plant:
            assert [f"dial://{LOOPBACK}:{port}"] * 2 == plant.urls

            def kept() -> set[tuple[str, str]]:
                rows = rows_in(tmp_path / "data" / JOURNAL_FILE)
                return {(reading.meter, reading.item) for reading in readings_of(rows)}

            items = ("forward_active_energy", "voltage.a")
            expected = {(f"m{address}", item) for [address] in lines.values() for item in items}
            wait_until(lambda: expected <= kept(), what="every item of both terminals")
            assert {"000000000161", "000000000162"} == {answer["address"] for answer in plant.answers()}
    finally:
        gateway.terminate()
