"""The start of a carrier module: its order, what is missing or denied, resets at every step."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from meterlink.drivers.carrier import hearing
from meterlink.drivers.carrier.asking import ASK_TRIES
from meterlink.errors import LineLost
from meterlink.model.event_kinds import MODULE_RESET, NODE_STRANGE
from meterwire.gdw1376.messages.module import Message
from tests.support.scripted_module import (
    MAIN,
    METERS,
    ONE,
    TRIP,
    Bench,
    Said,
    ScriptedModule,
    bench_of,
    energy,
    fate,
    told,
)

# --- the start -----------------------------------------------------------------------------------


def test_the_start_keeps_its_order_and_changes_nothing_that_is_right() -> None:
    """A module would be told things in an order that it does not take, or lose its routes for nothing."""
    bench = bench_of()

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        asked = [one[:2] for one in bench.module.requests]
        pages = [(0x10, 2)] * 2
        expected = [(0x03, 10), (0x03, 4), (0x03, 11), (0x10, 1), *pages, (0x05, 2)]
        assert expected == asked
        assert ("F1-F1", MAIN, "ZW01") == (
            bench.owner.way,
            bench.owner.facts and bench.owner.facts.main_node,
            bench.owner.facts and bench.owner.facts.vendor,
        )

    bench.run(story)


def test_missing_meters_are_added_in_groups_and_strangers_stay() -> None:
    """A meter that the module lacks is never read; a stranger that is removed may be somebody's."""
    strange = "000000000777"
    bench = bench_of(nodes=[strange, *METERS[:5]])

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        added = [len(one[2]["nodes"]) for one in bench.module.requests if one[:2] == (0x11, 1)]
        assert [10, 10, 10, 5] == added
        assert 0 == bench.module.asked(0x11, 2)
        assert 1 == bench.module.asked(0x12, 1), "the list changed"
        assert bench.owner.in_step.table is not None
        assert ((), (strange,)) == (
            bench.owner.in_step.table.difference.missing,
            bench.owner.in_step.table.difference.strangers,
        )
        assert [strange] == told(NODE_STRANGE, bench)
        await asyncio.sleep(hearing.RESET_REPEAT_S)
        await bench.module.begin_anew()
        await asyncio.sleep(5)
        assert 2 == bench.owner.counts.starts
        assert [strange] == told(NODE_STRANGE, bench), "told once, for as long as it stays so"

    bench.run(story)


def test_strangers_go_where_the_line_says_so() -> None:
    """Whoever asked for it would find them there for ever."""
    bench = bench_of(nodes=["000000000777", *METERS], settings={"strangers": "remove"})

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        assert METERS == bench.module.nodes
        assert 1 == bench.module.asked(0x12, 1)

    bench.run(story)


def test_a_group_that_is_denied_as_repeated_is_added_one_by_one() -> None:
    """One meter that is there already would keep nine others out (deny 6)."""
    hidden = METERS[3]

    class Forgetful(ScriptedModule):
        def _page(self, start: int, count: int) -> Mapping[str, Any]:
            known, self.nodes = self.nodes, [one for one in self.nodes if one != hidden]
            page = super()._page(start, count)
            self.nodes = known
            return page

    module = Forgetful([hidden])
    bench = Bench(module, METERS[:8])

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        assert set(METERS[:8]) == set(module.nodes)

    bench.run(story)


def test_our_main_node_is_written_and_read_back() -> None:
    """The module would speak under another's address."""
    bench = bench_of(settings={"main_node": "000000000555"})

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        assert bench.owner.facts is not None
        assert "000000000555" == bench.owner.facts.main_node
        asked = [one[:2] for one in bench.module.requests]
        at = asked.index((0x05, 1))
        assert [(0x03, 4), (0x05, 1), (0x03, 4)] == asked[at - 1 : at + 2]

    bench.run(story)


def test_a_module_that_denies_all_it_may_deny_is_used_all_the_same() -> None:
    """An old module without a list, capability query or reports would never be read."""
    bench = bench_of()
    for key in [(0x03, 4), (0x03, 11), (0x10, 1), (0x05, 2)]:
        bench.module.denies[key] = 10

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        assert "13-F1" == bench.owner.way
        assert energy(ONE) == await bench.octets(ONE)

    bench.run(story)


def test_a_silent_module_says_why_and_is_opened_again() -> None:
    """People would see a line that hangs; and a module that comes back would stay away."""
    bench = bench_of()
    bench.module.silent = True

    async def story(bench: Bench) -> None:
        with pytest.raises(LineLost, match="being started: asking who it is"):
            await bench.owner.until_ready()
        await asyncio.sleep(10)
        assert ASK_TRIES <= bench.module.asked(0x03, 10)
        with pytest.raises(LineLost, match="does not answer 03-F10"):
            await bench.owner.until_ready()
        bench.module.silent = False
        await asyncio.sleep(120)
        assert energy(ONE) == await bench.octets(ONE)
        assert 2 <= bench.module.opened

    bench.run(story)


@pytest.mark.parametrize("step", range(1, 9))
def test_a_reset_at_every_step_begins_the_start_again(step: int) -> None:
    """A module that fails amid its start would be left half started, or never used."""
    bench = bench_of(nodes=METERS[:35])

    class Failing(ScriptedModule):
        left = step

        def _take(self, asked: Message) -> None:
            self.left -= 1
            if self.left == 0:
                self.requests.append((asked.frame.afn, asked.frame.fn, asked.values))
                self._spawn(self.begin_anew())
            else:
                super()._take(asked)

    module = bench.module = Failing(METERS[:35])

    async def story(bench: Bench) -> None:
        begun = asyncio.get_running_loop().time()
        await bench.owner.until_ready()
        assert asyncio.get_running_loop().time() - begun < 30
        assert (1, 2) == (bench.owner.counts.resets, bench.owner.counts.starts)
        assert METERS == module.nodes
        assert energy(ONE) == await bench.octets(ONE)
        assert [MAIN] == told(MODULE_RESET, bench)

    bench.run(story)


def test_what_was_under_way_at_a_reset_is_lost_at_once_and_not_sent_again() -> None:
    """A caller would wait two minutes for an answer that cannot come; an order might leave twice."""

    async def never(_module: ScriptedModule, _asked: Message) -> Said:
        return None

    bench = bench_of(never, settings={"window": 1})

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        async with asyncio.TaskGroup() as group:
            under_way = group.create_task(fate(bench.octets(ONE, 0, TRIP)))
            waiting = group.create_task(fate(bench.octets(METERS[1], 1)))
            await asyncio.sleep(1)
            await bench.module.begin_anew()
            await asyncio.sleep(1)
            assert under_way.done()
            assert waiting.done()
        assert (LineLost, LineLost) == (type(under_way.result()), type(waiting.result()))
        await asyncio.sleep(300)
        assert [TRIP] == bench.module.frames

    bench.run(story)


def test_a_repeated_report_of_a_reset_is_confirmed_and_does_not_begin_again() -> None:
    """A confirmation that is lost would start the module over and over."""
    bench = bench_of()

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        await bench.module.begin_anew()
        await asyncio.sleep(2)
        before = bench.owner.counts.starts
        await bench.module.begin_anew()  # the same octets
        await asyncio.sleep(2)
        assert before == bench.owner.counts.starts
        assert 0 == bench.module.server.open_reports
        await asyncio.sleep(hearing.RESET_REPEAT_S)
        await bench.module.begin_anew()
        await asyncio.sleep(2)
        assert before + 1 == bench.owner.counts.starts

    bench.run(story)
