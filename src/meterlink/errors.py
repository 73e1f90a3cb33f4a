"""Every way a room of meterlink can fail, sorted by what the caller does about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

_E = TypeVar("_E", bound="MeterlinkError")


class MeterlinkError(Exception):
    """Base of every error of ``meterlink``; never raised itself.

    Attributes:
        zh: the message in Chinese, where somebody has said it so; else empty.

    """

    zh: str = ""

    def said(self, lang: Literal["en", "zh"]) -> str:
        """The message in a language; in English where nobody has said it in the other."""
        return (self.zh if lang == "zh" else "") or str(self)


class ConfigError(MeterlinkError):
    """The configuration is wrong; the message says which file and line, and what to do.

    Args:
        message: for an operator; one line for each fault.
        zh: the same in Chinese, line by line.

    """

    def __init__(self, message: str, zh: str) -> None:
        super().__init__(message)
        self.zh = zh

    def behind(self, where: str, zh: str = "") -> ConfigError:
        """The same fault behind words that say where it is.

        Args:
            where: ends as the message goes on.
            zh: the same in Chinese; empty: ``where`` is no sentence, and stands in both.

        """
        return ConfigError(f"{where}{self}", f"{zh or where}{self.said('zh')}")


def with_chinese(error: _E, zh: str) -> _E:
    """The error, with its message in Chinese beside the one it has."""
    error.zh = zh
    return error


# --- lines: octets -----------------------------------------------------------------------------


class LineError(MeterlinkError):
    """Base of the ways a line can fail; never raised itself."""


class LineClosed(LineError):
    """We closed the line."""


class LineLost(LineError):
    """The line broke: adapter gone, connection refused or cut. Reconnecting may help."""


class LineBusy(LineError):
    """Somebody else owns the line."""


class HoldEnded(LineError):
    """The time for which somebody had a line to himself is over; nothing was sent for this request."""


# --- exchanges ---------------------------------------------------------------------------------


class BusFull(MeterlinkError):
    """The line's queue is full; the caller keeps the thing due."""


class ReplyTimeout(MeterlinkError):
    """No answer came in time. A read may be repeated; a control may not."""


class OutOfTime(MeterlinkError):
    """The time that a request was given is over, and the line or the meter was not done with it."""


class Refused(MeterlinkError):
    """The meter answered "no".

    Args:
        message: one sentence for an operator.
        error_word: the octets of the error word as the meter sent them, unmasked.
        no_such: the meter says that it has no such data or object; any other refusal may end.

    """

    def __init__(self, message: str, *, error_word: bytes, no_such: bool = False) -> None:
        super().__init__(message)
        self.error_word = error_word
        self.no_such = no_such


class UnknownItem(MeterlinkError):
    """No such item in the dictionary of that protocol.

    Args:
        message: one sentence for an operator.
        zh: the same in Chinese.
        more: what to add to both, worked out only where somebody reads it: to compare with every name there
            is takes a good part of a second, and most who ask whether there is an item only want to know.

    """

    def __init__(self, message: str, zh: str, more: Callable[[], tuple[str, str]] = lambda: ("", "")) -> None:
        super().__init__(message)
        self.zh = zh
        self._more = more

    def __str__(self) -> str:
        """The sentence with what is added."""
        return super().__str__() + self._more()[0]

    def said(self, lang: Literal["en", "zh"]) -> str:
        """The same in a language."""
        return self.zh + self._more()[1] if lang == "zh" else str(self)


class BadAnswer(MeterlinkError):
    """The meter answered the right question with data that does not fit it."""


class NoRecord(MeterlinkError):
    """The meter refused nothing, but has no such record, or one without the value; it may have one later."""


class NoFreeze(MeterlinkError):
    """The meter has no freeze yet, or one whose time cannot be true; it may have one later."""


class FreezeRefused(NoFreeze):
    """The meter refuses all its freezes for now, and did not say that it has none."""


class ClockFarAhead(NoFreeze):
    """What the meter says it has frozen is yet to come: its clock is lost, or ours is."""


# --- control -----------------------------------------------------------------------------------


class NoControl(MeterlinkError):
    """No control goes there: the protocol has none, or the address is not that of one meter."""


