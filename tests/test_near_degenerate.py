"""A wrong count is never without a doubt: networks on which floating point is known to go wrong.

`python -m benchmarks.near_degenerate` tells what becomes of all of them.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import near_degenerate
from regionenum.domain import Box
from tests.exact_forms import Example, as_json, exact_form, read_examples
from tests.exact_oracle import enumerate_exactly
from tests.exploring import ENGINES
from tests.verdicts import Verdict, difference, judge, same

DATA = Path(__file__).parent / "data"
EXAMPLES = read_examples(DATA / "near_degenerate.json")

each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)


@each_example
def test_never_wrong_without_a_doubt(example: Example) -> None:
    judgement = judge(example)
    if judgement.verdict is Verdict.WITHOUT_DOUBT:
        pytest.fail(difference(judgement, example.truth))


@each_example
def test_the_oracle_agrees(example: Example) -> None:
    assert same(as_json(enumerate_exactly(*exact_form(example.network, example.domain))), example.truth)


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
