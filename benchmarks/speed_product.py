"""One timed enumeration in a process of its own, for `speed.py`: `python -m benchmarks.speed_product 4,20,20 10`.

Prints one JSON object. The clock runs around the enumeration alone: kernels are loaded and the network is read before.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict

import torch
from torch import nn

import regionenum as rn
from regionenum.cli.doctor import star_network


def network(widths: list[int]) -> rn.Network:
    """A ReLU MLP as torch initialises it in float32 after seed 0, with one output; the floor uses the same weights."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for n_in, n_out in zip(widths, [*widths[1:], 1], strict=True):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return rn.load(nn.Sequential(*layers[:-1]).eval(), torch.zeros(1, widths[0]))


def main(argv: list[str]) -> int:
    """Time one enumeration."""
    net = network([int(width) for width in argv[0].split(",")])
    half_width = float(argv[1])
    rn.enumerate_regions(star_network(), rn.Box(-1, 1))
    start = time.perf_counter()
    result = rn.enumerate_regions(net, rn.Box(-half_width, half_width), record="none")
    seconds = time.perf_counter() - start
    facts = {"regions": result.count, "layers": [layer.regions for layer in result.layers], "seconds": seconds}
    print(json.dumps(facts | {"counters": asdict(result.counters)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