class SecurityFailed(MeterlinkError):
    """There is no proof for a control, so it is not sent; no word of this holds a secret.

    Args:
        message: one sentence for an operator.
        code: what the provider called it (docs/security-providers.md), or of ours:
            ``none``, ``plaintext``, ``lab_provider``, ``bad_password``: the configuration does not allow it;
            ``away``, ``slow``, ``busy``, ``rubbish``: the provider is of no use now, and may be later;
            ``too_long``, ``unfit``: what was asked, or what came, is of no use;
            ``refused_by_meter``, ``enforced``, ``no_keys``, ``other_meter``: the meter takes no such proof;
            ``mac``, ``locked``: the meter found a proof wrong, or has locked itself;
            ``shut``: it gets no orders since that happened.

    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


# --- orders ------------------------------------------------------------------------------------


class BadRequest(MeterlinkError):
    """A request of a person or program that nothing can be made of; the message says what to mend."""


class WrongCursor(MeterlinkError):
    """A cursor that is one of ours, and not of what is asked for."""


class Unknown(MeterlinkError):
    """There is no such order, meter or work item."""


class NoSuchCase(Unknown):
    """An order names a disconnect case that its meter does not have.

    Args:
        case: as it was named.
        meter: our id.
        there: the newest cases of that meter.

    """

    def __init__(self, case: str, meter: str, there: Sequence[str]) -> None:
        has = f"it has {', '.join(there)}" if there else "it has none"
        super().__init__(f"meter {meter} has no case {case!r}: {has}")
        self.zh = f"电表{meter}没有停电流程 {case!r}:" + (f"有{'、'.join(there)}" if there else "一个也没有")


class OrderClash(MeterlinkError):
    """An order of that id exists and wants something else."""


class NotAllowed(MeterlinkError):
    """An order or a case takes no such step now: its table or a guard says no, and nothing was changed.

    Args:
        message: one sentence for an operator.
        why: the name of what forbids it, for programs: ``state``, ``arm_lapsed``, ``deadline``, ...

    """

    def __init__(self, message: str, *, why: str) -> None:
        super().__init__(message)
        self.why = why


class OtherFinding(NotAllowed):
    """Of an order another finding stands than the one that somebody speaks of.

    Args:
        order: its id.
        finding: what stands, ``done`` or ``not_done``; empty: nobody has found anything.
        by: who found that.
        step: the number of the order's act that told it.

    """

    def __init__(self, order: str, finding: str, by: str, step: int) -> None:
        stands = f"what stands is {finding}, found by {by} (step {step})" if finding else "no finding stands"
        super().__init__(f"order {order}: {stands}; look again, nothing was written", why="other_finding")
        stands = f"当前的核实结论是 {finding},由{by}提出(第{step}步)" if finding else "当前没有核实结论"
        self.zh = f"命令 {order}:{stands};请重新查看,未写入任何内容"


class EvidenceRefused(MeterlinkError):
    """A record of evidence cannot be taken in; the message says which key, what is wrong, what to do."""


class NotEntitled(MeterlinkError):
    """Somebody has no role for what he wants, or has done already what a second person must do now."""


# --- journal -----------------------------------------------------------------------------------


class JournalError(MeterlinkError):
    """The journal cannot keep or give rows: disk full, file locked or corrupt."""


class DiskFull(JournalError):
    """There is no room; what was to be kept was not. Freeing some brings everything back."""


class RowUnreadable(JournalError):
    """One row of the log cannot be read back; those after it can.

    Args:
        message: one sentence for an operator.
        log_id: which row; 0: it is a checkpoint.

    """

    def __init__(self, message: str, *, log_id: int) -> None:
        super().__init__(message)
        self.log_id = log_id


class StepTaken(MeterlinkError):
    """The step of a subject is there already: somebody else was first. Look what he did."""


class Overtaken(MeterlinkError):
    """What a decision rests on has changed before it was kept: decide again."""


# --- audit -------------------------------------------------------------------------------------


class KeyUnusable(MeterlinkError):
    """The gateway's key cannot be used: it cannot be read, others may read it, or it is no key."""


# --- accounts ----------------------------------------------------------------------------------


class TokensUnusable(MeterlinkError):
    """The file of tokens cannot be read or written, others may read it, or it is none."""


class TokenRefused(MeterlinkError):
    """A token is not known, has expired or was revoked; the message does not say which."""


# --- billing -----------------------------------------------------------------------------------


class SettlementBroken(MeterlinkError):
    """Sealed days are not as they were sealed, or one cannot be sealed; the message says which and where."""


# --- messages and points -----------------------------------------------------------------------


class BrokerAway(MeterlinkError):
    """The broker cannot be reached, or the connection to it broke; try again later."""


class MessageRefused(MeterlinkError):
    """The broker will never take this message: it is too large, or its topic is malformed."""


class EnvelopeError(MeterlinkError):
    """A payload is no envelope of a version we know."""


class SinkAway(MeterlinkError):
    """The time-series database cannot take points now (down, 5xx, 429, timeout); try again later."""


class SinkRefused(MeterlinkError):
    """The time-series database refused these points for good; ``words`` is what it said."""

    def __init__(self, message: str, *, words: str) -> None:
        super().__init__(message)
        self.words = words
