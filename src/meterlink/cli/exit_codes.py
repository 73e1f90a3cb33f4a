"""What the commands' exit codes mean; they are part of the interface and do not change."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every ``meterlink`` command."""

    OK = 0
    FAILURE = 1
    """Something else went wrong; the message says what."""
    USAGE = 2
    """Wrong arguments or configuration; nothing was done."""
    NO_ANSWER = 3
    """The meter did not answer in time."""
    REFUSED = 4
    """The meter answered "no"."""
    LINE = 5
    """The line cannot be opened, broke, or is in use."""
    NO_VALUE = 6
    """The meter answered, but with no number (absent, or digits that are not BCD)."""
    JOURNAL = 7
    """The journal cannot be opened or written."""
    FORBIDDEN = 8
    """A rule, a role or the state of the order forbids it; nothing was sent."""
    UNKNOWN = 9
    """A control was sent, and what it did is not known: look before anything else is done."""
    DAEMON = 10
    """The daemon does not answer at its control socket."""
    TAMPERED = 11
    """The chain of acts is not what it was: something was changed, taken out, moved or cut off."""
