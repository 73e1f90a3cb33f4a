"""A security provider that is away, slow, mad or dead: an operation fails in words, once, showing nothing."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from meterlink.errors import SecurityFailed
from meterlink.security.adapter import IDLE_S, TIMEOUT_S, WAITING_MAX, Adapter
from meterlink.security.external import ExternalProvider
from meterlink.security.lines import LINE_OCTETS_MAX, AnswerLine, Result, request_line, result_of
from meterlink.transports.adapter import AdapterStream
from meterlink.transports.backoff import FIRST_S
from metersim import Simulation
from tests.support.adapters import Behaviour, Program, adapter_of
from tests.support.lab_meter import DIVERSIFIER, EXPIRES

DIV = DIVERSIFIER
RAND2 = bytes.fromhex("0BADC0DE")
SECRET = "8F3E2D1C0B5A6978"


def run(scene: Callable[[asyncio.TaskGroup], Awaitable[None]]) -> None:
    """A scene in simulated time; programs that still wait are ended."""

    async def whole() -> None:
        async with asyncio.TaskGroup() as programs:
            await scene(programs)
            for task in asyncio.all_tasks():
                if task.get_name() == "program":
                    task.cancel()

    Simulation().run(whole())


async def failing(provider: ExternalProvider, code: str) -> str:
    """The words of an authentication that fails with a code."""
    with pytest.raises(SecurityFailed) as caught:
        await provider.auth645(DIV)
    assert code == caught.value.code
    return str(caught.value)


def misbehaving(behaviour: Behaviour, code: str) -> list[int]:
    """How often a program was asked and started, when one operation failed with a code, and after the next.

    The next one is answered; ``ONCE_EACH`` says that nothing was asked twice.
    """
    told: list[int] = []

    async def scene(group: asyncio.TaskGroup) -> None:
        program = Program(group, behaviour)
        adapter = adapter_of(program)
        provider = ExternalProvider(adapter, lab_allowed=False)
        await failing(provider, code)
        told.extend([program.asked.count("auth645"), program.starts])
        program.behaviour = None
        assert 8 == len((await provider.auth645(DIV)).rand1)
        told.extend([program.asked.count("auth645"), program.starts])
        assert {"auth645"} == set(program.asked)
        await adapter.aclose()

    run(scene)
    return told


ONCE_EACH = [1, 1, 2, 2]


# --- what goes well ---


def test_every_operation_of_the_interface() -> None:
    """An operation that is spelled wrongly would be found by the first order in the field."""

    async def scene(group: asyncio.TaskGroup) -> None:
        program = Program(group)
        adapter = adapter_of(program)
        provider = ExternalProvider(adapter, lab_allowed=False)
        assert "site" == await provider.name()
        begun = await provider.auth645(DIV)
        block = await provider.control645(
            begun.ctx,
            rand2=RAND2,
            n1=0x1A,
            n2=0,
            expiry=EXPIRES,
        )
        assert bytes.fromhex("82491A029D6E75ED233AFF7D37BA35CD7A62AFF6") == block
        money = {"kind": "top_up", "amount": 10_000, "count": 5, "customer": "000012345678"}
        macs = await provider.wallet645(begun.ctx, rand2=RAND2, **money)  # type: ignore[arg-type]
        assert tuple(map(bytes.fromhex, ("F0B5276F", "0D687851"))) == macs
        with pytest.raises(SecurityFailed) as caught:
            await provider.verify645(begun.ctx, rand2=RAND2, apdu=b"", data=b"\0" * 4, mac=b"\0" * 4)
        assert "not_verified" == caught.value.code
        connect = await provider.init698(key_state=0, div=DIV, counter=15)
        assert (16, 32, 4) == tuple(map(len, connect))
        with pytest.raises(SecurityFailed):
            await provider.verify698(key_state=0, div=DIV, r1=connect.r1, data=b"\0" * 48, sign=b"\0" * 4)
        for lost in (
            provider.protect698("00" * 16, level=4, task=8, apdu=b"\x07"),
            provider.open698("00" * 16, level=3, data=b"\0", mac=None),
            provider.purse698("00" * 16, **money),  # type: ignore[arg-type]
        ):
            with pytest.raises(SecurityFailed) as caught:
                await lost
            assert "unknown_handle" == caught.value.code
        await provider.close(begun.ctx)
        assert 1 == program.starts
        await adapter.aclose()

    run(scene)


def test_a_laboratory_serves_marked_meters_alone() -> None:
    """CTRL-25: a trip with published keys at a customer's meter, or any other one, would go out."""

    async def scene(group: asyncio.TaskGroup) -> None:
        program = Program(group, name=" LAB")
        adapter = adapter_of(program)
        assert 8 == len((await ExternalProvider(adapter, lab_allowed=True).auth645(DIV)).rand1)
        field = ExternalProvider(adapter, lab_allowed=False)
        assert "lab" == await field.name()
        assert "not marked lab" in await failing(field, "lab_provider")
        assert ["auth645"] == program.asked
        await adapter.aclose()

    run(scene)


