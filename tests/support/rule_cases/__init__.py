"""What each rule must stop, and the nearest that it lets go."""

from tests.support.rule_cases.case import Case
from tests.support.rule_cases.chain import CHAIN, CUSTOMERS
from tests.support.rule_cases.closing import CLOSING
from tests.support.rule_cases.hands import HANDS
from tests.support.rule_cases.meter import LIVE_METER
from tests.support.rule_cases.persons import PERSONS
from tests.support.rule_cases.probe import PROBES
from tests.support.rule_cases.queue import MONEY, QUEUE

CASES = (*CHAIN, *CUSTOMERS, *PERSONS, *HANDS, *LIVE_METER, *CLOSING, *QUEUE, *MONEY, *PROBES)

__all__ = ["CASES", "Case"]
