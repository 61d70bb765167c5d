"""Mutants of what is certain because nothing rounds, or by a smaller span; and the tests that kill them."""

from __future__ import annotations

from benchmarks.mutant import Mutant

NUMBERS = ("tests/test_grids.py::test_each_number_of_a_layer_matters",)
DOMAINS = ("tests/test_grids.py::test_each_number_of_a_domain_matters",)
CHARTS = ("tests/test_grids.py::test_each_number_of_a_chart_matters",)
BITS = ("tests/test_grids.py::test_as_many_bits_as_there_are",)
SMALL = ("tests/test_grids.py::test_small_integers_are_not_rounded",)
COARSE = ("tests/test_flush_rows.py::test_what_is_rounded_or_fine_is_not_coarse",)
FLUSH = ("tests/test_flush_rows.py::test_rows_that_touch_are_proved_to",)
NOT_FLUSH = ("tests/test_flush_rows.py::test_what_no_multipliers_prove",)
SPANS = ("tests/test_apex_proofs.py::test_constraints_of_another_span_prove_nothing",)
RELATED = ("tests/test_span_kernels.py::test_cells_are_told_of_levels_and_of_what_is_passed_on",)
INTEGERS = ("tests/test_rank_kernels.py::test_ranks_of_rows_that_are_not_rounded_are_found_in_integers",)
SIGNS = ("tests/test_layer_kernels.py::test_sign_on_the_unit_cube",)
CORNERS = ("tests/test_layer_kernels.py::test_a_sign_on_the_cube_is_true_of_all_corners",)

GRIDS = "regionenum/engine/grids.py"
PROOFS = "regionenum/engine/dictionary/proof_kernel.py"
RANKS = "regionenum/engine/walk/rank_kernel.py"
SPAN = "regionenum/engine/walk/span_kernel.py"
LAYER = "regionenum/engine/walk/layer_kernel.py"

