"""What the documents say is there: their links, and the two commands of the README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = [
    *("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "data/README.md", "docs/api.md", "docs/terminal.md"),
    *("benchmarks/QUALITY.md", "benchmarks/SCALE.md", "benchmarks/ENCODER.md"),
]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (path.parent / target).exists(), f"{page} links to {target}, which is not there"


def test_architecture_names_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = [p for p in (ROOT / "ctxsearch").iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()]
    missing = [room.name for room in rooms if f"ctxsearch/{room.name}" not in text]
    assert missing == []


def test_ci_runs_the_commands_of_the_readme() -> None:
    commands = [
        line
        for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("python3 -m venv")
    ]
    assert len(commands) == 2
    assert "ctxsearch ingest data" in commands[0]
    assert "pytest" in commands[1]
    assert "README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_no_registry_and_no_path_of_a_machine_is_named() -> None:
    forbidden = re.compile(r"(?:pypi|pythonhosted|npmjs|debian)\.org|/work/(?:main|shared)")
    named = [
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*")
        if path.suffix in {".py", ".md", ".toml", ".txt", ".json", ""}
        and _is_ours(path)
        and forbidden.search(_text(path))
    ]
    assert named == []


def _is_ours(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    hidden = any(part.startswith(".") and part != ".ci" for part in parts)
    return path.is_file() and not hidden and parts[0] not in {"indexes", "build", "dist"}


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")
