"""Networks on which floating point goes wrong, with known answers: `python -m benchmarks.near_degenerate [--truth FILE]`.

Compares the count, the regions of every layer, and ranks and children with the truth. Exits 1 unless all are right; with
`--no-exact` a wrong answer is acceptable if the result counts a doubtful decision.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from benchmarks import machine
from tests.exact_forms import read_examples
from tests.exploring import ENGINES
from tests.verdicts import Verdict, difference, judge

ROOT = Path(__file__).resolve().parent.parent
TRUTH = ROOT.parent / "shared" / "groundtruth" / "near_degenerate.json"
SELECTION = ROOT / "tests" / "data" / "near_degenerate.json"


def main(argv: list[str] | None = None) -> int:
    """Judge every network of the file."""
    options = _options(argv)
    print(machine.summary())
    path = options.truth or (TRUTH if TRUTH.exists() else SELECTION)
    examples = [example for example in read_examples(path) if options.only in example.name]
    print(f"{len(examples)} networks of {path}")
    counts: Counter[Verdict] = Counter()
    n_doubted = 0
    for example in examples:
        judgement = judge(example, options.engine, options.exact)
        counts[judgement.verdict] += 1
        n_doubted += judgement.verdict is Verdict.RIGHT and judgement.doubts > 0
        if judgement.verdict is not Verdict.RIGHT:
            print(
                f"{judgement.verdict.upper():<19}  {example.name}: {difference(judgement, example.truth)}", flush=True
            )
    print(f"{options.engine}: " + ", ".join(f"{counts[v]} {v}" for v in Verdict) + f" ({n_doubted} right with doubt)")
    right = len(examples) - counts[Verdict.WITHOUT_DOUBT]
    if options.exact and options.engine == "compiled":
        right = counts[Verdict.RIGHT]
    return 0 if examples and right == len(examples) else 1


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--truth", type=Path, help="a file like tests/data/near_degenerate.json")
    parser.add_argument("--engine", choices=sorted(ENGINES), default=next(iter(ENGINES)))
    parser.add_argument("--no-exact", dest="exact", action="store_false", help="believe float64 where it is in doubt")
    parser.add_argument("--only", default="", help="only networks whose name contains this")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
