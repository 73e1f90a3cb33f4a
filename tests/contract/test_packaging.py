"""What the wheel carries."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

from tests.support.project import ROOT, project_files


def test_the_wheel_carries_every_file_of_its_packages(tmp_path: Path) -> None:
    """A CSV, SQL file or py.typed that stays behind is missed by nobody who works from the source tree."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = [
        PurePosixPath(name) for name in settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    ]
    files = [PurePosixPath(path.relative_to(ROOT)) for path in project_files()]
    expected = {
        str(file.relative_to(package.parent))
        for package in packages
        for file in files
        if file.is_relative_to(package)
    }
    assert {f"{package.name}/py.typed" for package in packages} <= expected

    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        carried = set(archive.namelist())
    assert set() == expected - carried
    scripts = next(name for name in carried if name.endswith("entry_points.txt"))
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(scripts).decode()
    assert "meterlink = meterlink.__main__:main" in text
    assert "metersim = metersim.__main__:main" in text
    assert "metersim = metersim.pytest_plugin" in text


def test_the_strangers_project_is_tested_with_what_it_asks_for() -> None:
    """`make check-example` would install something else than the example's own requirements name."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    installed = {
        "meterlink",
        *(re.split("[=<>]", name)[0] for name in settings["dependency-groups"]["example"]),
    }
    text = (ROOT / "examples/ci/requirements.txt").read_text(encoding="utf-8")
    assert installed == {line for line in text.splitlines() if not line.startswith("#")}
