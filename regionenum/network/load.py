"""`load`: the one door through which networks come in."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from regionenum.errors import InputError
from regionenum.network.layers import Network
from regionenum.network.storage import load_npz

SUPPORTED = (
    "a torch.nn.Module with an example_input, the path of an .onnx file, of a .pt2 file (torch.export.save) or of an .npz "
    "file (save_npz), or package.module:function with an input_shape"
)

_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

_WEIGHTS_ALONE = "holds weights without the model, or code that would have to be run"
_INSTEAD = {
    **dict.fromkeys(
        (".pt", ".pth", ".ckpt", ".bin"),
        f"{_WEIGHTS_ALONE}; give package.module:function that makes the model, with this file as `state` and an input_shape",
    ),
    **dict.fromkeys(
        (".pkl", ".pickle", ".joblib"), "is a pickle, which is never opened; save the model as .onnx or .pt2"
    ),
    ".safetensors": "holds weights without the model; load them into the module and give that, or save it as .onnx or .pt2",
    **dict.fromkeys(
        (".h5", ".hdf5", ".keras", ".pb", ".tflite"),
        "is a TensorFlow model; convert it to .onnx, for example with tf2onnx",
    ),
}
"""Kinds of files that models come in and that are not read: what to do instead."""


def load(
    module_or_path: Any,
    example_input: Any = None,
    *,
    state: str | os.PathLike[str] | None = None,
    input_shape: Sequence[int] | None = None,
) -> Network:
    """Load a network.

    Parameters
    ----------
    module_or_path : torch.nn.Module, path, text or Network
        A module in eval mode; an .onnx file, read without torch; a .pt2 file written by `torch.export.save`; an .npz
        file written by `save_npz`; or "package.module:function", a function without arguments that makes a module.
        A `Network` is returned as it is.
    example_input : tensor or array, (n, *input_shape)
        Needed for a module, and used for nothing else: real numbers with a leading batch axis, of which only the first
        sample is used.
    state : path
        A state_dict file for the module that a function makes.
    input_shape : of one input, without the batch axis
        Needed for a function, and for an .onnx file that leaves sizes open.

    Returns
    -------
    Network
        A chain of layers in float64.

    Raises
    ------
    InputError
        If the model cannot be loaded as given; one sentence names the place and the mend.
    """
    if isinstance(module_or_path, str) and is_factory(module_or_path):
        return _load_factory(module_or_path, state, input_shape)
    if state is not None:
        raise InputError(
            f"state `{state}` is given with a model that brings its own weights; give package.module:function instead"
        )
    is_path = isinstance(module_or_path, str | os.PathLike)
    if not is_path and input_shape is not None:
        raise InputError(f"input_shape {tuple(input_shape)} is given with a model that is no file; leave it out")
    if isinstance(module_or_path, Network):
        return module_or_path
    if isinstance(module_or_path, str | os.PathLike):
        return _load_path(Path(module_or_path), input_shape)
    # A module can only exist once torch is imported; torch is never imported to find out.
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(module_or_path, torch.nn.Module):
        raise InputError(f"cannot load a {type(module_or_path).__name__}; supported: {SUPPORTED}")
    if example_input is None:
        raise InputError(
            "example_input is missing; give one input with a leading batch axis, for example torch.zeros(1, 784)"
        )
    from regionenum.network.from_torch.load import load_module

    return load_module(module_or_path, example_input)


def is_factory(text: str) -> bool:
    """Whether a model is given as package.module:function."""
    return _FACTORY.fullmatch(text) is not None


def _load_path(path: Path, input_shape: Sequence[int] | None) -> Network:
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        with _needed("onnx", path):
            from regionenum.network.from_onnx.load import load_onnx
        return load_onnx(path, input_shape)
    if suffix in _INSTEAD:
        raise InputError(f"`{path}` {_INSTEAD[suffix]}")
    if suffix == ".npz":
        network = load_npz(path)
    elif suffix == ".pt2":
        with _needed("torch", path):
            from regionenum.network.from_torch.load import load_program
        network = load_program(path)
    else:
        raise InputError(f"`{path}`: unknown kind of file; supported: {SUPPORTED}")
    if input_shape is not None and tuple(input_shape) != network.input_shape:
        raise InputError(
            f"`{path}` takes inputs of shape {network.input_shape}, not {tuple(input_shape)}; leave input_shape out"
        )
    return network


def _load_factory(spec: str, state: str | os.PathLike[str] | None, input_shape: Sequence[int] | None) -> Network:
    if input_shape is None:
        raise InputError(f"`{spec}` needs an input_shape, without the batch axis, for example (1, 8, 8)")
    shape = tuple(int(size) for size in input_shape)
    with _needed("torch", spec):
        from regionenum.network.from_torch.factory import load_factory
    return load_factory(spec, None if state is None else Path(state), shape)


@contextmanager
def _needed(package: str, model: object) -> Iterator[None]:
    """While a front end is imported, which is not before a model asks for it: a package that is missing is one sentence."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != package:
            raise
        raise InputError(
            f"`{model}` needs the package {package}, which is not installed; pip install 'regionenum[{package}]'"
        ) from error
