"""Cells, for the walk: a few verbs, and nothing of how a cell is represented.

A *representation* is a NamedTuple of arrays that holds a stack of cells of one dimension d; cell f is an open polyhedron
in the unit cube [0, 1]^d. The verbs below are all that the walk knows of it. They are dispatched on the type of the
NamedTuple while a kernel is compiled (`numba.extending.overload`), and inlined, so that they cost nothing.

Every function row(z) = constant + normal . z that a cell has to do with lies on a *line*, numbered by the walk, and is
known up to an error bound. A row is *pending* on a cell as long as it restricts nothing; splitting or restricting makes it
a constraint. Between a test that ends in CUTS and the split or restriction that follows, no other verb may be called on
the cell.

A representation answers in one of five ways:

NEGATIVE, POSITIVE  the row does not cut: proved, whatever was rounded. On the open cell it has that sign throughout.
CUTS                both open sides meet the cell, by a point in the interior of each, proved likewise.
DOUBTFUL            rounding could have made the answer. `likely` is what float64 says.
BROKEN              no answer: rounding has spoilt the representation beyond its means.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from numba.extending import overload

from regionenum.engine.policy import OPTIONS

Function = TypeVar("Function", bound=Callable[..., Any])

NEGATIVE, POSITIVE, CUTS, DOUBTFUL, BROKEN = 0, 1, 2, 3, 4
"""Outcomes of a test; the first two are also the sides of a cut, in results as well."""

SCREEN, SPLIT, LEAF, RESTRICT = 0, 1, 2, 3
"""What a test is for.

SCREEN    whether the row may be dropped: CUTS means "keep it pending", and is not proved.
SPLIT     a `split` follows if it cuts.
LEAF      both sides are counted if it cuts, and nothing else follows.
RESTRICT  a `restrict` follows if it cuts: only the positive side is proved. A row that is not proved to be redundant
          (POSITIVE) is kept, which is always right.
"""

NEW_LINE = -1
"""Given as the line of a row: the representation takes the next free one behind those that the walk numbers."""


REPRESENTATIONS: dict[type, dict[str, Callable[..., Any]]] = {}
"""The verbs of each representation, by the NamedTuple that holds its cells; `register` fills it in."""

VERBS: list[str] = []
"""Names of all verbs."""


def register(cells: type, *functions: Callable[..., Any]) -> None:
    """Make the verbs of a representation known: plain functions, named as below, for a compiler to inline.

    Their module and that of `cells` have to be importable, for the compiler's cache on disk.

    Raises
    ------
    TypeError
        If a verb is missing, or a function is not a verb.
    """
    names = [function.__name__ for function in functions]
    if sorted(names) != sorted(VERBS):
        raise TypeError(f"{cells.__name__} has the verbs {sorted(names)}; a representation has {sorted(VERBS)}")
    REPRESENTATIONS[cells] = dict(zip(names, functions, strict=True))


def verb(function: Function) -> Function:
    """Dispatch a function on the type of its first argument: inside kernels while they are compiled, else when called."""
    name = function.__name__

    @wraps(function)
    def dispatch(cells: Any, *rest: Any) -> Any:
        return REPRESENTATIONS[type(cells)][name](cells, *rest)

    @overload(dispatch, jit_options=OPTIONS, strict=False)
    def choose(cells: Any, *_: Any) -> Any:
        return REPRESENTATIONS[cells.instance_class][name]

    VERBS.append(name)
    return cast("Function", dispatch)


@verb
def begin(cells, f, cone):
    """Make cell f the unit cube. cone: all rows to come are 0 at its apex (1/2, .., 1/2, 0)."""


@verb
def copy(cells, f, g):
    """Make cell g what cell f is, pending rows included."""


@verb
def has_room(cells, f, n):
    """Whether n more rows can be added to cell f; if not, the representation has to grow first."""


@verb
def capacity(cells):
    """Number of cells there is space for."""


@verb
def add(cells, f, line, constant, normal, error):
    """Append a pending row and return its position r, which `drop` may change.

    The row is constant + normal . z, normal not 0, up to `error` anywhere in the unit cube.
    """


@verb
def test(cells, f, r, purpose):
    """Whether pending row r cuts cell f: an outcome."""


@verb
def likely(cells, f):
    """After DOUBTFUL, what float64 says: NEGATIVE, POSITIVE or CUTS."""


@verb
def split(cells, f, r, g):
    """After CUTS for SPLIT: r becomes a constraint; f keeps the side that is returned, g gets the other."""


@verb
def restrict(cells, f, r):
    """After CUTS for RESTRICT: the cell becomes its part with row r > 0. False if it breaks."""


@verb
def drop(cells, f, r):
    """Forget pending row r; the last one takes its position."""


@verb
def n_pending(cells, f):
    """Number of pending rows."""


@verb
def pending(cells, f, k):
    """Position r of the k-th pending row."""


@verb
def first_pending(cells, f):
    """Position r of the pending row on the lowest line; there has to be one."""


@verb
def line_of(cells, f, r):
    """Line of pending row r."""


@verb
def tight(cells, f, r, lines):
    """After NEGATIVE or POSITIVE by a test of row r: write the lines of the constraints that prove it; their number.

    The sides of the unit cube are on no line.
    """


@verb
def place(cells, f, point):
    """Make a point z the witness: one that is inside all constraints there will be."""


@verb
def witness(cells, f, point):
    """Write the witness z, a point strictly inside; it is proved to be, unless a decision was doubtful."""


@verb
def centre(cells, f):
    """Move the witness towards the middle of the cell, as far as it is proved to be inside there."""
