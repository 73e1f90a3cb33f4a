"""Reading through a carrier module: window, denials, late answers, rubbish; lanes as lines and streams."""

from __future__ import annotations

import asyncio

import pytest

from meterlink.bus.exchange import NothingHeard
from meterlink.bus.queue import Priority
from meterlink.drivers.carrier import in_step
from meterlink.drivers.carrier.tunnel import lane_opener
from meterlink.drivers.carrier.ways import METERS_DENIED, MODULE_AGAIN_S
from meterlink.drivers.carrier.window import WINDOW_FIRST
from meterlink.drivers.events import ReportedEvent
from meterlink.errors import LineClosed, ReplyTimeout
from meterlink.model.event_kinds import NODE_MISSING
from meterwire import dlt645
from meterwire.dlt645.messages.messages import ReadReply, ReadRequest
from meterwire.dlt645.sessions.read import ReadSession
from meterwire.gdw1376.messages.module import Message, denial
from tests.support.scripted_module import (
    METERS,
    ONE,
    TRIP,
    Bench,
    Said,
    ScriptedModule,
    asked_for_energy,
    at_once,
    bench_of,
    energy,
    read_answer,
    several,
    told,
)

# --- reading -------------------------------------------------------------------------------------


def test_the_window_grows_while_all_is_well_and_halves_when_the_module_denies() -> None:
    """The module would be read slower than it can, or flooded with what it denies."""
    limit = 9

    async def limited(module: ScriptedModule, asked: Message) -> Said:
        if module.open_reads > limit:
            return denial(asked.frame, 109)
        await asyncio.sleep(1)
        return await at_once(module, asked)

    bench = bench_of(limited)

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        window = bench.owner.window
        assert window is not None
        assert WINDOW_FIRST == window.places
        widest = 0

        async def read(lane: int) -> None:
            nonlocal widest
            for address in METERS[lane::20] * 10:
                assert energy(address) == await bench.octets(address, lane)
                widest = max(widest, window.places)

        async with asyncio.TaskGroup() as group:
            for lane in range(20):
                group.create_task(read(lane))
        assert limit <= widest <= limit + 1
        assert bench.owner.counts.denied[109]
        assert bench.module.most_reads <= limit + 1

    bench.run(story)


def test_the_window_never_passes_the_limit_of_the_line() -> None:
    """A module that never denies would be given all meters at once."""

    async def slow(module: ScriptedModule, asked: Message) -> Said:
        await asyncio.sleep(1)
        return await at_once(module, asked)

    bench = bench_of(slow, settings={"window": 7})

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        async with asyncio.TaskGroup() as group:
            for lane in range(20):
                group.create_task(several(bench, lane))
        assert 7 == bench.module.most_reads

    bench.run(story)


@pytest.mark.parametrize(("has_f1", "routes", "afn"), [(False, 1, 0x13), (False, 0, 0x02)])
def test_without_concurrent_reading_one_meter_is_read_at_a_time(has_f1: bool, routes: int, afn: int) -> None:
    """An old module would be given what it does not know, or two reads at once."""

    async def slow(module: ScriptedModule, asked: Message) -> Said:
        await asyncio.sleep(1)
        return await at_once(module, asked)

    bench = bench_of(slow, has_f1=has_f1, mode={"route_mgmt": routes})

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        async with asyncio.TaskGroup() as group:
            for lane in range(10):
                group.create_task(several(bench, lane))
        assert 1 == bench.module.most_reads
        assert 20 == bench.module.asked(afn, 1)

    bench.run(story)


async def _denies_f1(module: ScriptedModule, asked: Message) -> Said:
    return denial(asked.frame, 10) if asked.frame.afn == 0xF1 else await at_once(module, asked)


def test_a_module_that_reads_not_concurrently_after_all_is_read_one_by_one() -> None:
    """A module that promises what it denies would never be read."""
    bench = bench_of(_denies_f1)

    async def story(bench: Bench) -> None:
        for address in METERS[:METERS_DENIED]:
            assert energy(address) == await bench.octets(address)
        assert ("13-F1", METERS_DENIED) == (bench.owner.way, bench.module.asked(0xF1, 1))
        for address in METERS[: METERS_DENIED + 2]:
            assert energy(address) == await bench.octets(address)
        assert METERS_DENIED == bench.module.asked(0xF1, 1)

    bench.run(story)


