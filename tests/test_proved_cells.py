"""What a representation calls proved is true: judged exactly, for rows that are off by as much as their errors allow.

Random sequences of the verbs of `engine/cells.py` on one cell. Most rows are made to be undecidable or nearly so: minus a
combination of the constraints that the cell has, moved a little. The true cell is kept beside it, as a cone over it in
integers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from regionenum.engine.cells import (
    BROKEN,
    CUTS,
    DOUBTFUL,
    LEAF,
    NEGATIVE,
    POSITIVE,
    RESTRICT,
    SPLIT,
    add,
    begin,
    centre,
    copy,
    drop,
    restrict,
    split,
    tight,
    witness,
)
from regionenum.engine.cells import test as outcome_of
from regionenum.engine.dictionary import verbs  # noqa: F401  (registers them)
from regionenum.engine.dictionary.layout import DictionaryCells, make_cells
from tests.exact_cones import Cone, Row
from tests.exact_oracle import Space, domain_cone

# a smaller seed is no simpler
BUDGET = settings(max_examples=300, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
LINES = 14
Exactly = tuple[Fraction, ...]
"""Coefficients of z and the constant of a function, as in `tests.exact_oracle`."""


@dataclass(frozen=True)
class Known:
    """A row as the representation is told, as it really is, and what it is a multiple of (constant and normal)."""

    constant: float
    normal: np.ndarray
    error: float
    true: Exactly
    unscaled: tuple[float, np.ndarray]

    @property
    def form(self) -> Row:
        """The true row times a positive number."""
        scale = max(v.denominator for v in self.true)  # all of them are powers of two
        return tuple(int(v * scale) for v in self.true)


def unit_cube(dim: int) -> Cone:
    return domain_cone(Space.box([0] * dim, [1] * dim))


def some_row(rng: np.random.Generator, dim: int, cone: bool, constraints: list[tuple[float, np.ndarray]]) -> Known:
    """A row, and a true one that is within its error; in a cone both are 0 at the apex."""
    if rng.random() < 0.3:
        normal = rng.standard_normal(dim)
        constant = -float(normal @ rng.choice([0.0, 0.3, 0.5, 1.0, rng.random()], dim))
    else:
        factors = rng.choice([0.0, 1.0, 0.7, 3.0, rng.random()], len(constraints))
        factors[rng.permutation(len(constraints))[dim:]] = 0.0
        sign = rng.choice([-1.0, -1.0, 1.0])
        normal = sign * sum((f * n for f, (_, n) in zip(factors, constraints, strict=True)), np.zeros(dim))
        constant = sign * sum(f * c for f, (c, _) in zip(factors, constraints, strict=True))
    if not normal.any():
        normal[rng.integers(dim)] = -1.0
    error = float(rng.choice([0.0, 0.0, 2.0**-52, 2.0**-45, 2.0**-20, 2.0**-6]))
    shift = float(rng.choice([0.0, -1.0, 1.0]) * rng.choice([0.0, rng.random(), 2.0]) * (error or 2.0**-53))
    k = int(rng.integers(dim))
    if cone:
        # 2 z - 1 and t are the coordinates in which the row has no constant; nothing is rounded here
        normal[k] += shift
        normal = np.round(normal * 2.0**40) / 2.0**40
        if not normal.any():
            normal[-1] = -1.0
        constant = -float(normal[:-1].sum()) / 2
    else:
        constant += shift
    scale = float(2.0 ** rng.choice([0, 0, 0, -300, 300, -1010, 1010]))
    given = Known(constant * scale, normal * scale, error * scale, (), (constant, normal))
    true = [*map(Fraction, given.normal), Fraction(given.constant)]
    true[-1 if not cone and rng.random() < 0.5 else k] += Fraction(given.error) * int(rng.choice([-1, 0, 1]))
    if cone:
        true[-1] = -sum(true[:-2], Fraction()) / 2
    return replace(given, true=tuple(true))


def is_inside(cells: DictionaryCells, f: int, constraints: list[Exactly]) -> bool:
    """Whether the witness of a cell is strictly inside the cube and the true constraints, exactly."""
    point = np.zeros(len(constraints[0]) - 1 if constraints else cells.system.shape[0])
    witness(cells, f, point)
    z = [*map(Fraction, point), Fraction(1)]
    return all(0 < v < 1 for v in z[:-1]) and all(sum(map(Fraction.__mul__, row, z)) > 0 for row in constraints)


def walk(rng: np.random.Generator, dim: int, cone: bool) -> tuple[int, int]:
    """Go down one path of cells; the numbers of proved and of doubtful answers."""
    cells = make_cells(2, dim, 64, LINES + 8, LINES)
    begin(cells, 0, int(cone))
    known = [(0.0 if side else 1.0, np.eye(dim)[k] * (1 if side else -1)) for k in range(dim) for side in (0, 1)]
    known = [known[-1]] if cone else known
    truth = unit_cube(dim)
    true: list[Exactly] = []
    on_line: dict[int, Row] = {}
    n_proved = n_doubtful = 0
    for line in range(LINES):
        row = some_row(rng, dim, cone, known)
        r = add(cells, 0, line, row.constant, row.normal, row.error)
        purpose = int(rng.choice([SPLIT, SPLIT, LEAF, RESTRICT]))
        outcome = outcome_of(cells, 0, r, purpose)
        below, above = truth.sides(row.form)
        if outcome == BROKEN:
            break
        n_proved += outcome != DOUBTFUL
        n_doubtful += outcome == DOUBTFUL
        if outcome in (NEGATIVE, POSITIVE):
            assert (above if outcome == NEGATIVE else below) is None
            lines = np.zeros(dim, np.int64)
            part: Cone | None = unit_cube(dim)
            for k in lines[: tight(cells, 0, r, lines)].tolist():
                part = part.sides(on_line[k])[1] if part else None
            sides = part.sides(row.form) if part else (None, None)
            assert sides[1 if outcome == NEGATIVE else 0] is None, "what is called tight does not prove it"
        if outcome == CUTS:
            assert above is not None
            assert below is not None or purpose == RESTRICT
        if outcome != CUTS or purpose == LEAF:
            drop(cells, 0, r)
            continue
        minus, opposite = tuple(-v for v in row.true), tuple(-v for v in row.form)
        if purpose == RESTRICT:
            restrict(cells, 0, r)
            is_positive = True
        else:
            side = split(cells, 0, r, 1)
            for f, is_above in ((0, side == POSITIVE), (1, side != POSITIVE)):
                assert is_inside(cells, f, [*true, row.true if is_above else minus])
            is_positive = side == POSITIVE
            if rng.random() < 0.5:
                copy(cells, 1, 0)
                is_positive = not is_positive
        part = above if is_positive else below
        assert part is not None
        truth = part
        true.append(row.true if is_positive else minus)
        on_line[line] = row.form if is_positive else opposite
        constant, normal = row.unscaled
        known.append((constant, normal) if is_positive else (-constant, -normal))
        centre(cells, 0)
        assert is_inside(cells, 0, true)
    return n_proved, n_doubtful


@pytest.mark.parametrize("cone", [False, True], ids=["cell", "cone"])
@BUDGET
@given(seed=st.integers(0, 2**32 - 1), dim=st.integers(1, 3))
def test_what_is_proved_is_true(cone: bool, seed: int, dim: int) -> None:
    n_proved, n_doubtful = walk(np.random.default_rng(seed), dim + cone, cone)
    event(f"proved: {n_proved > 4}, doubtful: {n_doubtful > 0}")


@pytest.mark.parametrize("cone", [False, True], ids=["cell", "cone"])
def test_both_kinds_of_answers_are_given(cone: bool) -> None:
    """Nothing would be tested if all were doubtful, and little if nothing were."""
    found = np.array([walk(np.random.default_rng(seed), 3, cone) for seed in range(20)])
    assert (found.sum(axis=0) > 20).all()
