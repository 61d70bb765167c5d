"""The checker on claims made by hand: networks small enough to see that the honest one is right, and one lie at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from regionenum.domain import Box
from regionenum.engine.interface import Problem
from regionenum.exact.checker import Checker
from regionenum.exact.claim import Claim, RefutedError, Rows, TreeRows
from regionenum.exact.domains import ExactDomain
from regionenum.network.layers import Network
from regionenum.network.units import RELU, PiecewiseLinear, Units, clamp
from tests.line import chain

SQUARE = Box(-1.0, 1.0)

each_way = pytest.mark.parametrize("most", [160, 0], ids=["generators", "programs"])


@dataclass(frozen=True)
class Told:
    """A claim: pieces, ranks and witness of each region."""

    network: Network
    rows: list[tuple[list[int], list[int], list[float]]]

    def claim(self) -> Claim:
        pieces, ranks, witness = zip(*self.rows, strict=True)
        # the last units are the output
        after = np.array(ranks, np.uint16)
        rows = Rows(np.array(pieces, np.uint16), after, after[:, -1], np.array(witness))
        return Claim(self.network, rows, {})

    def without(self, *pieces: list[int]) -> Told:
        return replace(self, rows=[row for row in self.rows if row[0] not in pieces])

    def beside(self, *rows: tuple[list[int], list[int], list[float]]) -> Told:
        return replace(self, rows=[*self.rows, *rows])

    def instead(self, pieces: list[int], row: tuple[list[int], list[int], list[float]]) -> Told:
        assert any(row[0] == pieces for row in self.rows)
        return replace(self, rows=[row if old[0] == pieces else old for old in self.rows])


def check(told: Told, most: int, tree: TreeRows | None = None) -> int:
    """The number of regions that were certified."""
    claim = replace(told.claim(), tree=tree)
    chart = Problem.over(told.network, SQUARE).chart
    checker = Checker(claim, ExactDomain.of(SQUARE, chart, told.network.input_shape), None, most)
    for _ in checker.check(checker.root()):
        pass
    return checker.work.regions


CROSS = Told(
    chain((np.eye(2), [0.0, 0.0], Units.pointwise(RELU, 2)), ([[1.0, 1.0]], [-0.5], Units.pointwise(RELU, 1))),
    [
        ([1, 1, 1], [2, 1], [0.5, 0.5]),
        ([1, 1, 0], [2, 0], [0.125, 0.125]),
        ([1, 0, 1], [1, 1], [0.75, -0.5]),
        ([1, 0, 0], [1, 0], [0.25, -0.5]),
        ([0, 1, 1], [1, 1], [-0.5, 0.75]),
        ([0, 1, 0], [1, 0], [-0.5, 0.25]),
        ([0, 0, 0], [0, 0], [-0.5, -0.5]),
    ],
)
"""max(0, max(0, x) + max(0, y) - 1 / 2)."""

HIGHEST = Told(
    chain(([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]], [0.0, 0.0, 0.25, -2.0], Units.maxima([[0, 1, 2, 3]]))),
    [([0], [1], [0.75, 0.5]), ([1], [1], [0.5, 0.75]), ([2], [0], [-0.5, -0.25])],
)
"""max(x, y, 1 / 4, -2); the last is nowhere the largest."""

TENT = Told(
    chain(([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]], [0.0, 0.0, 0.0], Units.maxima([[0, 1, 2]]))),
    [([0], [1], [0.5, 0.5]), ([1], [1], [-0.5, 0.5])],
)
"""max(x, -x, 0); the last is as large as the others in a line only."""

LEVEL = Told(
    chain(
        (
            [[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 0.0]],
            [0.0, 1.0, 0.0, 1.0, 0.0],
            Units((RELU,), np.array([0, 0, -1]), np.array([0, 1, 2, 5]), np.array([0, 1, 2, 4, 3])),
        )
    ),
    [([0, 1, 2], [0], [0.5, 0.5])],
)
"""max(0, 0), max(0, 1) and max(x, x, 1), of which the last wins."""

STEPS = Told(
    chain(([[1.0, 0.0]], [0.0], Units.pointwise(clamp(-0.5, 0.5), 1))),
    [([0], [0], [-0.75, 0.0]), ([1], [1], [0.0, 0.0]), ([2], [0], [0.75, 0.0])],
)

OPPOSITE = Told(
    chain(([[1.0, 0.0], [-2.0, 0.0]], [0.0, 0.0], Units.pointwise(RELU, 2))),
    [([1, 0], [1], [0.5, 0.0]), ([0, 1], [1], [-0.5, 0.0])],
)

PARALLEL = Told(
    chain(
        ([[1.0, 0.0], [1.0, 0.0]], [0.0, -0.5], Units.pointwise(RELU, 2)),
        ([[1.0, 1.0]], [0.25], Units.pointwise(RELU, 1)),
    ),
    [([0, 0, 1], [0, 0], [-0.5, 0.0]), ([1, 0, 1], [1, 1], [0.25, 0.0]), ([1, 1, 1], [1, 1], [0.75, 0.0])],
)

SAME = Told(
    chain(([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]], [0.0, 0.0, -9.0], Units.maxima([[0, 1, 2]]))),
    [([0], [1], [0.5, 0.0])],
)

HONEST = {
    "cross": CROSS,
    "highest": HIGHEST,
    "tent": TENT,
    "level": LEVEL,
    "steps": STEPS,
    "opposite": OPPOSITE,
    "parallel": PARALLEL,
    "same": SAME,
}


@each_way
@pytest.mark.parametrize("name", HONEST)
def test_honest_claims(name: str, most: int) -> None:
    assert check(HONEST[name], most) == len(HONEST[name].rows)


TIED = Told(
    chain(([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0.0, 0.0, 0.0], Units.maxima([[0, 1, 2]]))),
    [([0], [1], [0.5, 0.0]), ([2], [1], [0.0, 0.5])],
)

LIES = {
    "a region is missing": (CROSS.without([1, 1, 1]), "cuts the cell, and the regions on one side are missing"),
    "its sibling is missing": (CROSS.without([1, 1, 0]), "cuts the cell, and the regions on one side are missing"),
    "one of another cell is missing": (CROSS.without([1, 0, 1]), "cuts the cell"),
    "a quadrant is missing": (CROSS.without([0, 0, 0]), "cuts the cell"),
    "a half is missing": (CROSS.without([0, 1, 1], [0, 1, 0], [0, 0, 0]), "cuts the cell"),
    "a region too many": (CROSS.beside(([0, 0, 1], [0, 1], [-0.5, -0.5])), "region"),
    "a region too many without a witness": (CROSS.beside(([0, 0, 1], [0, 1], [np.nan, np.nan])), "region"),
    "a region on the other side": (CROSS.instead([0, 0, 0], ([0, 0, 1], [0, 1], [-0.5, -0.5])), "on the other side"),
    "a rank of the first layer": (CROSS.instead([0, 0, 0], ([0, 0, 0], [1, 0], [-0.5, -0.5])), "its rank after"),
    "a rank of a second region": (CROSS.instead([1, 1, 0], ([1, 1, 0], [1, 0], [0.125, 0.125])), "its rank after"),
    "a rank of the last layer": (CROSS.instead([1, 1, 1], ([1, 1, 1], [2, 2], [0.5, 0.5])), "its rank after"),
    "a witness elsewhere": (
        CROSS.instead([1, 1, 1], ([1, 1, 1], [2, 1], [0.125, 0.125])),
        "witness is outside of its cell",
    ),
    "a witness elsewhere in the first layer": (
        CROSS.instead([0, 1, 1], ([0, 1, 1], [1, 1], [0.75, 0.75])),
        "witness is outside of its cell",
    ),
    "a witness on a boundary": (
        CROSS.instead([1, 1, 1], ([1, 1, 1], [2, 1], [0.25, 0.25])),
        "witness is on the boundary of its cell",
    ),
    "a witness on the boundary of what is below": (
        CROSS.instead([1, 1, 0], ([1, 1, 0], [2, 0], [0.25, 0.25])),
        "witness is on the boundary of its cell",
    ),
    "a witness elsewhere by the second unit": (
        CROSS.instead([1, 0, 1], ([1, 0, 1], [1, 1], [0.5, 0.5])),
        "witness is outside of its cell",
    ),
    "a witness outside": (CROSS.instead([1, 1, 1], ([1, 1, 1], [2, 1], [0.5, 1.5])), "outside of the domain"),
    "a witness on the domain's boundary": (
        CROSS.instead([1, 1, 1], ([1, 1, 1], [2, 1], [0.5, 1.0])),
        "on the boundary of the domain",
    ),
    "a winner is missing": (HIGHEST.without([2]), "candidate 2 wins in a part of the cell"),
    "another winner is missing": (HIGHEST.without([0]), "candidate 0 wins in a part of the cell"),
    "one wins everywhere": (HIGHEST.without([1], [2]), "cuts the cell"),
    "one wins that never does": (HIGHEST.beside(([3], [0], [0.5, 0.5])), "wins nowhere|empty|outside"),
    "one wins in a line": (TENT.beside(([2], [0], [0.0, 0.5])), "wins nowhere|empty|boundary"),
    "one wins in a line, somewhere": (TENT.beside(([2], [0], [np.nan, np.nan])), "wins nowhere|empty"),
    "a loser wins everywhere": (LEVEL.instead([0, 1, 2], ([0, 1, 0], [1], [0.5, 0.5])), "on the other side"),
    "a witness of another winner": (HIGHEST.instead([0], ([0], [1], [0.5, 0.75])), "witness is outside of its cell"),
    "a witness where two win": (HIGHEST.instead([0], ([0], [1], [0.5, 0.5])), "witness is on the boundary of its cell"),
    "the upper piece where it is 0": (
        LEVEL.instead([0, 1, 2], ([1, 1, 2], [0], [0.5, 0.5])),
        "is 0 all over the cell, so the lower piece is right",
    ),
    "both pieces where it is 0": (
        LEVEL.beside(([1, 1, 2], [0], [0.5, 0.5])),
        "is 0 all over the cell, but regions differ there",
    ),
    "the higher of two candidates": (
        TIED.instead([0], ([1], [1], [0.5, 0.0])),
        "candidate 1 is the same function as a lower one",
    ),
    "the higher of two candidates beside the lower": (
        TIED.beside(([1], [1], [0.5, 0.0])),
        "candidate 1 is the same function as a lower one",
    ),
    "the higher of two candidates everywhere": (
        SAME.instead([0], ([1], [1], [0.5, 0.0])),
        "candidate 1 is the same function as a lower one",
    ),
    "both winners but the highest": (
        Told(
            chain(
                (
                    [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]],
                    [0.0, 0.0, 0.125, 0.25],
                    Units.maxima([[0, 1, 2, 3]]),
                )
            ),
            HIGHEST.rows[:2],
        ),
        "candidate 3 wins in a part of the cell",
    ),
    "a region of an empty cell": (
        PARALLEL.beside(([0, 1, 1], [1, 1], [np.nan, np.nan])),
        "does not cut the cell|patterns are those of an empty cell",
    ),
    "the middle piece is missing": (STEPS.without([1]), "region"),
    "the last piece is missing": (STEPS.without([2]), "cuts the cell"),
    "nothing": (replace(CROSS, rows=CROSS.rows[:1]), "cuts the cell"),
}


@each_way
@pytest.mark.parametrize("name", LIES)
def test_lies(name: str, most: int) -> None:
    told, sentence = LIES[name]
    with pytest.raises(RefutedError, match=sentence):
        check(told, most)


@each_way
def test_a_witness_that_is_not_told_is_found(most: int) -> None:
    for pieces, ranks, _ in CROSS.rows:
        assert check(CROSS.instead(pieces, (pieces, ranks, [np.nan, np.nan])), most) == len(CROSS.rows)


def test_a_claim_of_nothing() -> None:
    claim = replace(
        CROSS.claim(), regions=Rows(np.zeros((0, 3), np.uint16), np.zeros((0, 2)), np.zeros(0), np.zeros((0, 2)))
    )
    chart = Problem.over(CROSS.network, SQUARE).chart
    with pytest.raises(RefutedError, match="there are no regions"):
        Checker(claim, ExactDomain.of(SQUARE, chart)).root()


def quadrants(rank: int = 2, witness: float = 0.5) -> TreeRows:
    """The cells of the first layer of `CROSS`."""
    pieces = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]], np.uint16)
    ranks = np.array([[rank, 0], [1, 0], [1, 0], [0, 0]])
    points = np.array([[witness, 0.5], [0.5, -0.5], [-0.5, 0.5], [-0.5, -0.5]])
    return TreeRows(
        np.zeros(4, int), np.arange(4), np.zeros(4, int), Rows(pieces, ranks, np.zeros(len(pieces)), points)
    )


def test_cells_of_a_tree() -> None:
    assert check(CROSS, 160, quadrants()) == len(CROSS.rows)
    with pytest.raises(RefutedError, match="its ranks are not those of its regions"):
        check(CROSS, 160, quadrants(rank=1))
    with pytest.raises(RefutedError, match="row 0 of the tree: its witness is outside of its cell"):
        check(CROSS, 160, quadrants(witness=-0.5))


@each_way
def test_ranks_are_not_those_modulo_a_prime(most: int) -> None:
    """Two rows that depend on each other modulo 2^31 - 1 only; and a row that is 0 there."""
    prime = 2.0**31 - 1.0
    for rows in ([[1.0, 1.0], [1.0, 1.0 + prime]], [[prime, 0.0], [0.0, 1.0]]):
        network = chain((rows, [9e9, 9e9], Units.each([PiecewiseLinear((0.0,), (0.5, 1.0), (0.0, 0.0)), RELU])))
        assert check(Told(network, [([1, 1], [2], [0.5, 0.5])]), most) == 1
        with pytest.raises(RefutedError, match="its rank after"):
            check(Told(network, [([1, 1], [1], [0.5, 0.5])]), most)
