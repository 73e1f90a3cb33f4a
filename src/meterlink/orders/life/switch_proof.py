"""What looks at a switch prove about a trip, a close, guarantee or alarm; the theory is in ``proof``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from meterlink.drivers.control import Standing
from meterlink.model.order import CLOSES, OrderKind
from meterlink.orders.life import witnesses
from meterlink.orders.life.look import Case, Conclusion, Look
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.orders.life.witnesses import Word
from meterlink.orders.life.written import Seen

FAULT_AFTER: Final = timedelta(minutes=10)
"""Beyond the delay of a trip, command and contact may differ for so long. Source: CTRL-20."""
OPENS_LATE: Final = timedelta(minutes=1)
"""Beyond the delay of a trip, where the command bit is known to turn by itself: for relay and word."""
LOOKS_APART: Final = timedelta(seconds=10)
"""Between two looks that show the same contradiction, at least."""
UNCHANGED: Final = "unchanged"
"""The proof on a line of ours. Source: decision 22, a."""
UNCHANGED_AND_EXPIRED: Final = "unchanged_and_expired"
"""The proof on a line that stores. Source: decision 22, b."""
CLOSED_BY: Final = "closed_by"
"""Under which input it stands that not our frame has closed a contact."""
ANOTHER_HAND: Final = "another hand"
"""Who has closed a contact that none of our frames closed, in the inputs of what proves it."""
CROSSED: Final = "load_with_contact_open"
"""What a look shows at which something flows through an open contact."""
DEAD: Final = "no_voltage"
"""What a look shows at which a closed contact has no voltage."""


def of_switch(case: Case) -> Conclusion:
    """What the looks prove.

    Raises:
        ValueError: one of them is at a purse.

    """
    words = _words(case)
    # What moved a contact that it should not move did something else than its bit shows.
    if not _has_moved_apart(case, case.look) and (found := _decided(case, words)) is not None:
        return found
    shown = shown_twice(case.looks, [_contradictions(case, look) for look in case.looks[-2:]])
    if shown:
        return Conclusion(signal=Signal.CONTRADICT, inputs={**words, "contradiction": " ".join(shown)})
    return Conclusion(signal=None, inputs=words)


def standing_of(seen: Seen) -> Standing:
    """A look at a switch.

    Raises:
        ValueError: it is one at a purse.

    """
    if not isinstance(seen, Standing):
        raise ValueError("a switch is judged by how it stands, not by a purse")
    return seen


def shown_twice(looks: Sequence[Look], shown: Sequence[Iterable[str]]) -> tuple[str, ...]:
    """What the last two looks show both, if they are far enough apart.

    Args:
        looks: oldest first.
        shown: what each of the last two shows, or the only one.

    """
    if len(shown) < 2 or looks[-1].started_at - looks[-2].started_at < LOOKS_APART:
        return ()
    return tuple(sorted(set(shown[0]) & set(shown[1])))


def is_load_on_open(standing: Standing, facts: SwitchFacts) -> bool:
    """Whether something flows through an open contact. Source: CTRL-20; fact 3."""
    return standing.contact_open is True and witnesses.is_loaded(standing, facts.basic_current_a) is True


def _decided(case: Case, words: dict[str, str]) -> Conclusion | None:
    """What the newest look proves of what was ordered."""
    if _is_obeyed(case, words):
        return Conclusion(signal=Signal.PROVE, inputs=words)
    if _is_closed_by_another(case, words):
        return Conclusion(signal=Signal.PROVE, inputs={**words, CLOSED_BY: ANOTHER_HAND})
    if _waits_for_key(case):
        return Conclusion(signal=Signal.WAIT_FOR_KEY, inputs=words)
    proof = _proof_of_nothing(case)
    if case.was_rejected:
        is_believed = case.age >= case.reply_timeout and witnesses.stands_as_before(*_both(case))
        return _concluded(Signal.REJECT, words, proof) if is_believed else None
    return _concluded(Signal.PROVE_NOT, words, proof) if proof else None


def _concluded(signal: Signal, words: dict[str, str], proof: str) -> Conclusion:
    return Conclusion(signal=signal, proof=proof, inputs={**words, "proof": proof})


def _words(case: Case) -> dict[str, str]:
    before, after = _both(case)
    if witnesses.has_one_bit(case.kind):
        bits = (witnesses.bit_of(case.kind, before), witnesses.bit_of(case.kind, after))
        return {"bit_before": str(bits[0]), "bit_after": str(bits[1])}
    return {
        "status": witnesses.of_status(case.kind, after),
        "flow": witnesses.of_flow(case.kind, after, case.facts.basic_current_a),
        "record": witnesses.of_record(case.kind, before, after, case.sent.operator_code),
    }


def _both(case: Case) -> tuple[Standing, Standing]:
    return standing_of(case.sent.before), standing_of(case.look.seen)


def _is_obeyed(case: Case, words: dict[str, str]) -> bool:
    before, after = _both(case)
    if witnesses.has_one_bit(case.kind):
        stands = case.was_accepted and witnesses.is_bit_as_ordered(case.kind, after)
        return stands or witnesses.has_bit_turned(case.kind, before, after)
    said = list(words.values())
    return (
        Word.AGAINST not in said
        and said.count(Word.FOR) >= 2
        and (_is_commanded_since(case) or _is_recorded_as_ours(case, words) or case.was_accepted)
    )


def _is_recorded_as_ours(case: Case, words: dict[str, str]) -> bool:
    """Whether a record tells of this frame; that of a permit may be the key's, whoever permitted."""
    _, after = _both(case)
    by_code = after.closes.operator_code == case.sent.operator_code
    return words["record"] == Word.FOR and (case.kind is not OrderKind.PERMIT_CLOSE or by_code)


