"""The mutants of `benchmarks/mutants.py`, over all kernels and bounds, and the tests that kill them."""

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


def near(example: str) -> tuple[str]:
    """An example of the data files, enumerated in one piece."""
    return (f"tests/test_near_degenerate.py::test_never_wrong_without_a_doubt[{example}]",)


def in_steps(example: str) -> tuple[str]:
    """An example of the data files, enumerated as subtrees of one test each."""
    return (f"tests/test_subtrees.py::test_never_wrong_without_a_doubt[{example}]",)


def rows(family: str) -> tuple[str]:
    """Bounds of pulled-back rows, over the networks of a family."""
    return (f"tests/test_row_bounds.py::test_rows_are_within_their_bounds[{family}]",)


CELL = ("tests/test_proved_cells.py::test_what_is_proved_is_true[cell]",)
CONE = ("tests/test_proved_cells.py::test_what_is_proved_is_true[cone]",)
GROUPS = "tests/test_group_kernels.py::"
DOUBTED = (f"{GROUPS}test_a_winner_that_rounding_hides_is_a_doubt",)
ONE = (f"{GROUPS}test_of_candidates_that_are_one_up_to_rounding_the_lower_wins",)
COPY = (f"{GROUPS}test_a_row_that_is_rounded_is_its_own_copy",)
LEADER = (f"{GROUPS}test_a_leader_by_rounding_alone_loses",)
LOSERS = (f"{GROUPS}test_losers_are_compared_with_the_leader_only",)
APEX = ("tests/test_apex_proofs.py",)
HANDED_ON = ("tests/test_layer_kernels.py::test_errors_of_a_layer_are_handed_on_to_the_next",)
FORGET = ("tests/test_walk_kernels.py::test_certificates_of_a_layer_forget_the_sides_of_the_one_before",)

