"""What the interpreter is told for as long as a program runs on its event loop: turns, and garbage."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LOOP_BACK_S: Final = 0.0005
"""So soon the loop has the interpreter back from the journal's thread; each call of a socket gives it away.
With Python's 5 ms and 3,125 lines that went down and up again a stop took 48 s, with this 19 s."""
GARBAGE_AFTER: Final = 10_000
"""So many more objects have come than gone before Python looks for rings of garbage among the new ones.
The exchanges of a hundred lines hold more than its own 700 at any time: it looked, and found nothing, in each
turn of the loop, which took 5 to 10 % of a poll. What is in no ring goes at once, as ever."""


@contextmanager
def tuned() -> Iterator[None]:
    """Tell it for the length of a block; afterwards it is as it was before."""
    switches_s, garbage = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(LOOP_BACK_S)
    gc.set_threshold(GARBAGE_AFTER, *garbage[1:])
    try:
        yield
    finally:
        sys.setswitchinterval(switches_s)
        gc.set_threshold(*garbage)
