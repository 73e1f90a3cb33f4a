"""Every rule that has something to say of an order at a stage, asked once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meterlink.model.order import Origin
from meterlink.orders.rules.facts import Facts
from meterlink.orders.rules.table import RULES
from meterlink.orders.rules.verdict import Check, OnStop, Rule, Stage, Verdict


def judge(stage: Stage, facts: Facts, rules: Mapping[str, Rule] = RULES) -> tuple[Verdict, ...]:
    """What the rules say; an order goes on only when every verdict passed.

    All rules are asked even after one has stopped the order: a person wants to know everything at once.

    Args:
        stage: when.
        facts: of the order; with ``live`` at ``LIVE``, and only there.
        rules: the table.

    Raises:
        ValueError: the facts are not those of the stage, a bug.

    """
    if (facts.live is not None) != (stage is Stage.LIVE):
        raise ValueError("the meter's own words belong to the last stage, and only there")
    return tuple(
        Verdict(
            rule=rule.id,
            passed=finding.passed,
            inputs=finding.inputs,
            en=finding.en,
            zh=finding.zh,
            on_stop=finding.on_stop,
            until=finding.until,
        )
        for rule in rules.values()
        for check in rule.checks
        if _is_asked(check, stage, facts)
        if (finding := check.look(facts)) is not None
    )


def outcome(verdicts: Iterable[Verdict]) -> OnStop | None:
    """What becomes of an order after its verdicts; ``None``: it goes on."""
    return max((verdict.on_stop for verdict in verdicts if not verdict.passed), default=None)


def _is_asked(check: Check, stage: Stage, facts: Facts) -> bool:
    if facts.order.origin is Origin.PROBE and not check.of_probes:
        return False
    return stage in check.stages and facts.order.kind in check.kinds
