"""Whatever a person does is kept with the posts that he held then. Source: business-rules 2, AUD-04."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.journal.reader import JournalReader
from meterlink.model.act import Act, Topic
from meterlink.orders.people import DAEMON
from meterlink.orders.qualification.walk import SESSIONS
from metersim import Station
from tests.support.at_the_meter import AtTheMeter
from tests.support.case_stories import M, agreed
from tests.support.control_bench import a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway, one_meter

POSTS = {
    "anna": ["approver"],
    "billing": ["billing"],
    "both": ["approver", "clerk", "dispatcher"],
    "clara": ["clerk"],
    "david": ["dispatcher"],
    "sam": ["security"],
    "steve": ["security"],
}
"""As the file of people says."""


def acts(gateway: OrderGateway) -> Iterator[Act]:
    """Everything in the chain that a person did."""
    with JournalReader(gateway.folder / JOURNAL_FILE) as reader:
        for topic in Topic:
            for subject in reader.subjects(topic, only_open=False, limit=1_000):
                for kept in reader.acts_of_subject(topic, subject):
                    if kept.act.actor != DAEMON:
                        yield kept.act


async def everything(gateway: OrderGateway) -> None:
    """People bring records, stop and let go, refuse, get refused, and do work."""
    await gateway.up()
    await gateway.told_for_trip(M)
    agreement, policy = agreed(gateway)
    await gateway.told(agreement)
    await gateway.ask("anna", "evidence.add", records=[policy])
    await gateway.ask("both", "evidence.confirm", id="board:v7")
    await gateway.ask("anna", "evidence.withdraw", id="board:v7", reason="calm")
    await gateway.refused("david", "order.create", order=gateway.order("t-0", "trip", M))
    await gateway.trip("t-1", M)
    await gateway.until("t-1")
    await gateway.ask("clara", "control.stop", reason="wrong houses")
    await gateway.ask("sam", "control.resume", reason="calm")
    await gateway.ask("steve", "control.resume", reason="calm")
    await gateway.ask("clara", "control.freeze", reason="storm", area="east")
    await gateway.ask("sam", "control.lift", reason="over", area="east")
    (order,) = (await gateway.paid(M))["orders"]
    gateway.unplug()
    await gateway.ask("david", "order.cancel", id=order, reason="somebody goes")
    (item,) = (await gateway.ask("david", "work.list"))["items"]
    await gateway.ask("clara", "work.note", item=item["id"], text="rang")
    await gateway.ask("david", "work.assign", item=item["id"], assignee="fred")
    await gateway.ask("david", "work.close", item=item["id"], why="closed by hand")
    alarm = (await gateway.ask("david", "alarm.list"))["alarms"][0]
    await gateway.ask("david", "alarm.acknowledge", alarm=alarm["id"])


def test_each_act_of_a_person_names_his_posts(tmp_path: Path) -> None:
    """Whether somebody was in office when he stopped, told or closed would be a guess a year later."""
    gateway = one_meter(tmp_path)
    gateway.run(seconds=400, meanwhile=lambda: everything(gateway))
    found = list(acts(gateway))
    assert {
        Topic.ACCESS,
        Topic.ALARM,
        Topic.EVIDENCE,
        Topic.ORDER,
        Topic.POLICY,
        Topic.WORK,
    } <= {act.topic for act in found}
    lacking = [
        (act.topic.value, act.verb, act.actor) for act in found if act.body.get("roles") != POSTS[act.actor]
    ]
    assert [] == lacking


def test_each_act_at_a_meter_names_the_posts_of_who_stands_there(tmp_path: Path) -> None:
    """A load would be switched by one whose post nobody knows; a walk that ines left be told of fred."""
    gateway = OrderGateway(tmp_path, [Station(meter=a_meter(OPEN_TO_ALL))], proved=None)
    gateway.employ("ines", "inspector")
    fred = AtTheMeter(gateway)

    async def script() -> None:
        await gateway.up()
        await fred.begin(M)
        while "trip" not in gateway.obeyed():
            await fred.step()
        await gateway.ask("ines", "qualify.leave", meter=M)

    gateway.run(seconds=3_600, meanwhile=script)
    walk = [act for act in acts(gateway) if act.subject.startswith(SESSIONS)]
    assert {"begin", "greet", "ask", "find", "end"} == {act.verb for act in walk}
    assert [["field"]] * (len(walk) - 1) == [act.body["roles"] for act in walk[:-1]]
    assert ("end", "ines", ["inspector"]) == (walk[-1].verb, walk[-1].actor, walk[-1].body["roles"])
