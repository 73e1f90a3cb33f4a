"""The switch of the meter, as it was just looked at: may it be opened, is it needed, can what it shows be.

Source: CTRL-14, CTRL-20, CTRL-22; business-rules 2.2, NOT_NEEDED; fact 3.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from meterlink.model.order import CLOSES, OrderKind, Origin
from meterlink.orders.life.proof import contradiction
from meterlink.orders.life.switch_proof import CROSSED
from meterlink.orders.rules.facts import Facts
from meterlink.orders.rules.verdict import Finding, OnStop, passes, stops, stops_with

SHOWN: Final = "shown"
"""Under which input of CTRL-20 its contradiction stands."""


def load_is_low(facts: Facts) -> Finding:
    """CTRL-14: the contact does not open under more current than it may."""
    limit = opening_limit_a(facts)
    currents = facts.seen.standing.currents_a
    if limit is None or not currents:
        return stops_with(
            OnStop.POSTPONE,
            "the current ({currents} A) or the contact's limit ({limit} A) is unknown",
            "电流({currents}A)或开断限值({limit}A)未知",
            currents=_amperes(currents),
            limit=limit,
        )
    inputs = {"currents": _amperes(currents), "limit": limit}
    if max(abs(current) for current in currents) > limit:
        return stops_with(
            OnStop.POSTPONE,
            "{currents} A: the contact opens up to {limit} A",
            "电流{currents}A,超过开断限值{limit}A",
            **inputs,
        )
    return passes("{currents} A of at most {limit} A", "电流{currents}A,限值{limit}A", **inputs)


def opening_limit_a(facts: Facts) -> Decimal | None:
    """The smallest limit that anybody tells; of a direct meter of which nobody does, the default."""
    told = [limit for limit in (facts.seen.opening.limit_a, facts.meter.opening_limit_a) if limit is not None]
    if told:
        return min(told)
    is_direct = facts.meter.profile.meter.connection == "direct"
    return Decimal(facts.settings.opening_limit_a) if is_direct else None


def guarantee_off_cuts_nobody(facts: Facts) -> Finding:
    """CTRL-22: the end of a guarantee lets a waiting trip through, or that of an empty wallet."""
    seen = facts.seen
    if seen.standing.command_open is not False:
        return stops(
            "a trip waits behind the guarantee, or may", "保电解除后可能立即跳闸:存在未执行的跳闸命令"
        )
    if facts.meter.world == "local" and (seen.purse is None or seen.purse.remaining_cents < 0):
        return stops(
            "the wallet is overdrawn or unknown ({cents} cents): the meter would trip",
            "电表余额不足或未知({cents}分),解除保电会导致跳闸",
            cents=seen.purse.remaining_cents if seen.purse else "-",
        )
    return passes("nothing waits to cut the customer off", "解除保电不会导致停电")


def not_crossed(facts: Facts) -> Finding:
    """CTRL-20, fact 3: nothing flows through an open contact, and a closed one has voltage.

    Without voltage the mains may be out as well, so that says nothing of the model; but such a meter does not
    show that supply is back. Who probes a meter stands at it, and may have to close what it shows closed.
    """
    standing, order = facts.seen.standing, facts.order
    shown = contradiction(standing, facts.seen.facts)
    inputs = {SHOWN: shown, "contact_open": standing.contact_open}
    if shown == CROSSED:
        return stops(
            "the contact is said to be open, and {currents} A flow",
            "电表显示开关断开,但有{currents}A电流",
            currents=_amperes(standing.currents_a),
            **inputs,
        )
    if shown and not (order.origin is Origin.PROBE and order.kind in CLOSES):
        return stops_with(
            OnStop.FIELD if order.kind in CLOSES else OnStop.POSTPONE,
            "the contact is said to be closed, and there is no voltage: the mains are out, "
            "or the word is wrong",
            "电表显示开关闭合,但没有电压:线路停电,或状态字有误",
            **inputs,
        )
    return passes(
        "contact, current and voltage do not contradict each other", "开关状态与电流、电压不矛盾", **inputs
    )


def is_needed(facts: Facts) -> Finding:
    """Section 2.2, NOT_NEEDED: the meter does not stand already as it is wanted."""
    standing, kind = facts.seen.standing, facts.order.kind
    switch = (standing.command_open, standing.contact_open)
    there = {
        OrderKind.TRIP: switch == (True, True),
        OrderKind.PERMIT_CLOSE: switch == (False, False),
        OrderKind.DIRECT_CLOSE: switch == (False, False),
        OrderKind.GUARANTEE_ON: standing.guarantee is True,
        OrderKind.GUARANTEE_OFF: standing.guarantee is False,
        OrderKind.ALARM_ON: standing.alarm is True,
        OrderKind.ALARM_OFF: standing.alarm is False,
    }
    inputs = {"kind": kind.value, "command_open": switch[0], "contact_open": switch[1]}
    if there.get(kind, False):
        return stops(
            "the meter stands so already: {kind} is not needed", "电表已处于该状态,无需{kind}", **inputs
        )
    return passes("the meter does not stand so yet", "电表尚未处于该状态", **inputs)


def has_a_switch(facts: Facts) -> Finding:
    """Nothing is switched where nothing is."""
    if facts.meter.profile.meter.relay == "none":
        return stops("the model has no relay", "该型号没有负荷开关")
    return passes("the model has a relay", "该型号有负荷开关")


def _amperes(currents: tuple[Decimal, ...] | None) -> str:
    return " / ".join(str(current) for current in currents) if currents else "-"
