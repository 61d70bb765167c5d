"""Networks on which floating point is known to go wrong: right if exact, and otherwise never wrong without a doubt.

`python -m benchmarks.near_degenerate` tells what becomes of all of them.
"""

import json
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from benchmarks import near_degenerate
from regionenum.domain import Box
from regionenum.engine.interface import Problem
from tests.exact_forms import Example, as_json, describe_domain, exact_form, read_examples
from tests.exact_oracle import enumerate_exactly
from tests.exploring import ENGINES
from tests.oracles import exact_cells
from tests.verdicts import Verdict, assert_not_silent, assert_right, difference, judge, same

DATA = Path(__file__).parent / "data"
EXAMPLES = [*read_examples(DATA / "near_degenerate.json"), *read_examples(DATA / "found_hard.json")]


def has_an_exact_chart(example: Example) -> bool:
    """Whether the package's coordinates are those of the domain: the width of the box is a float64."""
    kind, *bounds = describe_domain(example.domain, example.network.n_in)
    lower, upper = bounds or ([], [])
    widths = [
        (float(Fraction(b)) - float(Fraction(a)), Fraction(b) - Fraction(a)) for a, b in zip(lower, upper, strict=True)
    ]
    return kind in ("box", "whole") and all(
        math.isfinite(width) and Fraction(width) == exact for width, exact in widths
    )


FLAT = [example for example in EXAMPLES if example.network.n_in <= 2 and has_an_exact_chart(example)]

each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)


@each_example
def test_right_without_a_doubt(example: Example) -> None:
    assert_right(judge(example), example)


@each_example
def test_never_wrong_without_a_doubt(example: Example) -> None:
    assert_not_silent(judge(example, exact=False), example)


@pytest.mark.parametrize(
    "example", [example for example in EXAMPLES if example.kind == "found, doubted"], ids=lambda example: example.name
)
def test_small_integers_are_right(example: Example) -> None:
    """Nothing is rounded in these, so that a doubt is no excuse."""
    judgement = judge(example, exact=False)
    if judgement.verdict is not Verdict.RIGHT:
        pytest.fail(difference(judgement, example.truth))


@each_example
def test_the_oracle_agrees(example: Example) -> None:
    assert same(as_json(enumerate_exactly(*exact_form(example.network, example.domain))), example.truth)


@pytest.mark.parametrize("example", FLAT, ids=lambda example: example.name)
def test_rational_subdivision_agrees(example: Example) -> None:
    """A second exact method, in one and two dimensions."""
    _, statistics = exact_cells(Problem.over(example.network, example.domain))
    tables = statistics.cells, statistics.children, statistics.max_children, statistics.unsplit
    layers = [
        {
            "regions": int(cells.sum()),
            "by_rank": {str(r): [int(table[k, r]) for table in tables] for r in np.flatnonzero(cells)},
        }
        for k, cells in enumerate(statistics.cells)
    ]
    assert same({"count": layers[-1]["regions"], "layers": layers[1:]}, example.truth)


HARMLESS = Example.read(
    {
        "kind": "curated",
        "name": "x > 0, x > 1",
        "network": {
            "n_in": 1,
            "layers": [
                {
                    "W": [["1"], ["1"]],
                    "b": ["0", "-1"],
                    "units": [["f", k, ["0"], ["0", "1"], ["0", "0"]] for k in (0, 1)],
                }
            ],
        },
        "domain": ["box", ["-1"], ["2"]],
        "truth": {"count": 3, "layers": [{"regions": 3, "by_rank": {"0": [1, 0, 0, 0], "1": [2, 0, 0, 0]}}]},
    }
)


@pytest.mark.parametrize("engine", ENGINES)
def test_verdicts(engine: str) -> None:
    """Of an example that every engine decides without a doubt: any other truth makes it wrong without doubt."""
    assert judge(HARMLESS, engine).verdict is Verdict.RIGHT
    layers = HARMLESS.truth["layers"]
    by_rank = {**layers[0]["by_rank"], "0": [1, 1, 0, 0]}
    for wrong in ({"count": 4, "layers": layers}, {"count": 3, "layers": [{"regions": 3, "by_rank": by_rank}]}):
        judgement = judge(replace(HARMLESS, truth=wrong), engine)
        assert judgement.verdict is Verdict.WITHOUT_DOUBT
        assert "truth" in difference(judgement, wrong)
    flat = replace(HARMLESS, domain=Box(1.0, 1.0))
    assert judge(flat, engine).verdict is Verdict.REFUSED


def test_the_benchmark_fails_on_a_wrong_answer_without_a_doubt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "truth.json"
    for truth, code in ((HARMLESS.truth, 0), (HARMLESS.truth | {"count": 4}, 1)):
        path.write_text(json.dumps([replace(HARMLESS, truth=truth).write()]))
        assert near_degenerate.main(["--truth", str(path)]) == code
        out = capsys.readouterr().out
        assert ("WRONG WITHOUT DOUBT  x > 0, x > 1: 3 regions, truth 4 (0 doubts)" in out) == bool(code)
    path.write_text("[]")
    assert near_degenerate.main(["--truth", str(path)]) == 1
