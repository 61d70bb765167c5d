"""CONTRIBUTING.md speaks of files, functions and commands that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
HOPS = re.findall(r"^\d+\. `([\w/]+\.py)`, ((?:`[\w.]+`(?: and |, )?)+):", TEXT, re.MULTILINE)
"""Files under `regionenum/`, and the functions named with them."""


def functions(path: Path) -> set[str]:
    """Names of a module's functions, and of its classes' methods behind those of the classes."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return found


def test_the_way_of_a_region_has_ten_hops() -> None:
    assert len(HOPS) == 10


@pytest.mark.parametrize(("file", "names"), HOPS, ids=[file for file, _ in HOPS])
def test_functions_on_the_way_of_a_region_exist(file: str, names: str) -> None:
    assert set(re.findall(r"`([\w.]+)`", names)) <= functions(ROOT / "regionenum" / file)


def test_files_exist() -> None:
    """Each is given by its path in the repository or below `regionenum/`, or by the end of it."""
    paths = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if ".venv" not in path.parts]
    named = set(re.findall(r"[\w/]+\.py\b", TEXT)) - {"tests/test_x.py", "tests/test_y.py"}
    assert {name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in paths)} == set()
    assert {name for name in re.findall(r"`(tests/data[\w/]*(?:\.\w+)?)`", TEXT) if not (ROOT / name).exists()} == set()


def test_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", TEXT)) <= targets
    for module in re.findall(r"`python -m ([\w.]+)", TEXT):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists(), module
