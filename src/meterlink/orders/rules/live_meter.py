"""The meter itself: is it the right one, is its clock right, is it still owed; its switch: ``live_switch``.

Some of it is judged on paper too, before a line is taken. Source: CTRL-11 to CTRL-13; decisions 23, 33.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from meterlink.model.order import OrderKind
from meterlink.orders.evidence.records import BalanceStatement, Payment
from meterlink.orders.evidence.told import Told
from meterlink.orders.rules.facts import Facts
from meterlink.orders.rules.verdict import Finding, OnStop, passes, stops, stops_with

LOOK_AGE_MAX: Final = timedelta(minutes=5)
"""From the last look at the meter to the sending. Source: CTRL-11."""
DEADLINE_MAX: Final = timedelta(days=30)
"""From the creation of an order to its deadline: until then it is nobody else's turn at its meter."""


def still_owed(facts: Facts) -> Finding | None:
    """CTRL-11: the account is in arrears, nobody has paid since, and nothing is in dispute.

    A payment that was told after the balance stops it too, whenever it happened: a bank tells late, and
    whoever made the balance may not have known of it.
    """
    balance, told = facts.balance, facts.told
    if balance is None:
        return None  # CTRL-01 stops it
    if balance.balance_cents >= 0:
        return stops(
            "nothing is owed: {cents} cents on {at}",
            "{at}余额为{cents}分,已无欠费",
            cents=balance.balance_cents,
            at=balance.at,
        )
    if cleared := [one for one in told.all(BalanceStatement) if _clears(told, one, balance)]:
        return stops(
            "a balance of {cents} cents on {at} was told after that: wait for the next one",
            "其后又报送了{at}余额{cents}分,等待新的余额",
            cents=cleared[-1].balance_cents,
            at=cleared[-1].at,
        )
    if later := [one for one in told.all(Payment) if told.may_be_later(one, balance)]:
        return stops(
            "a payment of {cents} cents came at {at}: wait for the next balance",
            "{at}收到缴费{cents}分,等待新的余额",
            cents=later[-1].amount_cents,
            at=later[-1].at,
        )
    if disputes := told.open_disputes():
        return stops("in dispute: {disputes}", "存在争议:{disputes}", disputes=", ".join(disputes))
    return passes("{cents} cents are owed", "欠费{cents}分", cents=-balance.balance_cents)


def _clears(told: Told, one: BalanceStatement, balance: BalanceStatement) -> bool:
    """Whether a statement by which nothing is owed may be newer than the one that says otherwise."""
    return one.balance_cents >= 0 and told.may_be_later(one, balance)


def looked_just_now(facts: Facts) -> Finding:
    """CTRL-11: what the meter said is fresh, and its guarantee is off."""
    standing = facts.seen.standing
    inputs = {"taken": standing.taken_at, "guarantee": standing.guarantee}
    if facts.ago(standing.taken_at) > LOOK_AGE_MAX:
        return stops_with(
            OnStop.POSTPONE,
            "the meter was looked at at {taken}: more than 5 minutes ago",
            "电表状态读取于{taken},已超过5分钟",
            **inputs,
        )
    if facts.order.kind is OrderKind.TRIP and standing.guarantee is not False:
        return stops("the power guarantee is not known to be off", "保电状态未解除或未知", **inputs)
    return passes("looked at at {taken}", "电表状态读取于{taken}", **inputs)


def known_on_paper(facts: Facts) -> Finding:
    """CTRL-12: the file says which meter and whose it is, and no replacement is pending."""
    meter = facts.meter
    inputs = {"number": meter.meter_number, "customer": meter.customer_number}
    if not meter.meter_number or not meter.customer_number:
        return stops(
            "the file lacks the number of the meter ({number}) or of the customer ({customer})",
            "档案缺少表号({number})或户号({customer})",
            **inputs,
        )
    if meter.pending_replacement:
        return stops("the meter is being replaced", "电表正在更换", **inputs)
    return passes("meter {number} of customer {customer}", "户号{customer},表号{number}", **inputs)


def way_stands(facts: Facts) -> Finding | None:
    """CTRL-12: what orders reach the meter by is what the roster says of it."""
    if facts.meter.is_rebuilding:
        return stops_with(
            OnStop.POSTPONE,
            "the roster says something else of the meter, and the way to it is not built of that yet",
            "电表档案已变更,通信线路尚未按新档案更新",
        )
    return None


def read_lately(facts: Facts) -> Finding:
    """CTRL-12: the meter was read with success not long ago."""
    at, hours = facts.last_read_at, facts.settings.reading_age_max_hours
    if at is None or facts.ago(at) > timedelta(hours=hours):
        return stops(
            "last read with success at {at}: more than {hours} hours ago",
            "最近一次抄表成功时间{at},已超过{hours}小时",
            at=at,
            hours=hours,
        )
    return passes("last read with success at {at}", "最近一次抄表成功时间{at}", at=at, hours=hours)


def right_meter(facts: Facts) -> Finding:
    """CTRL-12: who answers is who is meant."""
    identity, meter = facts.seen.identity, facts.meter
    inputs = {
        "number": identity.meter_number,
        "file": meter.meter_number,
        "address": identity.address,
    }
    if identity.meter_number != meter.meter_number or identity.address != meter.address:
        return stops(
            "the meter says it is {number} at {address}; the file says {file}",
            "电表自报表号{number}(地址{address}),档案为{file}",
            **inputs,
        )
    return passes("the meter is {number}", "电表表号为{number}", **inputs)


