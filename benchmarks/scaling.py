"""How far one coordinator carries: `python -m benchmarks.scaling`. The large rank counts are A SIMULATION.

1. Recorded on this machine: how a tree falls apart. A real network is enumerated in tasks of one subtree and a short
   budget; for every subtree that outlived its budget, the shares of its remaining work that its subtrees turned out to
   hold are kept.
2. Measured on this machine: what the coordinator spends on a result (opening it, the ledger, the next task), with the
   real code, and on a message, between two ranks of the MPI that is installed (or a given figure, said so).
3. Simulated: a tree of a given number of regions whose subtrees fall apart with the recorded shares, explored by 1 to
   16,384 ranks under the driver's own budgets, with one coordinator that takes one message after the other. Ranks hold a
   task ahead; rank 0 does not work. Efficiency is work / (ranks * time).
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import regionenum as rn
from benchmarks import acasxu, machine
from regionenum.engine.compiled import CompiledEngine
from regionenum.engine.interface import Problem
from regionenum.network.layers import Layer
from regionenum.network.units import RELU, Units
from regionenum.parallel.driver import Budget
from regionenum.parallel.ledger import Ledger
from regionenum.parallel.mpi import AHEAD
from regionenum.parallel.parcel import seal
from regionenum.parallel.task import TaskRunner

RECORD_SECONDS = 0.004
"""Budget of the recorded tasks, of eight steps or so."""


def generic(widths: tuple[int, ...], seed: int = 0) -> rn.Network:
    """A generic ReLU network."""
    rng = np.random.default_rng(seed)
    layers = []
    for k, (n_in, n_out) in enumerate(itertools.pairwise(widths)):
        weight, bias = rng.uniform(-1, 1, (n_out, n_in)), rng.uniform(-1, 1, n_out)
        layers.append(Layer(f"layers.{k}", weight, bias, Units.pointwise(RELU, n_out)))
    return rn.Network(tuple(layers), (widths[0],))


@dataclass(frozen=True)
class Recording:
    """Shares of the remaining work by subtree, one list for each subtree that outlived its budget; and the rate."""

    shares: list[list[float]]
    regions_per_second: float
    tasks: int


def record(problem: Problem) -> Recording:
    """Enumerate a network in short tasks and add up what every subtree cost."""
    runner = TaskRunner(CompiledEngine().explorer(problem), problem.depth, problem.dim, step=RECORD_SECONDS / 8)
    runner.warm()
    ledger = Ledger.of([seal(CompiledEngine().explorer(problem).root)])
    # ids of subtrees run parallel to ledger.waiting, whose last entry is taken first
    ids, parent, own, regions = [0], {0: -1}, {}, 0
    children: dict[int, list[int]] = {}
    while not ledger.drained:
        number = ids.pop()
        result = runner.run(ledger.issue(1, RECORD_SECONDS))
        own[number] = result.seconds
        children[number] = list(range(len(parent), len(parent) + len(result.rest)))
        for child in children[number]:
            parent[child] = number
        ids += children[number]
        regions += int(ledger.settle(result).cells[-1].sum())
    total = dict(own)
    for number in sorted(total, reverse=True):
        if parent[number] >= 0:
            total[parent[number]] += total[number]
    shares = []
    for number, below in children.items():
        rest = total[number] - own[number]
        if below and rest > 5 * RECORD_SECONDS:
            shares.append([total[child] / rest for child in below])
    return Recording(shares, regions / total[0], len(own))


@dataclass(frozen=True)
class Costs:
    """Seconds of the coordinator's time, and of a message's way."""

    result: float
    parcel: float
    message: float
    latency: float


def coordinator_costs(problem: Problem, message: float) -> Costs:
    """Time the coordinator's real code on results with few and with many subtrees."""
    runner = TaskRunner(CompiledEngine().explorer(problem), problem.depth, problem.dim, step=RECORD_SECONDS / 8)
    runner.warm()
    ledger = Ledger.of([seal(CompiledEngine().explorer(problem).root)])
    task = ledger.issue(1, RECORD_SECONDS)
    result = runner.run(task)
    seconds = {}
    for copies in (1, 8):
        letter = pickle.dumps(result.__class__(**{**result.__dict__, "rest": result.rest * copies}), 5)
        spent = []
        for number in range(1000, 1400):
            ledger.flying[number] = []
            start = time.perf_counter()
            opened = pickle.loads(letter)
            opened.number = number
            ledger.settle(opened)
            again = ledger.issue(4, 1.0)
            pickle.dumps(again, 5)
            spent.append(time.perf_counter() - start)
            ledger.flying.pop(again.number)
        seconds[copies * len(result.rest)] = float(np.median(spent))
    (few, low), (many, high) = sorted(seconds.items())
    parcel = max(0.0, (high - low) / (many - few))
    return Costs(result=low - few * parcel, parcel=parcel, message=message, latency=2 * message)


