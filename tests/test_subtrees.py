"""A tree that is cut into as many subtrees as it can be is the same tree: right if exact, and otherwise with its doubts."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import regionenum as rn
from benchmarks import fuzz
from regionenum.enumeration import Enumeration, Settings, follow
from regionenum.errors import EngineError
from tests.exact_forms import Example, read_examples
from tests.hard_networks import FAMILIES, case_of
from tests.runs import SMALL
from tests.verdicts import Judgement, Verdict, assert_not_silent, assert_right, judge_result

DATA = Path(__file__).parent / "data"
EXAMPLES = [*read_examples(DATA / "near_degenerate.json"), *read_examples(DATA / "found_hard.json")]

FEW = 25
"""Regions, of the networks that are cut up."""


@pytest.fixture
def steps_of_one_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """As short as steps can be, however fast the machine is."""
    always = property(lambda self: 1, lambda self, tests: None)
    monkeypatch.setattr("regionenum.parallel.runner.StepLength.tests", always, raising=False)


def judge_in_steps(example: Example, exact: bool = True) -> Judgement:
    """Enumerate by tasks of one step, the rest of each being explored as subtrees of their own."""
    run = Enumeration(example.network, example.domain, Settings(budget=SMALL, exact=exact))
    try:
        follow(run)
    except EngineError as error:
        return Judgement(Verdict.REFUSED, message=str(error))
    result: rn.Result = run.result()
    assert result.complete
    return judge_result(result, example)


each_small_example = pytest.mark.parametrize(
    "example", [example for example in EXAMPLES if example.truth["count"] <= FEW], ids=lambda example: example.name
)


@pytest.mark.usefixtures("steps_of_one_test")
@each_small_example
def test_right_without_a_doubt(example: Example) -> None:
    assert_right(judge_in_steps(example), example)


@pytest.mark.usefixtures("steps_of_one_test")
@each_small_example
def test_never_wrong_without_a_doubt(example: Example) -> None:
    assert_not_silent(judge_in_steps(example, exact=False), example)


@pytest.mark.usefixtures("steps_of_one_test")
@pytest.mark.parametrize("family", list(FAMILIES))
@settings(max_examples=8, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_hard_networks_are_right(family: str, seed: int) -> None:
    example = Example.of(f"{family}/{seed}", "fuzz", *case_of(family, seed), fuzz.MOST_CELLS)
    if sum(layer["regions"] for layer in example.truth["layers"]) > 2 * FEW:
        return
    assert_right(judge_in_steps(example), example)