# --- what goes wrong ---


def test_silence_ends_after_ten_seconds() -> None:
    """An order that waits for its proof holds its line; the answer that comes later is nobody's."""

    async def silent(program: Program, request: dict[str, Any]) -> None:
        del program, request

    async def scene(group: asyncio.TaskGroup) -> None:
        program = Program(group, silent)
        adapter = adapter_of(program)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await failing(ExternalProvider(adapter, lab_allowed=False), "slow")
        assert TIMEOUT_S == loop.time() - began
        await adapter.aclose()

    run(scene)
    assert ONCE_EACH == misbehaving(silent, "slow")


def test_death_is_one_failed_operation() -> None:
    """A program that dies over an operation may have done it: it is not asked a second time."""

    async def dies(program: Program, request: dict[str, Any]) -> None:
        del request
        await program.end()

    assert ONCE_EACH == misbehaving(dies, "away")


@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b"[1]",
        b'"text"',
        b"{}",
        b'{"id": 77, "ok": true, "result": {}}',
        b'{"id": true, "ok": true, "result": {}}',
        b'{"id": 2, "ok": true}',
        b'{"id": 2, "ok": "yes", "result": {}}',
        b'{"id": 2, "ok": true, "result": {}}',
        b'{"id": 2, "ok": true, "result": {"ctx": "", "rand1": "0011223344556677", "cipher1": "00"}}',
        b'{"id": 2, "ok": true, "result": {"ctx": "A", "rand1": "00 1122334455667", "cipher1": "00"}}',
        b'{"id": 2, "ok": true, "result": {"ctx": "A", "rand1": "zz11223344556677", "cipher1": "00"}}',
        b'{"id": 2, "ok": true, "result": {"ctx": "A", "rand1": 11, "cipher1": "00"}}',
        b"[" * 60_000,
        b"\xff\xfe",
        b'{"id": 2, "ok": false}',
    ],
)
def test_rubbish_is_no_proof(line: bytes) -> None:
    """Whatever is not exactly an answer to the operation must not become octets of a control."""

    async def rubbish(program: Program, request: dict[str, Any]) -> None:
        del request
        await program.say(line + b"\n")

    async def scene(group: asyncio.TaskGroup) -> None:
        program = Program(group, rubbish)
        adapter = adapter_of(program)
        words = await failing(ExternalProvider(adapter, lab_allowed=False), "rubbish")
        assert "look at its adapter" in words
        assert ["auth645"] == program.asked
        await adapter.aclose()

    run(scene)


