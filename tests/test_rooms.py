"""The rooms of the house: who may import whom, that no imports go in a circle, and that no module grows too long.

Imports are read from the sources, wherever they stand: inside functions and under TYPE_CHECKING too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MOST_LINES = 700

BASE = ("errors", "choices", "files")
"""The modules directly under `regionenum` that anyone may import."""

ENGINE_BASE = (
    "cells",
    "counters",
    "grids",
    "interface",
    "lanes",
    "policy",
    "problem",
    "statistics",
    "subtree",
    "tables",
)
"""The modules directly under `regionenum/engine/` that the rooms inside may import: the verbs, and what a problem is."""

_UP_TO_ENGINE = ("base", "network", "domain", "exact", "engine.base", "engine")
_UP_TO_RESULTS = (*_UP_TO_ENGINE, "parallel", "results")

ROOMS: dict[str, tuple[str, ...]] = {
    "base": (),
    "network": ("base",),
    "network.from_torch": ("base", "network"),
    "network.from_onnx": ("base", "network"),
    "network.load": ("base", "network", "network.from_torch", "network.from_onnx"),
    "domain": ("base", "network"),
    "exact": ("base", "network", "domain"),
    "engine.base": ("base", "network", "domain", "exact"),
    "engine.dictionary": ("base", "network", "engine.base"),
    "engine.walk": ("base", "network", "engine.base"),
    "engine": ("base", "network", "domain", "exact", "engine.base", "engine.dictionary", "engine.walk"),
    "parallel": _UP_TO_ENGINE,
    "results": (*_UP_TO_ENGINE, "parallel"),
    "analysis": _UP_TO_RESULTS,
    "top": ("network.load", "analysis", *_UP_TO_RESULTS),
    "study.architecture": ("base",),
    "study.training": ("base", "network", "network.load", "study.architecture"),
    "study": ("study.architecture", "study.training", "top", "network.load", "analysis", *_UP_TO_RESULTS),
    "door": ("study", "top", "network.load", "analysis", *_UP_TO_RESULTS),
    "cli": ("door", "study", "top", "network.load", "analysis", *_UP_TO_RESULTS),
}
"""The rooms from top to bottom, and which others each may import.

A module belongs to the room with the longest name that its own begins with; those directly under `regionenum` are "base" or
"top", and the package itself, with the public names, is "door". `network.load`, a room of one module, is the door through which
networks come in; `study.architecture`, another one, is what training and its studies both know. The walk
and a representation of cells do not know each other: neither may import the other, and nobody but the engine imports them.
"""

PACKAGES: dict[str, tuple[str, ...]] = {
    "torch": ("network.from_torch", "study.training"),
    "sklearn": ("study.training",),
    "onnx": ("network.from_onnx",),
    "google": ("network.from_onnx",),
    "numba": ("engine.base", "cli"),
    "llvmlite": ("engine.base",),
    "mpi4py": ("parallel",),
    "pyarrow": ("results", "analysis", "study"),
    "matplotlib": ("analysis",),
    "networkx": ("analysis",),
    "rich": ("study", "cli"),
}
"""Packages that are slow to import, or not always installed: the rooms that may import them."""

BY_NAME = {"regionenum", "regionenum.network.from_torch.factory", "regionenum.cli.doctor"}
"""The modules that import by a name made at run time: the public names, modules of users, what is checked to be installed."""


def sources() -> dict[str, str]:
    """The text of every module, by name."""
    found = {}
    for path in sorted((ROOT / "regionenum").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


def imported(text: str, modules: Mapping[str, str]) -> set[str]:
    """Everything that a module imports: modules of ours by their full names, packages of others by their first names."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            assert node.module is not None
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in modules else node.module for name in inner]
        else:
            continue
        found |= {name if name.split(".")[0] == "regionenum" else name.split(".")[0] for name in names}
    return found


def room(module: str) -> str:
    """The room of a module of ours."""
    inside = module.removeprefix("regionenum").removeprefix(".")
    if not inside:
        return "door"
    if inside in BASE:
        return "base"
    if inside.removeprefix("engine.") in ENGINE_BASE and inside.startswith("engine."):
        return "engine.base"
    fitting = [name for name in ROOMS if inside == name or inside.startswith(f"{name}.")]
    if inside == "__main__":
        return "cli"
    if not fitting and "." in inside:
        raise AssertionError(f"{module} is in no room of the table")
    return max(fitting, key=len, default="top")


def graph(modules: Mapping[str, str]) -> dict[str, set[str]]:
    """Which modules of ours every module imports."""
    return {name: imported(text, modules) & modules.keys() - {name} for name, text in modules.items()}


def wrong_arrows(modules: Mapping[str, str]) -> Iterator[str]:
    """The imports that the tables do not allow."""
    for module, targets in graph(modules).items():
        here = room(module)
        for target in sorted(targets):
            if room(target) not in (here, *ROOMS[here]):
                yield f"{module} -> {target}"
    for module, text in modules.items():
        for package in sorted(imported(text, modules) & PACKAGES.keys()):
            if room(module) not in PACKAGES[package]:
                yield f"{module} -> {package}"


def circles(modules: Mapping[str, str]) -> list[str]:
    """The modules on circles of imports, and between these: what is left after taking away the ends, again and again."""
    arrows = graph(modules)
    while True:
        ends = {module for module, targets in arrows.items() if not targets}
        pointed = {target for targets in arrows.values() for target in targets}
        gone = ends | (arrows.keys() - pointed)
        if not gone:
            return sorted(arrows)
        arrows = {module: targets - gone for module, targets in arrows.items() if module not in gone}


