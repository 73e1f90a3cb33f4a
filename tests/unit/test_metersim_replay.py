"""`metersim replay`: a line answers as its recording says, octet by octet and in its time."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest

from metersim import AnswerFile, MemoryDuplex, SimClock, Simulation, memory_pair
from metersim.plant import capture as captures
from metersim.plant.built import BuiltPlant
from metersim.plant.capture import CaptureError, CaptureFile, read_capture
from metersim.plant.plant import read_plant
from metersim.plant.replay import Replay, Summary
from meterwire.dlt645 import ReadReply, ReadRequest, encode, to_frame
from meterwire.dlt698.apdus.get import GetRequestNormal
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.sessions.association import Association

ENERGY, VOLTAGE, MISSING = 0x00010000, 0x02010100, 0x0EEEEEEE
A161, A162 = "000000000161", "000000000162"


def _read(di: int, address: str = A161, preamble: int = 0) -> bytes:
    return encode(to_frame(ReadRequest(address=address, di=di)), preamble=preamble)


def _answer(di: int, address: str = A161) -> bytes:
    return encode(to_frame(ReadReply(address=address, di=di, data=bytes(4))))


def _row(ms: int, direction: str, octets: bytes, **more: str) -> str:
    at = f"2026-10-01T00:00:00.{ms:03d}Z"
    return json.dumps({"at": at, "direction": direction, **more, "octets": octets.hex()})


def _file(folder: Path, *rows: str) -> Path:
    path = folder / "capture.jsonl"
    path.write_text("\n".join(rows))
    return path


def _talk(line: Replay, ask: Callable[[MemoryDuplex], Awaitable[None]]) -> None:
    async def main() -> None:
        ours, theirs = memory_pair()
        async with asyncio.TaskGroup() as group:
            group.create_task(line.serve(theirs), name="line")
            await ask(ours)
            ours.close()

    Simulation().run(main())


async def _heard(client: MemoryDuplex, request: bytes) -> list[tuple[int, bytes]]:
    """What comes back, with the milliseconds since the request; it has ended after 2 s of silence."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await client.send(request)
    heard = []
    with suppress(TimeoutError):
        while True:
            async with asyncio.timeout(2):
                octets = await client.receive()
            heard.append((round((loop.time() - begun) * 1000), octets))
    return heard


def test_a_request_gets_what_came_back_then(tmp_path: Path) -> None:
    """A fault that a customer recorded could not be shown again: its octets, its pieces or its timing."""
    path = _file(
        tmp_path,
        _row(0, "out", _read(ENERGY)[:5]),  # a request in two pieces
        _row(3, "out", _read(ENERGY)[5:]),
        _row(53, "in", b"\xfe\xfe"),
        _row(60, "in", b"\x68rubbish"),
        _row(100, "out", _read(VOLTAGE, preamble=4)),  # nothing came
        _row(200, "out", _read(ENERGY)),
        _row(221, "in", b"second"),
    )
    line = Replay(read_capture(path))

    async def ask(client: MemoryDuplex) -> None:
        assert [(50, b"\xfe\xfe"), (57, b"\x68rubbish")] == await _heard(client, _read(ENERGY, preamble=2))
        assert [] == await _heard(client, _read(VOLTAGE))
        for _ in range(2):  # the last answer stays
            assert [(21, b"second")] == await _heard(client, _read(ENERGY))

    _talk(line, ask)
    assert (2, 4, 0, ()) == (
        line.summary.requests,
        line.summary.asked,
        line.summary.unknown,
        line.summary.never_asked,
    )


def test_what_was_not_recorded_is_told(tmp_path: Path) -> None:
    """A client that asks something else than the recording has would look as if its meter were dead."""
    rows = (_row(0, "out", _read(ENERGY)), _row(20, "in", b"a"), _row(30, "out", _read(ENERGY, A162)))
    line = Replay(read_capture(_file(tmp_path, *rows)))

    async def ask(client: MemoryDuplex) -> None:
        assert [] == await _heard(client, _read(MISSING))
        assert [(20, b"a")] == await _heard(client, _read(ENERGY))

    _talk(line, ask)
    expected = Summary(
        requests=2,
        asked=1,
        unknown=1,
        unknown_requests=(_read(MISSING),),
        never_asked=(_read(ENERGY, A162),),
    )
    assert expected == line.summary