def clock_is_right(facts: Facts) -> Finding:
    """CTRL-13: the clock of a meter that is about to be tripped; the error of the look counts against it.

    It is not set from here: to set it is to write a parameter, and a broadcast would set the whole line's. A
    person is told to; nothing goes before that (decision 23: "CTRL-13 strictly").
    """
    clock, limit = facts.seen.clock, facts.settings.clock_error_max_s
    if clock is None:
        return stops_with(
            OnStop.POSTPONE,
            "the meter's clock cannot be read: have it repaired or set, this program sets none; without a "
            "clock the meter is disconnected on the spot",
            "无法读取电表时钟:请先检修或校时(本程序不校时);没有时钟的电表只能现场停电",
        )
    inputs = {
        "offset": clock.offset.total_seconds(),
        "error": clock.error.total_seconds(),
        "limit": limit,
    }
    if abs(clock.offset) + clock.error > timedelta(seconds=limit):
        return stops_with(
            OnStop.POSTPONE,
            "the meter's clock is {offset} s off (known to {error} s): more than {limit} s; "
            "have it set first, this program sets none, then operate the order again",
            "电表时钟偏差{offset}秒(误差{error}秒),超过{limit}秒:请先对该表校时(本程序不校时),再重新执行",
            **inputs,
        )
    return passes("the meter's clock is {offset} s off", "电表时钟偏差{offset}秒", **inputs)


def clock_or_own_line(facts: Facts) -> Finding:
    """CTRL-13: a meter without a clock gets a closing only where nothing can store it (decision 23)."""
    if facts.seen.clock is None and not facts.meter.line_is_ours:
        return stops_with(
            OnStop.FIELD,
            "the meter's clock cannot be read, and line {line} may store frames: it is done on the spot",
            "无法读取电表时钟,且线路{line}可能缓存报文:转现场处理",
            line=facts.meter.line,
        )
    return passes("the deadline can be told to the meter, or nothing stores it", "命令时限可控")


def is_qualified(facts: Facts) -> Finding:
    """Decision 33: what such an order depends on was proven of the model and firmware."""
    if facts.unproven:
        return stops(
            "not proven of this model and firmware: {unproven} (see `meterlink qualify`)",
            "该型号与固件未验证:{unproven}(参见 `meterlink qualify`)",
            unproven=", ".join(facts.unproven),
        )
    return passes("the model and firmware are qualified", "型号与固件已验证")


def single_address(facts: Facts) -> Finding:
    """CTRL-23: one meter is meant, never all of a line."""
    address = facts.meter.address
    if len(address) != 12 or not address.isascii() or not address.isdecimal() or address == "9" * 12:
        return stops("{address} is no single meter's address", "{address}不是单表地址", address=address)
    return passes("{address} is a single meter", "{address}为单表地址", address=address)


def lab_stays_in_lab(facts: Facts) -> Finding:
    """CTRL-25: the keys of a laboratory only for meters of a laboratory; who proves must say who it is."""
    inputs = {"provider": facts.seen.provider, "meter": facts.meter.id}
    if not facts.seen.provider or (facts.seen.provider == "lab" and not facts.meter.is_lab):
        return stops(
            "the security provider {provider} is not for {meter}, which is no lab meter",
            "安全模块{provider}不得用于非实验室电表{meter}",
            **inputs,
        )
    return passes("proved by {provider}", "安全模块:{provider}", **inputs)


def in_time(facts: Facts) -> Finding:
    """Decision 23: nothing leaves at its deadline or after."""
    deadline = facts.order.deadline_at
    if facts.now >= deadline:
        return stops("its deadline was {deadline}", "时限{deadline}已过", deadline=deadline)
    return passes("its deadline is {deadline}", "时限为{deadline}", deadline=deadline)


def clock_is_set(facts: Facts) -> Finding:
    """Decision 23, for our own clock: by one that is behind, no deadline has ever passed."""
    inputs = {"now": facts.now, "least": facts.clock_from}
    if facts.now < facts.clock_from:
        return stops_with(
            OnStop.WAIT,
            "the gateway's clock shows {now}, and it must be {least} or later: nothing goes before it is set",
            "网关时钟为{now},早于{least}:校时前不执行任何工单",
            **inputs,
        )
    return passes("the gateway's clock shows {now}", "网关时钟为{now}", **inputs)


def in_time_by_meter(facts: Facts) -> Finding | None:
    """Decision 23, where the frame is corrected: a meter by whose clock it is too late has us doubt ours."""
    clock, deadline = facts.seen.clock, facts.order.deadline_at
    if clock is None:
        return None  # CTRL-13 says where that may be
    shows = facts.now + clock.offset
    inputs = {"shows": shows, "deadline": deadline}
    if shows - clock.error >= deadline:
        return stops_with(
            OnStop.FIELD,
            "the meter's clock shows {shows}, and the deadline is {deadline}: the meter's clock is wrong or "
            "the gateway's is, so it is done on the spot",
            "电表时钟为{shows},已过时限{deadline}:电表或网关时钟有误,转现场处理",
            **inputs,
        )
    return passes("the meter's clock shows {shows}", "电表时钟为{shows}", **inputs)


def in_this_month(facts: Facts) -> Finding:
    """Decision 23, when it is created: a deadline that somebody will live to see, and can work by."""
    deadline, days = facts.order.deadline_at, DEADLINE_MAX // timedelta(days=1)
    inputs = {"deadline": deadline, "days": days}
    if deadline - facts.now > DEADLINE_MAX:
        return stops(
            "its deadline {deadline} is more than {days} days ahead: take a nearer one",
            "时限{deadline}超过{days}天:请缩短时限",
            **inputs,
        )
    return passes("its deadline is within {days} days", "时限在{days}天以内", **inputs)
