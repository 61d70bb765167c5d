"""Interrupt runs at random moments and resume them elsewhere: `python -m benchmarks.stress [--interruptions 50]`.

A network is enumerated with its regions recorded, again and again. Every attempt uses a random executor (processes or MPI
ranks, where mpiexec is at hand), is interrupted after a random time by kill -9 of everything or by SIGUSR1, and is resumed
with another executor until it completes. Then patterns, ranks and statistics must be those of one undisturbed run in one
process. Exits 1 at the first difference, with the seed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import regionenum as rn
from benchmarks import machine
from benchmarks.scaling import generic
from regionenum.network.storage import save_npz
from regionenum.result import Result

COMMAND = [sys.executable, "-m", "regionenum"]
HALF_WIDTH = "10"


def main(argv: list[str] | None = None) -> int:
    """Run cycles until there were enough interruptions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--interruptions", type=int, default=50)
    parser.add_argument("--widths", default="7,14,12")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    print(machine.summary())
    widths = tuple(map(int, options.widths.split(",")))
    network, box = generic(widths), rn.Box(-float(HALF_WIDTH), float(HALF_WIDTH))
    start = time.perf_counter()
    expected = _content(rn.enumerate_regions(network, box, record="regions"))
    seconds = time.perf_counter() - start
    print(f"undisturbed, one process: {len(expected[0]):,} regions in {seconds:.1f} s; seed {options.seed}", flush=True)
    rng = random.Random(options.seed)
    counts = {"kill -9": 0, "SIGUSR1": 0, "completed": 0}
    runs = 0
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "net.npz"
        save_npz(network, model)
        while counts["kill -9"] + counts["SIGUSR1"] < options.interruptions:
            out = Path(folder) / f"run{runs}"
            attempts = _one_run(rng, model, out, seconds, counts)
            found = _content(rn.open_run(out))
            same = all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
            verdict = "same" if same else "DIFFERENT"
            print(f"run {runs}: {attempts} attempts, {len(found[0]):,} regions, {verdict}", flush=True)
            if not same:
                return 1
            shutil.rmtree(out)
            runs += 1
    print(f"{runs} runs, all the same; " + ", ".join(f"{n} {what}" for what, n in counts.items()))
    return 0


def _one_run(rng: random.Random, model: Path, out: Path, seconds: float, counts: dict[str, int]) -> int:
    """Start a run and resume it until it is complete; returns the number of attempts."""
    attempts = 0
    while True:
        attempts += 1
        started = (out / "manifest.json").exists()
        if not started and out.exists():
            # killed before the first manifest: there is no run to go on with
            shutil.rmtree(out)
        verb = ["resume", str(out)] if started else ["count", str(model), "--box", "-" + HALF_WIDTH, HALF_WIDTH]
        if not started:
            verb += ["--record", "regions", "--out", str(out)]
        how = rng.choice([signal.SIGKILL, signal.SIGUSR1])
        before = time.time()
        process = subprocess.Popen(
            _command(rng, verb), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        if how is signal.SIGUSR1:
            # before Python listens the signal would kill, as kill -9 does at any time
            _wait_until_it_listens(out / "status.json", before, process)
        try:
            _, err = process.communicate(timeout=rng.uniform(0.0, 0.5 * seconds))
        except subprocess.TimeoutExpired:
            if how is signal.SIGKILL:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.send_signal(how)
            _, err = process.communicate(timeout=120)
            if process.returncode != 0:
                counts["kill -9" if how is signal.SIGKILL else "SIGUSR1"] += 1
        if process.returncode == 0:
            counts["completed"] += 1
            return attempts
        if process.returncode not in ((-9, 137) if how is signal.SIGKILL else (75,)):
            raise SystemExit(f"unexpected exit code {process.returncode}:\n{err}")


def _wait_until_it_listens(status: Path, since: float, process: subprocess.Popen[str]) -> None:
    while process.poll() is None and not (status.exists() and status.stat().st_mtime > since):
        time.sleep(0.02)


def _command(rng: random.Random, verb: list[str]) -> list[str]:
    """The verb with a random executor."""
    mpiexec = Path(sys.executable).with_name("mpiexec")
    if mpiexec.exists() and rng.random() < 0.5:
        return [str(mpiexec), "-n", str(rng.randint(2, 5)), *COMMAND, *verb]
    return [*COMMAND, *verb, "--workers", str(rng.randint(1, 3))]


def _content(result: Result) -> tuple[np.ndarray, ...]:
    """Rows of pattern and ranks, sorted, and the statistics."""
    table = result.regions
    patterns = np.array(table.column("pattern").to_pylist(), dtype=object)
    rows = sorted(zip(patterns.tolist(), map(tuple, table.column("ranks").to_pylist()), strict=True))
    s = result.statistics
    return np.array(rows, dtype=object), s.cells, s.children, s.max_children, s.unsplit


if __name__ == "__main__":
    raise SystemExit(main())