@pytest.mark.parametrize("at_once", [False, True])
def test_requests_that_went_out_at_once_keep_their_answers(tmp_path: Path, at_once: bool) -> None:
    """One meter of a recording would be dead and another one would answer for it."""
    first, refused, second = _answer(ENERGY), _answer(VOLTAGE), _answer(ENERGY, A162)
    rest = _answer(ENERGY, A161)
    path = _file(
        tmp_path,
        _row(0, "out", _read(ENERGY) + _read(VOLTAGE) + _read(ENERGY, A162)),
        _row(30, "in", b"\xfe" + first + refused[:4]),
        _row(40, "in", refused[4:] + b"\xfe\xfe" + second),
        _row(900, "out", _read(ENERGY)),
        _row(910, "in", rest),
    )
    line = Replay(read_capture(path), strict=True)

    async def ask(client: MemoryDuplex) -> None:
        if at_once:
            heard = await _heard(client, _read(ENERGY) + _read(VOLTAGE) + _read(ENERGY, A162))
            assert b"\xfe" + first + refused + b"\xfe\xfe" + second == b"".join(one for _, one in heard)
            assert 40 == heard[-1][0]
            return
        assert [(0, b"\xfe\xfe" + second)] == await _heard(client, _read(ENERGY, A162))
        assert [(0, refused[:4]), (10, refused[4:])] == await _heard(client, _read(VOLTAGE))
        assert [(30, b"\xfe" + first)] == await _heard(client, _read(ENERGY))
        assert [(10, rest)] == await _heard(client, _read(ENERGY))

    _talk(line, ask)


@pytest.mark.parametrize(
    ("back", "of_161", "of_162"),
    [
        (lambda one, two: two + one, "one", "two"),  # the other way round
        (lambda one, two: two, "", "two"),  # the first one is silent
        (lambda one, two: one + one + two, "one one", "two"),
        (lambda one, two: one[:9], "half", ""),
        (lambda one, two: one + two[:9], "one", "half"),
        (lambda one, two: b"noise", "noise", ""),
    ],
)
def test_an_answer_names_its_meter(
    tmp_path: Path, back: Callable[[bytes, bytes], bytes], of_161: str, of_162: str
) -> None:
    """The answer of a meter that was silent in the field would be made of its neighbour's."""
    one, two = _answer(ENERGY), _answer(ENERGY, A162)
    glued = _read(ENERGY) + _read(ENERGY, A162)
    line = Replay(read_capture(_file(tmp_path, _row(0, "out", glued), _row(9, "in", back(one, two)))))

    async def ask(client: MemoryDuplex) -> None:
        for whole, address, words in ((one, A161, of_161), (two, A162, of_162)):
            parts = {"one": one, "two": two, "half": whole[:9], "noise": b"noise"}
            expected = b"".join(parts[word] for word in words.split())
            assert expected == b"".join(octets for _, octets in await _heard(client, _read(ENERGY, address)))

    _talk(line, ask)


def test_glued_requests_of_698_keep_their_answers(tmp_path: Path) -> None:
    """A recording of a terminal that is asked for several meters at once could not be replayed."""
    plant = read_plant(
        "lines: [{at: listen, meters: [{count: 2, address: 161, profile: dlt698.45/generic}]}]", "p"
    )
    asked = [
        each.exchange(GetRequestNormal(piid=each.next_piid(), oad=Oad.of("00100200"))).octets_to_send()
        for each in (Association(ServerAddress(A161)), Association(ServerAddress(A162)))
    ]
    sim, path, heard = Simulation(), tmp_path / "capture.jsonl", list[bytes]()
    with CaptureFile(path, sim.clock) as file:
        built = BuiltPlant(plant, clock=sim.clock, capture=file)

        async def record() -> None:
            async with built.lines["line-1"].connect() as client:
                heard.append(b"".join(octets for _, octets in await _heard(client, asked[0] + asked[1])))

        sim.run(record())

    async def ask(client: MemoryDuplex) -> None:
        again = [b"".join(octets for _, octets in await _heard(client, one)) for one in reversed(asked)]
        assert heard == [again[1] + again[0]]
        assert all(again)

    _talk(Replay(read_capture(path), strict=True), ask)


@pytest.mark.parametrize("strict", [False, True])
def test_the_same_question_in_other_octets(tmp_path: Path, strict: bool) -> None:
    """A read of DL/T 698.45 carries the number of the request, so no second session could use a recording."""
    association = Association(ServerAddress(A161))
    asked, again = (
        association.exchange(
            GetRequestNormal(piid=association.next_piid(), oad=Oad.of("00100200"))
        ).octets_to_send()
        for _ in range(2)
    )
    assert asked != again
    line = Replay(read_capture(_file(tmp_path, _row(0, "out", asked), _row(9, "in", b"x"))), strict=strict)

    async def ask(client: MemoryDuplex) -> None:
        assert ([] if strict else [(9, b"x")]) == await _heard(client, again)
        assert [(9, b"x")] == await _heard(client, asked)

    _talk(line, ask)
    assert (1 if strict else 0) == line.summary.unknown