CERTAINTY_MUTANTS: tuple[Mutant, ...] = (
    # layers in which nothing is rounded
    Mutant("float64 has a hundred bits", GRIDS, "BITS = 52", "BITS = 100", NUMBERS),
    Mutant("float64 has a few bits more than it has", GRIDS, "BITS = 52", "BITS = 60", BITS),
    Mutant(
        "the lowest bit of an array is that of its coarsest number",
        GRIDS,
        "int((exponent - 53 + zeros).min())",
        "int((exponent - 53 + zeros).max())",
        NUMBERS,
    ),
    Mutant(
        "the lowest bit is that of the last array",
        GRIDS,
        "found = min(found, int(",
        "found = min(NONE, int(",
        ("tests/test_grids.py::test_the_lowest_bit",),
    ),
    Mutant(
        "all bits of a number count",
        GRIDS,
        "(exponent - 53 + zeros)",
        "(exponent - 53)",
        SMALL,
    ),
    Mutant(
        "an origin is coarse",
        GRIDS,
        "weight + min(lowest_of(chart.origin), inputs)",
        "weight + inputs",
        DOMAINS,
    ),
    Mutant(
        "directions are coarse",
        GRIDS,
        "weight, directions = lowest_of(first.weight), lowest_of(chart.directions)",
        "weight, directions = lowest_of(first.weight), 0",
        DOMAINS,
    ),
    Mutant(
        "lower bounds are coarse",
        GRIDS,
        "min(lowest_of(lower), lowest_of(width))",
        "lowest_of(width)",
        CHARTS,
    ),
    Mutant(
        "widths are coarse",
        GRIDS,
        "min(lowest_of(lower), lowest_of(width))",
        "min(lowest_of(lower), 0)",
        CHARTS,
    ),
    Mutant(
        "weights of the first layer are coarse",
        GRIDS,
        "weight, directions = lowest_of(first.weight),",
        "weight, directions = 0,",
        NUMBERS,
    ),
    Mutant(
        "biases of the first layer are coarse",
        GRIDS,
        "inputs), lowest_of(first.bias))",
        "inputs), 0)",
        NUMBERS,
    ),
    Mutant(
        "an origin is near",
        GRIDS,
        "np.asarray(abs(chart.origin) + abs(chart.directions)",
        "np.asarray(0.0 * chart.origin + abs(chart.directions)",
        DOMAINS,
    ),
    Mutant(
        "a box is near",
        GRIDS,
        "(np.abs(lower) + 3.0 * np.abs(width))",
        "(3.0 * np.abs(width))",
        CHARTS,
    ),
    Mutant(
        "a box is narrow",
        GRIDS,
        "(np.abs(lower) + 3.0 * np.abs(width))",
        "(np.abs(lower) + 1.0)",
        CHARTS,
    ),
    Mutant(
        "a domain is never rounded",
        GRIDS,
        "size, not chart.rounded)",
        "size, True)",
        DOMAINS,
    ),
    Mutant(
        "a layer after one that is rounded is exact",
        GRIDS,
        "Grid(lowest, size, so_far and -1000",
        "Grid(lowest, size, -1000",
        DOMAINS,
    ),
    Mutant(
        "slopes are coarse",
        GRIDS,
        "grids[-1].lowest + min(lowest_of(slopes), 0)",
        "grids[-1].lowest",
        NUMBERS,
    ),
    Mutant(
        "slopes are small",
        GRIDS,
        "grids[-1].size * max([1.0, *map(abs, slopes)])",
        "grids[-1].size",
        NUMBERS,
    ),
    Mutant(
        "intercepts are coarse",
        GRIDS,
        "min(lowest_of(slopes), 0), lowest_of(intercepts))",
        "min(lowest_of(slopes), 0), 0)",
        NUMBERS,
    ),
    Mutant(
        "intercepts are small",
        GRIDS,
        " + max([0.0, *map(abs, intercepts)])",
        "",
        NUMBERS,
    ),
    Mutant(
        "weights of later layers are coarse",
        GRIDS,
        "min(lowest_of(layer.weight) + lowest, lowest_of(layer.bias))",
        "min(lowest, lowest_of(layer.bias))",
        NUMBERS,
    ),
    Mutant(
        "biases of later layers are coarse",
        GRIDS,
        "min(lowest_of(layer.weight) + lowest, lowest_of(layer.bias))",
        "lowest_of(layer.weight) + lowest",
        NUMBERS,
    ),
    Mutant(
        "biases are small",
        GRIDS,
        "np.asarray(abs(layer.weight) @ inputs) + np.abs(layer.bias)",
        "np.asarray(abs(layer.weight) @ inputs)",
        NUMBERS,
    ),
    Mutant(
        "breakpoints are coarse",
        GRIDS,
        "min(lowest, lowest_of(breakpoints))",
        "lowest",
        NUMBERS,
    ),
    Mutant(
        "breakpoints are small",
        GRIDS,
        "size += max([0.0, *map(abs, breakpoints)])",
        "size += 0.0",
        NUMBERS,
    ),
    Mutant(
        "nothing vanishes or overflows in an exact layer",
        GRIDS,
        "so_far and -1000 < lowest < 1000 and fits",
        "so_far and fits",
        ("tests/test_grids.py::test_numbers_near_the_ends_of_the_range_are_left_alone",),
    ),
    Mutant(
        "sums of numbers that were not rounded are not either",
        LAYER,
        "if is_exact == 1 and error == 0.0:",
        "if error == 0.0:",
        CORNERS,
    ),
    Mutant(
        "all rows of an exact layer are exact",
        LAYER,
        "if is_exact == 1 and error == 0.0:",
        "if is_exact == 1:",
        ("tests/test_layer_kernels.py::test_sign_of_a_row_of_a_layer_that_is_not_rounded",),
    ),
    Mutant(
        "what touches a corner of the cube from above is in doubt",
        LAYER,
        "        if low >= 0.0:\n",
        "        if low > 0.0:\n",
        ("tests/test_layer_kernels.py::test_sign_of_a_row_of_a_layer_that_is_not_rounded",),
    ),
    Mutant(
        "what touches a corner of the cube from below is in doubt",
        LAYER,
        "ALWAYS_BELOW if high <= 0.0 else STEEP\n    # the sum",
        "ALWAYS_BELOW if high < 0.0 else STEEP\n    # the sum",
        ("tests/test_layer_kernels.py::test_sign_of_a_row_of_a_layer_that_is_not_rounded",),
    ),
    # coarse lines
    Mutant(
        "lines with errors are coarse",
        PROOFS,
        "coarse, has_constant = error == 0.0, constant != 0.0",
        "coarse, has_constant = True, constant != 0.0",
        COARSE,
    ),
    Mutant(
        "an error that vanishes was none",
        PROOFS,
        "    coarse = coarse and abs(constant) <= MOST",
        "    coarse = error == 0.0 and abs(constant) <= MOST",
        COARSE,
    ),
    Mutant(
        "a constant that vanishes was none",
        PROOFS,
        " and has_constant == (constant != 0.0)\n",
        "\n",
        COARSE,
    ),
    Mutant(
        "a slope that vanishes was none",
        PROOFS,
        "_is_coarse(line[k]) and (line[k] != 0.0 or normal[k] == 0.0)",
        "_is_coarse(line[k])",
        COARSE,
    ),
    Mutant(
        "all constants are coarse",
        PROOFS,
        " and _is_coarse(constant) and",
        " and",
        COARSE,
    ),
    Mutant(
        "constants of coarse lines may be large",
        PROOFS,
        "coarse and abs(constant) <= MOST and",
        "coarse and",
        COARSE,
    ),
    Mutant(
        "a line is coarse if its last slope is",
        PROOFS,
        "coarse = coarse and _is_coarse(line[k])",
        "coarse = _is_coarse(line[k])",
        COARSE,
    ),
    Mutant(
        "any row touches for certain",
        PROOFS,
        "    if line[pad + COARSE] == 0.0 or dim > WIDEST:\n",
        "    if dim > WIDEST:\n",
        NOT_FLUSH,
    ),
    Mutant(
        "any constraint proves for certain",
        PROOFS,
        "if line[pad + COARSE] == 0.0 or total > TOTAL:",
        "if total > TOTAL:",
        NOT_FLUSH,
    ),
    Mutant(
        "multipliers of coarse lines may be large",
        PROOFS,
        "if line[pad + COARSE] == 0.0 or total > TOTAL:",
        "if line[pad + COARSE] == 0.0:",
        NOT_FLUSH,
    ),
    Mutant(
        "multipliers of coarse lines are as they drifted",
        PROOFS,
        "np.rint(-sign * table[COLUMN + j, r] * STEPS) / STEPS",
        "-sign * table[COLUMN + j, r]",
        FLUSH,
    ),
    Mutant(
        "multipliers of coarse lines may be negative",
        PROOFS,
        "        if variable < dim or multiplier <= 0.0:\n",
        "        if variable < dim:\n",
        NOT_FLUSH,
    ),
    Mutant(
        "coarse lines are never flipped",
        PROOFS,
        "            return False\n        if label[COL_FLIP, j] == 1:\n            multiplier = -multiplier\n        constant",
        "            return False\n        constant",
        NOT_FLUSH,
    ),
    Mutant(
        "constants of coarse constraints are left out",
        PROOFS,
        "        constant += multiplier * line[pad + CONSTANT]\n        for k in range(dim):\n            f[k]",
        "        for k in range(dim):\n            f[k]",
        FLUSH,
    ),
    Mutant(
        "a coarse row is negative where its sum of slopes is",
        PROOFS,
        "        top += max(f[k], 0.0)\n",
        "        top += f[k]\n",
        NOT_FLUSH,
    ),
    Mutant(
        "a coarse row that is hardly positive is not",
        PROOFS,
        "    return top <= 0.0\n",
        "    return top <= 1e-6\n",
        NOT_FLUSH,
    ),
    Mutant(
        "a row that touches is in doubt whatever rounds",
        PROOFS,
        "    if top <= 1e-6 and _is_flush(table, label, lines, r, sign):\n        return True\n",
        "",
        FLUSH,
    ),
    # smaller spans
    Mutant(
        "any constraints may be fewer than the coordinates of a cone",
        PROOFS,
        "if n_strong < dim and not (all_in_span and n_strong == work[SPAN + np.int64(level) - 1]):",
        "if n_strong < dim and not n_strong == work[SPAN + np.int64(level) - 1]:",
        SPANS,
    ),
    Mutant(
        "any number of constraints of a span will do",
        PROOFS,
        "if n_strong < dim and not (all_in_span and n_strong == work[SPAN + np.int64(level) - 1]):",
        "if n_strong < dim and not all_in_span:",
        SPANS,
    ),
    Mutant(
        "what is not passed on is in the span",
        PROOFS,
        "(line[pad + LEVEL] == level - 1.0 and line[pad + PASSED] == 1.0)",
        "line[pad + LEVEL] == level - 1.0",
        SPANS,
    ),
    Mutant(
        "whatever is passed on is in the span",
        PROOFS,
        "(line[pad + LEVEL] == level - 1.0 and line[pad + PASSED] == 1.0)",
        "line[pad + PASSED] == 1.0",
        SPANS,
    ),
    Mutant(
        "the last constraint says whether all are in the span",
        PROOFS,
        "all_in_span = all_in_span and (",
        "all_in_span = (",
        SPANS,
    ),
    Mutant(
        "a row of no layer is in the span",
        PROOFS,
        "all_in_span, residual = 0, level > 0.0, bound",
        "all_in_span, residual = 0, True, bound",
        SPANS,
    ),
    Mutant(
        "a span is of the outputs alone",
        SPAN,
        "walk.tally.path[RANK, layer] + 1)",
        "walk.tally.path[RANK, layer])",
        RELATED,
    ),
    Mutant(
        "a span is that of the layer's own rank",
        SPAN,
        "walk.tally.path[RANK, layer] + 1)",
        "walk.tally.path[RANK, layer + 1] + 1)",
        RELATED,
    ),
    Mutant(
        "all units pass on what they read",
        SPAN,
        "passed = 1 if slope != 0.0 else 0",
        "passed = 1",
        RELATED,
    ),
    Mutant(
        "constraints of the domain are passed on",
        SPAN,
        "            passed = 0\n            if u >= 0:",
        "            passed = 1\n            if u >= 0:",
        RELATED,
    ),
    Mutant(
        "cuts of the layer before belong to this one",
        SPAN,
        "relate(cells, c, layer - 1, passed)",
        "relate(cells, c, layer, passed)",
        RELATED,
    ),
    Mutant(
        "cuts of a layer are those of the next",
        SPAN,
        "relate(cells, c, layer, 0)",
        "relate(cells, c, layer + 1, 0)",
        RELATED,
    ),
    Mutant(
        "a difference of candidates is a row of the first layer",
        "regionenum/engine/dictionary/verbs.py",
        "_relate(lines[line], -1, 0)",
        "_relate(lines[line], 0, 0)",
        ("tests/test_span_kernels.py::test_a_difference_of_candidates_is_of_no_layer",),
    ),
    # ranks in integers
    Mutant(
        "integers never overflow",
        RANKS,
        "LARGEST = 1 << 30",
        "LARGEST = 1 << 62",
        ("tests/test_rank_kernels.py::test_elimination_in_integers",),
    ),
    Mutant(
        "ranks of rounded rows are found in integers",
        RANKS,
        "if doubts > 0 and at[layer, EXACT] == 1:",
        "if doubts > 0:",
        ("tests/test_rank_kernels.py::test_nearly_parallel_rows_are_doubtful",),
    ),
    Mutant(
        "all numbers are whole",
        RANKS,
        "math.ldexp(1.0, -int(lowest))",
        "1.0",
        INTEGERS,
    ),
    Mutant(
        "rows of slope 0 count in ranks of integers",
        RANKS,
        "        if slope != 0.0:\n"
        "            read_row(at, images.image, layer, row, ranks.normal)\n"
        "            n += write_whole",
        "        if True:\n            read_row(at, images.image, layer, row, ranks.normal)\n            n += write_whole",
        ("tests/test_rank_kernels.py::test_ranks_are_those_of_rational_elimination",),
    ),
    Mutant(
        "elimination in integers adds",
        RANKS,
        "whole[i, k] = a * whole[i, k] - b * whole[rank, k]",
        "whole[i, k] = a * whole[i, k] + b * whole[rank, k]",
        ("tests/test_rank_kernels.py::test_elimination_in_integers",),
    ),
    Mutant(
        "elimination in integers forgets the row that it swaps",
        RANKS,
        "whole[rank, k], whole[place, k] = whole[place, k], whole[rank, k]",
        "whole[rank, k] = whole[place, k]",
        ("tests/test_rank_kernels.py::test_elimination_in_integers",),
    ),
    Mutant(
        "a rank found in integers is doubted",
        RANKS,
        "            return found, 0\n",
        "            return rank, doubts\n",
        INTEGERS,
    ),
    Mutant(
        "what an order of rows proves is doubted",
        RANKS,
        "    if doubts > 0 and _reaches(at, units, images, ranks, layer, bound):\n        return bound, 0\n",
        "",
        ("tests/test_rank_kernels.py::test_another_order_of_rows_ends_a_doubt",),
    ),
    Mutant(
        "projections of other rows do not round",
        RANKS,
        "wrong = error[best] + rounding * rank + spoilt",
        "wrong = error[best] + spoilt",
        ("tests/test_rank_kernels.py::test_an_order_of_rows_proves_nothing_within_their_bounds",),
    ),
    Mutant(
        "rows are taken in any order",
        RANKS,
        "            if size - MARGIN * error[i] > left:\n",
        "            if size - MARGIN * error[i] > 0.0:\n",
        ("tests/test_rank_kernels.py::test_rows_are_taken_in_the_order_of_what_is_left_of_them",),
    ),
)
