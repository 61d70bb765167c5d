"""Right if exact, and otherwise never wrong without a doubt: random networks of families that are hard for floating point.

`python -m benchmarks.fuzz` does the same with as many networks as one likes, and shrinks what it finds.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import fuzz
from benchmarks.shrink import shrink
from tests.exact_forms import Example, describe_network
from tests.hard_networks import FAMILIES, case_of, hard_cases
from tests.verdicts import Verdict, assert_not_silent, assert_right, difference, judge

NOT_NEARLY = ("integers", "gaussian", "bias_free")
"""Families that floating point decides rightly, with or without doubts."""

BUDGET = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("family", FAMILIES)
@BUDGET
@given(data=st.data())
def test_right_without_a_doubt(family: str, data: st.DataObject) -> None:
    name, seed, network, domain = data.draw(hard_cases([family]))
    example = Example.of(f"{name}/{seed}", "fuzz", network, domain, fuzz.MOST_CELLS)
    assert_right(judge(example), example)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in NOT_NEARLY])
@BUDGET
@given(data=st.data())
def test_never_wrong_without_a_doubt(family: str, data: st.DataObject) -> None:
    name, seed, network, domain = data.draw(hard_cases([family]))
    example = Example.of(f"{name}/{seed}", "fuzz", network, domain, fuzz.MOST_CELLS)
    assert_not_silent(judge(example, exact=False), example)


@pytest.mark.parametrize("family", NOT_NEARLY)
@BUDGET
@given(data=st.data())
def test_what_is_degenerate_or_generic_but_not_nearly_so_is_right(family: str, data: st.DataObject) -> None:
    name, seed, network, domain = data.draw(hard_cases([family]))
    example = Example.of(f"{name}/{seed}", "fuzz", network, domain, fuzz.MOST_CELLS)
    judgement = judge(example, exact=False)
    if judgement.verdict is not Verdict.RIGHT:
        pytest.fail(f"{example.name}: {difference(judgement, example.truth)}; {example.write()}")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_case_belongs_to_its_seed(family: str) -> None:
    (network, domain), (again, _), (other, _) = case_of(family, 1, 2), case_of(family, 1, 2), case_of(family, 1, 3)
    assert network.n_in <= 5
    assert len(network.layers) <= 7
    assert domain.chart(network.input_shape).dim <= 5
    assert describe_network(network) == describe_network(again) != describe_network(other)


def test_families_are_not_all_alike() -> None:
    """Some of a family's networks have regions enough to be wrong about."""
    for family in FAMILIES:
        counts = [Example.of(family, "", *case_of(family, k)).truth["count"] for k in range(12)]
        assert max(counts) > 2, family


def test_shrinking() -> None:
    """What is left has what it was to keep, and nothing can be taken away from it."""
    example = Example.of("integers", "fuzz", *case_of("integers", 4))
    assert len(example.network.layers) > 1
    smallest = shrink(example, lambda candidate: "0" in candidate.truth["layers"][-1]["by_rank"])
    (layer,) = describe_network(smallest.network)["layers"]
    assert layer == {"W": [["0"]], "b": ["0"], "units": [["f", 0, ["0"], ["0", "1"], ["0", "0"]]]}
    assert smallest.truth["count"] == 1


def test_shrinking_keeps_what_is_needed() -> None:
    """Three regions on a line need two breakpoints inside the box."""
    example = Example.of("integers", "fuzz", *case_of("integers", 4))
    smallest = shrink(example, lambda candidate: candidate.truth["count"] >= 3)
    assert smallest.truth["count"] >= 3
    assert sum(layer.n_out for layer in smallest.network.layers) == 2


def test_the_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = tmp_path / "found.json"
    assert fuzz.main(["--networks", "3", "--family", "integers", "--save", str(saved)]) == 0
    assert "integers" in capsys.readouterr().out
    assert not saved.exists()
