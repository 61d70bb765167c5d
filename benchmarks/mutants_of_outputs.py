"""Mutants of the ranks of outputs, and of what is counted beside cells and children."""

from __future__ import annotations

from benchmarks.mutant import Mutant

ENGINE = "regionenum/engine"
OUTPUT = f"{ENGINE}/walk/output_kernel.py"
TALLY = f"{ENGINE}/walk/tally_kernel.py"
CLAIM = "regionenum/exact/claim.py"
RANK_TESTS = "tests/test_output_rank.py::"
CANCELS = (f"{RANK_TESTS}test_what_cancels_has_rank_0[long]",)
MULTIPLES = (f"{RANK_TESTS}test_outputs_that_are_multiples_of_each_other_where_all_units_are_active[long]",)
COUNTED = ("tests/test_walk_kernels.py::test_children_are_added_up_when_no_more_can_come",)

OUTPUT_MUTANTS = (
    Mutant(
        "kept outputs have no error",
        OUTPUT,
        "            ranks.map_error[n] += (abs(weight) * steepest + LEAST) * rounded + MOST_CHANGES * LEAST\n",
        "",
        CANCELS,
    ),
    Mutant(
        "elimination believes its pivots",
        OUTPUT,
        "    return 2.0 * of_u * of_l * wrong < 1.0\n",
        "    return True\n",
        MULTIPLES,
    ),
    Mutant(
        "elimination forgets the errors of what it is given",
        OUTPUT,
        "wrong = r * worst + ",
        "wrong = 0.0 * worst + ",
        (f"{RANK_TESTS}test_an_output_of_which_little_is_left",),
    ),
    Mutant(
        "outputs made afresh have no error",
        OUTPUT,
        "    return (error + (terms + 4) * UNIT_ROUNDOFF * size) * SPARE + (terms * LEAST if error + size > 0.0 else 0.0)\n",
        "    return 0.0\n",
        CANCELS,
    ),
    Mutant(
        "a doubtful output is believed",
        TALLY,
        "        if out_doubtful > 0 and asks(questions):\n",
        "        if False:\n",
        CANCELS,
    ),
    Mutant(
        "pieces that change leave the outputs",
        OUTPUT,
        "            _exchange(output.weight, ranks.along, ranks.map, unit, first + before[unit], first + piece)\n",
        "",
        (f"{RANK_TESTS}test_random_outputs_are_certified[1-1]",),
    ),
    Mutant(
        "a doubtful output is not counted",
        TALLY,
        "tally.counters[DOUBTFUL_RANKS] += doubtful + out_doubtful",
        "tally.counters[DOUBTFUL_RANKS] += doubtful",
        CANCELS,
    ),
    Mutant(
        "units that cut are those of the last child",
        OUTPUT,
        "        seen[start + unit] = SEVERAL\n",
        "        seen[start + unit] = piece\n",
        ("tests/test_engines_agree.py",),
    ),
    Mutant(
        "transitions are those of the layer after",
        TALLY,
        "tally.transitions[layer, path[RANK, layer] if layer > 0 else 0, rank] += 1",
        "tally.transitions[layer, rank, rank] += 1",
        COUNTED,
    ),
    Mutant(
        "one child fewer in the spread of children",
        TALLY,
        "    while n > 1:\n",
        "    while n > 2:\n",
        ("tests/test_engines_agree.py",),
    ),
    Mutant(
        "children of several subtrees are seen as those of one",
        "regionenum/engine/subtree.py",
        "np.where(mine == theirs, mine, np.int32(SEVERAL))",
        "np.where(mine == theirs, mine, theirs)",
        ("tests/test_ledger.py::test_children_are_closed_once_all_subtrees_of_their_cell_are_back",),
    ),
    Mutant(
        "the checker believes ranks of outputs",
        "regionenum/exact/checker.py",
        "        if claimed != rank:\n            raise RefutedError(f\"region {i}: the rank of the network's",
        "        if False:\n            raise RefutedError(f\"region {i}: the rank of the network's",
        ("tests/test_certify.py::test_a_rank_of_the_output_that_is_changed",),
    ),
)
