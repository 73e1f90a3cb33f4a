"""The daemon's door for this machine: who may come, what is asked, and that there is always an answer."""

from __future__ import annotations

import asyncio
import getpass
import json
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from meterlink.daemon import control_socket as door
from meterlink.daemon.control_socket import SOCKET_FILE, control_socket
from meterlink.errors import LineBusy, Unknown


async def _echo(user: str, op: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
    if op == "none":
        raise Unknown("there is none")
    if op == "bug":
        raise ZeroDivisionError("secret 123456")
    if op == "unsayable":
        return {"half a pair": "\ud800"}
    return {"user": user, "op": op, **args}


async def _ask(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """All answers to lines that one caller says before it stops talking."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"".join(lines))
    writer.write_eof()
    answers = [json.loads(line) for line in (await reader.read()).splitlines()]
    writer.close()
    return answers


def _line(name: str, op: str, **args: object) -> bytes:
    return json.dumps({"id": name, "op": op, "args": args}).encode() + b"\n"


@pytest.mark.asyncio
async def test_the_kernel_says_who_asks(tmp_path: Path) -> None:
    """A caller could give orders under another's name."""
    path = tmp_path / SOCKET_FILE
    async with control_socket(path, _echo):
        (answer,) = await _ask(path, _line("1", "order.show", user="admin2", x=1))
    assert {"id": "1", "ok": True, "result": {"user": "admin2", "op": "order.show", "x": 1}} == answer


@pytest.mark.asyncio
async def test_the_actor_is_the_local_user(tmp_path: Path) -> None:
    """The log would name nobody, or a number."""
    path = tmp_path / SOCKET_FILE
    async with control_socket(path, _echo):
        (answer,) = await _ask(path, _line("1", "x"))
    assert getpass.getuser() == answer["result"]["user"]


@pytest.mark.asyncio
async def test_its_file_is_for_owner_and_group_and_gone_at_the_end(tmp_path: Path) -> None:
    """Everybody on the machine could switch meters."""
    path = tmp_path / SOCKET_FILE
    async with control_socket(path, _echo):
        assert 0o660 == stat.S_IMODE(path.stat().st_mode)
    assert not path.exists()


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"\n", "JSON"),
        (b"\xff\n", "JSON"),
        (b"[" * 30_000 + b"\n", "JSON"),
        (b'{"id":"\\ud800","op":"x"}\n', "UTF-8"),
        (b'{"id":"1","op":"x","args":{"\\udfff":[]}}\n', "UTF-8"),
        (b"[]\n", "a request is"),
        (b'{"id":1,"op":"x"}\n', "a request is"),
        (b'{"id":"1","op":"x","args":[]}\n', "args"),
        (b'{"id":"1","op":"x","more":1}\n', "a request is"),
        (b'{"id":"' + b"1" * 65 + b'","op":"x"}\n', "64"),
        (b"{}", "line feed"),
        (b"x" * (door.REQUEST_OCTETS_MAX + 1), "octets"),
    ],
)
@pytest.mark.asyncio
async def test_rubbish_is_answered(tmp_path: Path, line: bytes, word: str) -> None:
    """A caller would wait for an answer for ever, or the daemon's door would fall in."""
    path = tmp_path / SOCKET_FILE
    async with control_socket(path, _echo):
        (answer,) = await _ask(path, line)
        assert not answer["ok"]
        assert "bad_request" == answer["error"]["code"]
        assert word in answer["error"]["en"]
        assert answer["error"]["zh"].startswith("请求有误")
        assert (await _ask(path, _line("2", "x")))[0]["ok"], "and the next one is served"


@pytest.mark.asyncio
async def test_the_longest_request_is_served(tmp_path: Path) -> None:
    """The limit would begin before it is said to."""
    path = tmp_path / SOCKET_FILE
    line = _line("1", "x", pad="")
    line = _line("1", "x", pad="p" * (door.REQUEST_OCTETS_MAX - len(line)))
    assert door.REQUEST_OCTETS_MAX == len(line)
    async with control_socket(path, _echo):
        (answer,) = await _ask(path, line)
    assert answer["ok"]


@pytest.mark.asyncio
async def test_errors_are_told_and_bugs_are_not(tmp_path: Path) -> None:
    """A caller would learn nothing, or too much."""
    path = tmp_path / SOCKET_FILE
    async with control_socket(path, _echo):
        first, second, third = await _ask(path, _line("1", "none"), _line("2", "bug"), _line("3", "x"))
    assert ("1", "unknown") == (first["id"], first["error"]["code"])
    assert ("2", "bug") == (second["id"], second["error"]["code"])
    assert "123456" not in json.dumps(second)
    assert third["ok"]


@pytest.mark.asyncio
async def test_a_result_that_no_line_can_hold_is_a_bug_and_no_end(tmp_path: Path) -> None:
    """One answer that cannot be written would end the daemon, with all its lines and orders."""
    path = tmp_path / SOCKET_FILE
    async with control_socket(path, _echo):
        first, second = await _ask(path, _line("1", "unsayable"), _line("2", "x"))
    assert ("1", "bug") == (first["id"], first["error"]["code"])
    assert second["ok"]