def test_a_function_that_came_back_is_used_again() -> None:
    """A module that denied in its first busy minute would be read one by one for ever."""
    broken = True

    async def denies_first(module: ScriptedModule, asked: Message) -> Said:
        return await (_denies_f1 if broken else at_once)(module, asked)

    bench = bench_of(denies_first)

    async def story(bench: Bench) -> None:
        nonlocal broken
        for address in METERS[:METERS_DENIED]:
            await bench.octets(address)
        await asyncio.sleep(MODULE_AGAIN_S)
        assert energy(METERS[10]) == await bench.octets(METERS[10])
        assert ("13-F1", METERS_DENIED + 1) == (bench.owner.way, bench.module.asked(0xF1, 1))
        broken = False
        await bench.octets(METERS[11])
        assert "13-F1" == bench.owner.way, "tried again at once, each read would be denied first"
        await asyncio.sleep(MODULE_AGAIN_S)
        await bench.octets(METERS[11])
        assert "F1-F1" == bench.owner.way
        asked = bench.module.asked(0x13, 1)
        for address in METERS[:METERS_DENIED]:
            await bench.octets(address)
        assert asked == bench.module.asked(0x13, 1)

    bench.run(story)


@pytest.mark.parametrize("code", [1, 4, 5, 10])
def test_a_denial_of_one_meter_is_not_the_modules_word(code: int) -> None:
    """One bad meter would silence all others, for a way that denies it may be none that they have."""

    async def denies_one(module: ScriptedModule, asked: Message) -> Said:
        assert asked.frame.addresses is not None
        if asked.frame.addresses.destination == ONE:
            return denial(asked.frame, code)
        return denial(asked.frame, 10) if asked.frame.afn != 0xF1 else await at_once(module, asked)

    bench = bench_of(denies_one)

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        for address in METERS[1:5]:
            with pytest.raises(ReplyTimeout, match="denies"):
                await bench.octets(ONE)
            assert energy(address) == await bench.octets(address)
        assert "F1-F1" == bench.owner.way

    bench.run(story)


