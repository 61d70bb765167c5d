"""Doubtful decisions: believed and counted, or asked.

If the walk is to be exact (`Questions.mode`), what no bound on rounding decides is a question: the walk stops (ASKED), whoever
called it writes the answer, and the walk goes on where it was, finds its own question answered, and uses up the answer. Every
place where a decision is made has this form, so that it can be come back to:

    outcome = answer_about(..)
    answered = outcome != NO_ANSWER
    if not answered:
        outcome = ...
        if outcome is doubtful:
            if asks(..): return ask(..)
            outcome = settle(..)
    ...; if answered: use_up(..), as soon as nothing leads back here
"""

from __future__ import annotations

from regionenum.engine.cells import CUTS, NEGATIVE, POSITIVE, copy, force, likely, place
from regionenum.engine.counters import DOUBTFUL as DOUBTFUL_COUNT
from regionenum.engine.counters import OVERTURNED, RESOLVED
from regionenum.engine.policy import inlined, kernel
from regionenum.engine.walk.state import (
    ASKED,
    CELL,
    CONTENT,
    FIRST,
    IS_EXACT,
    KIND,
    LIKELY,
    NO_ANSWER,
    OF_A_ROW,
    SECOND,
    SURE_ABOVE,
    SURE_BELOW,
    THIRD,
)


@inlined
def asks(questions):
    """Whether doubtful decisions are asked."""
    return questions.mode[IS_EXACT] == 1


@kernel
def ask(questions, kind, f, first, second, third, guess):
    """Ask; `guess` is what float64 says, or -1."""
    questions.mode[KIND] = kind
    asked = questions.asked[kind]
    asked[CELL], asked[FIRST], asked[SECOND], asked[THIRD] = f, first, second, third
    questions.answer[kind, CONTENT], questions.answer[kind, LIKELY] = NO_ANSWER, guess
    return ASKED


@inlined
def answer_about(questions, kind, f, first, second, third):
    """The answer to a question, or NO_ANSWER."""
    answer, asked = questions.answer[kind, CONTENT], questions.asked[kind]
    if answer == NO_ANSWER:
        return NO_ANSWER
    if asked[CELL] != f or asked[FIRST] != first or asked[SECOND] != second or asked[THIRD] != third:
        return NO_ANSWER
    return answer


@inlined
def use_up(questions, kind, counters):
    """Note that an answer has been acted upon."""
    answer = questions.answer[kind]
    counters[RESOLVED] += 1
    counters[OVERTURNED] += answer[LIKELY] >= 0 and answer[LIKELY] != answer[CONTENT]
    answer[CONTENT] = NO_ANSWER


@inlined
def settle(cells, f, counters):
    """The answer to a decision that rounding could have made, where nobody is asked: it is counted, and float64 believed."""
    counters[DOUBTFUL_COUNT] += 1
    return likely(cells, f)


@kernel
def split_by_answer(cells, f, r, g, questions):
    """Split cell f by pending row r as an answer of CUTS says: f is the negative side, g the positive one."""
    answer = questions.answer[OF_A_ROW]
    copy(cells, f, g)
    force(cells, f, r, NEGATIVE, questions.points[0], answer[SURE_BELOW])
    force(cells, g, r, POSITIVE, questions.points[1], answer[SURE_ABOVE])
    return NEGATIVE


@inlined
def replace_witness(cells, f, questions, outcome):
    """Take the point that came with an answer that nothing cuts, if there is one: the witness was not inside."""
    answer = questions.answer[OF_A_ROW]
    if outcome == NEGATIVE and answer[SURE_BELOW] == 1:
        place(cells, f, questions.points[0])
    elif outcome != CUTS and answer[SURE_ABOVE] == 1:
        place(cells, f, questions.points[1])
