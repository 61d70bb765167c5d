"""How far one coordinator carries: `python -m benchmarks.scaling`. The large rank counts are A SIMULATION.

1. Recorded on this machine: how a tree falls apart. A real network is enumerated in tasks of one subtree and a short
   budget; for every subtree that outlived its budget, the shares of its remaining work that its subtrees turned out to
   hold are kept.
2. Measured on this machine: what the coordinator spends on a result (opening it, the ledger, the next task), with the
   real code, and on a message, between two ranks of the MPI that is installed (or a given figure, said so).
3. Simulated: a tree of a given number of regions whose subtrees fall apart with the recorded shares, explored by 1 to
   16,384 ranks under the driver's own ledger, budgets and dispatcher, with one coordinator that takes one message after
   the other. Ranks hold a task ahead; rank 0 does not work. Efficiency is work / (ranks * time).
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
import struct
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import regionenum as rn
from benchmarks import acasxu, machine
from regionenum.engine.compiled import CompiledEngine
from regionenum.engine.interface import Options, Problem, Shape, Statistics
from regionenum.network.layers import Layer
from regionenum.network.units import RELU, Units
from regionenum.parallel.driver import Budget, Dispatcher
from regionenum.parallel.executor import Workers
from regionenum.parallel.ledger import Ledger
from regionenum.parallel.mpi import AHEAD
from regionenum.parallel.runner import STEP_SECONDS, TaskRunner
from regionenum.parallel.subtree_codec import EncodedSubtree, encode_subtree
from regionenum.parallel.task import Task, TaskResult

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
    explorer = CompiledEngine().explorer(problem, Options())
    runner = TaskRunner(explorer, problem.shape, seconds=RECORD_SECONDS / 8)
    root = encode_subtree(explorer.root)
    ledger = Ledger.of([root])
    number_of, parent, own, regions = {root: 0}, {0: -1}, {}, 0
    children: dict[int, list[int]] = {}
    while not ledger.drained:
        task = ledger.issue(1, RECORD_SECONDS)
        number = number_of.pop(task.subtrees[0])
        result = runner.run(task)
        own[number] = result.seconds
        children[number] = list(range(len(parent), len(parent) + len(result.rest)))
        for child, subtree in zip(children[number], result.rest, strict=True):
            parent[child], number_of[subtree] = number, child
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
    subtree: float
    message: float
    latency: float


def coordinator_costs(problem: Problem, message: float) -> Costs:
    """Time the coordinator's real code on results with few and with many subtrees."""
    explorer = CompiledEngine().explorer(problem, Options())
    runner = TaskRunner(explorer, problem.shape, seconds=RECORD_SECONDS / 8)
    ledger = Ledger.of([encode_subtree(explorer.root)])
    task = ledger.issue(1, RECORD_SECONDS)
    result = runner.run(task)
    seconds = {}
    for copies in (1, 8):
        letter = pickle.dumps(result.__class__(**{**result.__dict__, "rest": result.rest * copies}), 5)
        spent = []
        for number in range(1000, 1400):
            ledger.in_flight[number] = []
            start = time.perf_counter()
            opened = pickle.loads(letter)
            opened.number = number
            ledger.settle(opened)
            again = ledger.issue(4, 1.0)
            pickle.dumps(again, 5)
            spent.append(time.perf_counter() - start)
            ledger.in_flight.pop(again.number)
        seconds[copies * len(result.rest)] = float(np.median(spent))
    (few, low), (many, high) = sorted(seconds.items())
    subtree = max(0.0, (high - low) / (many - few))
    return Costs(result=low - few * subtree, subtree=subtree, message=message, latency=2 * message)


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
    recalls: int
    longest_list: int