def test_bad_meters_go_by_themselves_and_the_others_at_once() -> None:
    """Meters that are read only one by one would wait in the places of all others, or take their way."""

    async def denies_some(module: ScriptedModule, asked: Message) -> Said:
        assert asked.frame.addresses is not None
        await asyncio.sleep(1)
        if asked.frame.addresses.destination in METERS[5:15]:
            return await _denies_f1(module, asked)
        return await at_once(module, asked)

    bench = bench_of(denies_some)

    async def story(bench: Bench) -> None:
        assert energy(ONE) == await bench.octets(ONE)
        for _ in range(2):
            async with asyncio.TaskGroup() as group:
                for lane in range(20):
                    group.create_task(several(bench, lane))
        assert ("F1-F1", 10) == (bench.owner.way, bench.module.asked(0x13, 1) // 2)
        assert 1 + 10 + 2 * 30 == bench.module.asked(0xF1, 1)

    bench.run(story)


def test_several_frames_that_are_denied_go_one_by_one_in_the_other_way() -> None:
    """Reading one by one takes one frame: the module would carry the first alone, or none."""
    bench = bench_of(_denies_f1)
    first, second = asked_for_energy(ONE), dlt645.encode(dlt645.Frame(ONE, 0x11, bytes.fromhex("00010102")))

    async def story(bench: Bench) -> None:
        for _ in range(2):
            assert 2 * energy(ONE) == await bench.octets(ONE, request=first + second)
        assert [first + second, first, second, first, second] == bench.module.frames

    bench.run(story)


@pytest.mark.parametrize("code", [0, 8, 11, 12, 0x13])
def test_a_denial_that_means_silence_ends_the_exchange_at_once(code: int) -> None:
    """A silent meter would cost its neighbours two minutes each time."""

    async def denies(_module: ScriptedModule, asked: Message) -> Said:
        return denial(asked.frame, code)

    bench = bench_of(denies)

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        begun = asyncio.get_running_loop().time()
        with pytest.raises(ReplyTimeout, match=f"denies F1-F1 of meter {ONE}: {code} "):
            await bench.octets(ONE)
        assert asyncio.get_running_loop().time() - begun < 1
        assert 1 == bench.module.asked(0xF1, 1)

    bench.run(story)


def test_an_empty_answer_is_a_silent_meter() -> None:
    """Length 0 would be waited out, or taken for an answer."""

    async def empty(_module: ScriptedModule, asked: Message) -> Said:
        return read_answer(asked, b"")

    bench = bench_of(empty)

    async def story(bench: Bench) -> None:
        with pytest.raises(ReplyTimeout, match="does not answer the carrier module"):
            await bench.octets(ONE)

    bench.run(story)


def test_a_meter_that_is_being_read_is_waited_for() -> None:
    """A meter that the module still asks for an earlier request would count as silent (111)."""

    async def busy_first(module: ScriptedModule, asked: Message) -> Said:
        first = module.asked(0xF1, 1) <= 2
        return denial(asked.frame, 111) if first else await at_once(module, asked)

    bench = bench_of(busy_first)

    async def story(bench: Bench) -> None:
        assert energy(ONE) == await bench.octets(ONE)
        assert 3 == bench.module.asked(0xF1, 1)

    bench.run(story)


def test_a_meter_is_given_to_the_module_again_when_it_is_done_with_the_request_that_was_given_up() -> None:
    """Two requests of one meter would be with the module at once, and one answer be taken for the other."""

    async def slowly(module: ScriptedModule, asked: Message) -> Said:
        await asyncio.sleep(10)
        return await at_once(module, asked)

    bench = bench_of(slowly)

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):  # its lane gives up, and the module goes on
                await bench.octets(ONE)
        again = asyncio.ensure_future(bench.octets(ONE))
        other = asyncio.ensure_future(bench.octets(METERS[1], 1))
        await asyncio.sleep(7)
        assert 2 == bench.module.asked(0xF1, 1), "the neighbour does not wait"
        assert energy(ONE) == await again
        assert energy(METERS[1]) == await other
        assert 3 == bench.module.asked(0xF1, 1)

    bench.run(story)


@pytest.mark.parametrize("code", [3, 9, 10, 109, 110, 111])
def test_what_is_no_read_is_given_to_the_module_once(code: int) -> None:
    """An order that the module denied, and carried out all the same, would be sent twice (decision 22)."""

    async def denies(_module: ScriptedModule, asked: Message) -> Said:
        return denial(asked.frame, code)

    bench = bench_of(denies)

    async def story(bench: Bench) -> None:
        with pytest.raises(ReplyTimeout):
            await bench.octets(ONE, 0, TRIP)
        await asyncio.sleep(200)
        assert [TRIP] == bench.module.frames

    bench.run(story)


def test_an_order_goes_before_reads_that_wait() -> None:
    """An order would wait behind twenty slow meters."""

    async def slow(module: ScriptedModule, asked: Message) -> Said:
        await asyncio.sleep(5)
        return await at_once(module, asked)

    bench = bench_of(slow, settings={"window": 1})

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        async with asyncio.TaskGroup() as group:
            for lane in range(1, 6):
                group.create_task(bench.octets(METERS[lane], lane))
            await asyncio.sleep(1)
            group.create_task(bench.octets(ONE, 0, TRIP))
        assert TRIP == bench.module.frames[1]

    bench.run(story)


def test_a_late_answer_is_dropped_counted_and_teaches_patience() -> None:
    """A late answer would be taken for that of the next question, or its node would be silent for ever."""

    async def late(module: ScriptedModule, asked: Message) -> Said:
        await asyncio.sleep(40 if module.asked(0xF1, 1) == 1 else 35)
        return await at_once(module, asked)

    bench = bench_of(late)

    async def story(bench: Bench) -> None:
        with pytest.raises(ReplyTimeout, match="within 30 s"):
            await bench.octets(ONE)
        await asyncio.sleep(15)
        assert (1, 0) == (bench.owner.counts.strays.late, bench.owner.counts.strays.other)
        assert 62 == round(bench.owner.latencies.timeout_s(ONE))
        assert energy(ONE) == await bench.octets(ONE)

    bench.run(story)


