"""The ``metersim`` command."""


def main() -> None:
    """Run the command line."""
