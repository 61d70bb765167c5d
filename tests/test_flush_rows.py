"""Rows that touch a cell, decided by numbers that do not round: which lines are coarse, and what no multipliers may prove."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from regionenum.engine.cells import begin
from regionenum.engine.dictionary import verbs  # noqa: F401  (registers them)
from regionenum.engine.dictionary.layout import (
    COARSE,
    COL_FLIP,
    COL_VAR,
    COLUMN,
    EXTRA,
    N_BASIC,
    N_ROWS,
    ROW_VAR,
    SIZE,
    make_cells,
)
from regionenum.engine.dictionary.proof_kernel import _is_flush, does_not_reach, scaled_line

DIM = 2


def is_coarse(constant: float, normal: list[float], error: float = 0.0) -> bool:
    line = np.zeros(8 + EXTRA)
    scaled_line(line, constant, np.array(normal), error)
    return bool(line[8 + COARSE])


@pytest.mark.parametrize("scale", [1.0, 3.0, 2.0**-600, 2.0**600, 2.0**1010, 2.0**-1010])
def test_small_integers_times_anything_are_coarse(scale: float) -> None:
    """A power of two is no matter, nor is a factor of few digits."""
    assert is_coarse(-1.0 * scale, [1.0 * scale, 2.0 * scale])
    assert is_coarse(0.0, [0.0, 2.0 * scale])


@pytest.mark.parametrize(
    ("constant", "normal", "error"),
    [
        (0.0, [1.0, 1.0], 2.0**-60),
        (2.0**-30, [1.0, 1.0], 0.0),
        (0.0, [1.0, 1.0 + 2.0**-30], 0.0),
        (0.0, [1.0 + 2.0**-30, 1.0], 0.0),
        (1024.0, [1.0, 1.0], 0.0),
        (-1024.0, [1.0, 1.0], 0.0),
        (2.0**-1074, [2.0**900, 0.0], 0.0),
        (0.0, [2.0**900, 2.0**-1074], 0.0),
        (2.0**-1074, [2.0**1010, 0.0], 0.0),
        (0.0, [2.0**900, 0.0], 2.0**-1000),
    ],
    ids=[
        "error",
        "fine constant",
        "fine slope",
        "fine first slope",
        "large constant",
        "large negative constant",
        "constant vanishes",
        "slope vanishes",
        "constant vanishes beside the largest",
        "error vanishes",
    ],
)
def test_what_is_rounded_or_fine_is_not_coarse(constant: float, normal: list[float], error: float) -> None:
    assert not is_coarse(constant, normal, error)


@dataclass(frozen=True)
class Line:
    """A function constant + normal . z, known up to an error."""

    constant: float
    normal: tuple[float, float]
    error: float = 0.0

    def at(self, z: tuple[float, float]) -> float:
        return self.constant + sum(a * b for a, b in zip(self.normal, z, strict=True))


def is_flush(
    row: Line, constraints: list[Line], multipliers: list[float], flipped: tuple[int, int] = (0, 0), whole: bool = False
) -> bool:
    """Whether a row is proved to be negative where the constraints are positive, or negative if flipped; lines of size 1."""
    cells = make_cells(1, DIM, 8, 4, 4)
    begin(cells, 0, 0)
    table, label = cells.tables[0], cells.labels[0]
    for k, line in enumerate([row, *constraints]):
        # magnitudes in [1/2, 1), so that multipliers are those of the rows
        assert 0.5 <= max(map(abs, line.normal)) < 1.0
        scaled_line(cells.lines[k], line.constant, np.array(line.normal), line.error)
    label[SIZE, N_BASIC], label[SIZE, N_ROWS] = 0, 1
    label[ROW_VAR, 0] = DIM
    for j, multiplier in enumerate(multipliers):
        if j < len(constraints):
            label[COL_VAR, j], label[COL_FLIP, j] = DIM + 1 + j, flipped[j]
        table[COLUMN + j, 0] = -multiplier
    if whole:
        return bool(does_not_reach(table, label, cells.lines, cells.work, 0, 1.0))
    return bool(_is_flush(table, label, cells.lines, 0, 1.0))


CORNER = Line(-1.25, (0.625, 0.625))
"""x + y = 2, times 5 / 8."""
ABOVE, BEYOND = Line(0.0, (-0.5, 0.5)), Line(-0.25, (0.5, 0.0))
"""y > x, and x > 1 / 2."""


@pytest.mark.parametrize(
    ("row", "constraints", "multipliers"),
    [
        (CORNER, [], [0.625, 0.625]),
        (Line(0.0, (-0.5, 0.0)), [], [0.5, 0.0]),
        # x > y
        (Line(0.0, (0.5, -0.5)), [ABOVE], [1.0]),
        # a multiplier that has drifted is rounded
        (Line(0.0, (0.5, -0.5)), [ABOVE], [1.0 + 1e-9]),
        # 1 / 2 > y, where y > x > 1 / 2; less by some of them
        (Line(0.25, (0.0, -0.5)), [ABOVE, BEYOND], [1.0, 1.0]),
        (Line(0.125, (-0.25, -0.5)), [ABOVE, BEYOND], [0.5, 0.5]),
    ],
)
def test_rows_that_touch_are_proved_to(row: Line, constraints: list[Line], multipliers: list[float]) -> None:
    assert is_flush(row, constraints, multipliers)
    assert is_flush(row, constraints, multipliers, whole=True)


@pytest.mark.parametrize(
    ("row", "constraints", "multipliers", "flipped"),
    [
        # it cuts off a corner
        (Line(-1.25 + 2.0**-20, (0.625, 0.625)), [], [0.625, 0.625], (0, 0)),
        (Line(0.0, (0.5, -0.5)), [], [0.5, 0.5], (0, 0)),
        # the constraint itself, times a negative number
        (ABOVE, [ABOVE], [-1.0], (0, 0)),
        # and minus the constraint, which is positive where the cell is on the other side
        (Line(0.0, (0.5, -0.5)), [ABOVE], [1.0], (1, 0)),
        # what is not known for certain
        (Line(-1.25, (0.625, 0.625), 2.0**-40), [], [0.625, 0.625], (0, 0)),
        (Line(0.0, (0.5, -0.5)), [Line(0.0, (-0.5, 0.5), 2.0**-40)], [1.0], (0, 0)),
        # nor is what depends on so large a multiplier
        (Line(0.0, (0.5, -0.5)), [ABOVE, Line(-0.75, (0.5, 0.0))], [1.0, 1024.0], (0, 0)),
    ],
    ids=[
        "corner",
        "line",
        "negative multiplier",
        "other side",
        "rounded row",
        "rounded constraint",
        "large multiplier",
    ],
)
def test_what_no_multipliers_prove(
    row: Line, constraints: list[Line], multipliers: list[float], flipped: tuple[int, int]
) -> None:
    assert not is_flush(row, constraints, multipliers, flipped)
    assert not is_flush(row, constraints, multipliers, flipped, whole=True) or max(multipliers) > 1000.0


def test_a_flipped_constraint_is_its_negative() -> None:
    """Where y < x, y > x is not; by the line of y > x."""
    assert is_flush(ABOVE, [ABOVE], [1.0], (1, 0))