def test_a_second_answer_is_dropped() -> None:
    """A double answer would be the answer to the next question."""

    async def twice(module: ScriptedModule, asked: Message) -> Said:
        said = await at_once(module, asked)
        assert said is not None
        await module.give(said)
        return said

    bench = bench_of(twice)

    async def story(bench: Bench) -> None:
        for _ in range(3):
            assert energy(ONE) == await bench.octets(ONE)
        await asyncio.sleep(1)
        assert 3 == bench.owner.counts.strays.double

    bench.run(story)


def test_an_answer_of_another_meter_is_nobodys() -> None:
    """Another meter's values would be kept as this one's."""

    async def another(module: ScriptedModule, asked: Message) -> Said:
        said = read_answer(asked, energy(METERS[1]))
        assert said.addresses is not None
        return said._replace(addresses=said.addresses._replace(source=METERS[1]))

    bench = bench_of(another)

    async def story(bench: Bench) -> None:
        with pytest.raises(ReplyTimeout):
            await bench.octets(ONE)
        assert 1 == bench.owner.counts.strays.other

    bench.run(story)


def test_f16_answers_may_come_in_any_order() -> None:
    """A fast meter's answer would be given to a slow one."""

    async def backwards(module: ScriptedModule, asked: Message) -> Said:
        assert asked.frame.addresses is not None
        await asyncio.sleep(30 - 2 * int(asked.frame.addresses.destination))
        return await at_once(module, asked)

    bench = bench_of(backwards)

    async def story(bench: Bench) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = {one: group.create_task(bench.octets(one, n)) for n, one in enumerate(METERS[:5])}
        assert {one: energy(one) for one in METERS[:5]} == {one: task.result() for one, task in tasks.items()}

    bench.run(story)


def test_wrapping_around_an_answer_is_taken_off() -> None:
    """FEH, an octet of rubbish and several frames in a row would not be understood by a driver."""
    frame = energy(ONE)

    async def wrapped(_module: ScriptedModule, asked: Message) -> Said:
        return read_answer(asked, b"\x86\xfe\xfe\xfe" + frame + b"\xfe\xfe" + frame)

    bench = bench_of(wrapped)

    async def story(bench: Bench) -> None:
        assert frame + frame == await bench.octets(ONE)

    bench.run(story)


def test_rubbish_on_the_port_costs_nothing() -> None:
    """A line of noise, or half a frame that announces 64 KB, would hold up the meters."""

    async def noisy(module: ScriptedModule, asked: Message) -> Said:
        await module.say(b"\x68\xff\xff\x83" + bytes(range(256)) * 4)
        return await at_once(module, asked)

    bench = bench_of(noisy)

    async def story(bench: Bench) -> None:
        for address in METERS[:5]:
            assert energy(address) == await bench.octets(address)

    bench.run(story)


def test_a_port_that_breaks_is_opened_again_and_the_module_started_again() -> None:
    """A serial server that reboots would end the line."""
    bench = bench_of()

    async def story(bench: Bench) -> None:
        assert energy(ONE) == await bench.octets(ONE)
        bench.module.cut()
        await asyncio.sleep(20)
        assert energy(ONE) == await bench.octets(ONE)
        assert (2, 2) == (bench.module.opened, bench.owner.counts.starts)

    bench.run(story)


def test_a_module_that_forgot_its_list_is_given_it_again() -> None:
    """After a silent reset every meter would be unknown to the module until somebody restarts us (7)."""

    async def knows(module: ScriptedModule, asked: Message) -> Said:
        assert asked.frame.addresses is not None
        known = asked.frame.addresses.destination in module.nodes
        return await at_once(module, asked) if known else denial(asked.frame, 7)

    bench = bench_of(knows)

    async def story(bench: Bench) -> None:
        assert energy(ONE) == await bench.octets(ONE)
        bench.module.nodes.clear()
        with pytest.raises(ReplyTimeout, match="no such meter address"):
            await bench.octets(ONE)
        assert not bench.module.nodes, "not more often than once an hour"
        await asyncio.sleep(in_step.RESYNC_MIN_S)
        with pytest.raises(ReplyTimeout):
            await bench.octets(ONE)
        await asyncio.sleep(10)
        assert METERS == bench.module.nodes
        assert energy(ONE) == await bench.octets(ONE)

    bench.run(story)


