"""PyPI's ``python-dlt645``, asked from here: it lives in ``.venv-witness``, which ``make dev`` makes.

Where that environment is missing, whoever asks fails and is told what to run; nothing is skipped.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.project import ROOT

INTERPRETER = ROOT / ".venv-witness" / "bin" / "python"
_WORKER = ROOT / "tests" / "support" / "python_dlt645_worker.py"


class Raised(Exception):
    """What the package raised; ``name`` is the class."""

    def __init__(self, name: str) -> None:
        super().__init__(f"python-dlt645 raised {name}")
        self.name = name


class PythonDlt645:
    """The package, behind a pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, what: str, **arguments: object) -> Any:
        """What the worker's function of that name gives.

        Args:
            what: ``version``, ``functions``, ``dump``, ``write``, ``load``, ``read``, ``get_addr`` or
                ``get_active_energy``.
            arguments: its arguments; octets in hexadecimal digits.

        Raises:
            Raised: the package raised something.
            ChildProcessError: it is gone.

        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"ask": what, "with": arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise ChildProcessError("the process of python-dlt645 ended")
        answer = json.loads(line)
        if "raised" in answer:
            raise Raised(answer["raised"])
        return answer["value"]


@contextmanager
def python_dlt645() -> Iterator[PythonDlt645]:
    """Start it, and end it at the end of the block.

    Raises:
        FileNotFoundError: its environment is missing.

    """
    if not INTERPRETER.exists():
        raise FileNotFoundError(
            f"{INTERPRETER.relative_to(ROOT)} is missing: run `make dev` (or `make test`)"
        )
    with subprocess.Popen(
        [str(INTERPRETER), "-I", str(_WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield PythonDlt645(process)