DICTIONARY, WALK = "regionenum/engine/dictionary", "regionenum/engine/walk"

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
        "lines are taken to be exact",
        f"{DICTIONARY}/proof_kernel.py",
        "line[pad + BOUND] = (error + (2 * dim + 16)",
        "line[pad + BOUND] = 0.0 * (error + (2 * dim + 16)",
        CELL,
    ),
    Mutant(
        "roundings of a dot product are forgotten",
        f"{DICTIONARY}/proof_kernel.py",
        "(error + (2 * dim + 16) * UNIT_ROUNDOFF * size + 2.0**-1000)",
        "(error + 2.0**-1000)",
        ("tests/test_proofs.py::test_every_value_of_a_scaled_line_is_within_its_bound",),
    ),
    Mutant(
        "errors of a row are forgotten on its line",
        f"{DICTIONARY}/proof_kernel.py",
        "(error + (2 * dim + 16) * UNIT_ROUNDOFF * size",
        "((2 * dim + 16) * UNIT_ROUNDOFF * size",
        CELL,
    ),
    Mutant(
        "the error of a row is not scaled as the row is",
        f"{DICTIONARY}/proof_kernel.py",
        "        error *= scale\n",
        "        error *= 1.0\n",
        CELL,
    ),
    Mutant(
        "a witness may be outside the cube",
        f"{DICTIONARY}/proof_kernel.py",
        "        if point[k] <= 0.0 or point[k] >= 1.0:\n            return False",
        "        if point[k] < -1.0 or point[k] > 2.0:\n            return False",
        CONE,
    ),
    Mutant(
        "a witness need not be inside the constraints among the rows",
        f"{DICTIONARY}/proof_kernel.py",
        "        if label[ROW_VAR, i] >= dim:",
        "        if label[ROW_VAR, i] < 0:",
        CONE,
    ),
    Mutant(
        "a witness need not be inside the constraints among the columns",
        f"{DICTIONARY}/proof_kernel.py",
        "            value = value_at(line, point)\n            if label[COL_FLIP, j] == 1:",
        "            value = 1.0\n            if label[COL_FLIP, j] > 1:",
        CELL,
    ),
    Mutant(
        "a witness is inside without regard to the bounds of constraints",
        f"{DICTIONARY}/proof_kernel.py",
        "            if label[COL_FLIP, j] == 1:\n                value = -value\n            if value <= line[bound]:",
        "            if label[COL_FLIP, j] == 1:\n                value = -value\n            if value <= 0.0:",
        CELL,
    ),
    Mutant(
        "bounds of the constraints are no part of a proof",
        f"{DICTIONARY}/proof_kernel.py",
        "        bound += multiplier * line[pad + BOUND]\n",
        "        bound += 0.0\n",
        CELL,
    ),
    Mutant(
        "the bound of the row is no part of a proof",
        f"{DICTIONARY}/proof_kernel.py",
        "    constant, bound = sign * line[pad + CONSTANT], line[pad + BOUND]",
        "    constant, bound = sign * line[pad + CONSTANT], 0.0",
        CELL,
    ),
    Mutant(
        "a maximum below the bound is a proof",
        f"{DICTIONARY}/proof_kernel.py",
        "if top + bound <= 0.0:",
        "if top <= bound:",
        CELL,
    ),
    Mutant(
        "the maximum on the cube takes negative coefficients too",
        f"{DICTIONARY}/proof_kernel.py",
        "top += max(table[WORK, k], 0.0)",
        "top += table[WORK, k]",
        CELL,
    ),
    Mutant(
        "all rows that touch a cone touch it at the apex alone",
        f"{DICTIONARY}/proof_kernel.py",
        "top <= 1e-6 and _only_at_apex(table, label, lines, r, sign, bound)",
        "top <= 1e-6",
        CONE,
    ),
    Mutant(
        "bounds are no part of the residual at the apex",
        f"{DICTIONARY}/proof_kernel.py",
        "    residual = bound\n",
        "    residual = 0.0\n",
        CONE,
    ),
    Mutant(
        "the inverse of a cone's basis is not checked",
        f"{DICTIONARY}/proof_kernel.py",
        "return norm_e + norm_r * (worst + 1e-14 * dim) <= 0.5 and least > 2.0 * residual * norm_r",
        "return True",
        CONE,
    ),
    Mutant(
        "a point beyond the hyperplane need not be inside the cell",
        f"{DICTIONARY}/cut_kernel.py",
        "    return -sign * value_at(line, table[OTHER_AT]) > bound and is_inside(table, label, lines, OTHER_AT)",
        "    return -sign * value_at(line, table[OTHER_AT]) > bound",
        CELL,
    ),
    Mutant(
        "a point beyond the hyperplane without regard to its bound",
        f"{DICTIONARY}/cut_kernel.py",
        "    return -sign * value_at(line, table[OTHER_AT]) > bound and",
        "    return -sign * value_at(line, table[OTHER_AT]) > 0.0 and",
        CELL,
    ),
    Mutant(
        "a point inside the cell need not be beyond the hyperplane",
        f"{DICTIONARY}/cut_kernel.py",
        "    return -sign * value_at(line, table[OTHER_AT]) > bound and is_inside",
        "    return is_inside",
        CELL,
    ),
    Mutant(
        "a witness that cannot leave the hyperplane proves the negative side",
        f"{DICTIONARY}/cut_kernel.py",
        "    label[SIZE, LIKELY] = NEGATIVE\n    return DOUBTFUL",
        "    label[SIZE, LIKELY] = NEGATIVE\n    return NEGATIVE",
        near("C5 constant row: norm compared with a bound on the cube, d=4"),
    ),
    Mutant(
        "constants of pulled-back rows are exact",
        f"{WALK}/layer_kernel.py",
        "bound_one[n] = worst_one * reach[n] + gamma * abs(bias[n])",
        "bound_one[n] = 0.0",
        rows("never_flat"),
    ),
    Mutant(
        "slopes of pulled-back rows are exact",
        f"{WALK}/layer_kernel.py",
        "bound_linear[n] = worst_linear * reach[n]",
        "bound_linear[n] = 0.0",
        rows("never_flat"),
    ),
    Mutant(
        "sums of pulled-back rows do not round",
        f"{WALK}/layer_kernel.py",
        "gamma = (terms + 4) * UNIT_ROUNDOFF",
        "gamma = 0.0",
        rows("never_flat"),
    ),
    Mutant(
        "a bias is added without rounding",
        f"{WALK}/layer_kernel.py",
        "worst_one * reach[n] + gamma * abs(bias[n])",
        "worst_one * reach[n]",
        rows("never_flat"),
    ),
    Mutant(
        "errors of the slopes of the layer before are forgotten",
        f"{WALK}/layer_kernel.py",
        "error_linear = abs(slope) * images.error_linear[row_error] + gamma",
        "error_linear = gamma",
        HANDED_ON,
    ),
    Mutant(
        "intercepts of branches are left out",
        f"{WALK}/layer_kernel.py",
        "        if k == one:\n            factor += intercept\n",
        "        if k == one:\n            factor += 0.0\n",
        rows("never_flat"),
    ),
    Mutant(
        "what overflowed has no error",
        f"{WALK}/layer_kernel.py",
        "worst_one, worst_linear = HOPELESS, HOPELESS\n",
        "worst_one, worst_linear = 0.0, 0.0\n",
        rows("far_boxes"),
    ),
    Mutant(
        "a breakpoint is subtracted without rounding",
        f"{WALK}/layer_kernel.py",
        "            constant -= value\n            error_one += UNIT_ROUNDOFF * abs(constant)",
        "            constant -= value",
        rows("gaussian"),
    ),
    Mutant(
        "candidates are subtracted without rounding",
        f"{WALK}/layer_kernel.py",
        "    error_linear = images.error_linear[row] + images.error_linear[other] + UNIT_ROUNDOFF * size_linear",
        "    error_linear = images.error_linear[row] + images.error_linear[other]",
        rows("never_flat"),
    ),
    Mutant(
        "the sign on the cube disregards the error",
        f"{WALK}/layer_kernel.py",
        "    error = error_one + error_linear\n    error +=",
        "    error = 0.0\n    error +=",
        rows("far_boxes"),
    ),
    Mutant(
        "any part outside the span proves independence",
        f"{WALK}/rank_kernel.py",
        "MARGIN = 4.0",
        "MARGIN = 0.0",
        near("A5 band in restrict: two max groups"),
    ),
    Mutant(
        "roundings of a rank are forgotten",
        f"{WALK}/rank_kernel.py",
        "8.0 * (normal.shape[0] + 2) * UNIT_ROUNDOFF + spoilt[rank]",
        "spoilt[rank]",
        near("2.more_eps2^-34/28"),
    ),
    Mutant(
        "the span that is found is exact",
        f"{WALK}/rank_kernel.py",
        "spoilt[rank] = spoilt[rank - 1] + error / left",
        "spoilt[rank] = 0.0",
        ("tests/test_row_bounds.py::test_ranks_without_a_doubt_are_exact[False]",),
    ),
    Mutant(
        "rows below their noise are no doubt",
        f"{WALK}/rank_kernel.py",
        "                doubtful += size > 0.0 or noise > 0.0\n",
        "                doubtful += 0\n",
        near("vanishing/1/241 at 1300f94"),
    ),
    Mutant(
        "uncertain ranks are no doubt",
        f"{WALK}/rank_kernel.py",
        "                doubtful += not certain\n",
        "                doubtful += 0\n",
        near("2.eps2^-50/30"),
    ),
    Mutant(
        "ranks are remembered for other pieces",
        f"{WALK}/rank_kernel.py",
        "ranks.known[0, start + position] != images.piece",
        "ranks.known[0, start + position] > images.piece",
        near("A1 band: vertex of the dictionary beyond the hyperplane by less than DOUBT; fat regions"),
    ),
    Mutant(
        "ranks are remembered from another cell",
        f"{WALK}/rank_kernel.py",
        "    ranks.length[layer] = 0\n",
        "    ranks.length[layer] += 0\n",
        ("tests/test_subtrees.py::test_what_is_not_nearly_degenerate_is_right[integers]",),
    ),
    Mutant(
        "likely answers are certain",
        f"{WALK}/group_kernel.py",
        "    counters[DOUBTFUL_COUNT] += 1\n    return likely(cells, f)",
        "    return likely(cells, f)",
        near("B1 conditioning: two lines that meet on the side of the box"),
    ),
    Mutant(
        "the child of a split has its parent's witness",
        f"{DICTIONARY}/cut_kernel.py",
        "child_table[WITNESS_AT, k] = table[OTHER_AT, k]",
        "child_table[WITNESS_AT, k] = table[WITNESS_AT, k]",
        CELL,
    ),
    Mutant(
        "a candidate that may win is dropped",
        f"{WALK}/group_kernel.py",
        "                outcome = settle(cells, f, counters)\n            keep = outcome != NEGATIVE",
        "                outcome = settle(cells, f, counters)\n            keep = outcome == POSITIVE",
        near("integers/2/126 at 01b253f"),
    ),
    Mutant(
        "a flat row is no doubt",
        f"{WALK}/tree_kernel.py",
        "            counters[DOUBTFUL_COUNT] += 1\n            witness(cells, f, walk.point)",
        "            witness(cells, f, walk.point)",
        near("E3 width of the box overflows in the row"),
    ),
    Mutant(
        "a leaf counts one of its sides",
        f"{WALK}/tree_kernel.py",
        "                count_cell(at, units, images, walk.ranks, walk.tally, layer)\n                _decide",
        "                _decide",
        near("A3 band: three planes near a corner of the box"),
    ),
    Mutant(
        "a leaf counts both sides with the pieces of one",
        f"{WALK}/tree_kernel.py",
        "                decide(cuts, images.cut_side, images.piece, c, NEGATIVE)\n                count_cell",
        "                count_cell",
        near("A3 band: three planes near a corner of the box"),
    ),
    Mutant(
        "both children are on the same side",
        f"{WALK}/tree_kernel.py",
        "A_CUT, c, 1 - side",
        "A_CUT, c, side",
        near("A1 band: vertex of the dictionary beyond the hyperplane by less than DOUBT; fat regions"),
    ),
    Mutant(
        "a certificate holds whatever is negative",
        f"{WALK}/certificate_kernel.py",
        "if entry[PLUS] & ~plus == 0 and entry[MINUS] & ~minus == 0:",
        "if entry[PLUS] & ~plus == 0:",
        near("A7 band at the apex: four lines in the plane, whole space, 13 > 11"),
    ),
    Mutant(
        "a certificate holds whatever is positive",
        f"{WALK}/certificate_kernel.py",
        "if entry[PLUS] & ~plus == 0 and entry[MINUS] & ~minus == 0:",
        "if entry[MINUS] & ~minus == 0:",
        near("A3 band: three planes near a corner of the box"),
    ),
    Mutant(
        "a certificate leaves out a constraint",
        f"{WALK}/certificate_kernel.py",
        "    for k in range(n):\n        c = lines[k]",
        "    for k in range(1, n):\n        c = lines[k]",
        near("A3 band: three planes near a corner of the box"),
    ),
    Mutant(
        "cells with two children are unsplit",
        f"{WALK}/tally_kernel.py",
        "if n == 1:",
        "if n <= 2:",
        near("A1 band: vertex of the dictionary beyond the hyperplane by less than DOUBT; fat regions"),
    ),
    Mutant(
        "the most children are added up",
        f"{WALK}/tally_kernel.py",
        "max(statistics[MAX_CHILDREN, k, rank], n)",
        "statistics[MAX_CHILDREN, k, rank] + n",
        near("2.more_eps2^-18/26"),
    ),
    Mutant(
        "cells are closed one layer too late",
        f"{WALK}/tally_kernel.py",
        "close_cells(tally, layer + 1)",
        "close_cells(tally, layer + 2)",
        near("A1 band: vertex of the dictionary beyond the hyperplane by less than DOUBT; fat regions"),
    ),
    Mutant(
        "a subtree's negative side is not negated",
        f"{WALK}/subtree_kernel.py",
        "    if side == 0:\n        constant = scale_normal(constant, walk.normal, -1.0)\n",
        "    if side == 0:\n        constant = -constant\n",
        in_steps("B2 conditioning: three concurrent lines, two at an angle of 2^-26"),
    ),
    Mutant(
        "constraints with small multipliers are not named as tight",
        f"{DICTIONARY}/verbs.py",
        "        if label[COL_VAR, j] >= dim and abs(table[COLUMN + j, r]) > COST_TOL:",
        "        if label[COL_VAR, j] >= dim and abs(table[COLUMN + j, r]) > 0.5:",
        CELL,
    ),
    Mutant(
        "a subtree forgets the losers of its maxima",
        f"{WALK}/subtree_kernel.py",
        "        if k == winner or tables.twin[first + k] != k:\n            continue",
        "        continue",
        in_steps("integers/2/126 at 01b253f"),
    ),
    Mutant(
        "a subtree is given cuts that are open as decided",
        "regionenum/engine/compiled.py",
        "decided = np.union1d(decided, np.setdiff1d(tested, pending))",
        "decided = np.union1d(decided, tested)",
        in_steps("A3 band: three planes near a corner of the box"),
    ),
    Mutant(
        "rows that copy a unit never round",
        f"{WALK}/layer_kernel.py",
        "        if intercept == 0.0 and (slope == 0.0 or abs(slope) == 1.0):",
        "        if True:",
        rows("never_flat"),
    ),
    Mutant(
        "the sign of a level function disregards its error",
        f"{WALK}/layer_kernel.py",
        "        if abs(level) > error_one:",
        "        if abs(level) > 0.0:",
        ("tests/test_row_bounds.py::test_signs_on_the_cube_are_true_whatever_the_errors_were",),
    ),
    Mutant(
        "no row is flat",
        f"{WALK}/layer_kernel.py",
        "    return FLAT if slope <= 2.0 * error_linear else STEEP",
        "    return STEEP",
        rows("never_flat"),
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
        "a unit of two breakpoints has the side of the last as its piece",
        f"{WALK}/layer_kernel.py",
        "            found += cut_side[k]",
        "            found = cut_side[k]",
        near("2.more_eps2^-18/26"),
    ),
    Mutant(
        "a difference too flat to have a sign is no doubt",
        f"{WALK}/group_kernel.py",
        "        walk.tally.counters[DOUBTFUL_COUNT] += 1\n        witness(cells, f, walk.point)\n        value = constant",
        "        witness(cells, f, walk.point)\n        value = constant",
        DOUBTED,
    ),
    Mutant(
        "candidates that agree in rounded bits are no doubt",
        f"{WALK}/group_kernel.py",
        "                counters[DOUBTFUL_COUNT] += error_one + error_linear > 0.0\n",
        "",
        DOUBTED,
    ),
    Mutant(
        "a winner that is believed to have no room is no doubt",
        f"{WALK}/group_kernel.py",
        "    if outcome == DOUBTFUL:\n        outcome = settle(cells, f, counters)\n    if outcome == POSITIVE:",
        "    if outcome == DOUBTFUL:\n        outcome = likely(cells, f)\n    if outcome == POSITIVE:",
        DOUBTED,
    ),
    Mutant(
        "the leader stays when a lower candidate is the same up to rounding",
        f"{WALK}/group_kernel.py",
        "            scan[LEADER] = min(scan[LEADER], i)\n",
        "            scan[LEADER] = scan[LEADER]\n",
        ONE,
    ),
    Mutant(
        "of candidates that are the same up to rounding both win",
        f"{WALK}/group_kernel.py",
        "if sign == ALWAYS_BELOW or (k < i and sign == LEVEL_ZERO):",
        "if sign == ALWAYS_BELOW:",
        ONE,
    ),
    Mutant(
        "of candidates that are the same up to rounding none wins",
        f"{WALK}/group_kernel.py",
        "(k < i and sign == LEVEL_ZERO)",
        "sign == LEVEL_ZERO",
        ONE,
    ),
    Mutant(
        "equal weights are found after rounding",
        f"{WALK}/group_kernel.py",
        "        if tables.twin[first + i] != i:\n            continue\n",
        "",
        COPY,
    ),
    Mutant(
        "losers are kept",
        f"{WALK}/group_kernel.py",
        "            keep = outcome != NEGATIVE\n",
        "            keep = True\n",
        LOSERS,
    ),
    Mutant(
        "the leader drops what is always above it",
        f"{WALK}/group_kernel.py",
        "        keep = sign == ALWAYS_ABOVE\n",
        "        keep = False\n",
        LEADER,
    ),
    Mutant(
        "a candidate wins below another",
        f"{WALK}/group_kernel.py",
        "if sign == ALWAYS_BELOW or (k < i and sign == LEVEL_ZERO):",
        "if k < i and sign == LEVEL_ZERO:",
        LEADER,
    ),
    Mutant(
        "the leader wins where it has no child",
        f"{WALK}/group_kernel.py",
        "walk.images.piece[u] = stack[f + 1, NEWS_VALUE]",
        "walk.images.piece[u] = listed[n - 1]",
        LEADER,
    ),
    Mutant(
        "the least multiplier at the apex is that of the last column",
        f"{DICTIONARY}/proof_kernel.py",
        "        least = min(least, -sign * table[COLUMN + j, r])",
        "        least = -sign * table[COLUMN + j, r]",
        APEX,
    ),
    Mutant(
        "the multiplier of t is left out at the apex",
        f"{DICTIONARY}/proof_kernel.py",
        "            table[WORK, dim - 1] -= sign * table[COLUMN + j, r]\n",
        "            table[WORK, dim - 1] -= 0.0\n",
        APEX,
    ),
    Mutant(
        "the residual at the apex is the bound alone",
        f"{DICTIONARY}/proof_kernel.py",
        "        residual += abs(table[WORK, k]) * (0.5 if k < dim - 1 else 1.0)",
        "        residual += 0.0",
        APEX,
    ),
    Mutant(
        "multipliers that were left out prove at the apex",
        f"{DICTIONARY}/proof_kernel.py",
        "    if least <= max(COST_TOL, 2.0 * residual):",
        "    if least <= 2.0 * residual:",
        APEX,
    ),
    Mutant(
        "the inverse at the apex is checked in other coordinates",
        f"{DICTIONARY}/proof_kernel.py",
        "                e[q] += factor * lines[variable - dim, q] * (0.5 if q < dim - 1 else 1.0)",
        "                e[q] += factor * lines[variable - dim, q]",
        APEX,
    ),
    Mutant(
        "the error of the inverse at the apex is forgotten",
        f"{DICTIONARY}/proof_kernel.py",
        "norm_r, norm_e = max(norm_r, size), max(norm_e, total)",
        "norm_r, norm_e = max(norm_r, size), 0.0",
        APEX,
    ),
    Mutant(
        "the inverse at the apex has the norm of its last row",
        f"{DICTIONARY}/proof_kernel.py",
        "norm_r, norm_e = max(norm_r, size), max(norm_e, total)",
        "norm_r, norm_e = size, max(norm_e, total)",
        APEX,
    ),
    Mutant(
        "the error of the inverse at the apex is that of its last row",
        f"{DICTIONARY}/proof_kernel.py",
        "norm_r, norm_e = max(norm_r, size), max(norm_e, total)",
        "norm_r, norm_e = max(norm_r, size), total",
        APEX,
    ),
    Mutant(
        "an inverse at the apex may be wrong by as much as it is",
        f"{DICTIONARY}/proof_kernel.py",
        "(worst + 1e-14 * dim) <= 0.5",
        "(worst + 1e-14 * dim) <= 1.0",
        APEX,
    ),
    Mutant(
        "half of what a residual can do at the apex",
        f"{DICTIONARY}/proof_kernel.py",
        "least > 2.0 * residual * norm_r",
        "least > residual * norm_r",
        APEX,
    ),
    Mutant(
        "errors of the constants of the layer before are forgotten",
        f"{WALK}/layer_kernel.py",
        "error_one = abs(slope) * images.error_one[row_error] + gamma",
        "error_one = gamma",
        HANDED_ON,
    ),
    Mutant(
        "a rank takes rows to be exact",
        f"{WALK}/rank_kernel.py",
        "images.error_linear[at[layer, ROW] + row]",
        "0.0",
        ("tests/test_rank_kernels.py::test_a_row_below_its_noise_is_counted",),
    ),
    Mutant(
        "the noise of rows is no part of their angle",
        f"{WALK}/rank_kernel.py",
        "error = 2.0 * noise / size + 8.0",
        "error = 8.0",
        ("tests/test_rank_kernels.py::test_the_noise_of_rows_counts_where_they_are_nearly_parallel",),
    ),
    Mutant(
        "doubts while a subtree's cell is rebuilt are forgotten",
        "regionenum/engine/compiled.py",
        "        before[DOUBTFUL] = counters[DOUBTFUL]\n",
        "",
        ("tests/test_mended.py::test_doubts_while_a_cell_is_rebuilt_are_counted",),
    ),
    Mutant(
        "a layer begins with the negative sides of the one before",
        f"{WALK}/tree_kernel.py",
        "    walk.stack[f, MINUS_MASK] = 0\n",
        "",
        FORGET,
    ),
    Mutant(
        "a layer begins with the positive sides of the one before",
        f"{WALK}/tree_kernel.py",
        "    walk.stack[f, PLUS_MASK] = 0\n",
        "",
        FORGET,
    ),
    Mutant(
        "a candidate that is believed to lose everywhere is no doubt",
        f"{WALK}/group_kernel.py",
        "                outcome = settle(cells, f, counters)\n            keep = outcome != NEGATIVE",
        "                outcome = likely(cells, f)\n            keep = outcome != NEGATIVE",
        DOUBTED,
    ),
)
