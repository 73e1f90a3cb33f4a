"""Files to which lines are appended, each with the operating system before the call returns."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TextIO


class WrittenLines:
    """A file that is closed at the end of a block; who inherits opens it, and says what a line is."""

    _file: TextIO

    def __enter__(self) -> Self:
        """Give the file itself, to be closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._file.close()
