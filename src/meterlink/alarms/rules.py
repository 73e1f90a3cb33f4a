"""The table of the rules of collection: where each is kept, what it raises, and which input it lacks.

Section 4 of the business rules, and those of section 5 that every reading is judged by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meterlink.model.marks import NO_MARKS, Marks
from meterlink.orders.attention.work_kinds import WorkKind

READ_DAY_CHANGED: Final = "READ_DAY_CHANGED"
SETTLE_DAY_MISMATCH: Final = "SETTLE_DAY_MISMATCH"
DEMAND_MISSING: Final = "DEMAND_MISSING"
FRZ_LOW: Final = "FRZ_LOW"
FRZ_GAP: Final = "FRZ_GAP"
MANUAL_READ: Final = "MANUAL_READ"
POINT_SILENT: Final = "POINT_SILENT"
READ_MISSING: Final = "READ_MISSING"
METER_MIXED: Final = "METER_MIXED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Args:
        id: as the business rules have it.
        says: what it demands, in a sentence.
        zh: the same in Chinese.
        alarm: that it raises; empty: none.
        alarm_zh: what that is called in Chinese.
        when: when it raises it, and once for what.
        marks: that it sets on readings.
        work: items that it opens for a person.
        elsewhere: what keeps it beside.
        lacks: an input that nothing gives us; empty: none.
        lacks_zh: the same in Chinese.

    """

    id: str
    says: str
    zh: str
    alarm: str = ""
    alarm_zh: str = ""
    when: str = ""
    marks: Marks = NO_MARKS
    work: tuple[WorkKind, ...] = ()
    elsewhere: str = ""
    lacks: str = ""
    lacks_zh: str = ""


