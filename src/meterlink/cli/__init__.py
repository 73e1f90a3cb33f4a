"""The ``meterlink`` command."""


def main() -> None:
    """Run the command line."""