def test_a_plant_that_was_captured_is_replayed(tmp_path: Path) -> None:
    """What `metersim run --capture` writes would be no capture."""
    sim = Simulation()
    path = tmp_path / "capture.jsonl"
    heard: list[tuple[int, bytes]] = []

    async def record() -> None:
        async with built.lines["line-1"].connect() as client:
            for di in (ENERGY, VOLTAGE, MISSING):
                heard.extend(await _heard(client, _read(di)))

    with CaptureFile(path, sim.clock) as file:
        built = BuiltPlant(
            read_plant("lines: [{at: listen, meters: [{address: 161}]}]", "p"), clock=sim.clock, capture=file
        )
        sim.run(record())
    assert 3 == len(heard)

    async def ask(client: MemoryDuplex) -> None:
        for di, answer in zip((ENERGY, VOLTAGE, MISSING), heard, strict=True):
            assert [answer] == await _heard(client, _read(di))

    _talk(Replay(read_capture(path), strict=True), ask)


def test_the_trace_of_a_client_is_a_capture(tmp_path: Path) -> None:
    """What `meterlink read --json --trace` shows could not be handed on."""
    rows = [json.loads(_row(0, "out", _read(ENERGY))), json.loads(_row(20, "in", b"a"))]
    path = _file(tmp_path, json.dumps({"readings": [], "trace": rows}, indent=2))
    assert [("out", _read(ENERGY)), ("in", b"a")] == [
        (piece.direction, piece.octets) for piece in read_capture(path)
    ]


def test_lines_of_a_capture_are_kept_apart(tmp_path: Path) -> None:
    """An answer of one line would be taken for the answer to a request on another."""
    path = _file(
        tmp_path,
        _row(0, "out", _read(ENERGY), line="a"),
        _row(1, "out", _read(ENERGY, A162), line="b"),
        _row(20, "in", b"of a", line="a"),
        _row(41, "in", b"of b", line="b"),
    )

    async def ask(client: MemoryDuplex) -> None:
        assert [(20, b"of a")] == await _heard(client, _read(ENERGY))
        assert [(40, b"of b")] == await _heard(client, _read(ENERGY, A162))

    _talk(Replay(read_capture(path)), ask)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("", "capture.jsonl:1: there is nothing in it"),
        ("{", "capture.jsonl:1: no JSON"),
        ("[]", "capture.jsonl:1: write an object"),
        (
            '{"n":1,"at":"x","octets":"00","values":{}}',
            "capture.jsonl:1: a list of answers does not",
        ),
        ('{"direction":"out","octets":"00"}', "capture.jsonl:1: at is missing"),
        (_row(0, "sideways", b"a"), "capture.jsonl:1: direction 'sideways': write out"),
        ('{"at":"noon","direction":"out","octets":"00"}', "capture.jsonl:1: at 'noon': write a time"),
        (
            '{"at":"2026-10-01","direction":"out","octets":"00"}',
            "capture.jsonl:1: at '2026-10-01': a time",
        ),
        (_row(0, "out", b"a").replace("61", "6"), "capture.jsonl:1: octets: write pairs"),
        (_row(0, "out", b"a").replace("61", "**"), "capture.jsonl:1: secret octets are blanked"),
        (_row(0, "out", b""), "capture.jsonl:1: 0 octets"),
        (_row(0, "out", b"a" * 65_537), "capture.jsonl:1: 65537 octets"),
        (_row(0, "out", b"a") + "\n{", "capture.jsonl:2: no JSON"),
        (_row(0, "in", b"a"), "capture.jsonl:1: no request in it"),
    ],
)
def test_a_wrong_capture_is_refused_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    """A replay would answer something that was never recorded."""
    with pytest.raises(CaptureError) as caught:
        Replay(read_capture(_file(tmp_path, row)))
    assert message in str(caught.value)


def test_a_capture_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture of a year would eat the machine's memory."""
    monkeypatch.setattr(captures, "PIECES_MAX", 2)
    row = _row(0, "out", _read(ENERGY))
    assert 2 == len(read_capture(_file(tmp_path, row, row)))
    with pytest.raises(CaptureError, match="more than 2 pieces"):
        read_capture(_file(tmp_path, row, row, row))
    monkeypatch.setattr(captures, "FILE_OCTETS_MAX", 10)
    with pytest.raises(CaptureError, match="longer than 10 octets"):
        read_capture(_file(tmp_path, row))


@pytest.mark.parametrize("opened", [lambda path: CaptureFile(path, SimClock()), AnswerFile])
def test_what_is_written_down_is_for_its_owner_alone(
    tmp_path: Path, opened: Callable[[Path], AbstractContextManager[object]]
) -> None:
    """Everybody on the machine could read the passwords that clients send."""
    new, standing = tmp_path / "new.jsonl", tmp_path / "standing.jsonl"
    standing.touch()
    standing.chmod(0o640)  # somebody lets his group read it
    before = os.umask(0)
    try:
        for path in (new, standing):
            with opened(path):
                pass
    finally:
        os.umask(before)
    assert [0o600, 0o640] == [stat.S_IMODE(path.stat().st_mode) for path in (new, standing)]
