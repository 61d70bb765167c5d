"""Which network a command is about: the options of a model, the same on the command line and in configurations."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regionenum.cli.config import Config
    from regionenum.network.layers import Network


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


@dataclass(frozen=True)
class ModelOptions:
    """The options of a model.

    Attributes
    ----------
    model : a file, or package.module:function
    state : a state_dict for the module that the function makes
    input_shape : of one input, where neither file nor function say
    relu_after_pooling, argmax : changes, see `network/transform.py`
    """

    model: str
    state: str | None = None
    input_shape: tuple[int, ...] | None = None
    relu_after_pooling: bool = False
    argmax: bool = False

    @classmethod
    def of(cls, given: argparse.Namespace | Config) -> ModelOptions:
        """The options in parsed arguments or in a configuration."""
        shape = given.input_shape
        return cls(
            given.model, given.state, None if shape is None else tuple(shape), given.relu_after_pooling, given.argmax
        )

    def read(self) -> Network:
        """Load the network as `regionenum.load` does, and change it as the options say.

        Raises
        ------
        InputError
            If the model cannot be loaded or changed as given.
        """
        from regionenum.network import transform
        from regionenum.network.load import load

        network = load(self.model, state=self.state, input_shape=self.input_shape)
        if self.relu_after_pooling:
            network = transform.relu_after_pooling(network)
        return transform.with_decision(network) if self.argmax else network

    def describe(self) -> dict[str, Any]:
        """The options that are set, for the record of a run: files by their full path."""
        from regionenum.network.load import is_factory

        said: dict[str, Any] = {"model": self.model if is_factory(self.model) else str(Path(self.model).resolve())}
        if self.state is not None:
            said["state"] = str(Path(self.state).resolve())
        if self.input_shape is not None:
            said["input_shape"] = list(self.input_shape)
        changes = {"relu_after_pooling": self.relu_after_pooling, "argmax": self.argmax}
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
