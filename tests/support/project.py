"""The project's own files, for tests about the project."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NOT_OURS = {"__pycache__", "build", "dist", "demo-data"}
_OURS_DOTTED = {".ci", ".editorconfig", ".gitignore", ".pre-commit-config.yaml"}


def project_files() -> list[Path]:
    """Every file of the project, without what tools and runs leave behind; works without git."""
    return sorted(_files_below(ROOT))


def _files_below(folder: Path) -> list[Path]:
    found = []
    for path in folder.iterdir():
        dotted = path.name.startswith(".") and path.name not in _OURS_DOTTED
        if dotted or path.name in _NOT_OURS or path.suffix in {".pyc", ".egg-info"}:
            continue
        found += _files_below(path) if path.is_dir() else [path]
    return found
