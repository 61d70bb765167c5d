"""Count ACAS Xu network 1_1 over the box of a property: `python -m benchmarks.acasxu [--property 1]`.

The network (5 inputs, six layers of 50 ReLUs, aircraft collision avoidance, from the VNN-COMP benchmark) is read from
its ONNX file under `--data`, else the folder in REGIONENUM_ACASXU, else ../shared/data/acasxu beside this repository.
The expected counts were found by two independent float programs. Exits 1 if a count differs, 2 if the file is missing
or is not that network.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import regionenum as rn
from benchmarks import machine
from benchmarks.demo import prepare_kernels
from regionenum.cli.progress import progress_display
from regionenum.cli.tables import print_result
from regionenum.errors import InputError

FILE = "ACASXU_run2a_1_1_batch_2000.onnx"
DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "acasxu"


@dataclass(frozen=True)
class Property:
    """The input box of a property, and the number of regions of network 1_1 after each layer."""

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    regions: tuple[int, ...]


PROPERTIES = {
    1: Property(
        (0.6, -0.5, -0.5, 0.45, -0.5),
        (0.679857769, 0.5, 0.5, 0.5, -0.45),
        (149, 1113, 8420, 18666, 31049, 39835),
    ),
    3: Property(
        (-0.303531156, -0.009549297, 0.493380324, 0.3, 0.3),
        (-0.298552812, 0.009549297, 0.5, 0.5, 0.5),
        (39, 103, 499, 2918, 8010, 71930),
    ),
}


SHAPE = (1, 1, 5)
"""Of one input."""


def read_network(path: Path) -> rn.Network:
    """The network of an ACAS Xu file.

    Raises
    ------
    InputError
        If the file is another network.
    """
    network = rn.load(path)
    widths = [layer.n_out for layer in network.layers]
    if network.input_shape != SHAPE or widths != [50] * 6 + [5]:
        raise InputError(f"{path} has inputs of shape {network.input_shape} and layers of {widths}; expected {FILE}")
    return network


def main(argv: list[str] | None = None) -> int:
    """Count, print, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--property", type=int, choices=PROPERTIES, default=3, help="whose box to count (default: 3)")
    parser.add_argument("--data", type=Path, metavar="DIR", help=f"the folder of {FILE}")
    options = parser.parse_args(argv)
    path = (options.data or Path(os.environ.get("REGIONENUM_ACASXU") or DEFAULT_DATA)) / FILE
    if not path.is_file():
        print(f"acasxu: {path} does not exist; give its folder with --data DIR or REGIONENUM_ACASXU", file=sys.stderr)
        return 2
    try:
        network = read_network(path)
    except InputError as error:
        print(f"acasxu: {error}", file=sys.stderr)
        return 2
    return count(network, options.property)


def count(network: rn.Network, number: int) -> int:
    """Count one network over the box of a property and compare: 0 if every layer has the expected regions, else 1."""
    known = PROPERTIES[number]
    prepare_kernels()
    with progress_display(sys.stderr) as show:
        result = rn.enumerate_regions(network, rn.Box(known.lower, known.upper), on_progress=show)
    found = [layer.regions for layer in result.layers]
    print(f"ACAS Xu 1_1 over the box of property {number}\n{machine.summary()}\n")
    print(f"{'layer':>5} {'expected':>9} {'found':>9}")
    for k, (theirs, ours) in enumerate(zip(known.regions, found, strict=True), start=1):
        print(f"{k:>5} {theirs:>9,} {ours:>9,}{'' if ours == theirs else '   DIFFERS'}")
    if found != list(known.regions):
        counters = result.counters
        doubtful = f"{counters.doubtful:,} doubtful decisions, {counters.doubtful_ranks:,} doubtful dimensions"
        print(f"WRONG, so no time is reported; {doubtful}")
        return 1
    print()
    print_result(result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
