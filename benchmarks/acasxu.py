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
from typing import Any

import numpy as np

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


def read_module(path: Path) -> Any:
    """The torch module of an ONNX graph Sub, Flatten, (MatMul, Add, Relu)*, MatMul, Add, each fed by the one before.

    Subtracting the constant becomes an affine layer of its own. The float32 weights become float64 without rounding.

    Raises
    ------
    InputError
        If the graph is anything else.
    """
    import onnx
    import torch
    from onnx import numpy_helper
    from torch import nn

    graph = onnx.load(path).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor).astype(np.float64) for tensor in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in arrays]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise _not_the_network(path, f"{len(inputs)} inputs and {len(graph.output)} outputs")
    n_hidden = (len(graph.node) - 4) // 3
    expected = ["Sub", "Flatten", *["MatMul", "Add", "Relu"] * n_hidden, "MatMul", "Add"]
    if [node.op_type for node in graph.node] != expected:
        raise _not_the_network(path, f"nodes {', '.join(node.op_type for node in graph.node)}")

    layers: list[nn.Module] = []
    value, matrix = inputs[0], np.zeros((0, 0))
    for node in graph.node:
        constants = [name for name in node.input if name in arrays]
        # the constant is the second operand: a difference and a product of matrices are not symmetric
        takes_constant = node.op_type in ("Sub", "MatMul", "Add")
        if list(node.input) != [value, *constants] or len(constants) != takes_constant or len(node.output) != 1:
            raise _not_the_network(path, f"node {node.output[0]} reads {', '.join(node.input)}")
        value = node.output[0]
        if node.op_type == "Sub":
            constant = arrays[constants[0]].ravel()
            layers.append(_linear(np.eye(len(constant)), -constant))
        elif node.op_type == "Flatten":
            # the value has shape (1, 1, 1, n): flattening from axis 1 gives the n inputs in order
            axes = [attribute.i for attribute in node.attribute if attribute.name == "axis"]
            if axes != [1]:
                raise _not_the_network(path, f"flattening with axis {axes}")
        elif node.op_type == "MatMul":
            matrix = arrays[constants[0]]
        elif node.op_type == "Add":
            layers.append(_linear(matrix.T, arrays[constants[0]]))
        else:
            layers.append(nn.ReLU())
    if value != graph.output[0].name:
        raise _not_the_network(path, f"the output {graph.output[0].name}, which is not that of the last node")
    with torch.no_grad():
        return nn.Sequential(*layers).eval()


def _linear(weight: np.ndarray, bias: np.ndarray) -> Any:
    import torch
    from torch import nn

    n_out, n_in = weight.shape
    linear = nn.Linear(n_in, n_out, dtype=torch.float64)
    if bias.shape != (n_out,):
        raise InputError(f"a bias of shape {bias.shape} follows a weight of shape {weight.shape}")
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(weight))
        linear.bias.copy_(torch.tensor(bias))
    return linear


def _not_the_network(path: Path, found: str) -> InputError:
    return InputError(
        f"{path} has {found}; expected one chain Sub, Flatten, (MatMul, Add, Relu)*, MatMul, Add, as in {FILE}"
    )


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
        network = rn.load(read_module(path), np.zeros((1, 5)))
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
