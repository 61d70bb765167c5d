"""A tree that is cut into as many subtrees as it can be is the same tree, and its doubts are not forgotten."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import regionenum as rn
from benchmarks import fuzz
from regionenum.enumeration import Enumeration, Settings, follow
from regionenum.errors import EngineError
from tests.exact_forms import Example, read_examples
from tests.hard_networks import case_of
from tests.runs import SMALL
from tests.verdicts import Judgement, Verdict, difference, judge_result

DATA = Path(__file__).parent / "data"
EXAMPLES = [*read_examples(DATA / "near_degenerate.json"), *read_examples(DATA / "found_hard.json")]

FEW = 25
"""Regions, of the networks that are cut up."""


@pytest.fixture
def steps_of_one_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """As short as steps can be, however fast the machine is."""
    always = property(lambda self: 1, lambda self, tests: None)
    monkeypatch.setattr("regionenum.parallel.runner.StepLength.tests", always, raising=False)


def judge_in_steps(example: Example) -> Judgement:
    """Enumerate by tasks of one step, the rest of each being explored as subtrees of their own."""
    run = Enumeration(example.network, example.domain, Settings(budget=SMALL))
    try:
        follow(run)
    except EngineError as error:
        return Judgement(Verdict.REFUSED, message=str(error))
    result: rn.Result = run.result()
    assert result.complete
    return judge_result(result, example)


@pytest.mark.usefixtures("steps_of_one_test")
@pytest.mark.parametrize(
    "example", [example for example in EXAMPLES if example.truth["count"] <= FEW], ids=lambda example: example.name
)
def test_never_wrong_without_a_doubt(example: Example) -> None:
    judgement = judge_in_steps(example)
    if judgement.verdict is Verdict.WITHOUT_DOUBT:
        pytest.fail(difference(judgement, example.truth))


@pytest.mark.usefixtures("steps_of_one_test")
@pytest.mark.parametrize("family", ["integers", "gaussian", "bias_free"])
@settings(max_examples=15, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_not_nearly_degenerate_is_right(family: str, seed: int) -> None:
    example = Example.of(f"{family}/{seed}", "fuzz", *case_of(family, seed), fuzz.MOST_CELLS)
    if example.truth["count"] > 2 * FEW:
        return
    judgement = judge_in_steps(example)
    if judgement.verdict is not Verdict.RIGHT:
        pytest.fail(f"{example.name}: {difference(judgement, example.truth)}; {example.write()}")
