"""Parallel efficiency on this machine: `python -m benchmarks.efficiency [--workers 2] [--repeats 3]`.

Runs `regionenum count` with one worker and with several, as processes and, where mpiexec is at hand, as MPI ranks, in
turn, and prints time(1) / (n time(n)) of the enumeration (start-up of Python left out, start of the workers included).
Counts are checked first. Networks: 8-14-14 over [-10, 10]^8 as in `benchmarks.speed`, and ACAS Xu 1_1 over the box of
property 1 where its file is at hand.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import acasxu, machine
from benchmarks.speed_worker import network as seeded_network
from regionenum.network.storage import save_npz


@dataclass(frozen=True)
class Row:
    """A network over a box, with its number of regions."""

    name: str
    model: Path
    box: list[str]
    regions: int


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(argv)
    print(machine.summary())
    n = options.workers
    ways: dict[str, tuple[int, list[str], list[str]]] = {
        "one": (1, ["--workers", "1"], []),
        "processes": (n, ["--workers", str(n)], []),
    }
    mpiexec = Path(sys.executable).with_name("mpiexec")
    if mpiexec.exists():
        ways["MPI"] = (n, [], [str(mpiexec), "-n", str(n)])
    with tempfile.TemporaryDirectory() as folder:
        for row in _rows(Path(folder)):
            times: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(options.repeats):
                for way, (_, tail, head) in ways.items():
                    times[way].append(_seconds(row, head, tail))
            median = {way: statistics.median(seconds) for way, seconds in times.items()}
            print(f"{row.name}: {row.regions:,} regions, one worker {median['one']:.2f} s", flush=True)
            for way, (count, _, _) in ways.items():
                if way != "one":
                    efficiency = median["one"] / (count * median[way])
                    print(f"  {way:>9}, {count} workers: {median[way]:.2f} s, efficiency {efficiency:.3f}", flush=True)
    return 0


def _rows(folder: Path) -> list[Row]:
    rows = []
    model = folder / "8-14-14.npz"
    save_npz(seeded_network([8, 14, 14]), model)
    rows.append(Row("8-14-14, box 10", model, ["-10", "10"], 3_294_196))
    path = Path(os.environ.get("REGIONENUM_ACASXU") or acasxu.DEFAULT_DATA) / acasxu.FILE
    if path.is_file():
        known = acasxu.PROPERTIES[1]
        model = folder / "acasxu.npz"
        save_npz(acasxu.read_network(path), model)
        box = [",".join(map(str, known.lower)), ",".join(map(str, known.upper))]
        rows.append(Row("ACAS Xu 1_1, property 1", model, box, known.regions[-1]))
    else:
        print(f"{path} does not exist: ACAS Xu is left out")
    return rows


def _seconds(row: Row, head: list[str], tail: list[str]) -> float:
    command = [*head, sys.executable, "-m", "regionenum", "count", str(row.model), "--box", *row.box, "--json", *tail]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    if found["count"] != row.regions or not found["complete"]:
        raise SystemExit(f"{row.name}: {found['count']:,} regions, expected {row.regions:,}; no time is reported")
    return float(found["seconds"])


if __name__ == "__main__":
    raise SystemExit(main())
