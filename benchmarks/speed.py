"""Speed: `python -m benchmarks.speed [--rows 4-20-20 ...] [--against DIR] [--repeats 3] [--quick] [--check]`.

Seconds of one core for every row, and how many times as long others take:

- another checkout of the product (`--against DIR`), such as a work tree of an earlier commit, with its own kernels;
- the floor, throw-away counting programs outside this repository (`--floor`, else the folder in REGIONENUM_FLOOR, else
  ../shared/floor beside this repository): float only, generic networks only, counting only. `simplex` and `vertex2` (vertex
  lists, in up to five dimensions) by default, and `vertex`, an older one. The product counts and keeps the dimensions.

All run in turn in processes of their own on one pinned core, so that they meet the same state of the machine, and by
the same lines (`speed_worker.py`, which says why its clock counts CPU time). Kernels are compiled and networks read
before the clock starts. Short rows are run again and again for half a second, and the fastest run is the figure. Such
figures are taken `--repeats` times, of the product in a fresh process each time; their median and range are quoted. A
ratio is the other's seconds over the product's: above 1, the product is faster. Exits 1 if a count is wrong, and reports
no time for that row; with `--check` also if a median ratio is below 1.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks import acasxu, machine
from regionenum.engine.policy import cache_folder

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_FLOOR = ROOT.parent / "shared" / "floor"
PROGRAMS = ("simplex", "vertex2", "vertex")
PRODUCT = "product"


@dataclass(frozen=True)
class Row:
    """What is counted, and the known number of regions.

    Attributes
    ----------
    widths : inputs and hidden widths of a ReLU MLP with seeded weights; empty for ACAS Xu 1_1
    lower, upper : corners of the box, or one number each for a cube; None for the whole space
    not_by : programs of the floor that do not count this row
    """

    name: str
    widths: tuple[int, ...]
    lower: tuple[float, ...] | float | None
    upper: tuple[float, ...] | float | None
    regions: int
    not_by: tuple[str, ...] = ()

    @property
    def file(self) -> Path | None:
        """Where the network is, if it is not seeded."""
        return None if self.widths else acasxu_file()

    def programs(self, chosen: tuple[str, ...]) -> list[str]:
        """Those programs of the floor that count this row: they know boxes only."""
        return [program for program in chosen if self.lower is not None and program not in self.not_by]


def seeded(name: str, half_width: float | None, regions: int, *not_by: str) -> Row:
    """A row with seeded weights, by a name such as 3-16x6, over [-half_width, half_width]^d or the whole space (None)."""
    widths: list[int] = []
    for part in name.removesuffix("-whole").split("-"):
        width, _, times = part.partition("x")
        widths += [int(width)] * int(times or 1)
    lower = None if half_width is None else -half_width
    return Row(name, tuple(widths), lower, half_width, regions, not_by)


def acasxu_row(number: int) -> Row:
    """ACAS Xu 1_1 over the box of a property."""
    known = acasxu.PROPERTIES[number]
    return Row(f"acasxu-{number}", (), known.lower, known.upper, known.regions[-1])


def acasxu_file() -> Path:
    """The file of ACAS Xu 1_1."""
    return Path(os.environ.get("REGIONENUM_ACASXU") or acasxu.DEFAULT_DATA) / acasxu.FILE


VERTICES = ("vertex2", "vertex")
"""Programs that keep lists of vertices, which grow too long beyond five inputs."""

ROWS = {
    row.name: row
    for row in (
        seeded("2-64-64-64", 1, 6_668),
        seeded("3-32-32-32", 1, 20_724),
        seeded("3-16x6", 10, 31_324),
        seeded("4-20-20", 10, 110_145),
        seeded("5-16-16", 10, 190_247),
        seeded("6-16-16", 10, 794_881, *VERTICES),
        seeded("8-14-14", 10, 3_294_196, *VERTICES),
        seeded("10-16-8", 10, 3_182_750, *VERTICES),
        seeded("64-8-8", 1, 9_728, *VERTICES),
        seeded("784-8-8", 1, 12_935, "simplex", *VERTICES),  # simplex takes minutes, and finds 12,926
        acasxu_row(3),
        acasxu_row(1),
        seeded("2-20-20-whole", None, 897),
        seeded("4-12-12-whole", None, 10_501),
    )
}
QUICK_ROWS = tuple(name for name in ROWS if name not in ("6-16-16", "8-14-14", "10-16-8", "784-8-8", "acasxu-1"))
LONG_ENOUGH = 0.5
"""Seconds of runs behind one figure."""


class WrongCountError(Exception):
    """A program counted something else than the known number of regions."""


class CannotRunError(Exception):
    """A program does not run."""


class Worker:
    """A process that times one program on one row.

    Parameters
    ----------
    row : what it counts
    label : how messages name it
    checkout : the regionenum that it imports
    environment : variables to set for it
    more : other fields of its task: `kept`, and `floor` and `program` for the floor
    """

    def __init__(self, row: Row, label: str, checkout: Path, environment: dict[str, str], **more: str) -> None:
        self.row, self.label = row, label
        file = None if row.file is None else str(row.file)
        task: dict[str, Any] = {"widths": row.widths, "file": file, "lower": row.lower, "upper": row.upper, **more}
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
        variables = threads | {"PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            # -P: this folder is not on its path
            [sys.executable, "-P", str(ROOT / "benchmarks" / "speed_worker.py"), json.dumps(task)],
            env=os.environ | variables | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        imported = self._answer()
        if Path(imported) != checkout.resolve():
            self.__exit__(None, None, None)
            raise CannotRunError(f"{checkout} has no package regionenum ({imported} was imported); give a checkout")
        self._answer()

    def time(self) -> dict[str, Any]:
        """Seconds, regions and counters of the fastest of some runs, after a look at the count."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{LONG_ENOUGH}\n")
        self._process.stdin.flush()
        done: dict[str, Any] = self._answer()
        if done["regions"] != self.row.regions:
            raise WrongCountError(
                f"{self.row.name}: {self.label} counts {done['regions']:,}, expected {self.row.regions:,}"
            )
        return done

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise CannotRunError(
                f"{self.row.name}: {self.label} ended with exit code {self._process.wait()}; see above"
            )
        return json.loads(line)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        if kind is not None:
            self._process.kill()
        self._process.communicate()


