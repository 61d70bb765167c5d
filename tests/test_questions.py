"""Questions of the walk and their answers: asked once, answered rightly, used once, and carried out whatever float64 sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numba import config

import regionenum as rn
from regionenum.domain import Box, WholeSpace
from regionenum.engine import cells as verbs
from regionenum.engine.cells import (
    BROKEN,
    CUTS,
    DOUBTFUL,
    LEAF,
    NEGATIVE,
    POSITIVE,
    RESTRICT,
    SCREEN,
    SPLIT,
    ZERO,
)
from regionenum.engine.compiled import CompiledEngine
from regionenum.engine.counters import N_COUNTERS, OVERTURNED, RESOLVED
from regionenum.engine.dictionary import verbs as _registered  # noqa: F401  (registers them)
from regionenum.engine.dictionary.cut_kernel import rebuild
from regionenum.engine.dictionary.layout import make_cells
from regionenum.engine.interface import Options, Problem, Record
from regionenum.engine.questions import Decided, Referee
from regionenum.engine.walk import group_kernel, tree_kernel
from regionenum.engine.walk.question_kernel import (
    answer_about,
    ask,
    asks,
    replace_witness,
    split_by_answer,
    use_up,
)
from regionenum.engine.walk.state import (
    ASKED,
    CONTENT,
    IS_EXACT,
    KIND,
    NO_ANSWER,
    OF_A_RANK,
    OF_A_ROW,
    SURE_ABOVE,
    SURE_BELOW,
    Questions,
    make_questions,
)
from regionenum.errors import EngineError
from regionenum.exact.predicates import Side
from regionenum.network.units import MAXIMUM, Floats, Units
from tests.exact_cones import Cone
from tests.exact_forms import Example, exact_form, read_examples
from tests.exact_oracle import Space, TooManyCellsError, domain_cone, enumerate_exactly
from tests.exploring import explore
from tests.hard_networks import FAMILIES, case_of
from tests.line import chain, relu_chain
from tests.oracles import Pattern, exact_pattern
from tests.verdicts import assert_right, judge_result, summary

DATA = Path(__file__).parent / "data"
EXAMPLES = [*read_examples(DATA / "near_degenerate.json"), *read_examples(DATA / "found_hard.json")]
SMALL = [example for example in EXAMPLES if sum(layer["regions"] for layer in example.truth["layers"]) <= 60]

# a smaller seed is no simpler
BUDGET = settings(max_examples=60, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 2**32 - 1)


# --- Asking


def test_an_answer_is_for_its_question_and_used_once() -> None:
    questions, counters = make_questions(2), np.zeros(N_COUNTERS, np.int64)
    about = OF_A_ROW, 3, 5, 2, 1
    assert not asks(questions)
    questions.mode[IS_EXACT] = 1
    assert asks(questions)
    assert answer_about(questions, *about) == NO_ANSWER
    assert ask(questions, *about, CUTS) == ASKED
    assert questions.mode[KIND] == OF_A_ROW
    assert answer_about(questions, *about) == NO_ANSWER
    questions.answer[OF_A_ROW, CONTENT] = POSITIVE
    assert answer_about(questions, *about) == POSITIVE
    for k in range(1, 5):
        other = [*about]
        other[k] += 1
        assert answer_about(questions, *other) == NO_ANSWER
    assert answer_about(questions, OF_A_RANK, *about[1:]) == NO_ANSWER
    use_up(questions, OF_A_ROW, counters)
    assert answer_about(questions, *about) == NO_ANSWER
    assert (counters[RESOLVED], counters[OVERTURNED], counters.sum()) == (1, 1, 2)


@pytest.mark.parametrize(("guess", "overturned"), [(CUTS, 0), (-1, 0), (NEGATIVE, 1), (ZERO, 1)])
def test_what_float64_would_have_said_otherwise_is_counted(guess: int, overturned: int) -> None:
    questions, counters = make_questions(1), np.zeros(N_COUNTERS, np.int64)
    ask(questions, OF_A_ROW, 1, 0, 0, -1, guess)
    questions.answer[OF_A_ROW, CONTENT] = CUTS
    use_up(questions, OF_A_ROW, counters)
    assert (counters[RESOLVED], counters[OVERTURNED]) == (1, overturned)


def test_a_question_forgets_the_answer_to_the_last_of_its_kind() -> None:
    questions = make_questions(1)
    ask(questions, OF_A_ROW, 1, 0, 0, -1, CUTS)
    ask(questions, OF_A_RANK, 0, 1, 0, 0, 2)
    questions.answer[[OF_A_ROW, OF_A_RANK], CONTENT] = CUTS, 2
    ask(questions, OF_A_ROW, 1, 1, 0, -1, CUTS)
    assert answer_about(questions, OF_A_ROW, 1, 1, 0, -1) == NO_ANSWER
    assert answer_about(questions, OF_A_ROW, 1, 0, 0, -1) == NO_ANSWER
    assert answer_about(questions, OF_A_RANK, 0, 1, 0, 0) == 2


@pytest.mark.parametrize(
    ("outcome", "sure", "moved_to"),
    [
        (NEGATIVE, (1, 0), 0),
        (POSITIVE, (0, 1), 1),
        (ZERO, (1, 1), 1),
        (NEGATIVE, (0, 0), None),
        (POSITIVE, (0, 0), None),
        (CUTS, (1, 1), None),
    ],
)
def test_the_witness_is_replaced_by_a_point_that_is_inside(
    outcome: int, sure: tuple[int, int], moved_to: int | None
) -> None:
    cells, questions, point = make_cells(1, 1, 16, 16, 8), make_questions(1), np.zeros(1)
    verbs.begin(cells, 0, 0)
    verbs.witness(cells, 0, point)
    before = point.copy()
    questions.points[:] = [[0.25], [0.75]]
    questions.answer[OF_A_ROW, [SURE_BELOW, SURE_ABOVE]] = sure
    questions.answer[OF_A_ROW, CONTENT] = outcome
    replace_witness(cells, 0, questions, outcome)
    verbs.witness(cells, 0, point)
    assert np.array_equal(point, before if moved_to is None else questions.points[moved_to])


# --- Carrying out


def of(row: tuple[float, Floats]) -> tuple[int, ...]:
    """A function of z as a form over the cone, times a power of two."""
    constant, normal = row
    values = [*map(Fraction, normal.tolist()), Fraction(constant)]
    scale = max(v.denominator for v in values)
    return tuple(int(v * scale) for v in values)


def middle(cone: Cone) -> Floats:
    """Near the middle of a bounded cell."""
    corners = [[Fraction(v, point[-1]) for v in point[:-1]] for point, _ in cone.rays]
    return np.array([float(sum(values) / len(corners)) for values in zip(*corners, strict=True)])


def contains(cone: Cone, planes: list[tuple[int, ...]], z: Floats) -> bool:
    """Whether a point is strictly inside the unit cube and the positive sides of hyperplanes, exactly."""
    point = [*map(Fraction, z.tolist()), Fraction(1)]
    return all(0 < v < 1 for v in point[:-1]) and all(
        sum(map(Fraction.__mul__, map(Fraction, plane), point)) > 0 for plane in planes
    )


def touching(rng: np.random.Generator, cone: Cone) -> tuple[float, Floats]:
    """A hyperplane near a corner or the middle of a cell, in a random direction: it cuts off little, touches, or cuts."""
    dim = len(cone.rays[0][0]) - 1
    corners = [point for point, _ in cone.rays]
    corner = corners[rng.integers(len(corners))]
    at = np.array([float(Fraction(v, corner[-1])) for v in corner[:-1]])
    if rng.random() < 0.4:
        at = at + rng.random() * (middle(cone) - at)
    normal = rng.integers(-3, 4, dim) / 2.0 if rng.random() < 0.5 else rng.standard_normal(dim)
    if not normal.any():
        normal[0] = 1.0
    shift = float(rng.choice([0.0, 0.0, 1.0, -1.0])) * 2.0 ** -int(rng.integers(10, 56))
    return float(-normal @ at) + shift, normal


def carry_out(seed: int, dim: int, unsure: bool) -> tuple[int, int]:
    """Go down a path of cells, most of them made by answers; how many were, and how many tests of their parts were proved."""
    rng = np.random.default_rng(seed)
    cells, questions = make_cells(3, dim, 64, 60, 40), make_questions(dim)
    verbs.begin(cells, 0, 0)
    truth = domain_cone(Space.box([0] * dim, [1] * dim))
    planes: list[tuple[int, ...]] = []
    n_forced = n_proved = 0
    for line in range(9):
        row = touching(rng, truth)
        form = of(row)
        sides = truth.sides(form)
        r = verbs.add(cells, 0, line, row[0], row[1], 0.0)
        outcome = verbs.test(cells, 0, r, SPLIT)
        exactly = CUTS if sides[0] and sides[1] else POSITIVE if sides[1] else NEGATIVE
        assert outcome in (exactly, DOUBTFUL, BROKEN)
        n_proved += outcome == exactly
        if exactly != CUTS or (outcome == CUTS and rng.random() < 0.2):
            verbs.drop(cells, 0, r)
            continue
        questions.answer[OF_A_ROW, CONTENT] = CUTS
        minus = tuple(-v for v in form)
        for k, part in enumerate(sides):
            assert part is not None
            point = middle(part)
            if unsure:
                # anywhere, as far as the cell is concerned
                point = rng.random(dim)
            questions.points[k] = point
            sure = not unsure and contains(part, [*planes, form if k else minus], point)
            questions.answer[OF_A_ROW, SURE_ABOVE if k else SURE_BELOW] = sure
        kept = split_by_answer(cells, 0, r, 1, questions)
        n_forced += 1
        for f in (0, 1):
            k = kept if f == 0 else 1 - kept
            point = np.zeros(dim)
            verbs.witness(cells, f, point)
            assert np.array_equal(point, questions.points[k])
            assert verbs.is_sure(cells, f) == questions.answer[OF_A_ROW, SURE_ABOVE if k else SURE_BELOW]
        k = int(rng.integers(2))
        if k != kept:
            verbs.copy(cells, 1, 0)
        part = sides[k]
        assert part is not None
        truth = part
        planes.append(form if k else minus)
        n_proved += probe(rng, cells, truth, planes)
    return n_forced, n_proved


def probe(rng: np.random.Generator, cells: object, truth: Cone, planes: list[tuple[int, ...]]) -> int:
    """Test rows on cell 0, a copy of which is restricted by some: what is proved is true, and a sure witness is inside."""
    dim = len(truth.rays[0][0]) - 1
    n_proved = 0
    for _ in range(6):
        verbs.copy(cells, 0, 2)
        row = touching(rng, truth)
        below, above = truth.sides(of(row))
        purpose = int(rng.choice([SPLIT, RESTRICT]))
        r = verbs.add(cells, 2, verbs.NEW_LINE, row[0], row[1], 0.0)
        outcome = verbs.test(cells, 2, r, purpose)
        n_proved += outcome < DOUBTFUL
        if outcome in (NEGATIVE, POSITIVE):
            assert (above if outcome == NEGATIVE else below) is None
        elif outcome == CUTS:
            assert above is not None
            assert below is not None or purpose == RESTRICT
        verbs.centre(cells, 2)
        point = np.zeros(dim)
        verbs.witness(cells, 2, point)
        assert not verbs.is_sure(cells, 2) or contains(truth, planes, point)
    return n_proved


@pytest.mark.parametrize("unsure", [False, True], ids=["sure", "unsure"])
@BUDGET
@given(seed=seeds, dim=st.integers(1, 3))
def test_a_cell_that_was_forced_is_the_part_and_proves_what_is_true(unsure: bool, seed: int, dim: int) -> None:
    carry_out(seed, dim, unsure)


@pytest.mark.parametrize("sure", [0, 1])
def test_a_rebuilt_cell_has_the_witness_it_had(sure: int) -> None:
    cells, point = make_cells(1, 2, 16, 16, 8), np.zeros(2)
    verbs.begin(cells, 0, 0)
    verbs.force(cells, 0, verbs.add(cells, 0, 0, -1.0, np.ones(2), 0.0), POSITIVE, np.array([0.7, 0.8]), sure)
    assert verbs.is_sure(cells, 0) == sure
    rebuild(cells.tables[0], cells.labels[0], cells.lines, cells.work)
    assert verbs.is_sure(cells, 0) == sure
    verbs.witness(cells, 0, point)
    assert point.tolist() == [0.7, 0.8]


@pytest.mark.parametrize("unsure", [False, True], ids=["sure", "unsure"])
def test_cells_are_forced_and_prove_something(unsure: bool) -> None:
    found = np.array([carry_out(seed, 2, unsure) for seed in range(12)])
    assert (found.sum(axis=0) > 12).all()


# --- Answers


@dataclass(frozen=True)
class Judged:
    """A problem, and its true patterns after each layer."""

    problem: Problem
    cells: list[dict[Pattern, int]]

    @classmethod
    def of(cls, family: str, seed: int) -> Judged | None:
        """A case of a family, unless it is large."""
        network, domain = case_of(family, seed)
        try:
            truth = enumerate_exactly(*exact_form(network, domain), 60)
        except TooManyCellsError:
            return None
        return cls(Problem.over(network, domain), truth.cells)

    def decided(self, layer: int, pattern: Pattern, known: set[int]) -> Decided:
        """The decisions of a pattern: all of the layers before, and those of some units of `layer`."""
        sides: list[int] = []
        winners: list[int] = []
        pieces = iter(pattern)
        for k, description in enumerate(self.problem.network.unit_layers[: layer + 1]):
            units = description.units
            for u, function in enumerate(units.function_of.tolist()):
                piece = next(pieces) if k < layer or u in known else None
                if k == layer and u not in known:
                    next(pieces, None)
                n = int(units.n_pieces[u])
                if function == MAXIMUM:
                    winners.append(-1 if piece is None or n == 1 else piece)
                else:
                    winners.append(-1)
                    sides += [-1 if piece is None else int(piece > j) for j in range(n - 1)]
        return Decided(layer, np.array(sides, np.int8), np.array(winners, np.int16), np.ones(len(sides), np.bool_))


def random_cells(judged: Judged, rng: np.random.Generator) -> Iterator[tuple[int, Pattern, set[int], list[Pattern]]]:
    """Layer, pattern of a cell in it, the units of which decisions are kept, and all patterns that agree with these."""
    for layer, cells in enumerate(judged.cells):
        patterns = sorted(cells)
        first = int(sum(judged.problem.n_units[:layer]))
        for pattern in (patterns[k] for k in rng.integers(0, len(patterns), 3)):
            n = judged.problem.n_units[layer]
            known = set(np.flatnonzero(rng.random(n) < rng.random()).tolist())
            fixed = [*range(first), *(first + u for u in known)]
            yield layer, pattern, known, [p for p in patterns if all(p[k] == pattern[k] for k in fixed)]


@pytest.mark.parametrize("family", list(FAMILIES))
@settings(BUDGET, max_examples=6)
@given(seed=seeds)
def test_the_referee_is_right_about_cuts_and_ranks(family: str, seed: int) -> None:
    """As the patterns of the exact oracle say, and its points are where they are said to be."""
    rng, judged = np.random.default_rng(seed), Judged.of(family, seed)
    if judged is None:
        return
    problem, referee = judged.problem, Referee(judged.problem)
    at_zero = np.zeros(problem.dim + problem.chart.whole)
    for layer, pattern, known, same in random_cells(judged, rng):
        everything = set(range(problem.n_units[layer]))
        assert referee.rank(judged.decided(layer, pattern, everything)) == judged.cells[layer][pattern]
        cell = judged.decided(layer, pattern, known)
        number, first = 0, int(sum(problem.n_units[:layer]))
        units = problem.network.unit_layers[layer].units
        for u, function in enumerate(units.function_of.tolist()):
            for j in range(int(units.n_pieces[u]) - 1 if function != MAXIMUM else 0):
                answer = referee.cut(cell, number, at_zero, False)
                sides = {int(p[first + u] > j) for p in same}
                expected = Side.CUTS if len(sides) == 2 else Side(sides.pop())
                found = Side.NEGATIVE if answer.side == Side.ZERO else answer.side
                # on one of two equal breakpoints there is no piece between them
                assert found == expected
                if not problem.chart.whole:
                    for side, point, sure in zip((0, 1), answer.points, answer.sure, strict=True):
                        there = exact_pattern(problem, point) if sure else None
                        assert there is None or (there[first + u] > j) == side or answer.side == Side.ZERO
                number += 1


@BUDGET
@given(seed=seeds, dim=st.integers(1, 3), n=st.integers(2, 6))
def test_the_referee_is_right_about_candidates(seed: int, dim: int, n: int) -> None:
    """One candidate against another, where the first is larger than some others."""
    rng = np.random.default_rng(seed)
    weight = rng.integers(-3, 4, (n, dim)) / 2.0
    bias = rng.integers(-3, 4, n) / 2.0 + rng.choice([0.0, 0.0, 2.0**-40, 2.0**-60], n)
    network = chain((weight, bias, Units.maxima([np.arange(n)])))
    referee = Referee(Problem.over(network, Box(-1.0, 1.0)))
    nothing = Decided(0, np.zeros(0, np.int8), np.full(1, -1, np.int16), np.zeros(0, np.bool_))

    def form(i: int, k: int) -> tuple[int, ...]:
        values = [Fraction(a) - Fraction(b) for a, b in zip([*weight[i], bias[i]], [*weight[k], bias[k]], strict=True)]
        scale = max(v.denominator for v in values)
        return tuple(int(v * scale) for v in values)

    for _ in range(6):
        first, second, *others = rng.permutation(n).tolist()
        losers = others[: rng.integers(0, len(others) + 1)]
        cone: Cone | None = domain_cone(Space.box([-1] * dim, [1] * dim))
        for k in losers:
            if cone is not None and any(form(first, k)):
                cone = cone.sides(form(first, k))[1]
        if cone is None:
            continue
        answer = referee.difference(nothing, 0, first, second, losers, np.zeros(dim), False)
        below, above = cone.sides(form(first, second))
        if not any(form(first, second)):
            assert answer.side == Side.ZERO
        else:
            assert answer.side == (Side.CUTS if below and above else Side.POSITIVE if above else Side.NEGATIVE)
        for sign, point, sure in zip((-1, 1), answer.points, answer.sure, strict=True):
            y = [2 * Fraction(v) - 1 for v in point.tolist()] + [Fraction(1)]
            if not sure:
                continue
            for k, least in [(second, sign), *((k, 1) for k in losers)]:
                value = sum(map(Fraction.__mul__, map(Fraction, form(first, k)), y))
                assert value * least > 0 or not any(form(first, k))


@pytest.mark.parametrize(
    ("number", "side", "sure"),
    [(0, Side.NEGATIVE, (True, False)), (1, Side.ZERO, (True, True)), (2, Side.POSITIVE, (False, True))],
)
def test_a_cell_without_a_sure_witness_is_given_one_with_any_answer(
    number: int, side: Side, sure: tuple[bool, bool]
) -> None:
    rows = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    network = relu_chain((rows, np.array([-2.0, 0.0, 2.0])), (np.ones((1, 3)), np.zeros(1)))
    referee = Referee(Problem.over(network, Box(-1.0, 1.0)))
    nothing = Decided(0, np.full(3, -1, np.int8), np.full(3, -1, np.int16), np.zeros(3, np.bool_))
    witness = np.array([0.25, -3.0])
    answer = referee.cut(nothing, number, witness, False)
    assert (answer.side, answer.sure) == (side, sure)
    assert all(((point > 0.0) & (point < 1.0)).all() for point in answer.points[list(sure)])
    answer = referee.cut(nothing, number, witness, True)
    assert (answer.side, answer.sure) == (side, (False, False))


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_points_of_the_whole_space_are_where_they_are_said_to_be(dim: int) -> None:
    """Of z, the first coordinates are 2 z - 1 = y t, the last is t."""
    network = relu_chain((np.eye(dim), np.full(dim, -3.0)), (np.ones((1, dim)), np.zeros(1)))
    referee = Referee(Problem.over(network, WholeSpace()))
    nothing = Decided(0, np.full(dim, -1, np.int8), np.full(dim, -1, np.int16), np.zeros(dim, np.bool_))
    answer = referee.cut(nothing, 0, np.append(np.full(dim, 0.75), 0.5), False)
    assert (answer.side, answer.sure) == (Side.CUTS, (True, True))
    below, above = ((2.0 * z[:-1] - 1.0) / z[-1] for z in answer.points)
    assert below[0] < 3.0 < above[0]


# --- In the walk


def test_answers_and_corrections_are_counted() -> None:
    """x_1 + x_2 = 2 - 2^-52 cuts off a corner of the unit square that float64 does not see."""
    network = relu_chain((np.ones((1, 2)), np.array([2.0**-52 - 2.0])), (np.ones((1, 1)), np.zeros(1)))
    exact = rn.enumerate_regions(network, Box(0.0, 1.0))
    believed = rn.enumerate_regions(network, Box(0.0, 1.0), exact=False)
    assert (exact.count, believed.count) == (2, 1)
    assert (exact.counters.resolved, exact.counters.doubtful) >= (1, 0)
    assert exact.counters.overturned >= 1
    assert believed.counters.doubtful == 1
    assert not believed.counters.resolved
    assert exact.exact
    assert not believed.exact


def test_what_is_0_takes_the_lower_piece() -> None:
    """A sum of terms that cancel; in float64 they leave something, of either sign, by the order of the sum."""
    terms = np.array([0.1, 0.2, 0.3, -0.3, -0.2, -0.1])
    for second in (terms, -terms):
        network = relu_chain(
            (np.ones((6, 1)), np.zeros(6)), (second[None, :], np.zeros(1)), (np.ones((1, 1)), np.zeros(1))
        )
        found = explore(CompiledEngine(), Problem.over(network, Box(0.0, 1.0)), Record.REGIONS)
        assert found.layer(1) == {(1, 1, 1, 1, 1, 1, 0): (1, 0)}
        assert found.counters.resolved > 0


FINE = 1.0 + 2.0**-40
"""Makes small integers numbers of which combinations are rounded."""


def test_every_answer_is_counted() -> None:
    """Three lines through the middle of a square: the third touches two of the four parts that the others make."""
    normals = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]) * FINE
    network = relu_chain((normals, -normals.sum(axis=1) / 2), (np.ones((1, 3)), np.zeros(1)))
    exact, believed = (rn.enumerate_regions(network, Box(0.0, 1.0), exact=exact) for exact in (True, False))
    assert exact.count == believed.count == 6
    assert exact.counters.resolved == believed.counters.doubtful == 2


def test_an_answer_is_asked_for_once_wherever_it_follows() -> None:
    """Three planes through an axis of a box that six more cut in seven: the third touches in all of them what the others make.

    At the most it is asked for its side in each of the seven, of the parts that it touches there, two: 14, beside what is asked
    of sides of the box. Without the proofs of answers 30 were asked for.
    """
    normals = np.array([[0.0, 0.0, 1.0]] * 6 + [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]]) * 3.0
    bias = np.array([-1.5, -1.0, -0.5, 0.3, 0.7, 1.1, 0.3, 0.3, 0.6])
    found = rn.enumerate_regions(relu_chain((normals, bias), (np.ones((1, 9)), np.zeros(1))), Box(-0.9, 0.7))
    assert found.count == 7 * 6
    assert found.exact
    assert 2 <= found.counters.resolved < 28


def test_every_use_of_a_doubtful_certificate_is_a_doubt() -> None:
    """x = y touches two quadrants about the middle; one of them goes on beyond 2 x - y = 0.55, which is cut off last.

    There the certificate of that quadrant is used again.
    """
    normals = np.array([[2.0, -1.0], [1.0, 0.0], [0.0, 1.0], [1.0, -1.0]]) * FINE
    bias = np.array([-0.55, -0.5, -0.5, 0.0]) * FINE
    network = relu_chain((normals, bias), (np.ones((1, 4)), np.zeros(1)))
    found = explore(CompiledEngine(), Problem.over(network, Box(0.0, 1.0)), exact=False)
    assert found.counters.reused >= 1
    assert found.counters.doubtful == 3


def test_a_step_ends_however_much_is_asked() -> None:
    """Lines through one point of the square, which touch the parts that others make: hardly a test is without a question."""
    n = 10
    normals = np.stack([np.arange(1.0, n + 1), -np.ones(n)], axis=1)
    network = relu_chain((normals * FINE, np.array([-1.0, *-np.arange(1.0, n)]) * FINE), (np.ones((1, n)), np.zeros(1)))
    explorer = CompiledEngine().explorer(Problem.over(network, Box(0.0, 2.0)), Options())
    explorer.start(explorer.root)
    tests, resolved = [], 0
    while not explorer.finished:
        counters = explorer.step(3).counters
        tests.append(counters.tests)
        resolved += counters.resolved
    assert resolved > len(tests)
    # a cell that is tested goes on to its end
    assert max(tests) <= n + 3


LINES = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]]), np.array([0.0, -0.5, 0.5])
"""x = 0, x + y = 1 / 2, x = -1 / 2: five regions of the square."""

BREAKING = {
    "cuts": (relu_chain(LINES, (np.ones((1, 3)), np.zeros(1))), 5),
    "cuts of two layers": (relu_chain(LINES, (np.ones((1, 3)), np.ones(1)), (np.ones((1, 1)), np.zeros(1))), 5),
    "maxima": (
        chain(([[-3.0, 0.0], [-1.0, 0.0], [0.0, 0.0]], np.array([-1.25, -0.25, 0.0]), Units.maxima([[0, 1, 2]]))),
        3,
    ),
}


@pytest.mark.skipif(not config.DISABLE_JIT, reason="kernels that are compiled cannot be replaced")
@pytest.mark.parametrize("purposes", [(SCREEN,), (SPLIT, LEAF), (RESTRICT,)], ids=["first", "later", "winners"])
@pytest.mark.parametrize("name", BREAKING)
def test_tests_that_break_are_questions(name: str, purposes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that does not end is given up only if nobody can be asked; every answer is counted, and may bring a witness."""
    network, count = BREAKING[name]
    honest, replaced, n_broken, outcomes = verbs.test, replace_witness, 0, list[int]()

    def broken(cells: object, f: int, r: int, purpose: int) -> int:
        nonlocal n_broken
        n_broken += purpose in purposes
        return BROKEN if purpose in purposes else honest(cells, f, r, purpose)

    def noted(cells: object, f: int, questions: Questions, outcome: int) -> None:
        if questions.answer[OF_A_ROW, CONTENT] != NO_ANSWER:
            outcomes.append(outcome)
        replaced(cells, f, questions, outcome)

    for kernel in (tree_kernel, group_kernel):
        monkeypatch.setattr(kernel, "test", broken)
        monkeypatch.setattr(kernel, "replace_witness", noted)
    problem = Problem.over(network, Box(-1.0, 1.0))
    found = explore(CompiledEngine(), problem)
    assert found.regions == count
    assert found.counters.resolved == n_broken
    assert (n_broken > 0) == ((purposes == (RESTRICT,)) == (name == "maxima")) or purposes == (SCREEN,)
    if purposes == (SCREEN,):
        assert len(outcomes) == n_broken
    elif n_broken:
        # what cuts is carried out instead
        assert 0 < len(outcomes) < n_broken
        assert CUTS not in outcomes
    if n_broken:
        with pytest.raises(EngineError, match="did not converge"):
            explore(CompiledEngine(), problem, exact=False)


