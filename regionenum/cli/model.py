"""Which network a command is about: the options of a model, the same on the command line and in configurations."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regionenum.network.layers import Network

OPTIONS = ("model", "state", "input_shape", "relu_after_pooling", "argmax")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the model and its options to a verb."""
    parser.add_argument(
        "model", metavar="MODEL", help="the network: an .npz, .onnx or .pt2 file, or package.module:function"
    )
    parser.add_argument(
        "--state", metavar="FILE", help="a state_dict for the module that package.module:function makes"
    )
    parser.add_argument(
        "--input-shape",
        metavar="SIZES",
        type=_shape,
        help="shape of one input, for example 1,8,8; for package.module:function and ONNX files that leave sizes open",
    )
    parser.add_argument(
        "--relu-after-pooling",
        action="store_true",
        help="take maxima before the ReLU that feeds them: the same function, cut into other regions, mostly fewer",
    )
    parser.add_argument("--argmax", action="store_true", help="split the regions by the largest output, the decision")


def model_options(given: Any) -> dict[str, Any]:
    """The options of a model, from parsed arguments or a configuration."""
    return {name: getattr(given, name) for name in OPTIONS}


def read_model(
    model: str,
    *,
    state: str | None = None,
    input_shape: Sequence[int] | None = None,
    relu_after_pooling: bool = False,
    argmax: bool = False,
) -> Network:
    """Load a network as `regionenum.load` does, and change it as the options say.

    Raises
    ------
    InputError
        If the model cannot be loaded or changed as given.
    """
    from regionenum.network import transform
    from regionenum.network.load import load

    network = load(model, state=state, input_shape=None if input_shape is None else tuple(input_shape))
    if relu_after_pooling:
        network = transform.relu_after_pooling(network)
    return transform.with_decision(network) if argmax else network


def describe_model(
    model: str,
    *,
    state: str | None = None,
    input_shape: Sequence[int] | None = None,
    relu_after_pooling: bool = False,
    argmax: bool = False,
) -> dict[str, Any]:
    """The options that are set, for the record of a run: files by their full path."""
    from regionenum.network.load import is_factory

    said: dict[str, Any] = {"model": model if is_factory(model) else str(Path(model).resolve())}
    if state is not None:
        said["state"] = str(Path(state).resolve())
    if input_shape is not None:
        said["input_shape"] = list(input_shape)
    changes = {"relu_after_pooling": relu_after_pooling, "argmax": argmax}
    return said | {name: True for name, wanted in changes.items() if wanted}


def _shape(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(size) for size in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a shape; give sizes with commas, for example 1,8,8"
        ) from error
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} has a size below 1; give sizes with commas, for example 1,8,8")
    return sizes