PING = """
import sys, time
from mpi4py import MPI
comm, load, n = MPI.COMM_WORLD, b"x" * 2500, 2000
for k in range(n + 200):
    if k == 200:
        start = time.perf_counter()
    if comm.rank == 0:
        comm.isend(load, 1, 1).wait()
        while not comm.Iprobe(tag=2): pass
        comm.recv(tag=2)
    else:
        while not comm.Iprobe(tag=1): pass
        comm.recv(tag=1)
        comm.isend(load, 0, 2).wait()
if comm.rank == 0:
    print((time.perf_counter() - start) / (2 * n))
"""


def message_seconds() -> float | None:
    """Half a round trip between two ranks with the coordinator's calls, or None where no MPI can be started."""
    beside = Path(sys.executable).with_name("mpiexec")
    launcher = str(beside) if beside.exists() else shutil.which("mpiexec")
    if launcher is None:
        return None
    done = subprocess.run(
        [launcher, "-n", "2", sys.executable, "-c", PING], capture_output=True, text=True, timeout=120, check=False
    )
    return float(done.stdout) if done.returncode == 0 else None


@dataclass
class Outcome:
    """One simulated run."""

    ranks: int
    seconds: float
    efficiency: float
    coordinator_busy: float
    tasks: int
    longest_list: int


@dataclass
class Simulation:
    """The driver's policy on simulated ranks; see the module."""

    recording: Recording
    costs: Costs
    ranks: int
    budget: Budget
    seed: int = 0
    _events: list[tuple[float, int, int]] = field(default_factory=list)

    def run(self, work: float) -> Outcome:
        """Explore a tree of `work` seconds."""
        workers, costs, rng = max(1, self.ranks - 1), self.costs, random.Random(self.seed)
        waiting = [work]
        free = deque(rank for _ in range(AHEAD) for rank in range(workers))
        queue: list[deque[tuple[list[float], float]]] = [deque() for _ in range(workers)]
        busy_until = [0.0] * workers
        running: list[tuple[float, list[float]] | None] = [None] * workers
        events: list[tuple[float, int]] = []
        clock = coordinator = 0.0
        flying = tasks = longest = 0

        def begin(rank: int, now: float) -> None:
            works, seconds = queue[rank].popleft()
            rest, spent = list(reversed(works)), 0.0
            while rest and spent < seconds:
                this = rest.pop()
                if this <= seconds - spent:
                    spent += this
                    continue
                left = this - (seconds - spent)
                spent = seconds
                rest += [left * share for share in rng.choice(self.recording.shares)]
            running[rank] = (spent, rest)
            busy_until[rank] = now + spent
            heapq.heappush(events, (now + spent, rank))

        def hand_out(now: float) -> float:
            nonlocal flying, tasks
            while free and waiting:
                rank = free.popleft()
                n = self.budget.subtrees(len(waiting), workers)
                seconds = self.budget.seconds(len(waiting), workers, flying)
                works = waiting[-n:][::-1]
                del waiting[-n:]
                now += costs.message
                queue[rank].append((works, seconds))
                flying += 1
                tasks += 1
                if running[rank] is None:
                    begin(rank, now + costs.latency)
            return now

        coordinator = hand_out(0.0)
        spent_coordinating = coordinator
        while flying:
            clock, rank = heapq.heappop(events)
            ended = running[rank]
            assert ended is not None
            running[rank] = None
            if queue[rank]:
                begin(rank, clock)
            start = max(coordinator, clock + costs.latency)
            now = start + costs.message + costs.result + costs.parcel * len(ended[1])
            waiting += ended[1]
            longest = max(longest, len(waiting))
            flying -= 1
            free.append(rank)
            coordinator = hand_out(now)
            spent_coordinating += coordinator - start
        seconds = max(clock, coordinator)
        return Outcome(self.ranks, seconds, work / (self.ranks * seconds), spent_coordinating / seconds, tasks, longest)