@pytest.mark.parametrize(
    "flood",
    [b"x" * (LINE_OCTETS_MAX + 1), b"\n" * (LINE_OCTETS_MAX + 1), b'{"id": 2}\n{"id": 2}\n'],
)
def test_a_flood_is_dammed(flood: bytes) -> None:
    """A program that talks without end would fill the memory, or keep the order busy for ever."""

    async def floods(program: Program, request: dict[str, Any]) -> None:
        del request
        await program.say(flood)

    assert ONCE_EACH == misbehaving(floods, "rubbish")


def test_an_unasked_answer_is_no_answer() -> None:
    """What was said before the question, perhaps for an earlier one, is not its answer."""

    async def ahead(program: Program, request: dict[str, Any]) -> None:
        await program.answer(request)
        await program.say(b'{"id": 3, "ok": true, "result": {"session": "00"}}\n')

    async def scene(group: asyncio.TaskGroup) -> None:
        program = Program(group, ahead)
        adapter = adapter_of(program)
        provider = ExternalProvider(adapter, lab_allowed=False)
        with pytest.raises(SecurityFailed) as caught:
            await provider.auth645(DIV)
            await provider.verify698(key_state=0, div=DIV, r1=bytes(16), data=bytes(48), sign=bytes(4))
        assert "rubbish" == caught.value.code
        await adapter.aclose()

    run(scene)


def test_it_says_no_and_stays() -> None:
    """A refusal of the provider is its word, and no reason to start it anew: others have sessions in it."""

    async def no(program: Program, request: dict[str, Any]) -> None:
        error = {"code": "not_verified", "what": SECRET, "do": SECRET}
        await program.say(json.dumps({"id": request["id"], "ok": False, "error": error}).encode() + b"\n")

    async def scene(group: asyncio.TaskGroup) -> None:
        program = Program(group, no)
        adapter = adapter_of(program)
        words = await failing(ExternalProvider(adapter, lab_allowed=False), "not_verified")
        assert "another meter, other keys" in words
        assert SECRET not in words
        program.behaviour = None
        await ExternalProvider(adapter, lab_allowed=False).auth645(DIV)
        assert 1 == program.starts
        await adapter.aclose()

    run(scene)


@pytest.mark.parametrize("code", [SECRET, "x" * 41, "", None, 7, "Away!", "8f3e2d1c"])
def test_a_code_that_could_be_a_secret_is_not_repeated(code: object) -> None:
    """The code of a failure stands in logs and work items for years."""
    line = json.dumps({"id": 1, "ok": False, "error": {"code": code}}).encode()
    with pytest.raises(SecurityFailed) as caught:
        result_of(line, 1, "auth645", "site")
    assert "no_code" == caught.value.code
    assert not code or str(code) not in str(caught.value)


def test_it_is_started_again_after_a_pause() -> None:
    """A program that cannot be started would be started in a loop; and one that can is not given up."""

    async def scene(group: asyncio.TaskGroup) -> None:
        program = Program(group)
        program.refuses = True
        adapter = adapter_of(program)
        provider = ExternalProvider(adapter, lab_allowed=False)
        loop = asyncio.get_running_loop()
        for _ in range(8):
            await failing(provider, "away")
        began = loop.time()
        assert "opened again in" in await failing(provider, "away")
        assert began == loop.time()
        program.refuses = False
        await asyncio.sleep(30.0)
        await provider.auth645(DIV)
        assert 1 == program.starts
        await adapter.aclose()

    run(scene)


def test_what_works_again_is_forgiven() -> None:
    """After a bad night the first fault of the morning would otherwise cost half a minute of orders."""

    async def dies(program: Program, request: dict[str, Any]) -> None:
        del request
        await program.end()

    async def scene(group: asyncio.TaskGroup) -> None:
        program = Program(group)
        program.refuses = True
        adapter = adapter_of(program)
        provider = ExternalProvider(adapter, lab_allowed=False)
        for _ in range(8):
            await failing(provider, "away")
        await asyncio.sleep(30.0)
        program.refuses = False
        await provider.auth645(DIV)
        program.behaviour = dies
        await failing(provider, "away")
        program.behaviour = None
        began = asyncio.get_running_loop().time()
        await provider.auth645(DIV)
        assert asyncio.get_running_loop().time() - began <= FIRST_S
        await adapter.aclose()

    run(scene)