async def _met(path: Path, line: bytes) -> tuple[str, str]:
    """What one who comes with a request is told: the id, and the error or nothing."""
    (answer,) = await _ask(path, line)
    return answer["id"], answer.get("error", {}).get("code", "")


@pytest.mark.asyncio
@pytest.mark.parametrize("limit", ["CONNECTIONS_MAX", "CONNECTIONS_OF_ONE_MAX"])
async def test_a_full_door_lets_the_kill_switch_in_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """Idle connections would use up the daemon's files, or nobody could stop all orders for them."""
    monkeypatch.setattr(door, limit, 2)
    monkeypatch.setattr(door, "URGENT_WITHIN_S", 0.01)
    path = tmp_path / SOCKET_FILE
    async with control_socket(path, _echo):
        kept = [await asyncio.open_unix_connection(path) for _ in range(2)]
        for reader, writer in kept:
            writer.write(_line("1", "x"))
            assert json.loads(await reader.readline())["ok"]
        assert ("2", "busy") == await _met(path, _line("2", "control.resume"))
        assert ("3", "") == await _met(path, _line("3", "control.stop"))
        assert ("", "busy") == await _met(path, b"rubbish\n")
        silent, writer = await asyncio.open_unix_connection(path)
        assert "busy" == json.loads(await silent.readline())["error"]["code"]
        assert b"" == await silent.read()
        for _, one in [*kept, (silent, writer)]:
            one.close()


@pytest.mark.asyncio
async def test_nobody_alone_keeps_the_others_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may open the socket could take every place, and those held for what is urgent."""
    monkeypatch.setattr(door, "CONNECTIONS_OF_ONE_MAX", 1)
    monkeypatch.setattr(door, "URGENT_MAX", 3)
    path = tmp_path / SOCKET_FILE
    uids = iter([1, 1, 1, 1, 2, 2, 2, 3])
    monkeypatch.setattr(door, "uid_of", lambda _: next(uids))
    async with control_socket(path, _echo):
        idle = [await asyncio.open_unix_connection(path) for _ in range(7)]
        for number, why in ((3, "two of one are held"), (6, "three are held")):
            assert "busy" == json.loads(await idle[number][0].readline())["error"]["code"], why
        assert ("5", "") == await _met(path, _line("5", "x"))
        for _, one in idle:
            one.close()


@pytest.mark.asyncio
async def test_who_says_nothing_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers that hang would keep all others out."""
    monkeypatch.setattr(door, "IDLE_MAX_S", 0.01)
    path = tmp_path / SOCKET_FILE
    async with control_socket(path, _echo):
        reader, writer = await asyncio.open_unix_connection(path)
        assert b"" == await reader.read()
        writer.close()


@pytest.mark.asyncio
async def test_a_second_daemon_finds_the_door_taken(tmp_path: Path) -> None:
    """It would take the socket away from the daemon that runs."""
    path = tmp_path / SOCKET_FILE
    async with control_socket(path, _echo):
        with pytest.raises(LineBusy, match="another daemon"):
            async with control_socket(path, _echo):
                pass
        assert (await _ask(path, _line("1", "x")))[0]["ok"]


@pytest.mark.asyncio
async def test_what_a_dead_daemon_left_is_replaced(tmp_path: Path) -> None:
    """After a crash somebody would have to delete the file by hand."""
    path = tmp_path / SOCKET_FILE
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with control_socket(path, _echo):
        assert (await _ask(path, _line("1", "x")))[0]["ok"]


@pytest.mark.asyncio
async def test_another_file_in_its_place_stays(tmp_path: Path) -> None:
    """Somebody's file would be deleted."""
    path = tmp_path / SOCKET_FILE
    path.write_text("mine")
    with pytest.raises(LineBusy, match="no socket"):
        async with control_socket(path, _echo):
            pass
    assert "mine" == path.read_text()


@pytest.mark.asyncio
async def test_a_folder_deeper_than_a_socket_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon would not start in a long folder."""
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    path = folder / SOCKET_FILE
    async with control_socket(path, _echo):
        assert path.is_socket()
        monkeypatch.chdir(folder)
        assert (await _ask(Path(SOCKET_FILE), _line("1", "x")))[0]["ok"]
    assert not path.exists()


@pytest.mark.asyncio
async def test_a_caller_that_goes_does_not_stop_what_it_asked_for(tmp_path: Path) -> None:
    """An order would be half created when its terminal is closed."""
    path = tmp_path / SOCKET_FILE
    began, may_go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(user: str, op: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        began.set()
        await may_go_on.wait()
        ended.set()
        return {}

    async with control_socket(path, slow):
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(_line("1", "x"))
        await began.wait()
        writer.close()
        await writer.wait_closed()
        may_go_on.set()
        async with asyncio.timeout(5):
            assert await ended.wait()