_RULES: Final = (
    Rule(
        id="SCH-01",
        says="Each account has a fixed reading day; a change is approved and holds from the next cycle on.",
        zh="每户抄表例日固定;变更须经批准,自下一周期生效。",
        alarm=READ_DAY_CHANGED,
        alarm_zh="抄表例日变更",
        when="the roster gives a meter another `reading_day`: once for each change, with the first day on "
        "which the new one holds",
        elsewhere="`reading_day` of the roster; the cycle under way ends on the old day",
        lacks="an approval of changes of the roster by a second person: whoever may change it does, and this "
        "alarm shows it to others",
        lacks_zh="档案变更的第二人审批:有权者可直接变更,本告警使他人知晓",
    ),
    Rule(
        id="SCH-02",
        says="The settlement day in the meter is the account's reading day.",
        zh="电能表结算日与抄表例日一致。",
        alarm=SETTLE_DAY_MISMATCH,
        alarm_zh="结算日与抄表例日不符",
        when="a meter shows another first settlement day, or another hour than 0, when it is looked at each "
        "week; once a week while that alarm is open",
        lacks="the settlement days of meters of Modbus and of a model that does not tell them",
        lacks_zh="Modbus电能表及不提供结算日的型号的结算日",
    ),
    Rule(
        id="SCH-03",
        says="Large or risky customers are read three times a month.",
        zh="大用户或高风险用户按旬抄表。",
        elsewhere="`days` of a plan",
        lacks="the class of a customer and the contracted capacity: a plan is for all meters",
        lacks_zh="用户类别与合同容量:采集方案对所有电能表相同",
    ),
    Rule(
        id="SCH-04",
        says="Demand is read with energy; without it a bill with demand pricing is incomplete.",
        zh="需量与电能示值同抄;缺需量则两部制电费不完整。",
        alarm=DEMAND_MISSING,
        alarm_zh="缺最大需量",
        when="a day behind the reading day's freeze no usable maximum demand is kept with it, of customers "
        "who are no households, where a plan of freezes asks for one; once for the reading day",
        lacks="which accounts have demand pricing: a plan that asks for demand, and `residential = false`, "
        "stand for it",
        lacks_zh="哪些用户执行两部制电价:以采集需量的方案和`residential = false`代替",
    ),
    Rule(
        id="FRZ-01",
        says="98 % of an area's freezes of a day are valid by 08:00, 99.5 % a day later.",
        zh="台区日冻结完整率:次日08:00前98 %,次日24:00前99.5 %。",
        alarm=FRZ_LOW,
        alarm_zh="日冻结完整率低",
        when="at either time; once for area, day and time",
        elsewhere="`meterlink completeness`, `GET /v1/completeness`, the manifests of sealed days",
    ),
    Rule(
        id="FRZ-02",
        says="A day without a freeze between two with one is fetched from the meter's memory.",
        zh="两个有效冻结之间缺日:先由电能表历史数据补抄。",
        alarm=FRZ_GAP,
        alarm_zh="日冻结断点",
        when="such days were sought for 3 days in vain; once for the days that lie together",
        elsewhere="backfill; `meterlink why` says what became of it",
    ),
    Rule(
        id="FRZ-03",
        says="Backfill: newest billing days first, then gaps of a week; at most 20 % of a line's time.",
        zh="补抄顺序:最近抄表例日优先,其次7天内断点;占用信道不超过20 %。",
        elsewhere="the planner of each line",
    ),
    Rule(
        id="FRZ-04",
        says="A value that is fetched later says so; a freeze is taken within an hour of its instant.",
        zh="补抄数据带来源标记;冻结时间偏差不超过1小时。",
        marks=Marks.FRZ_TIME | Marks.BACKFILL,
    ),
    Rule(
        id="FRZ-05",
        says="What is still missing after 3 days is read by hand; billing is held.",
        zh="缺失满3天转人工补抄,暂缓算费。",
        alarm=MANUAL_READ,
        alarm_zh="需人工补抄",
        when="the freeze of a reading day has been missing for 3 days; once for the reading day",
        work=(WorkKind.MANUAL_READ,),
        elsewhere="billing is held by itself: there is no amount without both its freezes",
        lacks="the registers that are read by hand: nothing takes them in; the item is closed with what was "
        "done, or by itself when the freeze comes after all",
        lacks_zh="人工补抄的示数:无处录入;工单填写处理情况后关闭,冻结补齐时自动关闭",
    ),
    Rule(
        id="FRZ-06",
        says="A meter that is not reached: told after 3 days, work after 7, a case after 30.",
        zh="长期无通信:3天提示,7天派工,30天按长期失联户处理。",
        alarm=POINT_SILENT,
        alarm_zh="长期无通信",
        when="a meter that plans ask for was not reached for so long; one alarm for one silence, told three "
        "times",
        work=(WorkKind.SILENT, WorkKind.MISSING_HOUSEHOLD),
        elsewhere="a work item is closed by itself when the meter answers",
    ),
    Rule(
        id="VEE-01",
        says="There is a usable freeze for the reading day, if need be by backfill.",
        zh="抄表例日应有有效冻结(含补抄)。",
        alarm=READ_MISSING,
        alarm_zh="抄表例日缺数",
        when="there is none a day behind it, backfill included; once for the reading day",
        elsewhere="the list of what is missing in sealed days, `meterlink why`",
    ),
    Rule(
        id="VEE-03",
        says="A register that went back has rolled over, or is doubtful.",
        zh="示数倒走:满度翻转或存疑。",
        marks=Marks.REG_BACK | Marks.ROLL_OVER,
    ),
    Rule(
        id="VEE-04", says="The tariffs add up to the total.", zh="各费率之和等于总。", marks=Marks.TARIFF_SUM
    ),
    Rule(
        id="VEE-05",
        says="A day's consumption is not far from the usual.",
        zh="日用电量无突变。",
        marks=Marks.SUDDEN_CHANGE,
        lacks="contract capacity: what the meter can carry stands for it",
        lacks_zh="合同容量:以电能表的最大负载代替",
    ),
    Rule(
        id="VEE-10",
        says="The meter that answers is the one of the roster.",
        zh="应答电能表与档案一致。",
        alarm=METER_MIXED,
        alarm_zh="表号与档案不符",
        when="a meter shows another number when it is looked at; once a week while that alarm is open",
        marks=Marks.METER_MIXED,
        lacks="voltage profiles of areas, and series of neighbours swapped: the number alone is compared",
        lacks_zh="台区电压曲线及相邻电能表用电曲线互换的识别:仅比较表号",
    ),
    Rule(
        id="VEE-13",
        says="The meter's clock is right on the day of a freeze.",
        zh="冻结日电能表时钟准确。",
        marks=Marks.CLOCK_DEV | Marks.CLOCK_FAR,
    ),
    Rule(
        id="VEE-18",
        says="The meter tells of no fault of its own.",
        zh="电能表无自报故障。",
        marks=Marks.METER_FAULT,
    ),
)
RULES: Final = {rule.id: rule for rule in _RULES}
"""By id."""
ORIGINS: Final = {rule.alarm: rule.id for rule in _RULES if rule.alarm}
"""By the name of an alarm, the rule that raises it."""
