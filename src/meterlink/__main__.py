"""``python -m meterlink`` is the ``meterlink`` command."""

from meterlink.cli import main

if __name__ == "__main__":
    main()
