"""The digest of kernel sources: every file of which something ends up in a kernel, so that no stale code is run."""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from numba.core.dispatcher import Dispatcher

import regionenum
from regionenum.engine import cells, policy
from regionenum.engine.dictionary import verbs as _registered  # noqa: F401  (registers them)
from regionenum.engine.dictionary.layout import DictionaryCells
from regionenum.engine.walk.subtree_kernel import load, load_domain, pending_lines, witness_of
from regionenum.engine.walk.tree_kernel import walk_tree

DOORS = (walk_tree, load, load_domain, pending_lines, witness_of)
"""What Python calls."""
PACKAGE = Path(regionenum.__file__).parent


def plain(function: Any) -> FunctionType:
    """The function that a kernel was made of."""
    found: FunctionType = getattr(function, "py_func", function)
    return found


def names_in(code: CodeType) -> set[str]:
    """Global names that a function may use, those of inner functions too."""
    return set(code.co_names).union(*(names_in(c) for c in code.co_consts if isinstance(c, CodeType)))


@cache
def imports_of(path: Path) -> dict[str, tuple[str, str]]:
    """{name: (module, name there)} of what a module imports by name."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found[alias.asname or alias.name] = node.module, alias.name
    return found


def origins(module: ModuleType, name: str) -> Iterator[Path]:
    """Files through which a global name of a module comes in, to the one that gives it a value."""
    while (module.__name__ + ".").startswith("regionenum."):
        path = Path(inspect.getfile(module))
        yield path
        if name not in imports_of(path):
            return
        where, name = imports_of(path)[name]
        module = sys.modules[where]


def files_in_kernels() -> dict[Path, str]:
    """Every file of ours of which something ends up in a kernel, and a function that it is used by."""
    found: dict[Path, str] = {}
    waiting, seen = [plain(door) for door in DOORS], set()
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen.add(function)
        module = sys.modules[function.__module__]
        found.setdefault(Path(inspect.getfile(module)), function.__name__)
        for name in names_in(function.__code__) - set(vars(builtins)):
            if name not in function.__globals__:
                continue
            value = function.__globals__[name]
            if isinstance(value, ModuleType):
                assert not value.__name__.startswith("regionenum."), f"{function.__name__} uses all of {value.__name__}"
                continue
            for path in origins(module, name):
                found.setdefault(path, f"{function.__name__}: {name}")
            if getattr(value, "__module__", "") == cells.__name__ and name_of(value) in cells.VERBS:
                waiting.append(plain(cells.REPRESENTATIONS[DictionaryCells][name_of(value)]))
            elif isinstance(value, Dispatcher | FunctionType):
                waiting.append(plain(value))
    assert len(seen) > 80
    return found


def name_of(value: Any) -> str:
    return str(getattr(value, "__name__", ""))


def test_the_digest_covers_every_file_that_ends_up_in_a_kernel():
    covered = set(policy._sources())
    missed = {str(path.relative_to(PACKAGE)): by for path, by in files_in_kernels().items() if path not in covered}
    assert missed == {}


def test_what_the_digest_covers_exists():
    assert all(path.is_file() for path in policy._sources())
    names = {str(path.relative_to(PACKAGE)) for path in policy._sources()}
    assert {"engine/dictionary/simplex_kernel.py", "engine/walk/tree_kernel.py", "engine/cells.py"} <= names


def test_a_changed_source_gives_another_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("REGIONENUM_CACHE_DIR", str(tmp_path))
    before = policy.cache_folder()
    assert before.parent == tmp_path
    changed = tmp_path / "changed.py"
    changed.write_text(policy._sources()[0].read_text() + "\n")
    sources = [changed, *policy._sources()[1:]]
    monkeypatch.setattr(policy, "_sources", lambda: sources)
    assert policy.cache_folder() != before