def closure(start: str, arrows: Mapping[str, set[str]]) -> set[str]:
    """All modules that importing one brings in, sooner or later."""
    found, waiting = {start}, [start]
    while waiting:
        fresh = arrows[waiting.pop()] - found
        found |= fresh
        waiting += fresh
    return found


def test_rooms_import_only_what_the_table_allows() -> None:
    assert list(wrong_arrows(sources())) == []


def test_no_imports_go_in_a_circle() -> None:
    assert circles(sources()) == []


def test_a_worker_never_imports_torch_or_matplotlib() -> None:
    """Nor onnx; whatever function is called: of all that the engine and the executors can reach."""
    modules = sources()
    arrows = graph(modules)
    for module in modules:
        if room(module).split(".")[0] in ("engine", "parallel"):
            packages = {name for reached in closure(module, arrows) for name in imported(modules[reached], modules)}
            assert not packages & {"torch", "onnx", "matplotlib"}, module


def test_imports_by_a_name_made_at_run_time_are_few() -> None:
    """The other tests do not see these."""
    calls = re.compile(r"\b(import_module|__import__)\(")
    assert {module for module, text in sources().items() if calls.search(text)} == BY_NAME


def test_the_table_is_in_order() -> None:
    """A room imports only rooms above it."""
    above: set[str] = set()
    for name, others in ROOMS.items():
        assert set(others) <= above, name
        above.add(name)
    used = {room(module) for module in sources()}
    assert used == ROOMS.keys()


@pytest.mark.parametrize("folder", ["regionenum", "tests", "benchmarks"])
def test_no_module_is_too_long(folder: str) -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert {str(path): n for path, n in lengths.items() if n > MOST_LINES} == {}


def test_the_table_of_the_rooms_is_written_down() -> None:
    """CONTRIBUTING.md has a line `| room | may import |` for each room, in this order."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    section = text[text.index("| room | may import |") :].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()[2:]]
    written = {name.strip("`"): tuple(re.findall(r"`([\w.]+)`", others)) for name, others in rows}
    assert list(written) == list(ROOMS)
    assert {name: set(others) for name, others in written.items()} == {name: set(o) for name, o in ROOMS.items()}


# That the tests above see what they should see -------------------------------------------------------------------------------

HOUSE = {
    "regionenum": "",
    "regionenum.errors": "",
    "regionenum.network.layers": "import numpy as np\nfrom regionenum.errors import InputError\n",
    "regionenum.network.from_torch.load": "import torch.nn\nfrom regionenum.network import layers\n",
    "regionenum.network.load": "def f():\n    from regionenum.network.from_torch.load import g\n",
    "regionenum.engine.explore": "from regionenum.network.layers import Layer\n",
    "regionenum.engine.cells": "from regionenum.network.layers import Layer\n",
    "regionenum.engine.walk.tree_kernel": "from regionenum.engine.cells import test\n",
    "regionenum.engine.dictionary.layout": "",
    "regionenum.enumeration": "from regionenum.engine import explore\nfrom regionenum.network.load import load\n",
}


def with_line(module: str, line: str) -> dict[str, str]:
    return HOUSE | {module: HOUSE[module] + line + "\n"}


def test_a_house_in_order() -> None:
    assert list(wrong_arrows(HOUSE)) == []
    assert circles(HOUSE) == []


@pytest.mark.parametrize(
    ("module", "line", "arrow"),
    [
        (
            "regionenum.network.layers",
            "import regionenum.engine.explore",
            "regionenum.network.layers -> regionenum.engine.explore",
        ),
        (
            "regionenum.network.layers",
            "def f():\n    from regionenum.network.load import load",
            "regionenum.network.layers -> regionenum.network.load",
        ),
        (
            "regionenum.network.layers",
            "if TYPE_CHECKING:\n    from regionenum.engine.explore import Cell",
            "regionenum.network.layers -> regionenum.engine.explore",
        ),
        (
            "regionenum.engine.explore",
            "from regionenum.network.from_torch.load import g",
            "regionenum.engine.explore -> regionenum.network.from_torch.load",
        ),
        ("regionenum.engine.explore", "import regionenum", "regionenum.engine.explore -> regionenum"),
        ("regionenum.engine.explore", "def f():\n    import torch", "regionenum.engine.explore -> torch"),
        ("regionenum.network.load", "from torch import nn", "regionenum.network.load -> torch"),
        (
            "regionenum.engine.walk.tree_kernel",
            "from regionenum.engine.dictionary.layout import VALUE",
            "regionenum.engine.walk.tree_kernel -> regionenum.engine.dictionary.layout",
        ),
        (
            "regionenum.engine.dictionary.layout",
            "from regionenum.engine.walk.tree_kernel import walk_tree",
            "regionenum.engine.dictionary.layout -> regionenum.engine.walk.tree_kernel",
        ),
        (
            "regionenum.engine.cells",
            "from regionenum.engine.dictionary import layout",
            "regionenum.engine.cells -> regionenum.engine.dictionary.layout",
        ),
        (
            "regionenum.enumeration",
            "from regionenum.engine.walk.tree_kernel import walk_tree",
            "regionenum.enumeration -> regionenum.engine.walk.tree_kernel",
        ),
    ],
)
def test_an_arrow_upwards_is_seen(module: str, line: str, arrow: str) -> None:
    assert list(wrong_arrows(with_line(module, line))) == [arrow]


def test_a_circle_is_seen() -> None:
    house = with_line("regionenum.errors", "def f():\n    from regionenum.network.layers import Layer")
    assert circles(house) == ["regionenum.errors", "regionenum.network.layers"]


def test_a_module_outside_of_the_rooms_is_seen() -> None:
    with pytest.raises(AssertionError, match="in no room"):
        room("regionenum.attic.box")
