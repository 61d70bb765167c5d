"""Mutants of questions and answers, and the tests that kill them."""

from __future__ import annotations

from benchmarks.mutant import Mutant, right, right_in_steps

QUESTIONS = "tests/test_questions.py::"
ASKING = (f"{QUESTIONS}test_an_answer_is_for_its_question_and_used_once",)
FORGETTING = (f"{QUESTIONS}test_a_question_forgets_the_answer_to_the_last_of_its_kind",)
COUNTING = (f"{QUESTIONS}test_what_float64_would_have_said_otherwise_is_counted",)
REPLACING = (f"{QUESTIONS}test_the_witness_is_replaced_by_a_point_that_is_inside",)
FORCED = (f"{QUESTIONS}test_a_cell_that_was_forced_is_the_part_and_proves_what_is_true[sure]",)
UNSURE = (f"{QUESTIONS}test_a_cell_that_was_forced_is_the_part_and_proves_what_is_true[unsure]",)
REFEREE = (f"{QUESTIONS}test_the_referee_is_right_about_cuts_and_ranks[integers]",)
CANDIDATES = (f"{QUESTIONS}test_the_referee_is_right_about_candidates",)
SUBTREES = (f"{QUESTIONS}test_witnesses_that_subtrees_are_given_are_inside",)
HIDDEN = ("tests/test_group_kernels.py::test_a_winner_that_rounding_hides_is_found",)
ONE = ("tests/test_group_kernels.py::test_of_candidates_that_are_one_up_to_rounding_the_lower_wins",)
PENCIL = ("tests/test_mended.py::test_lines_through_a_point_are_asked_or_counted_as_doubtful[exact]",)
CORNER = (f"{QUESTIONS}test_answers_and_corrections_are_counted",)

ENGINE = "regionenum/engine"
WALK = f"{ENGINE}/walk"
DICTIONARY = f"{ENGINE}/dictionary"

