"""``metersim`` and ``python -m metersim``: the command line; Ctrl-C ends it also while it is imported."""

from __future__ import annotations

import sys

INTERRUPTED = 130
"""128 and the number of SIGINT, as a shell has it."""


def main() -> None:
    """Run the command line."""
    try:
        from metersim.cli import main as run  # noqa: PLC0415  # it takes a second

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
