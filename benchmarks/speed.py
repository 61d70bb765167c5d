"""Speed against the floor: `python -m benchmarks.speed [--rows 4-20-20 ...] [--repeats 3] [--check]`.

The floor is a pair of throw-away counting programs outside this repository (`--floor`, else the folder in
REGIONENUM_FLOOR, else ../shared/floor beside this repository). For every row the product and the floor run in turn,
each in a fresh process on the same pinned core, so that both meet the same state of the machine; kernels are compiled
before the clock starts. The product counts and keeps the dimensions; the floor only counts. The quoted figure is the
floor's seconds over the product's: above 1, the product is faster. Exits 1 if a count is wrong, and reports no time for
that row; with `--check` also if a median ratio is below 1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.demo import prepare_kernels

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_FLOOR = ROOT.parent / "shared" / "floor"


@dataclass(frozen=True)
class Row:
    """A seeded ReLU MLP with the given inputs and hidden widths, over [-half_width, half_width]^d, and its regions."""

    name: str
    half_width: int
    regions: int

    @property
    def widths(self) -> list[int]:
        return [int(width) for width in self.name.split("-")]


ROWS = {
    row.name: row
    for row in (
        Row("2-64-64-64", 1, 6_668),
        Row("3-32-32-32", 1, 20_724),
        Row("4-20-20", 10, 110_145),
        Row("5-16-16", 10, 190_247),
        Row("8-14-14", 10, 3_294_196),
        Row("10-16-8", 10, 3_182_750),
    )
}
DEFAULT_ROWS = ("4-20-20", "8-14-14", "10-16-8")
QUICK_ROWS = ("2-64-64-64", "3-32-32-32", "4-20-20")


class WrongCountError(Exception):
    """A program counted something else than the known number of regions."""


@dataclass(frozen=True)
class Floor:
    """Where the floor's programs are, which of them to run, and where they keep compiled code.

    Their own folder is left alone, which also keeps it free of code compiled for another machine.
    """

    folder: Path
    programs: tuple[str, ...]
    cache: str

    def for_row(self, row: Row) -> list[str]:
        """The programs to run for a row: vertex lists grow too long beyond about 5 inputs."""
        return [program for program in self.programs if program == "simplex" or row.widths[0] <= 5]


@dataclass
class Measured:
    """The runs of one row.

    Attributes
    ----------
    product : seconds of the product, run by run
    product_process : seconds of its whole process, imports and reading the torch module included
    floor : {program: seconds, run by run}
    counters : what the engine did in one run
    """

    row: Row
    product: list[float] = field(default_factory=list)
    product_process: list[float] = field(default_factory=list)
    floor: dict[str, list[float]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)

    def ratios(self, program: str) -> list[float]:
        """Floor over product, run by run: the two runs of a pair were neighbours in time."""
        return [theirs / ours for theirs, ours in zip(self.floor[program], self.product, strict=True)]


def main(argv: list[str] | None = None) -> int:
    """Measure the rows and print the ratios."""
    options = _options(argv)
    folder = (options.floor or Path(os.environ.get("REGIONENUM_FLOOR") or DEFAULT_FLOOR)).resolve()
    core = pin(options.core)
    print(f"{machine.summary()}\npinned to core {core}, {options.repeats} runs of each program", flush=True)
    if not (folder / "simplex.py").is_file():
        print(
            f"No floor in {folder} (--floor DIR or REGIONENUM_FLOOR): times of the product only, no ratio.", flush=True
        )
    prepare_kernels()
    measured = []
    with tempfile.TemporaryDirectory() as cache:
        floor = Floor(folder, tuple(options.programs), cache) if (folder / "simplex.py").is_file() else None
        for name in options.rows:
            try:
                measured.append(measure(ROWS[name], options.repeats, floor))
            except WrongCountError as error:
                print(f"speed: {error}; no time is reported for this row", file=sys.stderr)
                return 1
            print("\n" + report(measured[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(as_dict(measured), indent=1) + "\n", encoding="utf-8")
    slower = [f"{m.row.name} ({program})" for m in measured for program in m.floor if median(m.ratios(program)) < 1]
    if slower and options.check:
        print(f"speed: slower than the floor: {', '.join(slower)}", file=sys.stderr)
        return 1
    return 0


def measure(row: Row, repeats: int, floor: Floor | None) -> Measured:
    """Run product and floor in turn; whoever begins alternates as well, so that a drift of the clock rate cancels."""
    done = Measured(row)
    runs: list[Callable[[], None]] = [lambda: run_product(done)]
    if floor is not None:
        for program in floor.for_row(row):
            done.floor[program] = []
            runs.append(partial(run_floor, done, floor, program))
    for k in range(repeats):
        for run in runs if k % 2 == 0 else reversed(runs):
            run()
    return done


def run_product(done: Measured) -> None:
    """One enumeration in a fresh process."""
    row = done.row
    start = time.perf_counter()
    arguments = [",".join(map(str, row.widths)), str(row.half_width)]
    facts = json.loads(_output([sys.executable, "-m", "benchmarks.speed_product", *arguments], ROOT))
    process = time.perf_counter() - start
    if facts["regions"] != row.regions:
        raise WrongCountError(f"{row.name}: the product counts {facts['regions']:,} regions, expected {row.regions:,}")
    done.product.append(facts["seconds"])
    done.product_process.append(process)
    done.counters = facts["counters"]


def run_floor(done: Measured, floor: Floor, program: str) -> None:
    """One run of a floor program in a fresh process; it counts once before, to compile, and then on the clock."""
    row = done.row
    arguments = [",".join(map(str, [*row.widths, 1])), str(row.half_width)]
    environment = {"NUMBA_CACHE_DIR": floor.cache, "PYTHONDONTWRITEBYTECODE": "1"}
    text = _output([sys.executable, f"{program}.py", *arguments], floor.folder, environment)
    found = re.search(r": (\d+) regions .* in ([\d.]+) s", text)
    if not found:
        raise WrongCountError(f"{row.name}: the floor's {program}.py prints no count, but {text.strip()!r}")
    if int(found[1]) != row.regions:
        raise WrongCountError(f"{row.name}: the floor's {program}.py counts {found[1]}, expected {row.regions:,}")
    done.floor[program].append(float(found[2]))


def _output(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    """Standard output of a process on one thread; what it has to say about a failure goes to the terminal."""
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | threads | (environment or {}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def report(done: Measured) -> str:
    """The times, ratios and counters of one row."""
    lines = [f"{done.row.name}, box {done.row.half_width}: {done.row.regions:,} regions"]
    lines.append(
        f"  product          {spread(done.product, ' s')}   (whole process {spread(done.product_process, ' s')})"
    )
    for program, seconds in done.floor.items():
        lines.append(f"  floor, {program:<8}  {spread(seconds, ' s')}   ratio {spread(done.ratios(program), '')}")
    if not done.floor:
        lines.append("  no ratio")
    lines.append("  " + ", ".join(f"{name} {count:,}" for name, count in done.counters.items()))
    return "\n".join(lines)


def median(values: list[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def spread(values: list[float], unit: str) -> str:
    """Median and range for reading.

    >>> spread([1.0, 2.0, 4.0], " s")
    '2.000 s [1.000, 4.000]'
    """
    return f"{median(values):.3f}{unit} [{min(values):.3f}, {max(values):.3f}]"


def as_dict(measured: list[Measured]) -> dict[str, Any]:
    """All measurements as JSON types."""
    rows = [asdict(done) | {"ratios": {program: done.ratios(program) for program in done.floor}} for done in measured]
    return {"machine": machine.describe(), "rows": rows}


def pin(core: int | None) -> str:
    """Bind this process and its children to one core, by default the last one that it may use."""
    if not hasattr(os, "sched_setaffinity"):
        return "none (this system cannot pin)"
    chosen = max(os.sched_getaffinity(0)) if core is None else core
    os.sched_setaffinity(0, {chosen})
    return str(chosen)


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    rows = parser.add_mutually_exclusive_group()
    rows.add_argument("--rows", nargs="+", choices=ROWS, default=DEFAULT_ROWS, metavar="ROW", help=", ".join(ROWS))
    rows.add_argument("--quick", dest="rows", action="store_const", const=QUICK_ROWS, help="rows of a second or less")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each program (default: 3)")
    parser.add_argument("--floor", type=Path, metavar="DIR", help="folder of the floor's programs")
    parser.add_argument("--programs", nargs="+", choices=("simplex", "vertex"), default=("simplex", "vertex"))
    parser.add_argument("--core", type=int, help="core to pin to (default: the last)")
    parser.add_argument("--check", action="store_true", help="exit 1 if a median ratio is below 1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all measurements to a file")
    options = parser.parse_args(argv)
    if options.core is not None and hasattr(os, "sched_getaffinity") and options.core not in os.sched_getaffinity(0):
        parser.error(f"--core {options.core}: give one of {sorted(os.sched_getaffinity(0))}")
    if options.repeats < 1:
        parser.error(f"--repeats {options.repeats}: give at least 1")
    return options


if __name__ == "__main__":
    raise SystemExit(main())
