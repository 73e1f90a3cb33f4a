"""The table of the rules of collection, the code that raises their alarms, and the pages say the same."""

from __future__ import annotations

import re
from pathlib import Path

from docs.generate import DOCS

import meterlink
from meterlink.alarms import rules
from meterlink.alarms.rules import ORIGINS, RULES
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.validation.rules import RULES as VALIDATION

_PAGES = ("collection-alarms.md", "collection-alarms.zh-CN.md")
_NAMED = {
    *(f"SCH-{number:02d}" for number in range(1, 5)),
    *(f"FRZ-{number:02d}" for number in range(1, 7)),
    *(f"VEE-{number:02d}" for number in (1, 3, 4, 5, 10, 13, 18)),
}
"""Section 4 of the business rules, and what collection keeps of section 5."""
_WORK = {WorkKind.SILENT, WorkKind.MISSING_HOUSEHOLD, WorkKind.MANUAL_READ}


def _sources() -> dict[str, str]:
    folder = Path(meterlink.__file__).parent
    own = Path(rules.__file__)
    return {str(one): one.read_text(encoding="utf-8") for one in folder.rglob("*.py") if one != own}


def test_every_rule_is_kept_somewhere() -> None:
    """A rule that nobody keeps would be taken for one that holds."""
    assert _NAMED == RULES.keys()
    for rule in RULES.values():
        assert rule.alarm or rule.marks or rule.elsewhere, rule.id
        assert 1 == len({bool(rule.alarm), bool(rule.alarm_zh), bool(rule.when)}), rule.id
        assert rule.says, rule.id
        assert rule.zh, rule.id
        assert bool(rule.lacks) is bool(rule.lacks_zh), rule.id


def test_every_alarm_of_the_table_is_raised_by_code() -> None:
    """The page would promise an alarm that never comes."""
    constants = {value: name for name, value in vars(rules).items() if isinstance(value, str)}
    used = "\n".join(_sources().values())
    lacking = [one for one in ORIGINS if not re.search(rf"(alarm=|_tell\(){constants[one]}\b", used)]
    assert [] == lacking


def test_marks_of_the_table_are_given_by_the_rules_of_that_name() -> None:
    """A mark would be explained by another rule than the one that sets it."""
    given = {rule.id: NO_MARKS for rule in RULES.values()}
    for one in VALIDATION:
        if one.id in given:
            given[one.id] |= one.marks
    assert given == {rule.id: rule.marks for rule in RULES.values()}
    assert Marks.METER_MIXED in given["VEE-10"]


def test_every_kind_of_work_has_its_rule() -> None:
    """Somebody would be sent somewhere by no rule."""
    assert _WORK == {kind for rule in RULES.values() for kind in rule.work}


def test_both_languages_have_the_same_chapters() -> None:
    """What an alarm means would be told in one language only."""
    english, chinese = (
        re.findall(r"^(#+) ", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE) for page in _PAGES
    )
    assert english == chinese