@dataclass(frozen=True)
class Contestants:
    """Who runs beside the product.

    Attributes
    ----------
    against : another checkout, and what to call it; None without
    against_cache : folder of its compiled kernels
    floor : folder of the floor's programs
    programs : which of them, none if there is no floor
    scratch : folder of networks that were read and, for the floor, of compiled code; its own folder is left alone
    """

    against: Path | None
    against_label: str
    against_cache: Path
    floor: Path
    programs: tuple[str, ...]
    scratch: Path

    def products(self, row: Row) -> Iterator[Worker]:
        """Fresh processes of the checkouts."""
        yield Worker(row, PRODUCT, ROOT, {}, kept=str(self.scratch / f"{row.name}.product"))
        if self.against is not None:
            environment = {"REGIONENUM_CACHE_DIR": str(self.against_cache)}
            kept = str(self.scratch / f"{row.name}.against")
            yield Worker(row, self.against_label, self.against, environment, kept=kept)

    def floors(self, row: Row) -> Iterator[Worker]:
        """Processes of the floor's programs."""
        environment = {"NUMBA_CACHE_DIR": str(self.scratch)}
        kept = str(self.scratch / f"{row.name}.product")
        for program in row.programs(self.programs):
            more = {"kept": kept, "floor": str(self.floor), "program": program}
            yield Worker(row, f"floor, {program}", ROOT, environment, **more)


@dataclass
class Measured:
    """The figures of one row.

    Attributes
    ----------
    product : seconds of the product, one for each repeat
    others : {label: seconds}
    counters : what the product's engine did in one run
    """

    row: Row
    product: list[float] = field(default_factory=list)
    others: dict[str, list[float]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)

    def ratios(self, label: str) -> list[float]:
        """Other over product, repeat by repeat: the two were neighbours in time."""
        return [theirs / ours for theirs, ours in zip(self.others[label], self.product, strict=True)]

    def take(self, label: str, done: dict[str, Any]) -> None:
        """Keep what a worker answered."""
        if label == PRODUCT:
            self.product.append(done["seconds"])
            self.counters = done["counters"]
        else:
            self.others.setdefault(label, []).append(done["seconds"])


def main(argv: list[str] | None = None) -> int:
    """Measure the rows and print the ratios."""
    options = _options(argv)
    core = pin(options.core)
    print(f"{machine.summary()}\npinned to core {core}, {options.repeats} figures of each program", flush=True)
    measured = []
    with tempfile.TemporaryDirectory() as scratch:
        contestants = _contestants(options, Path(scratch))
        for name in options.rows:
            row = ROWS[name]
            if row.file is not None and not row.file.is_file():
                print(
                    f"\n{name} is left out: {row.file} does not exist (REGIONENUM_ACASXU names its folder).", flush=True
                )
                continue
            try:
                measured.append(measure(row, options.repeats, contestants))
            except WrongCountError as error:
                print(f"speed: {error}; no time is reported for this row", file=sys.stderr)
                return 1
            except CannotRunError as error:
                print(f"speed: {error}", file=sys.stderr)
                return 2
            print("\n" + report(measured[-1]), flush=True)
    print("\n" + table(measured))
    if options.json:
        options.json.write_text(json.dumps(as_dict(measured), indent=1) + "\n", encoding="utf-8")
    slow = slower(measured)
    if slow and options.check:
        print(f"speed: the product is slower: {', '.join(slow)}", file=sys.stderr)
        return 1
    return 0