def test_two_workers_give_the_same_answers() -> None:
    (example,) = (example for example in EXAMPLES if example.name == "E1 underflow depth 5 x 2^-300 (warned)")
    alone, together = (rn.enumerate_regions(example.network, example.domain, workers=n) for n in (1, 2))
    assert_right(judge_result(together, example), example)
    assert summary(alone) == summary(together)
    assert alone.counters.resolved > 0
    assert together.counters.resolved > 0


@pytest.mark.parametrize("example", SMALL, ids=lambda example: example.name)
def test_witnesses_that_subtrees_are_given_are_inside(example: Example) -> None:
    """Exactly, of all decisions that the subtree names; one that is not sure is left out."""
    problem = Problem.over(example.network, example.domain)
    if problem.chart.whole:
        return
    explorer = CompiledEngine().explorer(problem, Options())
    waiting = [explorer.root]
    while waiting:
        explorer.start(waiting.pop())
        explorer.step(1)
        if explorer.finished:
            continue
        for subtree in explorer.rest().subtrees:
            waiting.append(subtree)
            if len(subtree.witness):
                assert_inside(problem, subtree.layer, subtree.sides, subtree.winners, subtree.witness)


def assert_inside(problem: Problem, layer: int, sides: np.ndarray, winners: np.ndarray, witness: Floats) -> None:
    judged = Judged(problem, [])
    there = judged.decided(layer, exact_pattern(problem, witness), set(range(problem.n_units[layer])))
    assert np.array_equal(np.where(sides < 0, sides, there.sides), sides)
    assert np.array_equal(np.where(winners < 0, winners, there.winners), winners)


@pytest.mark.parametrize("record", [Record.REGIONS, Record.TREE])
def test_few_recorded_witnesses_are_outside(record: Record) -> None:
    """Only in cells that answers made, most of them smaller than the distance of float64 numbers."""
    n = n_outside = 0
    for example in SMALL:
        problem = Problem.over(example.network, example.domain)
        if problem.chart.whole:
            continue
        found = explore(CompiledEngine(), problem, record)
        assert found.cells is not None
        ends = np.cumsum(problem.n_units)
        outside = 0
        for layer, pieces, witness in zip(found.cells.layer, found.cells.pieces, found.cells.witness, strict=True):
            outside += exact_pattern(problem, witness)[: ends[layer]] != tuple(pieces[: ends[layer]])
        assert not outside or found.counters.resolved
        n, n_outside = n + len(found.cells), n_outside + outside
    assert 0 < n_outside <= n / 20


def test_the_two_lists_of_examples_are_not_empty() -> None:
    assert len(SMALL) > 40
    assert all(a is not b for a, b in pairwise(EXAMPLES))