class SimulatedRanks:
    """An executor whose ranks only pass the time; the coordinator's clock goes on with every message.

    A subtree is its work in seconds. When it outlives its budget, or is called back, what is left of it falls into
    others by shares drawn from the recording.
    """

    def __init__(self, recording: Recording, costs: Costs, ranks: int, seed: int) -> None:
        self.workers = Workers(dict.fromkeys(range(ranks), AHEAD))
        self.now, self.recalls = 0.0, 0
        self._shares, self._costs, self._random = recording.shares, costs, random.Random(seed)
        self._queues: list[deque[Task]] = [deque() for _ in range(ranks)]
        self._running: list[tuple[Task, float, float] | None] = [None] * ranks
        self._holder: dict[int, int] = {}
        # (time, number of the task, rank); an entry that no longer says when the rank's task ends is void
        self._ends: list[tuple[float, int, int]] = []

    def submit(self, task: Task) -> None:
        """Send a task."""
        self.now += self._costs.message
        rank = self._holder[task.number] = self.workers.assign()
        self._queues[rank].append(task)
        if self._running[rank] is None:
            self._begin(rank, self.now + self._costs.latency)

    def recall(self, number: int) -> None:
        """Send for a task; it ends after the rank's present step, or after its first if it was not begun."""
        self.now += self._costs.message
        self.recalls += 1
        rank = self._holder[number]
        running = self._running[rank]
        seen = self.now + self._costs.latency + STEP_SECONDS
        if running is not None and running[0].number == number:
            self._set_end(rank, running[0], running[1], min(running[2], seen))
        else:
            at = next(k for k, task in enumerate(self._queues[rank]) if task.number == number)
            waiting = self._queues[rank][at]
            self._queues[rank][at] = Task(waiting.number, waiting.subtrees, min(waiting.seconds, STEP_SECONDS))

    def collect(self, seconds: float) -> list[TaskResult]:
        """The next result, if it comes within that time."""
        while self._ends:
            end, number, rank = self._ends[0]
            running = self._running[rank]
            if running is None or running[0].number != number or running[2] != end:
                heapq.heappop(self._ends)
                continue
            arrival = end + self._costs.latency
            if arrival > self.now + seconds:
                break
            heapq.heappop(self._ends)
            self._running[rank] = None
            if self._queues[rank]:
                self._begin(rank, end)
            self.workers.release(rank)
            del self._holder[number]
            rest = self._rest(running[0], end - running[1])
            self.now = max(self.now, arrival)
            self.now += self._costs.message + self._costs.result + self._costs.subtree * len(rest)
            return [TaskResult(number, Statistics.zeros(Shape.of(0, ())), rest=rest)]
        self.now += seconds
        return []

    def close(self) -> None:
        """Nothing to dismiss."""

    def _begin(self, rank: int, now: float) -> None:
        task = self._queues[rank].popleft()
        work = sum(_work(subtree) for subtree in task.subtrees)
        self._set_end(rank, task, now, now + min(work, max(task.seconds, STEP_SECONDS)))

    def _set_end(self, rank: int, task: Task, begin: float, end: float) -> None:
        self._running[rank] = (task, begin, end)
        heapq.heappush(self._ends, (end, task.number, rank))

    def _rest(self, task: Task, spent: float) -> list[EncodedSubtree]:
        """What is left of a task after that many seconds, in the order of a stack."""
        waiting = list(reversed(task.subtrees))
        while waiting:
            subtree = waiting.pop()
            left = _work(subtree) - spent
            if left > 1e-9:
                shares = self._random.choice(self._shares)
                first = subtree.halvings + 1
                return waiting + [_subtree(left * share, first + k) for k, share in enumerate(shares)]
            spent = max(0.0, -left)
        return []


def _subtree(work: float, depth: int) -> EncodedSubtree:
    return EncodedSubtree(b"", struct.pack("<d", work), depth)


def _work(subtree: EncodedSubtree) -> float:
    return float(struct.unpack("<d", subtree.content)[0])


def simulate(recording: Recording, costs: Costs, ranks: int, work: float, seed: int = 0) -> Outcome:
    """Explore a tree of `work` seconds with the driver's own ledger and dispatcher; rank 0 only coordinates."""
    executor = SimulatedRanks(recording, costs, max(1, ranks - 1), seed)
    ledger = Ledger.of([_subtree(work, 0)])
    dispatcher = Dispatcher(ledger, executor, Budget())
    busy, longest = 0.0, 0
    while not ledger.drained:
        before = executor.now
        seconds = dispatcher.hand_out(executor.now)
        busy += executor.now - before
        for result in executor.collect(seconds):
            busy += costs.message + costs.result + costs.subtree * len(result.rest)
            dispatcher.came_back(result.number)
            ledger.settle(result)
            longest = max(longest, len(ledger.waiting))
    seconds = executor.now
    efficiency = work / (ranks * seconds)
    return Outcome(ranks, seconds, efficiency, busy / seconds, ledger.next_task, executor.recalls, longest)


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
        f"coordinator: {1e6 * costs.result:.1f} us for a result and {1e6 * costs.subtree:.2f} us for each subtree in it; "
        f"{1e6 * message:.1f} us for a message ({'assumed' if measured is None else 'measured between two ranks'}): "
        f"about {1 / (costs.result + 10 * costs.subtree + 2 * message):,.0f} tasks/s"
    )
    work = options.regions / recording.regions_per_second
    print(f"SIMULATED: {options.regions:.3g} regions, {work:,.0f} core seconds")
    print(
        f"{'ranks':>7} {'seconds':>10} {'efficiency':>11} {'coordinator busy':>17} {'tasks':>10} {'recalls':>9} "
        f"{'longest list':>13}"
    )
    outcomes = []
    for ranks in (1, 2, 4, 16, 64, 256, 1024, 4096, 8192, 16384):
        outcome = simulate(recording, costs, ranks, work) if ranks > 1 else Outcome(1, work, 1.0, 0.0, 0, 0, 0)
        outcomes.append(outcome)
        print(
            f"{ranks:>7} {outcome.seconds:>10.2f} {outcome.efficiency:>11.3f} {outcome.coordinator_busy:>17.2f} "
            f"{outcome.tasks:>10,} {outcome.recalls:>9,} {outcome.longest_list:>13,}",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps([vars(outcome) for outcome in outcomes], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
