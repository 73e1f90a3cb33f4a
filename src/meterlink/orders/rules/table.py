"""The table of the rules: what each demands, when it is asked, of which orders, and what it lacks.

``docs/control-rules.md`` is made from it. A rule that is checked elsewhere says where. Source: business
rules, sections 1 to 3; decisions 21 to 27, 33; anchors 3.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from meterlink.model.order import CLOSES, SWITCHING, OrderKind
from meterlink.orders.limits.trips import CUTS
from meterlink.orders.rules import (
    chain,
    closing,
    customers,
    hands,
    live_meter,
    live_switch,
    money,
    persons,
    probing,
    queueing,
)
from meterlink.orders.rules.facts import Facts
from meterlink.orders.rules.verdict import KINDS, Check, Finding, Rule, Stage

_TRIP: Final = frozenset({OrderKind.TRIP})
_TOP_UP: Final = frozenset({OrderKind.TOP_UP})
_GUARANTEE_ON: Final = frozenset({OrderKind.GUARANTEE_ON})
_GUARANTEE_OFF: Final = frozenset({OrderKind.GUARANTEE_OFF})
_ALWAYS: Final = frozenset(Stage)
_ON_PAPER: Final = frozenset({Stage.CREATE, Stage.APPROVE, Stage.OPERATE, Stage.PAPER})
_CREATE: Final = frozenset({Stage.CREATE})
_APPROVE: Final = frozenset({Stage.APPROVE})
_OPERATE: Final = frozenset({Stage.OPERATE})
_LIVE: Final = frozenset({Stage.LIVE})
_AGREED: Final = frozenset({Stage.OPERATE, Stage.PAPER, Stage.LIVE})
"""After everybody agreed."""
_HOURS: Final = _AGREED | {Stage.APPROVE}


def _check(
    look: Callable[[Facts], Finding | None], stages: frozenset[Stage], kinds: frozenset[OrderKind] = KINDS
) -> Check:
    return Check(look=look, stages=stages, kinds=kinds)


def _not_of_probes(
    look: Callable[[Facts], Finding | None], stages: frozenset[Stage], kinds: frozenset[OrderKind] = KINDS
) -> Check:
    return Check(look=look, stages=stages, kinds=kinds, of_probes=False)


_ALL: Final = (
    Rule(
        id="CTRL-01",
        says="No disconnect without a complete, ordered chain: owed, warned, noticed, approved.",
        checks=(
            _not_of_probes(chain.arrears_computed, _ALWAYS, _TRIP),
            _not_of_probes(chain.in_order, _ALWAYS, _TRIP),
        ),
        elsewhere="its links are CTRL-02 to CTRL-06, CTRL-10 and CTRL-11",
    ),
    Rule(
        id="CTRL-02",
        says="A warning was delivered before the notice; an undelivered one is a matter for people.",
        checks=(_not_of_probes(chain.warned, _ALWAYS, _TRIP),),
    ),
    Rule(
        id="CTRL-03",
        says="At least two warnings on different days before the notice.",
        checks=(_not_of_probes(chain.warned_often_enough, _ALWAYS, _TRIP),),
    ),
    Rule(
        id="CTRL-04",
        says="The notice was served 7 days ago (residential) or 3 days (others), and not more than 30.",
        checks=(_not_of_probes(chain.notice_over, _ALWAYS, _TRIP),),
    ),
    Rule(
        id="CTRL-05",
        says="Billed afterwards: overdue for more than 30 days; prepaid: beyond the agreed overdraft.",
        checks=(
            _not_of_probes(chain.agreement_is_known, _ALWAYS, _TRIP),
            _not_of_probes(chain.owed_long_enough, _ALWAYS, _TRIP),
        ),
    ),
    Rule(
        id="CTRL-06",
        says="A last notice at least 30 minutes before, and not more than 4 hours.",
        checks=(_not_of_probes(chain.told_on_the_day, _AGREED, _TRIP),),
    ),
    Rule(
        id="CTRL-07",
        says="An important customer's notice was filed with the authority; the order names the filing.",
        checks=(_not_of_probes(chain.filed, _ALWAYS, _TRIP),),
    ),
    Rule(
        id="CTRL-08",
        says="A protected customer is never cut off.",
        checks=(_check(customers.not_protected, _ALWAYS, CUTS),),
        elsewhere="a protection that is told once the frame of a trip has left reconnects (CTRL-16), alarm "
        "CUT_OFF_PROTECTED: orders/waiting/spared.py",
        lacks="a guarantee that puts itself on: it is a switching order of two persons (CTRL-22), because it "
        "may close an open contact, and no rule names a policy that stands for them; whether a meter is "
        "under guarantee is read before an order alone (04000503 bit 12, 8001 attribute 2)",
    ),
    Rule(
        id="CTRL-09",
        says="No trip at night, at weekends, on holidays and the day before, or in a declared freeze.",
        checks=(_not_of_probes(customers.not_now, _HOURS, CUTS),),
        lacks="forecasts of the weather: a freeze is declared by a person",
    ),
    Rule(
        id="CTRL-10",
        says="Two persons; else only by agreement and policy, with a cap an area; a kill switch.",
        checks=(
            _check(persons.approved, _AGREED, _TRIP),
            _not_of_probes(persons.by_policy, _ALWAYS, _TRIP),
            _not_of_probes(persons.policy_cap, _AGREED, _TRIP),
            _check(queueing.not_stopped, _AGREED, CUTS),
        ),
    ),
    Rule(
        id="CTRL-11",
        says="Just before: still owed, no payment on its way, no dispute, guarantee off, freshly looked at.",
        checks=(
            _not_of_probes(live_meter.still_owed, _ALWAYS, _TRIP),
            _check(live_meter.looked_just_now, _LIVE, CUTS),
        ),
    ),
    Rule(
        id="CTRL-12",
        says="The meter that answers is the one in the file, not being replaced, read within 48 hours.",
        checks=(
            _check(live_meter.known_on_paper, _ON_PAPER),
            _check(live_meter.way_stands, _ALWAYS),
            _check(live_meter.read_lately, frozenset({Stage.OPERATE, Stage.PAPER}), CUTS),
            _check(live_meter.right_meter, _LIVE),
        ),
        lacks="the point of supply as the meter knows it: meters keep none; the customer number of a trip: a "
        "wallet tells it behind a proof of its own (TOP-04), 0400040E is an extension of one firmware, and "
        "4003 is written by commissioning: no source says of which meters it is right without a wallet",
    ),
    Rule(
        id="CTRL-13",
        says="A trip: the meter's clock is right to 120 s; a closing without it: only on a line of ours.",
        checks=(
            _check(live_meter.clock_is_right, _LIVE, CUTS),
            _check(live_meter.clock_or_own_line, _LIVE, KINDS - CUTS - _TOP_UP),
        ),
        elsewhere="the deadline in the frame is corrected by the clock's offset when it is prepared",
        lacks="setting a clock (04000101 and 04000102 under level 98, 4000 attribute 2; a broadcast moves "
        "every meter of a line): nothing here writes a parameter, and the refusal says that a person must",
    ),
    Rule(
        id="CTRL-14",
        says="The contact opens only below its limit of current.",
        checks=(_check(live_switch.load_is_low, _LIVE, CUTS),),
        elsewhere="the meter's own limit is read just before (8000 attribute 2, 04001402)",
    ),
    Rule(
        id="CTRL-15",
        says="Direct close only with the customer's consent and without motor load; otherwise the key.",
        checks=(
            _not_of_probes(closing.nobody_is_hurt, _ALWAYS, frozenset({OrderKind.DIRECT_CLOSE})),
            _not_of_probes(closing.permit_waits, _ALWAYS, frozenset({OrderKind.PERMIT_CLOSE})),
        ),
        lacks="voltage behind the contact: meters measure before it",
    ),
    Rule(
        id="CTRL-16",
        says="A closing has a reason: paid, nothing owed, a dispute upheld, a work order, a protection that "
        "stands, another customer since; after a payment the first command leaves within 5 minutes.",
        checks=(_not_of_probes(closing.has_a_reason, _ALWAYS, CLOSES),),
        elsewhere="the clocks are watched by the service, with `rules.closing.late`; the 95 % within 30 "
        "minutes are counted over the log: `meterlink order punctual`, alarm RECONNECT_SHARE",
        lacks="what a customer was told of a delay: no kind of record of what senders tell says so "
        "(decision 25: no message leaves here), so who waits for over a day is told as late without it",
    ),
    Rule(
        id="CTRL-17",
        says="Frames of a closing end after 3 of them or 30 minutes; then field staff close.",
        checks=(_check(closing.attempts_left, frozenset({Stage.PAPER, Stage.LIVE}), CLOSES),),
        elsewhere="the one-time authorisation of field staff is AUD-01; a try of which no frame left (line, "
        "meter or security provider away) is put off by 1, 5 and 15 minutes, then field staff close",
    ),
    Rule(
        id="CTRL-18",
        says='"Accepted" is not "done".',
        elsewhere="the order machine: the only way from ACCEPTED leads through the read-back",
    ),
    Rule(
        id="CTRL-19",
        says="Proof of a disconnect or reconnect: command, contact, current or voltage, and a new record.",
        elsewhere="orders/life/proof.py",
    ),
    Rule(
        id="CTRL-20",
        says="Facts that contradict each other: RELAY_FAULT, alarm, work item.",
        checks=(_check(live_switch.not_crossed, _LIVE, KINDS - _TOP_UP),),
        elsewhere="orders/life/proof.py; the qualification of the model is withdrawn (QUAL-01), unless the "
        "meter has no voltage",
    ),
    Rule(
        id="CTRL-21",
        says="One open control order a meter; a payment cancels a disconnect or reverses it.",
        checks=(
            _check(queueing.one_wanted, _CREATE, KINDS - _TOP_UP),
            _check(queueing.one_sent, frozenset({Stage.PAPER, Stage.LIVE})),
        ),
        elsewhere="payments are handled by the service; the order machine has them in every state; a "
        "protection and another customer reverse a trip that was sent, as a payment does",
    ),
    Rule(
        id="CTRL-22",
        says="Guarantee on and off are switching orders: approved, and safe as a close or a trip.",
        checks=(
            _check(persons.approved, _AGREED, _GUARANTEE_ON | _GUARANTEE_OFF),
            _not_of_probes(live_switch.guarantee_off_cuts_nobody, _LIVE, _GUARANTEE_OFF),
            _not_of_probes(closing.guarantee_may_close, _LIVE, _GUARANTEE_ON),
            _not_of_probes(closing.guarantee_has_a_reason, _LIVE, _GUARANTEE_ON),
        ),
    ),
    Rule(
        id="CTRL-23",
        says="Broadcast, wildcard and group addresses are never used.",
        checks=(_check(live_meter.single_address, _ALWAYS),),
        elsewhere="the configuration and the drivers refuse them as well",
    ),
    Rule(
        id="CTRL-24",
        says="A batch of which more than 5 % (at least 5) fail stops and asks a person.",
        checks=(_not_of_probes(queueing.batch_runs, _AGREED, CUTS),),
        elsewhere="counted in orders/limits/caps.py",
    ),
    Rule(
        id="CTRL-25",
        says="A laboratory's security provider never addresses a meter that is not of the laboratory.",
        checks=(_check(live_meter.lab_stays_in_lab, _LIVE),),
        elsewhere="the security room refuses to give such a provider out",
    ),
    Rule(
        id="TOP-01",
        says="One payment is one increase of the wallet.",
        checks=(_check(money.pays_once, _ALWAYS, _TOP_UP),),
        elsewhere="the purchase count proves it: orders/life/proof.py",
    ),
    Rule(
        id="TOP-02",
        says="More than nothing, and at most 10 000.00 yuan.",
        checks=(_check(money.amount_is_sane, _ALWAYS, _TOP_UP),),
    ),
    Rule(
        id="TOP-03",
        says="The wallet takes it: hoarding limit, and 999 999.99 yuan.",
        checks=(_check(money.wallet_has_room, _LIVE, _TOP_UP),),
    ),
    Rule(
        id="TOP-04",
        says="Customer and meter number in the file are those read from the meter.",
        checks=(_check(money.right_wallet, _LIVE, _TOP_UP),),
    ),
    Rule(
        id="TOP-05",
        says="At most one open top-up a meter.",
        checks=(
            _check(queueing.one_top_up, _CREATE, _TOP_UP),
            _check(queueing.one_top_up_at_work, frozenset({Stage.PAPER, Stage.LIVE}), _TOP_UP),
        ),
    ),
    Rule(
        id="TOP-06",
        says="Money is booked when received, credit when proven; the gap is reported daily.",
        elsewhere="`meterlink reconcile`",
        lacks="the channels' own totals of the day",
    ),
    Rule(
        id="TOP-07",
        says="The wallet grew by the amount, less what was used meanwhile.",
        elsewhere="orders/life/proof.py",
    ),
    Rule(
        id="TOP-08",
        says="Ledger and wallets agree each day, or WALLET_DRIFT.",
        elsewhere="`meterlink reconcile`",
    ),
    Rule(
        id="TOP-09",
        says="A refund in 698.45 needs two persons and the stored count; in 645 it is outside the meter.",
        elsewhere="no kind of order refunds: nothing that this program sends takes money out of a meter",
        lacks="an order of this kind (method 6 of F100, operation 2): refunds are made outside the meter",
    ),
    Rule(
        id="TOP-10",
        says="Initialising wallets, opening accounts, updating keys: commissioning, with a role, or off.",
        elsewhere="off, and cannot be switched on: no order does it, providers are asked for top-ups alone",
        lacks="an order and a role of commissioning: it is done with other tools",
    ),
    Rule(
        id="AUD-01",
        says="Each deed has its roles; field staff reconnect what was given them, once, within 4 hours.",
        checks=(
            _check(persons.may_create, _CREATE),
            _check(persons.may_approve, _APPROVE),
            _check(persons.may_operate, _OPERATE),
            _not_of_probes(persons.grant_still_holds, frozenset({Stage.PAPER, Stage.LIVE}), CLOSES),
        ),
    ),
    Rule(
        id="AUD-02",
        says="Nobody approves what he created, operates or is the customer of, or orders what he alone told "
        "or has taken back.",
        checks=(
            _check(persons.approver_is_another, _APPROVE),
            _check(persons.operator_is_another, _OPERATE),
            _check(persons.operator_has_not_released, _OPERATE, CUTS),
            _check(persons.not_alone, _AGREED),
            _not_of_probes(hands.trip_told_by_another, _ALWAYS, _TRIP),
            _not_of_probes(hands.withdrawn_by_another, _ALWAYS, _TRIP),
            _not_of_probes(hands.approver_took_nothing_back, _APPROVE, _TRIP),
            _not_of_probes(hands.close_told_by_another, _ALWAYS, CLOSES),
        ),
    ),
    Rule(
        id="AUD-04",
        says="Every control is logged with who, why, rules and result, hash-chained, without secrets.",
        elsewhere="each step of an order is an act with its verdicts; acts of `rules` tell the edition; "
        "`meterlink audit verify`",
    ),
    Rule(
        id="CAP-01",
        says="Caps of trips: a meter 1 in 24 h, a line 20 in 10 min, an area 0.5 % in 1 h and 2 % in 24 h.",
        checks=(_not_of_probes(queueing.caps_kept, _AGREED, CUTS),),
        elsewhere="counted in orders/limits/caps.py",
    ),
    Rule(
        id="QUAL-01",
        says="What the order depends on was proven of the meter's model and firmware (decision 33).",
        checks=(_not_of_probes(live_meter.is_qualified, _ALWAYS),),
    ),
    Rule(
        id="PROBE-01",
        says="A probe's order: a person at the meter asked for it just now, at a load that may be switched.",
        checks=(_check(probing.confirmed, _ALWAYS),),
        elsewhere="a laboratory's meter, or a `probe_order` that another person told, in the hours of "
        "CTRL-09 and never at a protected customer's; a closing is not stopped by hours, nor when that order "
        "is over; it is asked in place of the chain of evidence, the caps, CTRL-15, CTRL-16, CTRL-22 and "
        "QUAL-01",
    ),
    Rule(
        id="NEED-01",
        says="The meter does not stand already as it is wanted (section 2.2, NOT_NEEDED).",
        checks=(_check(live_switch.is_needed, _LIVE, KINDS - _TOP_UP),),
    ),
    Rule(
        id="HOLD-01",
        says="No inspector forbids that supply comes back (section 2.2, HELD).",
        checks=(
            _check(closing.not_held, _ALWAYS, CLOSES | _GUARANTEE_ON),
            _check(closing.money_closes_nothing_held, _LIVE, _TOP_UP),
        ),
        elsewhere="orders/held.py: a permit that stands when the hold comes, or was left by money",
        lacks="a frame that takes a permit back: none is known of any meter",
    ),
    Rule(
        id="WORLD-01",
        says="The two payment worlds are never mixed: money goes into meters that have a wallet.",
        checks=(_check(money.has_a_wallet, _ALWAYS, _TOP_UP),),
    ),
    Rule(
        id="RELAY-01",
        says="Nothing is switched at a model without a relay.",
        checks=(_check(live_switch.has_a_switch, _ALWAYS, SWITCHING),),
    ),
    Rule(
        id="PEOPLE-01",
        says="Nobody is cut off while the file of people is wrong; nothing goes if it was never right.",
        checks=(
            _check(queueing.posts_are_known, _AGREED, CUTS),
            _check(queueing.posts_were_known, _AGREED),
        ),
        elsewhere="orders/people_file.py; daemon/requests.py",
    ),
    Rule(
        id="LOG-01",
        says="Nothing goes by a log that lacks what its mark names, until two people have looked.",
        checks=(_check(queueing.log_is_newest, _AGREED),),
        elsewhere="journal/sent_mark.py; orders/judging/restored.py",
        lacks="a copy of the whole data directory is not known as one: leave `journal.mark` out of copies",
    ),
    Rule(
        id="TIME-01",
        says="Nothing leaves at its deadline or after, nor by a clock that is behind; within 30 days.",
        checks=(
            _check(live_meter.in_time, _ALWAYS),
            _check(live_meter.in_this_month, _CREATE),
            _check(live_meter.clock_is_set, _AGREED),
            _check(live_meter.in_time_by_meter, _LIVE, KINDS - CUTS - _TOP_UP),
        ),
        elsewhere="the order machine, and the expiry in the frame",
    ),
)

RULES: Final[Mapping[str, Rule]] = MappingProxyType({rule.id: rule for rule in _ALL})
"""Every rule by its id, in the order of the tables."""
