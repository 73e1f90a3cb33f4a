"""`metersim run PLANT.yaml` and `metersim replay` as others run them: processes, ports, a terminal."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import termios
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterwire.dlt645 import WILDCARD, Frame, ReadRequest, encode, to_frame
from meterwire.dlt645.messages.control import ControlRequest
from meterwire.dlt698.apdus.get import GetRequestNormal
from meterwire.dlt698.axdr.selection import Oad
from tests.support.head698 import Head, dialling
from tests.support.metersim_process import METERSIM
from tests.support.octets import plain_client
from tests.support.processes import announced

ENERGY, VOLTAGE, CLOCK = 0x00010000, 0x02010100, 0x04000102
PLANT = """\
plant: east
seed: 7
time: x3600
start: 2026-10-01T00:00:00+08:00
lines:
  - {name: tcp, paced: true, meters: [{count: 2, address: 161, profile: dlt645-2007/single-phase}]}
  - {name: tty, at: "pty:LINK", meters: [{address: 301, reply_delay_ms: 0}]}
  - {name: inside, at: listen}
"""
EXIT_TIMEOUT_S = 10.0


def _request(di: int, address: str) -> bytes:
    return encode(to_frame(ReadRequest(address=address, di=di)), preamble=4)


def test_a_plant_file_is_served_captured_and_replayed(tmp_path: Path) -> None:
    """The way from a plant to somebody else's test would be broken at one of its steps."""
    link, capture, answers = tmp_path / "tty", tmp_path / "capture.jsonl", tmp_path / "answers.jsonl"
    (tmp_path / "east.yaml").write_text(PLANT.replace("LINK", str(link)))
    command = [METERSIM, "run", str(tmp_path / "east.yaml"), f"--capture={capture}", f"--answers={answers}"]
    heard = {}
    with announced(command, tmp_path / "run.log") as (_, ready):
        assert ("east", 7, ["tcp", "tty"]) == (
            ready["plant"],
            ready["seed"],
            [line["name"] for line in ready["lines"]],
        )
        assert [["000000000161", "000000000162"], ["000000000301"]] == [
            line["meters"] for line in ready["lines"]
        ]
        for line in ready["lines"]:
            with plain_client(line["url"]) as client:
                for address in line["meters"]:
                    for di in (ENERGY, VOLTAGE):
                        [heard[di, address]] = client.ask(_request(di, address))
        assert str(link) in ready["lines"][1]["url"]
    times = [datetime.fromisoformat(json.loads(row)["at"]) for row in answers.read_text().splitlines()]
    start = datetime.fromisoformat("2026-10-01T00:00:00+08:00")
    assert len(heard) == len(times)
    assert times[-1] - start > timedelta(minutes=10)  # a paced exchange takes 0.2 s, which are 12 minutes
    assert times == sorted(times)

    replaying = announced([METERSIM, "replay", str(capture), "--json"], tmp_path / "replay.log")
    with replaying as (_, ready), plain_client(ready["url"]) as client:
        for (di, address), frame in [*heard.items()][:3]:
            assert [frame] == client.ask(_request(di, address))