def main(argv: list[str] | None = None) -> int:
    """Record, measure, simulate, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--widths", default="8,14,14", help="network whose tree is recorded (default: 8,14,14)")
    parser.add_argument("--half-width", type=float, default=10.0, help="of its box (default: 10)")
    parser.add_argument("--acasxu", type=int, choices=acasxu.PROPERTIES, metavar="PROPERTY", help="ACAS Xu 1_1 instead")
    parser.add_argument("--regions", type=float, default=1e10, help="of the simulated tree (default: 1e10)")
    parser.add_argument("--message-us", type=float, default=25.0, help="where it cannot be measured (default: 25)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(argv)
    print(machine.summary())
    if options.acasxu:
        path = Path(os.environ.get("REGIONENUM_ACASXU") or acasxu.DEFAULT_DATA) / acasxu.FILE
        if not path.is_file():
            print(f"scaling: {path} does not exist; give its folder in REGIONENUM_ACASXU", file=sys.stderr)
            return 2
        known, name = acasxu.PROPERTIES[options.acasxu], f"ACAS Xu 1_1, property {options.acasxu}"
        network = acasxu.read_network(path)
        problem = Problem.over(network, rn.Box(known.lower, known.upper))
    else:
        name, box = options.widths, rn.Box(-options.half_width, options.half_width)
        problem = Problem.over(generic(tuple(map(int, options.widths.split(",")))), box)
    recording = record(problem)
    sizes = [len(shares) for shares in recording.shares]
    print(
        f"recorded: {recording.tasks:,} tasks of {name}, {recording.regions_per_second:,.0f} regions/s; "
        f"{len(sizes)} subtrees fell into {np.mean(sizes):.1f} others on average, the largest holding "
        f"{np.median([max(s) for s in recording.shares]):.0%} of the rest (median)"
    )
    measured = message_seconds()
    message = options.message_us * 1e-6 if measured is None else measured
    costs = coordinator_costs(problem, message)
    print(
        f"coordinator: {1e6 * costs.result:.1f} us for a result and {1e6 * costs.parcel:.2f} us for each subtree in it; "
        f"{1e6 * message:.1f} us for a message ({'assumed' if measured is None else 'measured between two ranks'}): "
        f"about {1 / (costs.result + 10 * costs.parcel + 2 * message):,.0f} tasks/s"
    )
    work = options.regions / recording.regions_per_second
    print(f"SIMULATED: {options.regions:.3g} regions, {work:,.0f} core seconds")
    print(
        f"{'ranks':>7} {'seconds':>10} {'efficiency':>11} {'coordinator busy':>17} {'tasks':>10} {'longest list':>13}"
    )
    outcomes = []
    for ranks in (1, 2, 4, 16, 64, 256, 1024, 4096, 8192, 16384):
        outcome = (
            Outcome(1, work, 1.0, 0.0, 0, 0) if ranks == 1 else Simulation(recording, costs, ranks, Budget()).run(work)
        )
        outcomes.append(outcome)
        print(
            f"{ranks:>7} {outcome.seconds:>10.2f} {outcome.efficiency:>11.3f} {outcome.coordinator_busy:>17.2f} "
            f"{outcome.tasks:>10,} {outcome.longest_list:>13,}",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps([vars(outcome) for outcome in outcomes], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
