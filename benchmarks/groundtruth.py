"""Every problem with a known answer, large ones included: `python -m benchmarks.groundtruth --engine compiled`.

Prints the expected and the found number of regions of each; exits 1 if one of them is wrong.
"""

from __future__ import annotations

import argparse
import time

from regionenum.engine.interface import Problem
from tests.exploring import ENGINES, explore
from tests.problems import problems


def main() -> int:
    options = _options()
    engine = ENGINES[options.engine]()
    n_right = n_wrong = n_skipped = 0
    print(f"{'seconds':>9} {'expected':>14} {'found':>14} {'resolved':>9}  problem")
    for known in sorted(problems(), key=lambda known: known.regions):
        if options.only not in known.name:
            continue
        if known.regions > options.max_regions:
            n_skipped += 1
            print(f"{'-':>9} {known.regions:>14,} {'skipped':>14} {'-':>9}  {known.name}")
            continue
        network, box = known.build()
        start = time.perf_counter()
        found = explore(engine, Problem.over(network, box))
        seconds = time.perf_counter() - start
        counters = found.counters
        is_exact = engine.certain and counters.doubtful + counters.doubtful_ranks == 0
        right = found.regions == known.regions and (is_exact or not engine.certain)
        n_right, n_wrong = n_right + right, n_wrong + (not right)
        mark = "" if right else "   WRONG"
        line = f"{seconds:>9.3f} {known.regions:>14,} {found.regions:>14,} {counters.resolved:>9,}"
        print(f"{line}  {known.name}{mark}", flush=True)
    print(f"{options.engine}: {n_right} right, {n_wrong} wrong, {n_skipped} skipped (above {options.max_regions:,})")
    return 1 if n_wrong or not n_right else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=sorted(ENGINES), default=next(iter(ENGINES)))
    parser.add_argument("--max-regions", type=int, default=5_000_000, help="larger problems are listed, not run")
    parser.add_argument("--only", default="", help="only problems whose name contains this")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
