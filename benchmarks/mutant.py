"""What a mutant is: one wrong line, and the tests that kill it; `mutant_table.py` lists them all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mutant:
    """A text of a file, what replaces it, and the tests that must fail then.

    Attributes
    ----------
    name : unique
    file : path in the repository
    text : occurs exactly once in the file
    replacement : the wrong text
    tests : arguments of pytest; one test that takes seconds is best
    """

    name: str
    file: str
    text: str
    replacement: str
    tests: tuple[str, ...]

    def apply(self, root: Path) -> str:
        """Mutate the file below `root`, and return its content before."""
        path = root / self.file
        content = path.read_text() if path.exists() else ""
        n = content.count(self.text)
        if n != 1 or self.text == self.replacement:
            raise DoesNotApplyError(f"{self.file} has {n} places like {self.text!r}; exactly one must be replaced")
        path.write_text(content.replace(self.text, self.replacement))
        return content


class DoesNotApplyError(Exception):
    """The text of a mutant is not in its file, or not once."""


def right(example: str) -> tuple[str]:
    """An example of the data files, enumerated exactly and in one piece."""
    return (f"tests/test_near_degenerate.py::test_right_without_a_doubt[{example}]",)


def right_in_steps(example: str) -> tuple[str]:
    """An example of the data files, enumerated exactly as subtrees of one test each."""
    return (f"tests/test_subtrees.py::test_right_without_a_doubt[{example}]",)


def near(example: str) -> tuple[str]:
    """An example of the data files, enumerated in one piece, float64 being believed."""
    return (f"tests/test_near_degenerate.py::test_never_wrong_without_a_doubt[{example}]",)


def in_steps(example: str) -> tuple[str]:
    """An example of the data files, enumerated as subtrees of one test each, float64 being believed."""
    return (f"tests/test_subtrees.py::test_never_wrong_without_a_doubt[{example}]",)


def rows(family: str) -> tuple[str]:
    """Bounds of pulled-back rows, over the networks of a family."""
    return (f"tests/test_row_bounds.py::test_rows_are_within_their_bounds[{family}]",)
