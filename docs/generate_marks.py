"""The tables of marks and of the rules that give them, made from the code."""

from __future__ import annotations

from meterlink.model.marks import MARK_WORDS, Marks
from meterlink.validation.rules import ALL, RULES, Rule

_BY_DRIVERS = "the protocol"


def marks() -> str:
    """Every mark: bit, name, rule, standing, and what it says in both languages."""
    lines = [
        "| bit | mark | rule | standing | what it says | 含义 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {mark.bit_length() - 1} | `{mark.names[0]}` | {_given_by(mark)} | {words.standing.name.lower()} "
        f"| {words.en} | {words.zh} |"
        for mark, words in MARK_WORDS.items()
    ]
    return "\n".join(lines) + "\n"


def rules() -> str:
    """Every rule: its marks, what it is about, what it must be told."""
    lines = ["| rule | marks | data | what it must be told |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {rule.id} | {', '.join(f'`{name}`' for name in rule.marks.names)} | {_classes(rule)} "
        f"| {', '.join(sorted(need.value for need in rule.needs)) or '-'} |"
        for rule in RULES
    ]
    return "\n".join(lines) + "\n"


def _given_by(mark: Marks) -> str:
    if mark is Marks.RESTATED:
        return "late readings"
    return next((rule.id for rule in RULES if mark in rule.marks), _BY_DRIVERS)


def _classes(rule: Rule) -> str:
    return "all" if rule.classes == ALL else ", ".join(f"`{name}`" for name in sorted(rule.classes))
