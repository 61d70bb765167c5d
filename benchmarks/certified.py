"""Certified counts: `python -m benchmarks.certified [--rows 4-20-20 ...] [--workers K] [--sample N]`.

Rows of `benchmarks.speed` are counted, recorded with `record="regions"`, and certified: the tree is rebuilt from the
patterns and everything proved again in integers. For each: seconds of wall time of the three, by so many worker processes,
and the bytes of the parts, which are all that a certificate takes. A wrong count, a doubt or a refutation ends with exit code
1. With a sample the paths to so many regions are followed: these exist, and nothing is missing beside their paths.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import regionenum as rn
from benchmarks import machine
from benchmarks.speed import ROWS, Row
from benchmarks.speed_worker import Task
from regionenum.certification import certify
from regionenum.exact.claim import RefutedError

MOST_REGIONS = 1_000_000
"""Larger rows are left out, unless they are named."""


@dataclass(frozen=True)
class Certified:
    """What was measured.

    Attributes
    ----------
    regions : number of them
    count, record, certify : seconds
    size : bytes of the recorded parts
    said : sentence of the certificate
    """

    regions: int
    count: float
    record: float
    certify: float
    size: int
    said: str


def main(argv: list[str] | None = None) -> int:
    """Certify the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.certified", description=__doc__.split("\n\n")[0])
    small = tuple(name for name, row in ROWS.items() if row.regions <= MOST_REGIONS)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=small, metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--sample", type=int, help="follow the paths to so many regions only")
    options = parser.parse_args(argv)
    print(machine.summary())
    print(f"{options.workers} processes")
    print("| row | regions | count, s | record, s | certify, s | ms / region | bytes / region |")
    print("|---|---|---|---|---|---|---|")
    code = 0
    for name in options.rows:
        row = ROWS[name]
        if row.file is not None and not row.file.exists():
            print(f"no {row.file} (REGIONENUM_ACASXU names another folder); {name} is left out")
            continue
        try:
            with tempfile.TemporaryDirectory() as folder:
                done = measure(row, Path(folder) / "run", options.workers, options.sample)
        except (RefutedError, WrongError) as error:
            print(f"{name}: {error}")
            code = 1
            continue
        each = options.sample or done.regions
        print(
            f"| {name} | {done.regions:,} | {done.count:.3g} | {done.record:.3g} | {done.certify:.4g} "
            f"| {1e3 * done.certify / min(each, done.regions):.3g} | {done.size / done.regions:.1f} |"
        )
        print(f"  {done.said}")
    return code


class WrongError(Exception):
    """A count that is not the known one, or not without doubt."""


def measure(row: Row, out: Path, workers: int, sample: int | None) -> Certified:
    """Count, record and certify a row.

    Raises
    ------
    WrongError, RefutedError
    """
    task = Task(row.widths, str(row.file) if row.file else None, row.lower, row.upper)
    network, domain = task.network(), task.domain()
    # whatever is compiled or read at first is no part of it
    rn.enumerate_regions(network, domain, max_regions=1, workers=workers)
    start = time.monotonic()
    counted = rn.enumerate_regions(network, domain, workers=workers)
    count = time.monotonic() - start
    if counted.count != row.regions or not counted.exact:
        raise WrongError(f"{counted.count:,} regions, exact: {counted.exact}; known are {row.regions:,}")
    start = time.monotonic()
    rn.enumerate_regions(network, domain, record="regions", out=out, workers=workers)
    record = time.monotonic() - start
    size = sum(part.stat().st_size for part in (out / "parts").iterdir())
    start = time.monotonic()
    found = certify(out, workers, sample)
    return Certified(found.regions, count, record, time.monotonic() - start, size, found.sentence)


if __name__ == "__main__":
    raise SystemExit(main())
