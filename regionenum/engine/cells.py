"""Cells, for the walk: a few verbs, and nothing of how a cell is represented.

A *representation* is a NamedTuple of arrays that holds a stack of cells of one dimension d; cell f is an open polyhedron
in the unit cube [0, 1]^d. The verbs below are all that the walk knows of it. They are dispatched on the type of the
NamedTuple while a kernel is compiled (`numba.extending.overload`), and inlined, so that they cost nothing.

Every function row(z) = constant + normal . z that a cell has to do with lies on a *line*, numbered by the walk, and is
known up to an error bound. A row is *pending* on a cell as long as it restricts nothing; splitting or restricting makes it
a constraint. Between a test that ends in CUTS, or in a doubt that is likely CUTS, and the split or restriction that
follows, no other verb but `likely` may be called on the cell.

In what follows `cells` is a representation, f and g (int) number cells of its stack, r (int) is the position of a pending
row of cell f, and points z are (d,) float64. Verbs raise nothing: kernels cannot.

A representation answers in one of five ways:

NEGATIVE, POSITIVE  the row does not cut: proved, whatever was rounded. On the open cell it has that sign throughout.
CUTS                both open sides meet the cell, by a point in the interior of each, proved likewise.
DOUBTFUL            rounding could have made the answer. `likely` is what float64 says.
BROKEN              no answer: rounding has spoilt the representation beyond its means.

What is DOUBTFUL or BROKEN can be asked elsewhere, in exact arithmetic. Where the answer is CUTS, `force` carries it out: the
cell is then a part of the one before, whatever float64 sees of it. A cell may have points only where float64 numbers are too
coarse to prove it. Its witness is then *unsure*, and proves nothing.
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
ZERO = 5
"""Beside these an exact answer: the row is 0 everywhere."""

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
    """Make the verbs of a representation known.

    Parameters
    ----------
    cells : type
        The NamedTuple. Its module and that of the functions have to be importable, for the compiler's cache on disk.
    *functions : callable
        One for every verb, with the verb's name and arguments: plain functions, which are compiled into their callers.

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
    """Dispatch a function on the type of its first argument: inside kernels while they are compiled, else when called.

    Parameters
    ----------
    function : callable
        Gives name, arguments and description; its body is never run. The first argument is a representation.

    Returns
    -------
    callable
        Finds the representation's own function, of which `register` was told.
    """
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
    """Make cell f the unit cube.

    Parameters
    ----------
    cone : int
        1 if all rows to come are 0 at the apex (1/2, .., 1/2, 0), as in the whole space; else 0.
    """


@verb
def copy(cells, f, g):
    """Make cell g what cell f is, pending rows included."""


@verb
def has_room(cells, f, n):
    """Whether n more rows can be added to cell f; if not, the representation has to grow first.

    Returns
    -------
    bool
    """


@verb
def capacity(cells):
    """Number of cells there is space for.

    Returns
    -------
    int
    """


@verb
def relate(cells, line, level, passed):
    """Tell of the function on a line which layer's rows it is one of, and whether it is in the span of the next layer's.

    All rows of a layer are in the span of the outputs of the layer before and of 1, which may be smaller than the space of all
    affine functions: `set_span`. A representation need not listen.

    Parameters
    ----------
    line : int
        A number of the walk's.
    level : int
        The layer.
    passed : int
        1 if a row of the next layer may be any multiple of the function, as that of a unit with a slope, else 0.
    """


@verb
def set_span(cells, level, n):
    """Tell the dimension n of the span of the outputs of the layer before `level` and of 1, on the present path."""


@verb
def add(cells, f, line, constant, normal, error):
    """Append a pending row, the function constant + normal . z.

    Parameters
    ----------
    line : int
        Its line: a number of the walk's, or `NEW_LINE`.
    constant : float
    normal : (d,) float64
        Not 0.
    error : float
        Bound on what the function can be wrong by anywhere in the unit cube; 0 if nothing was rounded.

    Returns
    -------
    int
        The row's position, which `drop` may change.
    """


@verb
def test(cells, f, r, purpose):
    """Whether pending row r cuts cell f.

    Parameters
    ----------
    purpose : int
        SCREEN, SPLIT, LEAF or RESTRICT.

    Returns
    -------
    int
        NEGATIVE, POSITIVE, CUTS, DOUBTFUL or BROKEN.
    """


@verb
def likely(cells, f):
    """After DOUBTFUL, what float64 says.

    Returns
    -------
    int
        NEGATIVE, POSITIVE or CUTS. After CUTS the cell can be split or restricted as if that were proved.
    """


@verb
def split(cells, f, r, g):
    """After CUTS for SPLIT: row r becomes a constraint of both parts; f keeps one, g becomes the other.

    Returns
    -------
    int
        The side that f keeps, NEGATIVE or POSITIVE.
    """


@verb
def restrict(cells, f, r):
    """After CUTS for RESTRICT: cell f becomes its part with row r > 0."""


@verb
def force(cells, f, r, side, point, sure):
    """Make cell f its part on one side of pending row r, which is known to be not empty, whatever `test` says.

    Parameters
    ----------
    side : int
        NEGATIVE or POSITIVE.
    point : (d,) float64
        The witness of the part.
    sure : int
        Whether that is strictly inside.
    """


@verb
def drop(cells, f, r):
    """Forget pending row r; the last one takes its position."""


@verb
def constraints(cells, f, lines):
    """Write the lines of the rows that bound cell f, of the walk's numbers and of its own.

    Parameters
    ----------
    lines : int64
        As long as there are lines.

    Returns
    -------
    int
        How many were written.
    """


@verb
def n_pending(cells, f):
    """Number of pending rows.

    Returns
    -------
    int
    """


@verb
def pending(cells, f, k):
    """Position of the k-th pending row, k = 0 .. n_pending - 1, in no particular order.

    Returns
    -------
    int
    """


@verb
def first_pending(cells, f):
    """Position of the pending row on the lowest line; there has to be one.

    Returns
    -------
    int
    """


@verb
def line_of(cells, f, r):
    """Line of pending row r.

    Returns
    -------
    int
    """


@verb
def tight(cells, f, r, lines):
    """After NEGATIVE or POSITIVE by a test of row r: the constraints that prove it.

    Parameters
    ----------
    lines : (d,) int64
        Their lines are written here. The sides of the unit cube are on no line.

    Returns
    -------
    int
        How many were written.
    """


@verb
def place(cells, f, point):
    """Make a point the witness, and sure: one that is inside the cell, and all constraints there will be."""


@verb
def witness(cells, f, point):
    """Write the witness to `point`: strictly inside, and proved to be, unless a decision was doubtful or it is unsure."""


@verb
def is_sure(cells, f):
    """Whether the witness is known to be strictly inside.

    Returns
    -------
    bool
    """


@verb
def centre(cells, f):
    """Move the witness towards the middle of the cell, as far as it is proved to be inside there."""