def test_another_version_of_the_protocol_is_not_spoken() -> None:
    """Fields of a later version may mean something else."""

    async def scene(group: asyncio.TaskGroup) -> None:
        program = Program(group, version=2)
        adapter = adapter_of(program)
        assert "version 1" in await failing(ExternalProvider(adapter, lab_allowed=False), "rubbish")
        assert [] == program.asked
        await adapter.aclose()

    run(scene)


@pytest.mark.parametrize(
    "answer",
    [
        {"id": True, "ok": True, "result": {}},
        {"id": 1, "ok": "yes", "result": {}},
        {"id": 1, "ok": 1, "result": {}},
        {"id": 2, "ok": False, "error": {"code": "not_verified"}},
        {"id": 1, "ok": False, "error": "not_verified"},
        {"id": 1, "ok": False},
        {"id": 1, "ok": True, "result": []},
    ],
)
def test_what_is_nearly_an_answer(answer: dict[str, Any]) -> None:
    """An answer to another question, or one that does not say yes, is neither a proof nor a refusal."""
    with pytest.raises(SecurityFailed) as caught:
        result_of(json.dumps(answer).encode(), 1, "auth645", "site")
    assert "rubbish" == caught.value.code


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ({"x": "00 11"}, lambda said: said.octets("x", 2)),
        ({"x": "001"}, lambda said: said.octets("x", 1, 2)),
        ({"x": "0011"}, lambda said: said.octets("x", 3)),
        ({"x": "0011"}, lambda said: said.octets("x", 1)),
        ({}, lambda said: said.octets_or_none("x", 2)),
        ({"x": ""}, lambda said: said.text("x", 3)),
        ({"x": "abcd"}, lambda said: said.text("x", 3)),
        ({"x": "a\n"}, lambda said: said.text("x", 3)),
        ({"x": "1"}, lambda said: said.whole("x")),
        ({"x": True}, lambda said: said.whole("x")),
    ],
)
def test_fields_that_are_unfit(fields: dict[str, Any], read: Callable[[Result], object]) -> None:
    """Octets that are cut or stretched would be sent to a meter all the same."""
    with pytest.raises(SecurityFailed) as caught:
        read(Result(fields, "auth645", "site"))
    assert "rubbish" == caught.value.code
    assert "hidden" in repr(Result(fields, "auth645", "site"))


def test_a_connection_that_was_cut_while_idle_costs_no_order() -> None:
    """Firewalls cut what is silent: the next order would fail over a connection of yesterday."""

    async def scene(group: asyncio.TaskGroup) -> None:
        program = Program(group)
        adapter = adapter_of(program)
        provider = ExternalProvider(adapter, lab_allowed=False)
        await provider.auth645(DIV)
        await program.end()
        await asyncio.sleep(IDLE_S + 1)
        await provider.auth645(DIV)
        assert (2, ["auth645", "auth645"]) == (program.starts, program.asked)
        await adapter.aclose()

    run(scene)


def test_a_health_that_says_nothing_is_no_provider() -> None:
    """Without its name nobody knows whether it is a laboratory's: CTRL-25 would be left open."""

    async def scene(group: asyncio.TaskGroup) -> None:
        for name in ("", 7):
            program = Program(group)
            program.name = name  # type: ignore[assignment]
            adapter = adapter_of(program)
            await failing(ExternalProvider(adapter, lab_allowed=False), "rubbish")
            assert [] == program.asked
            await adapter.aclose()

    run(scene)