def test_a_replay_says_at_its_end_what_was_never_asked(tmp_path: Path) -> None:
    """Whoever replays a recording would not know that the client reads less than it did then."""
    rows = [
        {"at": "2026-10-01T00:00:00Z", "direction": "out", "octets": _request(di, "000000000161").hex()}
        for di in (ENERGY, VOLTAGE)
    ]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, rows)))
    process = subprocess.Popen(
        [METERSIM, "replay", str(tmp_path / "c.jsonl"), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["ready"] is True
    process.send_signal(signal.SIGTERM)
    rest, chatter = process.communicate(timeout=EXIT_TIMEOUT_S)
    assert (0, "") == (process.returncode, chatter)
    never = [encode(to_frame(ReadRequest(address="000000000161", di=di))) for di in (ENERGY, VOLTAGE)]
    assert {
        "requests": 2,
        "asked": 0,
        "unknown": 0,
        "unknown_requests": [],
        "never_asked": [octets.hex().upper() for octets in never],
    } == json.loads(rest)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_replay_shows_no_secrets(tmp_path: Path, options: tuple[str, ...]) -> None:
    """The password of an order would stand in the log of whoever replays it."""
    order = ControlRequest(
        address="000000000161",
        level=2,
        password="918273",
        operator_code="00000001",
        command=0x1A,
        expires=bytes.fromhex("000010011026"),
    )
    octets = encode(to_frame(order)).hex().upper()
    row = {"at": "2026-10-01T00:00:00Z", "direction": "out", "octets": octets}
    (tmp_path / "c.jsonl").write_text(json.dumps(row))
    command = [METERSIM, "replay", str(tmp_path / "c.jsonl"), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    told = "".join(process.communicate(timeout=EXIT_TIMEOUT_S))
    assert octets[:22] in told
    assert "**" in told
    assert bytes(0x33 + octet for octet in bytes.fromhex("738291")).hex().upper() not in told


def test_a_terminal_shows_the_table_and_a_pipe_only_the_ready_line(tmp_path: Path) -> None:
    """A script would have to parse drawings, or a person would watch nothing."""
    (tmp_path / "p.yaml").write_text("plant: east\nlines: [{name: north, meters: [{reply_delay_ms: 0}]}]")
    for options, wanted in (([], True), (["--no-table"], False)):
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 120))
        process = subprocess.Popen(
            [METERSIM, "run", str(tmp_path / "p.yaml"), *options],
            stdout=subprocess.PIPE,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(theirs)
        assert process.stdout is not None
        [line] = json.loads(process.stdout.readline())["lines"]
        with plain_client(line["url"]) as client:
            client.ask(_request(ENERGY, "000000000001"))
        drawn = b""
        while (
            (b"north" not in drawn or drawn.count(b"000000000001") == 0) if wanted else b"Ctrl-C" not in drawn
        ):
            drawn += os.read(ours, 4096)
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=EXIT_TIMEOUT_S)
        os.close(ours)
        assert (0, b"") == (process.returncode, rest)
        assert wanted == (b"last meter" in drawn)


def test_a_capture_has_each_octet_once_also_of_answers_at_once(tmp_path: Path) -> None:
    """Without a delay TCP answers by a short way; octets there would be missing, or there twice."""
    capture = tmp_path / "capture.jsonl"
    address = "000000000001"
    requests = [
        _request(ENERGY, address),
        encode(Frame(address=WILDCARD, function=0x13)),  # goes to everybody, so not by the short way
        _request(VOLTAGE, address),
    ]
    command = [METERSIM, "run", "--td-ms=0", f"--capture={capture}"]
    with (
        announced(command, tmp_path / "run.log") as (_, ready),
        plain_client(ready["lines"][0]["url"]) as client,
    ):
        answers = [encode(frame) for request in requests for frame in client.ask(request)]
    rows = [json.loads(row) for row in capture.read_text().splitlines()]
    passed = {way: "".join(row["octets"] for row in rows if row["direction"] == way) for way in ("out", "in")}
    assert {"out": b"".join(requests).hex().upper(), "in": b"".join(answers).hex().upper()} == passed


def test_a_run_says_what_could_not_happen(tmp_path: Path) -> None:
    """Somebody would take meters for robust that nothing ever befell."""
    scenario = "{what: register_set, at: +1s, item: forward_active_energy.b, value: 5, name: of-phase-b}"
    (tmp_path / "p.yaml").write_text(
        "time: x60\nscenario: {scenario: own, happenings: [" + scenario + "]}\n"
        "lines: [{meters: [{profile: dlt645-2007/single-phase}, {profile: dlt645-2007/three-phase}]}]\n"
    )
    process = subprocess.Popen(
        [METERSIM, "run", str(tmp_path / "p.yaml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    told = [process.stderr.readline(), process.stderr.readline()]
    process.send_signal(signal.SIGTERM)
    assert "" == process.communicate(timeout=EXIT_TIMEOUT_S)[1]
    assert "metersim: 2 meters; Ctrl-C ends\n" in told
    words = "forward_active_energy.b: meter 000000000001 has no such register"
    assert f"metersim: of-phase-b cannot happen: {words}\n" in told


def test_a_new_concentrator_works_as_it_is(tmp_path: Path) -> None:
    """A newcomer's concentrator would be silent, or its master would not know whom to ask."""
    subprocess.run([METERSIM, "new", "area", "--kind=concentrator"], cwd=tmp_path, check=True, timeout=30)
    with announced([METERSIM, "run", str(tmp_path / "area.yaml")], tmp_path / "run.log") as (_, ready):
        [line] = ready["lines"]
        with dialling(line["url"]) as connection:
            head = Head(connection, line["concentrator"], version=0x16)
            head.await_login()
            head.connect()
            archive = head.ask(GetRequestNormal(piid=head.association.next_piid(), oad=Oad.of("60000200")))
    assert [line["concentrator"]] == [call.server.digits for call in head.calls]
    assert len(line["meters"]) == len(archive.result.result.value)
