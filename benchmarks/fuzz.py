"""Hard random networks against the exact oracle: `python -m benchmarks.fuzz [--networks N] [--seed S] [--family NAME]`.

A line for each family of `tests/hard_networks.py`: how many networks, how many answers were right (and of these, without
any doubt), wrong with a doubt, wrong without one, or refused. A wrong answer without a doubt is printed with its family,
seed and JSON, and with `--shrink` made as small as it can be; exits 1 if there is one. `--doubted` shows those with a doubt
too.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

from benchmarks import machine
from benchmarks.shrink import shrink
from tests.exact_forms import Example, write_examples
from tests.exact_oracle import NoInteriorError, TooManyCellsError
from tests.exploring import ENGINES
from tests.hard_networks import FAMILIES, case_of
from tests.verdicts import Judgement, Verdict, difference, judge

MOST_CELLS = 2000
"""Larger networks are left out."""

SHARE = 50
"""Networks that a worker is given at a time."""


def main(argv: list[str] | None = None) -> int:
    """Judge so many networks of each family."""
    options = _options(argv)
    print(machine.summary())
    families = [options.family] if options.family else list(FAMILIES)
    print(f"{options.networks} networks of each family; seed {options.seed}; {options.engine}")
    print(
        f"{'family':<15}{'networks':>9}{'right':>8}{'sure':>8}{'doubted':>9}{'SILENT':>8}{'refused':>9}{'left out':>10}"
    )
    silent: list[Example] = []
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        for name in families:
            starts = range(0, options.networks, SHARE)
            ends = (min(start + SHARE, options.networks) for start in starts)
            how = repeat(options.engine), repeat(options.exact)
            shares = pool.map(_judge_share, repeat(name), repeat(options.seed), starts, ends, *how)
            silent += _report(name, [judged for share in shares for judged in share], options.doubted)
    if options.shrink:
        silent = [_shrunk(example, options.engine, options.exact) for example in silent]
    if options.save and silent:
        write_examples(options.save, silent)
        print(f"{len(silent)} saved in {options.save}")
    print(f"{len(silent)} wrong without doubt")
    return 1 if silent else 0


Judged = tuple[str, Example | None, Judgement | None]
"""Name of a network, itself, and its judgement; none if it has too many cells."""


def _judge_share(family: str, seed: int, start: int, end: int, engine: str, exact: bool) -> list[Judged]:
    return list(_judged(family, seed, start, end, engine, exact))


def _judged(family: str, seed: int, start: int, end: int, engine: str, exact: bool) -> Iterator[Judged]:
    """The networks of a family from one number to another. Those that are right are not handed back themselves."""
    for k in range(start, end):
        name = f"{family}/{seed}/{k}"
        try:
            network, domain = case_of(family, seed, k)
            example = Example.of(name, "fuzz", network, domain, MOST_CELLS)
            judgement = judge(example, engine, exact)
        except (TooManyCellsError, NoInteriorError):
            yield name, None, None
            continue
        except BaseException as error:
            error.add_note(f"in {name} (family/seed/number)")
            raise
        yield name, None if judgement.verdict is Verdict.RIGHT else example, judgement


def _report(family: str, judged: list[Judged], doubted: bool) -> list[Example]:
    """A line for the family, and every wrong answer without a doubt; these are returned."""
    judgements = [judgement for _, _, judgement in judged if judgement]
    counts = Counter(judgement.verdict for judgement in judgements)
    sure = sum(judgement.verdict is Verdict.RIGHT and not judgement.doubts for judgement in judgements)
    print(
        f"{family:<15}{len(judged):>9}{counts[Verdict.RIGHT]:>8}{sure:>8}{counts[Verdict.WITH_DOUBT]:>9}"
        f"{counts[Verdict.WITHOUT_DOUBT]:>8}{counts[Verdict.REFUSED]:>9}{len(judged) - len(judgements):>10}",
        flush=True,
    )
    shown = {Verdict.WITHOUT_DOUBT, Verdict.WITH_DOUBT} if doubted else {Verdict.WITHOUT_DOUBT}
    silent = []
    for _, example, judgement in judged:
        if example and judgement and judgement.verdict in shown:
            print(f"  {judgement.verdict.upper()}  {example.name}: {difference(judgement, example.truth)}")
            print("  " + json.dumps(example.write()), flush=True)
            silent += [example] if judgement.verdict is Verdict.WITHOUT_DOUBT else []
    refusals = Counter(j.message for j in judgements if j.verdict is Verdict.REFUSED)
    for message, n in refusals.most_common(3):
        print(f"  refused {n} times: {message}")
    return silent


def _shrunk(example: Example, engine: str, exact: bool) -> Example:
    """The smallest part of an example that is still wrong without a doubt."""

    def is_silent(candidate: Example) -> bool:
        return judge(candidate, engine, exact).verdict is Verdict.WITHOUT_DOUBT

    smallest = shrink(example, is_silent)
    print(f"  shrunk {example.name}: {difference(judge(smallest, engine, exact), smallest.truth)}")
    print("  " + json.dumps(smallest.write()), flush=True)
    return smallest


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--networks", type=int, default=200, help="networks of each family")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--family", choices=list(FAMILIES), help="this family only")
    parser.add_argument("--engine", choices=sorted(ENGINES), default=next(iter(ENGINES)))
    parser.add_argument("--no-exact", dest="exact", action="store_false", help="believe float64 where it is in doubt")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--doubted", action="store_true", help="show wrong answers with a doubt too")
    parser.add_argument("--shrink", action="store_true", help="make wrong networks as small as they can be")
    parser.add_argument("--save", type=Path, help="file for the wrong ones, like tests/data/near_degenerate.json")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