def test_no_more_wait_than_may() -> None:
    """Everything has a limit: a provider that hangs must not collect the orders of a whole province."""

    async def silent(program: Program, request: dict[str, Any]) -> None:
        del program, request

    async def scene(group: asyncio.TaskGroup) -> None:
        program = Program(group, silent)
        adapter = adapter_of(program)
        provider = ExternalProvider(adapter, lab_allowed=False)
        async with asyncio.TaskGroup() as orders:
            waiting = [orders.create_task(failing(provider, "slow")) for _ in range(WAITING_MAX)]
            await asyncio.sleep(0)
            await failing(provider, "busy")
            for task in waiting:
                task.cancel()
        await adapter.aclose()

    run(scene)


def test_a_cancelled_order_leaves_no_answer_behind() -> None:
    """The answer to a question that nobody waits for any more would be taken for that to the next one."""

    async def later(program: Program, request: dict[str, Any]) -> None:
        await asyncio.sleep(1.0)
        await program.answer(request)

    async def scene(group: asyncio.TaskGroup) -> None:
        program = Program(group, later)
        adapter = adapter_of(program)
        provider = ExternalProvider(adapter, lab_allowed=False)
        async with asyncio.TaskGroup() as orders:
            order = orders.create_task(provider.auth645(DIV))
            await asyncio.sleep(0.5)
            order.cancel()
        program.behaviour = None
        await provider.auth645(DIV)
        assert 2 == program.starts
        await adapter.aclose()

    run(scene)


# --- what is shown ---


def test_nothing_that_was_asked_or_answered_is_shown() -> None:
    """Logs, errors and texts of objects stand on disks for years; who reads them could switch meters."""

    async def scene(group: asyncio.TaskGroup) -> None:
        program = Program(group)
        adapter = adapter_of(program)
        provider = ExternalProvider(adapter, lab_allowed=False)
        begun = await provider.auth645(DIV)
        connect = await provider.init698(key_state=0, div=DIV, counter=1)
        shown.extend(map(repr, (provider, adapter, begun, connect)))
        secrets.update((begun.ctx, begun.rand1.hex(), begun.cipher1.hex(), connect.cipher1.hex(), DIV.hex()))
        with pytest.raises(SecurityFailed) as caught:
            await provider.verify645(begun.ctx, rand2=RAND2, apdu=b"", data=RAND2, mac=RAND2)
        shown.append(repr(caught.value) + str(caught.value))
        await adapter.aclose()

    shown: list[str] = []
    secrets = {RAND2.hex()}
    with capture_logs() as logged:
        run(scene)
    shown += map(str, logged)
    assert ["security_done", "security_done", "security_failed"] == [one["event"] for one in logged]
    text = " ".join(shown).casefold()
    assert not [secret for secret in secrets if secret.casefold() in text]


def test_a_line_has_a_limit_in_both_directions() -> None:
    """At the limit it goes, one octet more and it does not."""
    room_for = LINE_OCTETS_MAX - len(request_line(1, "op", {"a": ""}))
    assert LINE_OCTETS_MAX == len(request_line(1, "op", {"a": "x" * room_for}))
    with pytest.raises(SecurityFailed) as caught:
        request_line(1, "op", {"a": "x" * (room_for + 1)})
    assert "too_long" == caught.value.code
    longest = b"x" * (LINE_OCTETS_MAX - 1)
    assert longest == AnswerLine("site").feed(longest + b"\n")
    with pytest.raises(SecurityFailed):
        AnswerLine("site").feed(longest + b"x\n")


def test_the_stream_may_cut_lines_anywhere() -> None:
    """Pipes and sockets hand on what they have: an answer in pieces is one answer."""
    line = AnswerLine("site")
    assert [None, None, b"{}"] == [line.feed(piece) for piece in (b"\n", b"{", b"}\n")]


def test_the_opener_is_given_from_outside() -> None:
    """What is opened is no affair of the room: a stream is enough, and nothing runs before it is needed."""

    async def never() -> AdapterStream:
        raise AssertionError("nobody has asked")

    adapter = Adapter("site", never, rng=random.Random(1))
    assert "Adapter('site')" == repr(adapter)
