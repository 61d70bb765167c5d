"""Regions as geometry, timed: `python -m benchmarks.geometry [--most N] [--qhull]`.

locate     10^5 random points among some 10^4 regions, checked against the forward pass
adjacency  all facets between 10^4 to 10^6 regions, and how pairs were decided
volumes    of all regions, which have to add up to that of the box
maps, connected regions, occupancy beside them

Prints bytes of a row with witnesses and without, and the time for each region: processor time, on one core if the process is
bound to one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

import regionenum as rn
from benchmarks import machine
from regionenum.network.layers import Layer, Network
from regionenum.network.units import RELU, Units

POINTS = 100_000

PROBLEMS = (
    ((2, 48, 48, 48), 1.0, 1_500),
    ((4, 20, 20, 3), 1.0, 10_000),
    ((3, 64, 64, 3), 2.0, 100_000),
    ((4, 24, 24, 3), 2.0, 150_000),
    ((6, 16, 16, 3), 10.0, 1_000_000),
)
"""Sizes, half width of the box, and about how many regions there are."""


def network(*sizes: int) -> Network:
    """Random ReLU layers, weights of variance 1 / n_in and biases of 1/4, and a last layer without units."""
    rng = np.random.default_rng(7)
    layers = []
    for k, (n_in, n_out) in enumerate(pairwise(sizes)):
        last = k + 2 == len(sizes)
        units = Units.identity(n_out) if last else Units.pointwise(RELU, n_out)
        weight, bias = rng.normal(size=(n_out, n_in)) / np.sqrt(n_in), rng.normal(size=n_out) / 2.0
        layers.append(Layer("head" if last else f"relu{k}", weight, bias, units))
    return Network(tuple(layers), sizes[:1])


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and its seconds of processor time."""
    start = time.process_time()
    found = call()
    return found, time.process_time() - start


def measure(sizes: tuple[int, ...], half: float, *, qhull: bool) -> None:
    """All of it on one network."""
    net, box = network(*sizes), rn.Box(-half, half)
    result, seconds = timed(lambda: rn.enumerate_regions(net, box, record="regions"))
    n = result.count
    print(f"\n{'-'.join(map(str, sizes))}, box {half:g}: {n:,} regions, enumerated and recorded in {seconds:.2f} s")
    row = result.regions.nbytes / n
    print(f"  a row has {row:.0f} bytes, {row - 8 * net.n_in:.0f} of them without its witness")
    x = np.random.default_rng(1).uniform(-half, half, (POINTS, net.n_in))
    result.locate(x[:1])
    region, seconds = timed(lambda: result.locate(x))
    right = np.array_equal(result._geometry.recorded.pieces(region), net.pattern(x))
    if region.min() < 0 or not right:
        raise SystemExit("points are not where the forward pass says")
    print(f"  locate: {POINTS:,} points in {seconds:.2f} s, none unlocated, as the forward pass says")
    found = result.occupancy(x)
    print(f"  occupancy: {found.occupied:,} regions have points, {len(found.empty):,} have none")
    matrix, seconds = timed(result.adjacency)
    work = result._geometry.facets.work
    print(
        f"  adjacency: {matrix.nnz // 2:,} facets in {seconds:.1f} s, {1e6 * seconds / n:.0f} us for a region; "
        f"{matrix.nnz / n:.2f} neighbours on average\n"
        f"    decided by the last layer {work.by_layer:,}, by a segment {work.by_segment:,}, in integers {work.exactly:,}"
    )
    labels, seconds = timed(result.connected_regions)
    print(f"  connected linear regions: {labels.max() + 1:,} in {seconds:.1f} s more")
    _, seconds = timed(lambda: result.maps(np.arange(min(n, 100_000))))
    print(f"  maps: {min(n, 100_000):,} in {seconds:.2f} s")
    if net.n_in <= 2 or qhull or n <= 20_000:
        volumes, seconds = timed(result.volumes)
        error = abs(volumes.sum() / (2.0 * half) ** net.n_in - 1.0)
        print(f"  volumes: {seconds:.1f} s, {1e6 * seconds / n:.0f} us for a region; the sum is off by {error:.1e}")
        if not error < 1e-9:
            raise SystemExit("volumes do not add up")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--most", type=int, default=200_000, help="leave out larger networks (default: %(default)s regions)"
    )
    parser.add_argument(
        "--qhull", action="store_true", help="volumes of large networks in three dimensions and more too"
    )
    arguments = parser.parse_args()
    print(machine.summary())
    for sizes, half, about in PROBLEMS:
        if about <= arguments.most:
            measure(sizes, half, qhull=arguments.qhull)


if __name__ == "__main__":
    main()
