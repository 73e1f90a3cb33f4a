"""The guards of an order: small pure functions, one table, one judge. No I/O, no clock."""

from meterlink.orders.rules.facts import Facts, FieldGrant, Live, OtherOrder, Steps
from meterlink.orders.rules.judge import judge, outcome
from meterlink.orders.rules.table import RULES
from meterlink.orders.rules.verdict import OnStop, Rule, Stage, Verdict

__all__ = [
    "RULES",
    "Facts",
    "FieldGrant",
    "Live",
    "OnStop",
    "OtherOrder",
    "Rule",
    "Stage",
    "Steps",
    "Verdict",
    "judge",
    "outcome",
]
