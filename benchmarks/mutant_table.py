"""The mutants of `benchmarks/mutants.py`, over all kernels and bounds, and the tests that kill them."""

from __future__ import annotations

from benchmarks.mutant import Mutant, in_steps, right, rows
from benchmarks.mutants_of_answers import ANSWER_MUTANTS
from benchmarks.mutants_of_certainty import CERTAINTY_MUTANTS
from benchmarks.mutants_of_checkers import CHECKER_MUTANTS
from benchmarks.mutants_of_dictionaries import DICTIONARY_MUTANTS
from benchmarks.mutants_of_exact_rooms import EXACT_MUTANTS
from benchmarks.mutants_of_outputs import OUTPUT_MUTANTS
from benchmarks.mutants_of_questions import QUESTION_MUTANTS
from benchmarks.mutants_of_walks import WALK_MUTANTS
from benchmarks.mutants_of_witnesses import WITNESS_MUTANTS

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a breakpoint belongs to the upper piece",
        "regionenum/network/units.py",
        'np.searchsorted(np.asarray(self.breakpoints), z, side="left")',
        'np.searchsorted(np.asarray(self.breakpoints), z, side="right")',
        ("tests/test_network.py::test_values_and_pieces_with_the_lower_piece_at_a_breakpoint[function1-0.0-0.0-0]",),
    ),
    Mutant(
        "the fixed inputs of a box are free",
        "regionenum/domain/box.py",
        "free = np.flatnonzero(lower < upper)",
        "free = np.flatnonzero(lower <= upper)",
        ("tests/test_domain.py::test_boxes_that_do_not_fit_a_network[lower2-upper2-every coordinate is fixed]",),
    ),
    Mutant(
        "the oracle misses edges between vertices with more facets than needed",
        "tests/exact_cones.py",
        "if common.bit_count() < len(p) - len(self.lines) - 2:",
        "if common.bit_count() != len(p) - len(self.lines) - 2:",
        ("tests/test_exact_oracle.py::test_known_answers[arrangement resonance all-subset sums n=3]",),
    ),
    Mutant(
        "the oracle takes the upper piece at a breakpoint",
        "tests/exact_cones.py",
        "        if not above:\n            return self, None\n        if not below:\n            return None, self",
        "        if not below:\n            return None, self\n        if not above:\n            return self, None",
        ("tests/test_exact_oracle.py::test_rational_subdivision",),
    ),
    Mutant(
        "equal candidates of the oracle are two",
        "tests/exact_oracle.py",
        "if row not in group[:k]]",
        "]",
        ("tests/test_exact_oracle.py::test_known_answers[golden relu_then_pool_k2s2]",),
    ),
    Mutant(
        "a subtree is given cuts that are open as decided",
        "regionenum/engine/compiled.py",
        "decided = np.union1d(decided, np.setdiff1d(tested, pending))",
        "decided = np.union1d(decided, tested)",
        in_steps("A3 band: three planes near a corner of the box"),
    ),
    Mutant(
        "every slope of the first layer is exact",
        "regionenum/engine/tables.py",
        "    return bool(single.all() and (np.abs(np.frexp(data)[0]) == 0.5).all())",
        "    return True",
        rows("never_flat"),
    ),
    Mutant(
        "constants of the first layer are exact",
        "regionenum/engine/tables.py",
        "error = np.stack([terms * size, terms * slopes])",
        "error = np.stack([0.0 * size, terms * slopes])",
        rows("never_flat"),
    ),
    Mutant(
        "the rows of the first layer do not round",
        "regionenum/engine/tables.py",
        "error = np.stack([terms * size, terms * slopes])",
        "error = np.stack([terms * size, 0.0 * slopes])",
        rows("never_flat"),
    ),
    Mutant(
        "rows of the whole space sum without rounding",
        "regionenum/engine/tables.py",
        "            slopes = 3.0 * slopes\n",
        "            slopes = 0.0 * slopes\n",
        rows("gaussian"),
    ),
    Mutant(
        "sums of unit slopes do not round in the whole space",
        "regionenum/engine/tables.py",
        "error[1] = problem.dim * UNIT_ROUNDOFF * slopes * (chart.whole and problem.dim > 1)",
        "error[1] = 0.0",
        rows("gaussian"),
    ),
    Mutant(
        "rows that overflow are exact",
        "regionenum/engine/tables.py",
        "image[:, overflowed], error[:, overflowed] = 0.0, np.inf",
        "image[:, overflowed], error[:, overflowed] = 0.0, 0.0",
        right("E3 width of the box overflows in the row"),
    ),
    Mutant(
        "errors of constraints are forgotten",
        "regionenum/engine/tables.py",
        "np.stack([np.zeros_like(extra.error), extra.error])",
        "np.stack([np.zeros_like(extra.error), 0.0 * extra.error])",
        ("tests/test_row_bounds.py::test_constraints_are_within_their_bounds",),
    ),
    Mutant(
        "the constraints of a polytope do not round",
        "regionenum/domain/polytope.py",
        "(n_in + 4) * UNIT_ROUNDOFF * reach",
        "0.0 * reach",
        ("tests/test_row_bounds.py::test_constraints_are_within_their_bounds",),
    ),
    Mutant(
        "the constraints of a slice do not round",
        "regionenum/domain/slice.py",
        "(len(directions) + 5) * UNIT_ROUNDOFF * reach",
        "0.0 * reach",
        ("tests/test_row_bounds.py::test_constraints_are_within_their_bounds",),
    ),
    Mutant(
        "constants are exact wherever the box is",
        "regionenum/engine/tables.py",
        "        if not (chart.origin.any() or lower.any()):\n",
        "        if True:\n",
        rows("gaussian"),
    ),
    Mutant(
        "slopes that underflow in the first layer have no error",
        "regionenum/engine/tables.py",
        "np.stack([away, vanishing | (error[1] > 0)])",
        "np.stack([away, error[1] > 0])",
        ("tests/test_mended.py::test_what_underflows_is_not_taken_for_0[width-exact]",),
    ),
    Mutant(
        "constants that underflow in the first layer have no error",
        "regionenum/engine/tables.py",
        "np.stack([away, vanishing | (error[1] > 0)])",
        "np.stack([error[0] > 0, vanishing | (error[1] > 0)])",
        ("tests/test_row_bounds.py::test_a_copy_of_what_vanishes_has_a_bound[constant]",),
    ),
    Mutant(
        "a row with a bias copies a unit",
        "regionenum/engine/tables.py",
        " & (np.asarray(layer.bias) == 0.0)\n",
        "\n",
        rows("never_flat"),
    ),
    Mutant(
        "a row that is a unit times anything copies it",
        "regionenum/engine/tables.py",
        "exact = (np.abs(mantissa) == 0.5) & (np.abs(exponent) < 500)",
        "exact = np.abs(exponent) < 500",
        ("tests/test_row_bounds.py::test_a_unit_times_what_is_no_power_of_two_is_no_copy",),
    ),
    *DICTIONARY_MUTANTS,
    *WALK_MUTANTS,
    *WITNESS_MUTANTS,
    *OUTPUT_MUTANTS,
    *QUESTION_MUTANTS,
    *CERTAINTY_MUTANTS,
    *ANSWER_MUTANTS,
    *EXACT_MUTANTS,
    *CHECKER_MUTANTS,
)