def _contestants(options: argparse.Namespace, scratch: Path) -> Contestants:
    """Who runs, by the options; says so if there is no floor."""
    folder = (options.floor or Path(os.environ.get("REGIONENUM_FLOOR") or DEFAULT_FLOOR)).resolve()
    programs = tuple(program for program in options.programs if (folder / f"{program}.py").is_file())
    if not programs:
        print(f"No floor in {folder} (--floor DIR or REGIONENUM_FLOOR).", flush=True)
    label = "" if options.against is None else commit(options.against)
    against_cache = options.against_cache or cache_folder().parent / "against"
    against = None if options.against is None else options.against.resolve()
    return Contestants(against, label, against_cache, folder, programs, scratch)


def measure(row: Row, repeats: int, contestants: Contestants) -> Measured:
    """Let all run in turn; whoever begins alternates as well, so that a drift of the clock rate cancels.

    Products get a fresh process each time, because where a process has its memory makes a difference of some percent; those
    of the floor last for the row, because some of them compile for most of a minute.
    """
    done = Measured(row)
    with ExitStack() as lasting:
        floors = [lasting.enter_context(worker) for worker in contestants.floors(row)]
        for k in range(repeats):
            with ExitStack() as fresh:
                workers = [fresh.enter_context(worker) for worker in contestants.products(row)] + floors
                for worker in workers if k % 2 == 0 else reversed(workers):
                    done.take(worker.label, worker.time())
    return done


def commit(checkout: Path) -> str:
    """The commit of a checkout, with + if files differ from it; the name of the folder if git knows nothing about it."""
    done = subprocess.run(
        ["git", "-C", str(checkout), "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or checkout.name


def report(done: Measured) -> str:
    """The times, ratios and counters of one row."""
    wide = max(len(label) for label in (PRODUCT, *done.others))
    lines = [f"{done.row.name}: {done.row.regions:,} regions"]
    lines.append(f"  {PRODUCT:<{wide}}  {spread(done.product)} s")
    for label, seconds in done.others.items():
        lines.append(f"  {label:<{wide}}  {spread(seconds)} s   ratio {spread(done.ratios(label))}")
    if not done.others:
        lines.append("  no ratio")
    lines.append("  " + ", ".join(f"{name} {count:,}" for name, count in done.counters.items()))
    return "\n".join(lines)


def table(measured: list[Measured]) -> str:
    """Medians of all rows: seconds of the product, and ratios."""
    labels = list(dict.fromkeys(label for done in measured for label in done.others))
    lines = ["| row | regions | product, s |" + "".join(f" {label} / product |" for label in labels)]
    lines.append("|---" * (3 + len(labels)) + "|")
    for done in measured:
        cells = [done.row.name, f"{done.row.regions:,}", f"{median(done.product):.4g}"]
        cells += [f"{median(done.ratios(label)):.3g}" if label in done.others else "" for label in labels]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def slower(measured: list[Measured]) -> list[str]:
    """Rows in which the product takes longer than another, with the other's name."""
    return [
        f"{done.row.name} ({label})" for done in measured for label in done.others if median(done.ratios(label)) < 1
    ]


def median(values: list[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def spread(values: list[float]) -> str:
    """Median and range for reading.

    >>> spread([1.0, 2.0, 0.00404])
    '1.000 [0.004040, 2.000]'
    """
    return f"{median(values):#.4g} [{min(values):#.4g}, {max(values):#.4g}]"


def as_dict(measured: list[Measured]) -> dict[str, Any]:
    """All measurements as JSON types."""
    rows = [asdict(done) | {"ratios": {label: done.ratios(label) for label in done.others}} for done in measured]
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
    rows.add_argument("--rows", nargs="+", choices=ROWS, default=tuple(ROWS), metavar="ROW", help=", ".join(ROWS))
    rows.add_argument("--quick", dest="rows", action="store_const", const=QUICK_ROWS, help="rows of a second or less")
    parser.add_argument("--repeats", type=int, default=3, help="figures of each program (default: 3)")
    parser.add_argument("--against", type=Path, metavar="DIR", help="another checkout of the product")
    parser.add_argument(
        "--against-cache",
        type=Path,
        metavar="DIR",
        help="its compiled kernels (default: `against` beside the product's)",
    )
    parser.add_argument("--floor", type=Path, metavar="DIR", help="folder of the floor's programs")
    parser.add_argument(
        "--programs", nargs="*", choices=PROGRAMS, default=("simplex", "vertex2"), help="of the floor; none: no floor"
    )
    parser.add_argument("--core", type=int, help="core to pin to (default: the last)")
    parser.add_argument("--check", action="store_true", help="exit 1 if a median ratio is below 1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all measurements to a file")
    options = parser.parse_args(argv)
    if options.core is not None and hasattr(os, "sched_getaffinity") and options.core not in os.sched_getaffinity(0):
        parser.error(f"--core {options.core}: give one of {sorted(os.sched_getaffinity(0))}")
    if options.repeats < 1:
        parser.error(f"--repeats {options.repeats}: give at least 1")
    if options.against is not None and not (options.against / "regionenum" / "__init__.py").is_file():
        parser.error(f"--against {options.against}: it has no regionenum/__init__.py; give a checkout of the product")
    return options


if __name__ == "__main__":
    raise SystemExit(main())