QUESTION_MUTANTS: tuple[Mutant, ...] = (
    # what is believed instead of asked
    Mutant(
        "a cut that is flat is believed",
        f"{WALK}/tree_kernel.py",
        "                if asks(questions):\n                    return ask(questions, OF_A_ROW, f, c, 0, -1, guess)\n"
        "                counters[DOUBTFUL_COUNT] += 1\n",
        "",
        right("E3 width of the box overflows in the row"),
    ),
    Mutant(
        "a cut is believed at first",
        f"{WALK}/tree_kernel.py",
        "                outcome = test(cells, f, r, SCREEN)\n",
        "                outcome = test(cells, f, r, SCREEN)\n"
        "                outcome = likely(cells, f) if outcome == DOUBTFUL else outcome\n",
        CORNER,
    ),
    Mutant(
        "a cut is believed later",
        f"{WALK}/tree_kernel.py",
        "                outcome = test(cells, f, r, LEAF if leaf else SPLIT)\n",
        "                outcome = test(cells, f, r, LEAF if leaf else SPLIT)\n"
        "                outcome = likely(cells, f) if outcome == DOUBTFUL else outcome\n",
        PENCIL,
    ),
    Mutant(
        "candidates of a flat difference are believed",
        f"{WALK}/group_kernel.py",
        "        if asks(questions):\n"
        "            ask(questions, OF_A_ROW, f, u, i, k, guess)\n"
        "            return DOUBTFUL, -1, False\n"
        "        counters[DOUBTFUL_COUNT] += 1\n",
        "",
        HIDDEN,
    ),
    Mutant(
        "candidates are believed",
        f"{WALK}/group_kernel.py",
        "    outcome = test(cells, f, r, purpose)\n",
        "    outcome = test(cells, f, r, purpose)\n"
        "    outcome = likely(cells, f) if outcome == DOUBTFUL else outcome\n",
        HIDDEN,
    ),
    Mutant(
        "candidates that agree in rounded bits are believed to be one",
        f"{WALK}/group_kernel.py",
        "if size == 0.0 and (error_one + error_linear == 0.0 or not asks(walk.questions)):\n"
        "                counters[DOUBTFUL_COUNT] += error_one + error_linear > 0.0\n",
        "if size == 0.0:\n",
        HIDDEN,
    ),
    Mutant(
        "a rank is believed",
        f"{WALK}/tally_kernel.py",
        "    if doubtful > 0 and asks(questions):\n",
        "    if False:\n",
        right("2.eps2^-50/30"),
    ),
    Mutant(
        "the ranks of a subtree's path are believed",
        f"{WALK}/subtree_kernel.py",
        "            if doubtful > 0 and asks(walk.questions):\n",
        "            if False:\n",
        right_in_steps("E1 underflow depth 5 x 2^-300 (warned)"),
    ),
    # the discipline
    Mutant(
        "an answer is used again",
        f"{WALK}/question_kernel.py",
        "    answer[CONTENT] = NO_ANSWER\n",
        "",
        ASKING,
    ),
    Mutant(
        "the last answer is left to the next question",
        f"{WALK}/question_kernel.py",
        "    questions.answer[kind, CONTENT], questions.answer[kind, LIKELY] = NO_ANSWER, guess\n",
        "    questions.answer[kind, LIKELY] = guess\n",
        FORGETTING,
    ),
    Mutant(
        "an answer is used for another cell",
        f"{WALK}/question_kernel.py",
        "asked[CELL] != f or ",
        "",
        ASKING,
    ),
    Mutant(
        "an answer is used for another cut",
        f"{WALK}/question_kernel.py",
        "asked[FIRST] != first or ",
        "",
        ASKING,
    ),
    Mutant(
        "an answer is used for another candidate",
        f"{WALK}/question_kernel.py",
        "asked[SECOND] != second or ",
        "",
        ASKING,
    ),
    Mutant(
        "an answer is used for another rival",
        f"{WALK}/question_kernel.py",
        " or asked[THIRD] != third:",
        ":",
        ASKING,
    ),
    Mutant(
        "an answer to a cut is not used up",
        f"{WALK}/tree_kernel.py",
        "                    use_up(questions, OF_A_ROW, counters)\n                elif slot",
        "                elif slot",
        (f"{QUESTIONS}test_every_answer_is_counted",),
    ),
    Mutant(
        "nothing is learned from an answer",
        f"{WALK}/tree_kernel.py",
        "                        learn(at, certificates, images.cut_side, layer, slot, questions.tight, n, outcome, False)\n",
        "",
        (f"{QUESTIONS}test_an_answer_is_asked_for_once_wherever_it_follows",),
    ),
    Mutant(
        "an answer is learned without what proves it",
        f"{ENGINE}/compiled.py",
        "        questions.answer[kind, N_TIGHT] = len(proof)\n",
        "        questions.answer[kind, N_TIGHT] = 0\n",
        (
            f"{QUESTIONS}test_every_answer_is_counted",
            f"{QUESTIONS}test_an_answer_is_asked_for_once_wherever_it_follows",
        ),
    ),
    Mutant(
        "answers are not counted",
        f"{WALK}/question_kernel.py",
        "    counters[RESOLVED] += 1\n",
        "",
        COUNTING,
    ),
    Mutant(
        "every answer overturns",
        f"{WALK}/question_kernel.py",
        "answer[LIKELY] >= 0 and answer[LIKELY] != answer[CONTENT]",
        "answer[LIKELY] >= 0",
        COUNTING,
    ),
    Mutant(
        "an answer without a guess overturns it",
        f"{WALK}/question_kernel.py",
        "answer[LIKELY] >= 0 and answer[LIKELY] != answer[CONTENT]",
        "answer[LIKELY] != answer[CONTENT]",
        COUNTING,
    ),
    # carrying answers out
    Mutant(
        "the point of the other side is the negative part's",
        f"{WALK}/question_kernel.py",
        "force(cells, f, r, NEGATIVE, questions.points[0], answer[SURE_BELOW])",
        "force(cells, f, r, NEGATIVE, questions.points[1], answer[SURE_BELOW])",
        FORCED,
    ),
    Mutant(
        "the point of the other side is the positive part's",
        f"{WALK}/question_kernel.py",
        "force(cells, g, r, POSITIVE, questions.points[1], answer[SURE_ABOVE])",
        "force(cells, g, r, POSITIVE, questions.points[0], answer[SURE_ABOVE])",
        FORCED,
    ),
    Mutant(
        "both parts of an answer are the positive one",
        f"{WALK}/question_kernel.py",
        "force(cells, f, r, NEGATIVE,",
        "force(cells, f, r, POSITIVE,",
        FORCED,
    ),
    Mutant(
        "every witness of an answer is sure",
        f"{DICTIONARY}/cut_kernel.py",
        "        table[POINT_AT, k] = point[k]\n    label[SIZE, SURE] = sure\n",
        "        table[POINT_AT, k] = point[k]\n    label[SIZE, SURE] = 1\n",
        UNSURE,
    ),
    Mutant(
        "an unsure witness proves a side",
        f"{DICTIONARY}/cut_kernel.py",
        "    if abs(inside) <= bound or label[SIZE, SURE] == 0:\n",
        "    if abs(inside) <= bound:\n",
        UNSURE,
    ),
    Mutant(
        "rebuilding makes a witness sure",
        f"{DICTIONARY}/cut_kernel.py",
        "    move_witness(table, label, OTHER_AT)\n    label[SIZE, SURE] = sure\n",
        "    move_witness(table, label, OTHER_AT)\n",
        (f"{QUESTIONS}test_a_rebuilt_cell_has_the_witness_it_had",),
    ),
    Mutant(
        "a part is forced to the wrong side",
        f"{DICTIONARY}/cut_kernel.py",
        "    if side == NEGATIVE:\n        negate_row(table, label, r)\n    for",
        "    if side == POSITIVE:\n        negate_row(table, label, r)\n    for",
        FORCED,
    ),
    Mutant(
        "what is forced is no constraint",
        f"{DICTIONARY}/cut_kernel.py",
        "    label[SIZE, SURE] = sure\n    _to_its_side(table, label, work, r)\n    label[SIZE, N_BASIC] += 1\n",
        "    label[SIZE, SURE] = sure\n    _to_its_side(table, label, work, r)\n",
        FORCED,
    ),
    Mutant(
        "a winner that was asked for has the witness of where it loses",
        f"{WALK}/group_kernel.py",
        "force(cells, child, r, POSITIVE, questions.points[1], questions.answer",
        "force(cells, child, r, POSITIVE, questions.points[0], questions.answer",
        ("tests/test_group_kernels.py::test_a_winner_that_rounding_hides_has_a_witness",),
    ),
    Mutant(
        "the witness is replaced by that of the other side",
        f"{WALK}/question_kernel.py",
        "        place(cells, f, questions.points[0])\n",
        "        place(cells, f, questions.points[1])\n",
        REPLACING,
    ),
    Mutant(
        "the witness is replaced by a point that is not inside",
        f"{WALK}/question_kernel.py",
        "    if outcome == NEGATIVE and answer[SURE_BELOW] == 1:\n",
        "    if outcome == NEGATIVE:\n",
        REPLACING,
    ),
    Mutant(
        "subtrees take a witness that is not sure with them",
        f"{ENGINE}/compiled.py",
        "        if not witness_of(self._cells, f, witness):\n            witness = np.zeros(0)\n",
        "        witness_of(self._cells, f, witness)\n",
        SUBTREES,
    ),
    Mutant(
        "a witness is sure after what was imposed on its cell",
        f"{WALK}/subtree_kernel.py",
        "        force(cells, f, r, POSITIVE, walk.point, 0)\n",
        "        force(cells, f, r, POSITIVE, walk.point, 1)\n",
        SUBTREES,
    ),
    # the answers
    Mutant(
        "losers are no part of a question",
        f"{ENGINE}/questions.py",
        "        if losers:\n",
        "        if not losers:\n",
        CANDIDATES,
    ),
    Mutant(
        "losers are not told",
        f"{ENGINE}/compiled.py",
        "losers = [int(k) for k in listed[: scan[AT]] if k != second] if scan[PHASE] == SPLITTING else []",
        "losers: list[int] = []",
        HIDDEN,
    ),
    Mutant(
        "what is 0 everywhere is positive",
        f"{ENGINE}/compiled.py",
        "zero = NEGATIVE if third < 0 else ZERO",
        "zero = 1 if third < 0 else ZERO",
        (f"{QUESTIONS}test_what_is_0_takes_the_lower_piece",),
    ),
    Mutant(
        "of candidates that are one the lower exceeds",
        f"{ENGINE}/compiled.py",
        "zero = NEGATIVE if third < 0 else ZERO",
        "zero = NEGATIVE if third < 0 else 1",
        ONE,
    ),
    Mutant(
        "points of answers are on the other sides",
        f"{ENGINE}/questions.py",
        "enumerate(((-1, found.below), (1, found.above)))",
        "enumerate(((1, found.above), (-1, found.below)))",
        CANDIDATES,
    ),
    Mutant(
        "every point of an answer is said to be inside",
        f"{ENGINE}/questions.py",
        "        z = self._of_point(point)\n        return z, self._is_inside(cone, z)",
        "        z = self._of_point(point)\n        return z, True",
        SUBTREES,
    ),
    Mutant(
        "a rank is that of the layer before",
        f"{ENGINE}/questions.py",
        "        return rank(self._rows.linear(*cell[:3]))",
        "        return rank(self._rows.linear(max(cell.layer - 1, 0), *cell[1:3]))",
        REFEREE,
    ),
    Mutant(
        "a question begins the step again",
        f"{ENGINE}/compiled.py",
        "max(last - counters[TESTS], 1)",
        "tests",
        (f"{QUESTIONS}test_a_step_ends_however_much_is_asked",),
    ),
)