def _is_closed_by_another(case: Case, words: dict[str, str]) -> bool:
    """Whether what was ordered is reached by somebody else, and nothing of ours can be obeyed any more.

    Such a record says that our frame did not close the contact; command, contact and voltage say that it is
    closed, which is all that a closing is for. A frame that could still come would undo a later trip. The
    record of a key names nobody who has closed.
    """
    before, after = _both(case)
    return (
        case.kind in CLOSES
        and words["status"] == Word.FOR
        and words["flow"] == Word.FOR
        and not witnesses.is_dead(after)
        and words["record"] == Word.AGAINST
        and witnesses.is_recorded(case.kind, before, after) is True
        and after.closes.operator_code != witnesses.LOCAL_CAUSE
        and _has_gone(case)
    )


def _has_gone(case: Case) -> bool:
    """Whether the frame has come to its meter, or can never come."""
    if case.was_accepted or case.was_rejected:
        return True
    return case.age >= case.reply_timeout and (not case.sent.line_stores or _is_expired(case))


def _is_commanded_since(case: Case) -> bool:
    before, after = _both(case)
    wanted = witnesses.wanted_open(case.kind)
    return before.command_open is (not wanted) and after.command_open is wanted


def _waits_for_key(case: Case) -> bool:
    _, after = _both(case)
    return (
        case.kind is OrderKind.PERMIT_CLOSE
        and case.facts.waits_for_key is not False
        and (after.command_open, after.contact_open) == (False, True)
        and not is_load_on_open(after, case.facts)
        and (_is_commanded_since(case) or case.was_accepted)
    )


def _proof_of_nothing(case: Case) -> str:
    """Why the frame had no effect and none can follow; empty: that is not proved."""
    before, after = _both(case)
    if not witnesses.is_unchanged(case.kind, before, after) or case.age < case.reply_timeout:
        return ""
    if _may_show_later(case):
        return ""
    if not case.sent.line_stores:
        return UNCHANGED
    return UNCHANGED_AND_EXPIRED if _is_expired(case) else ""


def _may_show_later(case: Case) -> bool:
    """Whether the meter may have obeyed, and its command bit may not tell it yet."""
    if witnesses.has_one_bit(case.kind):
        return False
    if case.kind in CLOSES:
        return not case.facts.command_at_once  # the bit may turn with the key, and that may be never
    turns_at_once = case.facts.command_at_once and not case.was_accepted
    if turns_at_once and case.was_rejected:
        return False  # two things say the same, and nothing is sent again
    # That a permit shows in the command bit at once says little of a trip: no probe waits for a delay.
    within = case.sent.opens_within
    return within is None or case.age < within + (OPENS_LATE if turns_at_once else FAULT_AFTER)


def _is_expired(case: Case) -> bool:
    """Whether the meter would refuse the frame if it came now."""
    expires_at, clock = case.sent.expires_at, case.look.clock
    if expires_at is None or clock is None or not case.facts.expiry_obeyed:
        return False
    return case.look.started_at + clock.offset - clock.error > expires_at


def _contradictions(case: Case, look: Look) -> list[str]:
    """What one look shows that cannot be, by name."""
    before, after = standing_of(case.sent.before), standing_of(look.seen)
    found = [CROSSED] if is_load_on_open(after, case.facts) else []
    if _has_moved_apart(case, look):
        found.append("contact_moved")
    if witnesses.has_one_bit(case.kind):
        return found
    age = look.started_at - case.left_by
    if age >= FAULT_AFTER:
        if _has_no_record(case, before, after):
            found.append("record_missing")
        if case.kind in CLOSES and after.contact_open is False and _is_dead(case, after):
            found.append(DEAD)
    if _differs(case, after) and _is_overdue(case, age):
        found.append("command_and_contact_differ")
    return found


def _has_moved_apart(case: Case, look: Look) -> bool:
    """Whether guarantee or alarm moved the contact. Source: facts 5 and 8."""
    if not witnesses.has_one_bit(case.kind) or case.is_probe:
        return False
    stood = standing_of(case.sent.before), standing_of(look.seen)
    code = case.sent.operator_code
    may_close = case.kind is OrderKind.GUARANTEE_ON
    return witnesses.has_opened_apart(*stood, code) or (
        not may_close and witnesses.has_closed_apart(*stood, code)
    )


def _has_no_record(case: Case, before: Standing, after: Standing) -> bool:
    moved = witnesses.has_moved(case.kind, before, after)
    return moved and witnesses.is_recorded(case.kind, before, after) is False


def _is_dead(case: Case, after: Standing) -> bool:
    return witnesses.of_flow(case.kind, after, case.facts.basic_current_a) is Word.AGAINST


def _differs(case: Case, after: Standing) -> bool:
    wanted = witnesses.wanted_open(case.kind)
    may_wait = case.kind is OrderKind.PERMIT_CLOSE and case.facts.waits_for_key is not False
    is_ours = _is_commanded_since(case) or case.was_accepted
    return is_ours and not may_wait and (after.command_open, after.contact_open) == (wanted, not wanted)


def _is_overdue(case: Case, age: timedelta) -> bool:
    if case.kind in CLOSES:
        return age >= FAULT_AFTER
    within = case.sent.opens_within
    return within is not None and age >= within + FAULT_AFTER
