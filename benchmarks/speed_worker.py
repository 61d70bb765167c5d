"""The process that times one program on one network, for `speed.py`, which starts it by its path and sends it lines.

It stands alone, so that the very same lines time any checkout of the product: it imports the regionenum that PYTHONPATH
names, by public names, and nothing of `benchmarks`. Its argument is a JSON object, a `Task`. It prints the folder of
that regionenum, and "ready" when the network is read and everything compiled; then it waits for lines, each a number of
seconds: it runs again and again until so much CPU time is spent, and prints one JSON object. It ends with
its input.

The clock is the CPU time of the process. Every program here computes on one thread and waits for nothing, so on an idle
machine that is the wall time; on a busy one the wall time has other processes' turns on the core in it, in one
program's figure and not in the other's. The figure is that of the fastest run: the work is the same each time, and
what else the machine does can only make it slower.
"""

from __future__ import annotations

import json
import pickle
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

import regionenum as rn


@dataclass(frozen=True)
class Task:
    """What to time.

    Attributes
    ----------
    widths : inputs and hidden widths of a seeded network; empty for one from a file
    file : an ONNX file, instead of widths
    lower, upper : corners of the box, or one number each for a cube; None for the whole space
    kept : where the network is kept once this checkout has read it, because importing torch takes seconds; None: nowhere
    floor : folder of the floor's programs; None to time the product
    program : which of them
    """

    widths: tuple[int, ...]
    file: str | None
    lower: tuple[float, ...] | float | None
    upper: tuple[float, ...] | float | None
    kept: str | None = None
    floor: str | None = None
    program: str | None = None

    def network(self) -> rn.Network:
        """The network, from where it is kept if it is there."""
        kept = Path(self.kept) if self.kept else None
        if kept is not None and kept.exists():
            return cast(rn.Network, pickle.loads(kept.read_bytes()))
        net = rn.load(Path(self.file)) if self.file else network(list(self.widths))
        if kept is not None:
            kept.write_bytes(pickle.dumps(net))
        return net

    def domain(self) -> rn.Box | rn.WholeSpace:
        """The domain."""
        if self.lower is None or self.upper is None:
            return rn.WholeSpace()
        return rn.Box(self.lower, self.upper)


@dataclass(frozen=True)
class Run:
    """One run: regions, seconds of CPU time, and what the engine did, by name (nothing for a floor)."""

    regions: int
    seconds: float
    counters: dict[str, int]


def network(widths: list[int]) -> rn.Network:
    """A ReLU MLP as torch initialises it in float32 after seed 0, with one output."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for n_in, n_out in zip(widths, [*widths[1:], 1], strict=True):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return rn.load(nn.Sequential(*layers[:-1]).eval(), torch.zeros(1, widths[0]))


def product(task: Task) -> Callable[[], Run]:
    """A run of the product: a count with dimensions, as users ask for it. The network is read before."""
    net, domain = task.network(), task.domain()

    def run() -> Run:
        start = time.process_time()
        result = rn.enumerate_regions(net, domain, record="none")
        return Run(result.count, time.process_time() - start, asdict(result.counters))

    # whatever this network and domain need is compiled or loaded now
    rn.enumerate_regions(net, domain, record="none", max_regions=1)
    return run


def floor(task: Task) -> Callable[[], Run]:
    """A run of one of the floor's programs, on the same weights; the box is moved to [-1, 1]^d for those that need it."""
    assert task.floor is not None
    sys.path.insert(0, task.floor)
    weights, biases = hidden_layers(task.network())
    d = weights[0].shape[1]
    lower, upper = np.broadcast_to(np.asarray(task.lower, float), d), np.broadcast_to(np.asarray(task.upper, float), d)
    if task.program == "vertex2":
        from vertex2 import run as walk  # type: ignore[import-not-found]

        def run() -> Run:
            regions, _, _, seconds = walk(weights, biases, lower, upper, clock=time.process_time)
            return Run(int(regions), seconds, {})

    else:
        module = __import__(str(task.program))
        widest = max(d, *(len(bias) for bias in biases))
        w, b = np.zeros((len(weights), widest, widest)), np.zeros((len(weights), widest))
        for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            w[k, : weight.shape[0], : weight.shape[1]], b[k, : len(bias)] = weight, bias
        b[0, : len(biases[0])] += weights[0] @ ((lower + upper) / 2)
        w[0, : weights[0].shape[0], :d] *= (upper - lower) / 2
        hidden = np.array([len(bias) for bias in biases])
        most_vertices = {2: 64, 3: 256, 4: 1024, 5: 4096, 6: 8192}.get(d, 16384)

        def run() -> Run:
            statistics = np.zeros(8, np.int64)
            start = time.process_time()
            regions, _ = module.run(w, b, hidden, d, 1.0, 1e-9, most_vertices, statistics)
            return Run(int(regions), time.process_time() - start, {})

    run()  # compile
    return run


def hidden_layers(net: rn.Network) -> tuple[list[Any], list[Any]]:
    """Dense weights and biases of all layers with ReLUs, which is all but the last."""
    weights = [layer.weight for layer in net.layers[:-1]]
    dense = [weight if isinstance(weight, np.ndarray) else weight.toarray() for weight in weights]
    return dense, [np.asarray(layer.bias) for layer in net.layers[:-1]]


def fastest(run: Callable[[], Run], seconds: float) -> Run:
    """The fastest of as many runs as fill the seconds, of a thousand at most."""
    runs = [run()]
    spent = runs[0].seconds
    while spent < seconds and len(runs) < 1000:
        runs.append(run())
        spent += runs[-1].seconds
    if len({done.regions for done in runs}) > 1:
        raise RuntimeError(f"counts differ from run to run: {sorted({done.regions for done in runs})}")
    return min(runs, key=lambda done: done.seconds)


def main(argv: list[str]) -> int:
    """Prepare, then answer every line."""
    task = Task(**json.loads(argv[0]))
    print(json.dumps(str(Path(rn.__file__).resolve().parent.parent)), flush=True)
    run = product(task) if task.floor is None else floor(task)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(asdict(fastest(run, float(line)))), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
