"""What is proved to meet a cone at its apex alone does, whatever the dictionary says: numbers that no simplex method finds.

A proof takes the multipliers and the inverse of the basis from the dictionary, which drifts, but must be right for any
numbers (`proof_kernel._only_at_apex`). So dictionaries are made up here, over two rows of a cone in the plane, and the
truth is found in integers, for the true rows that are the worst within the errors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings

from regionenum.engine.cells import begin, relate
from regionenum.engine.dictionary import verbs  # noqa: F401  (registers them)
from regionenum.engine.dictionary.layout import (
    COL_FLIP,
    COL_VAR,
    COLUMN,
    N_BASIC,
    N_ROWS,
    PLACE,
    ROW_FLIP,
    ROW_VAR,
    SIZE,
    SPAN,
    make_cells,
)
from regionenum.engine.dictionary.proof_kernel import does_not_reach, scaled_line
from tests.exact_cones import Cone
from tests.random_cells import seeds

DIM = 2
BUDGET = settings(
    max_examples=60, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)
Form = tuple[Fraction, Fraction]
"""A function a p + b t that is 0 at the apex."""


@dataclass(frozen=True)
class MadeUp:
    """A cone {g > 0, t > 0} of two rows, a third, and what the dictionary says of them.

    Attributes
    ----------
    rows : (3, 2) the rows g, and the one that may not reach into the cone; of magnitudes in [1/2, 1) as functions of z
    errors : (3,) what they can be wrong by
    inverse : (2, 2) what the dictionary has as the inverse of the first two
    multipliers : (2,) what it has for the third row
    flipped : (2,) whether the cell is on the negative side of the line that has the row
    has_t : the second row is t itself, no line
    """

    rows: np.ndarray
    errors: np.ndarray
    inverse: np.ndarray
    multipliers: np.ndarray
    flipped: np.ndarray
    has_t: bool

    @classmethod
    def random(cls, rng: np.random.Generator) -> MadeUp | None:
        """Two rows at any angle; a third about as far from their combination as can be told, by any inverse.

        What is left of the third beside the combination is as large as it can be where the cone is longest.
        """
        has_t = bool(rng.random() < 0.5)
        basis = rng.normal(size=(DIM, DIM))
        if rng.random() < 0.5:
            basis *= np.eye(DIM) + 0.1 * rng.random()
        elif rng.random() < 0.5:
            basis[1] = -basis[0] * rng.uniform(0.5, 2.0) + 10.0 ** rng.uniform(-9.0, 0.0) * rng.normal(size=DIM)
        basis = np.array([scaled(row)[0] for row in basis])
        if has_t:
            basis[1] = 0.0, 1.0
        if abs(np.linalg.det(basis)) < 1e-12:
            return None
        inverse = np.linalg.inv(basis)
        longest, edge = np.unravel_index(np.abs(inverse).argmax(), inverse.shape)
        small = 10.0 ** rng.choice([rng.uniform(-14.0, -11.0), rng.uniform(-8.5, -1.0)], DIM)
        told = np.where(rng.random(DIM) < 0.5, small, rng.choice([1.0, 1.0 + rng.random()], DIM))
        can_be = told.min() / abs(inverse[longest, edge])
        multipliers = told.copy()
        if rng.random() < 0.3:
            multipliers[rng.integers(DIM)] *= rng.choice([0.0, -1.0])
        rest, errors = np.zeros(DIM), np.zeros(3)
        if rng.random() < 0.7:
            rest[longest] = np.sign(inverse[longest, edge]) * rng.choice([0.6, 0.9, 1.1, 1.6]) * can_be
        else:
            errors[2] = rng.choice([0.6, 0.9, 1.1, 1.6]) * can_be
        wide = np.zeros(DIM)
        if rng.random() < 0.3:
            # about as far as the inverse allows
            wide[rng.integers(2 - has_t)] = rng.choice([0.2, 0.5, 1.0, 2.0]) / np.abs(inverse).max()
        third, scale = scaled(-multipliers @ basis + rest)
        if not third.any():
            return None
        spoilt = inverse * rng.choice([1.0, 0.52, 0.3])
        if rng.random() < 0.5:
            spoilt[rng.integers(DIM)] *= rng.choice([0.5, 2.0, 0.0])
        flipped = (rng.random(DIM) < 0.3) * [1, not has_t]
        return cls(np.array([*basis, third]), np.append(wide, errors[2] * scale), spoilt, told * scale, flipped, has_t)

    def is_claimed(self) -> bool:
        """Whether the kernel says that the third row does not reach into the cone."""
        cells = make_cells(1, DIM, 8, 4, 4)
        begin(cells, 0, 1)
        table, label = cells.tables[0], cells.labels[0]
        for k, row in enumerate(self.rows):
            a, b = -row if k < DIM and self.flipped[k] else row
            # p = 2 z - 1
            scaled_line(cells.lines[k], -a, np.array([2.0 * a, b]), self.errors[k])
        label[SIZE, N_BASIC], label[SIZE, N_ROWS] = DIM, DIM + 1
        label[COL_VAR, :DIM], label[COL_FLIP, :DIM] = (DIM, 1 if self.has_t else DIM + 1), self.flipped
        label[ROW_VAR, :3], label[ROW_FLIP, :3] = (0, DIM + 1 if self.has_t else 1, DIM + 2), 0
        label[PLACE, :DIM] = 0, -2 if self.has_t else 1
        table[COLUMN : COLUMN + DIM, 0] = self.inverse[0] / 2.0
        if not self.has_t:
            table[COLUMN : COLUMN + DIM, 1] = self.inverse[1]
        table[COLUMN : COLUMN + DIM, 2] = -self.multipliers
        return bool(does_not_reach(table, label, cells.lines, cells.work, 2, 1.0))

    def reaches(self) -> bool:
        """Whether the third row is positive somewhere in the cone, if all rows are wrong by as much as they can be."""
        plane = Cone.everything(DIM).sides((0, 1))[1]
        for first in self._true(0):
            for second in self._true(1):
                cone = plane
                for row in (first, second):
                    cone = cone.sides(integers(row))[1] if cone else None
                if cone and any(cone.sides(integers(third))[1] for third in self._true(2)):
                    return True
        return False

    def _true(self, k: int) -> Iterator[Form]:
        """The row as it was given, and where it is farthest from that."""
        a, b = map(Fraction, self.rows[k].tolist())
        error = Fraction(self.errors[k])
        yield a, b
        if error:
            yield from ((a + error, b), (a - error, b), (a, b + error), (a, b - error))


def scaled(row: np.ndarray) -> tuple[np.ndarray, float]:
    """A row times a power of two, and that power."""
    scale = 2.0 ** -int(math.frexp(max(2.0 * abs(row[0]), abs(row[1])))[1])
    return row * scale, scale


def integers(form: Form) -> tuple[int, ...]:
    """A form times a positive integer."""
    scale = math.lcm(*(v.denominator for v in form))
    return tuple(int(v * scale) for v in form)


@BUDGET
@given(seed=seeds)
def test_no_numbers_prove_what_is_false_of_a_cone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_claimed = 0
    for _ in range(50):
        case = MadeUp.random(rng)
        if case is not None and case.is_claimed():
            n_claimed += 1
            assert not case.reaches(), case
    event(f"claimed: {n_claimed > 0}")


@pytest.mark.parametrize("upper", [0, 1])
def test_the_upper_end_of_t_is_not_the_apex(upper: int) -> None:
    """A row that is minus a constraint and minus t; at the upper end of t, what is 0 is 1 - t."""
    basis, multipliers = np.array([[0.3, 0.1], [0.0, 1.0]]), np.array([0.7, 0.3])
    third, scale = scaled(-multipliers @ basis)
    first, by = scaled(basis[0])
    rows = np.array([first, basis[1], third])
    inverse = np.linalg.inv(rows[:2])
    case = MadeUp(rows, np.zeros(3), inverse, multipliers * scale / [by, 1.0], np.array([0, upper]), True)
    assert not case.reaches()
    assert case.is_claimed() == (not upper)


# --- Rows in a smaller span

STRONG = np.array([0.4, 0.3, 0.0])
"""Multipliers of the constraints of `touches_in_span`."""


def touches_in_span(level: int, levels: tuple[int, int], passed: tuple[int, int], span: int, rest: float = 0.0) -> bool:
    """Whether a row of a cone over the plane is proved not to reach into it: minus two of its three constraints, and a rest.

    level, levels : what the cells are told of the row, and of the two; span : of the dimension of the level's rows.
    """
    basis = np.array([[0.7, 0.1, 0.3], [-0.2, 0.9, 0.1], [0.3, -0.4, 1.0]]) / 1.1
    row = -STRONG @ basis
    row[2] += rest
    cells = make_cells(1, 3, 8, 6, 4, 3)
    begin(cells, 0, 1)
    table, label = cells.tables[0], cells.labels[0]
    for k, (a, b, c) in enumerate([*basis, row]):
        scaled_line(cells.lines[k], -a - b, np.array([2.0 * a, 2.0 * b, c]), 0.0)
    scale = cells.lines[3, 0] / (2.0 * row[0])
    relate(cells, 3, level, 0)
    for k in range(2):
        relate(cells, k, levels[k], passed[k])
    cells.work[SPAN + level] = span
    sizes = np.array([cells.lines[k, 0] / (2.0 * basis[k, 0]) for k in range(3)])
    inverse = np.linalg.inv(basis * sizes[:, None])
    label[SIZE, N_BASIC], label[SIZE, N_ROWS] = 3, 4
    label[COL_VAR, :3], label[COL_FLIP, :3] = (3, 4, 5), 0
    label[ROW_VAR, :4], label[ROW_FLIP, :4] = (0, 1, 2, 6), 0
    label[PLACE, :3] = 0, 1, 2
    table[COLUMN : COLUMN + 3, :3] = (inverse / np.array([2.0, 2.0, 1.0])[:, None]).T
    table[COLUMN : COLUMN + 3, 3] = -STRONG * scale / sizes
    return bool(does_not_reach(table, label, cells.lines, cells.work, 3, 1.0))


def test_rows_of_a_smaller_span_need_as_many_constraints_as_it_has_dimensions() -> None:
    """Of the row's own layer, or of the one before if their units pass them on; what is left of the row is in the span too."""
    for levels, passed in (((1, 1), (0, 0)), ((1, 0), (0, 1)), ((0, 0), (1, 1))):
        for rest in (0.0, 2.0**-45):
            assert touches_in_span(1, levels, passed, 2, rest)


@pytest.mark.parametrize(
    ("level", "levels", "passed", "span"),
    [
        (1, (1, 1), (0, 0), 3),
        (1, (1, 1), (0, 0), 1),
        (1, (1, 0), (0, 0), 2),
        (1, (0, 1), (0, 0), 2),
        (2, (2, 0), (0, 1), 2),
        (1, (1, 2), (0, 1), 2),
        (1, (1, -1), (0, 1), 2),
        (-1, (-1, -1), (1, 1), 2),
    ],
    ids=[
        "larger span",
        "smaller span",
        "not passed on",
        "the first not passed on",
        "two layers before",
        "a layer after",
        "of no layer",
        "the row of no layer",
    ],
)
def test_constraints_of_another_span_prove_nothing(
    level: int, levels: tuple[int, int], passed: tuple[int, int], span: int
) -> None:
    """What is left of the row, or by rounding can be, may be positive where both constraints are 0 and the third is not."""
    assert not touches_in_span(level, levels, passed, span, 2.0**-45)