def test_a_module_is_compared_with_the_roster_once_a_day() -> None:
    """A meter that it lost in silence would be told by nobody, and one that came without a report neither."""
    bench = bench_of(nodes=list(METERS))

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        await asyncio.sleep(in_step.COMPARE_EVERY_S - 60)
        bench.module.nodes.remove(ONE)
        bench.module.nodes.append("000000000777")
        assert 1 == bench.module.asked(0x10, 1), "not more often"
        await asyncio.sleep(120)
        assert ONE in bench.module.nodes, "it was given it again"
        [told] = bench.reports
        assert [("node_missing", ONE), ("node_strange", "000000000777")] == [
            (part.kind, part.address) for part in told.parts if isinstance(part, ReportedEvent)
        ]
        await asyncio.sleep(in_step.COMPARE_EVERY_S)
        assert 1 == len(bench.reports), "what stays as it is is told once"
        bench.module.nodes.remove(ONE)
        await asyncio.sleep(in_step.COMPARE_EVERY_S)
        assert ONE in bench.module.nodes
        assert 2 == len({one.key for one in bench.reports}), "lost once more"

    bench.run(story)


def test_what_a_module_has_lost_is_told_also_when_it_is_given_back_later() -> None:
    """It would be told of a comparison that comes to its end alone: a module in trouble loses most."""
    bench = bench_of(nodes=list(METERS))
    module = bench.module
    take = module._take

    def silent_when_given(asked: Message) -> None:
        module.silent = (asked.frame.afn, asked.frame.fn) == (0x11, 1)
        take(asked)

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        module.nodes.remove(ONE)
        module._take = silent_when_given  # type: ignore[method-assign]
        await asyncio.sleep(in_step.COMPARE_EVERY_S + 600)
        assert ONE not in module.nodes
        assert [] == told(NODE_MISSING, bench)
        module._take = take  # type: ignore[method-assign]
        module.silent = False
        await asyncio.sleep(in_step.COMPARE_EVERY_S)
        assert ONE in module.nodes
        assert [ONE] == told(NODE_MISSING, bench)

    bench.run(story)


def test_a_lane_is_a_line_like_any_other() -> None:
    """A silent meter would close its lane, or be waited for although the module said so."""

    async def one_is_silent(module: ScriptedModule, asked: Message) -> Said:
        assert asked.frame.addresses is not None
        if asked.frame.addresses.destination == ONE:
            await asyncio.sleep(11)
            return read_answer(asked, b"")
        return await at_once(module, asked)

    bench = bench_of(one_is_silent)

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        now = asyncio.get_running_loop().time
        async with bench.lane() as line:
            for _ in range(30):  # longer than a cable that hears nothing is left alone
                begun = now()
                silent = ReadSession(ReadRequest(address=ONE, di=0x00010000))
                with pytest.raises(ReplyTimeout) as told:
                    await line.exchange(silent, priority=Priority.BILLING)
                assert not isinstance(told.value, NothingHeard), "the module was heard"
                assert now() - begun < 12
            good = ReadSession(ReadRequest(address=METERS[1], di=0x00010000))
            await line.exchange(good, priority=Priority.BILLING)
            assert isinstance(good.reply, ReadReply)
            assert METERS[1] == good.reply.address

    bench.run(story)


def test_a_lane_gives_an_answer_in_the_pieces_that_are_wanted() -> None:
    """Octets of an answer would get lost between two calls, or a closed lane be read for ever."""
    bench = bench_of()

    async def story(bench: Bench) -> None:
        stream = await lane_opener(bench.owner, 0)()
        await stream.send(asked_for_energy(ONE))
        first = await stream.receive(5)
        assert energy(ONE) == first + await stream.receive()
        await stream.send(asked_for_energy(ONE))
        await asyncio.sleep(1)
        assert energy(ONE) == stream.receive_nowait(), "what came late for an earlier request"
        assert b"" == stream.receive_nowait()
        await stream.aclose()
        await stream.aclose()
        with pytest.raises(LineClosed):
            await stream.send(asked_for_energy(ONE))
        with pytest.raises(LineClosed):
            await stream.receive()

    bench.run(story)
