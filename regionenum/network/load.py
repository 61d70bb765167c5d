"""`load`: the one door through which networks come in."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from regionenum.errors import InputError
from regionenum.network.layers import Network
from regionenum.network.storage import load_npz

SUPPORTED = "a torch.nn.Module with an example_input, or the path of a .npz file written by regionenum"


def load(module_or_path: Any, example_input: Any = None) -> Network:
    """Load a network.

    Parameters
    ----------
    module_or_path : torch.nn.Module, path or Network
        A module in eval mode, or a .npz file written by `save_npz`. A `Network` is returned as it is.
    example_input : tensor or array, (n, *input_shape)
        Needed for a module, and used for nothing else: real numbers with a leading batch axis, of which only the first
        sample is used.

    Returns
    -------
    Network
        A chain of layers in float64.

    Raises
    ------
    InputError
        If the model cannot be loaded as given; one sentence names the place and the mend.
    """
    if isinstance(module_or_path, Network):
        return module_or_path
    if isinstance(module_or_path, str | os.PathLike):
        return _load_path(Path(module_or_path))
    # A module can only exist once torch is imported; torch is never imported to find out.
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(module_or_path, torch.nn.Module):
        raise InputError(f"cannot load a {type(module_or_path).__name__}; supported: {SUPPORTED}")
    if example_input is None:
        raise InputError(
            "example_input is missing; give one input with a leading batch axis, for example torch.zeros(1, 784)"
        )
    from regionenum.network.torch_load import load_module

    return load_module(module_or_path, example_input)


def _load_path(path: Path) -> Network:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return load_npz(path)
    if suffix in (".pt2", ".onnx"):
        raise InputError(f"`{path}`: {suffix} files are not supported yet; supported: {SUPPORTED}")
    raise InputError(f"`{path}`: unknown kind of file; supported: {SUPPORTED}")
