"""Load a network from a function that makes the module, and a file with its weights."""

from __future__ import annotations

import importlib
import os
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from regionenum.errors import InputError
from regionenum.network.from_torch.load import load_module
from regionenum.network.layers import Network

EXAMPLE = "my_package.models:make_model"


def load_factory(spec: str, state: Path | None, input_shape: tuple[int, ...]) -> Network:
    """The network of a module that a function makes.

    Parameters
    ----------
    spec : "package.module:function"
        The function is called without arguments, with the random seed 0, and gives a `torch.nn.Module`, which is put in
        eval mode. Modules are looked for where Python looks for them, and in the current folder.
    state : path of a state_dict, or None
        Read with `torch.load(weights_only=True)`; its keys must be exactly those of the module.
    input_shape : shape of one input, without the batch axis

    Raises
    ------
    InputError
        If any of this fails, or the module cannot be loaded.
    """
    if not input_shape or any(size < 1 for size in input_shape):
        raise InputError(f"input_shape is {input_shape}; give the positive sizes of one input, for example (1, 28, 28)")
    make = _function(spec)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            module = make()
        except Exception as error:
            raise InputError(
                f"`{spec}` fails when it is called without arguments ({_one_line(error)}); mend the function"
            ) from error
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"`{spec}` gives a {type(module).__name__}; it must return a torch.nn.Module")
    if state is not None:
        _load_state(module, Path(state))
    return load_module(module.eval(), torch.zeros(1, *input_shape))


def _function(spec: str) -> Callable[[], Any]:
    match = re.fullmatch(r"(\w+(?:\.\w+)*):(\w+)", spec)
    if match is None:
        raise InputError(f"`{spec}` is not of the form package.module:function; write for example `{EXAMPLE}`")
    module_name, name = match.groups()
    try:
        with _current_folder():
            module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise InputError(
            f"`{spec}` cannot be imported ({_one_line(error)}); install it, or start in the folder that holds it"
        ) from error
    except Exception as error:
        raise InputError(
            f"`{spec}` cannot be imported ({type(error).__name__}: {_one_line(error)}); mend the module"
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        what = "has no such function" if function is None else f"is a {type(function).__name__}, no function"
        raise InputError(f"`{spec}` {what}; give the name of a function in `{module_name}` that makes the module")
    made: Callable[[], Any] = function
    return made


@contextmanager
def _current_folder() -> Iterator[None]:
    """Look for modules in the current folder as well, after all other places."""
    folder = os.getcwd()
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _load_state(module: torch.nn.Module, path: Path) -> None:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"`{path}` cannot be read ({error.strerror or error}); give a file of torch.save") from error
    except pickle.UnpicklingError as error:
        raise InputError(
            f"`{path}` holds more than tensors, which could run code, or is no file of torch.save; write it with "
            "torch.save(model.state_dict(), path)"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"`{path}` is no file of torch.save, or is damaged ({_one_line(error)}); write it again"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InputError(f"`{path}` holds no state_dict of tensors; write it with torch.save(model.state_dict(), path)")
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise InputError(
            f"`{path}` does not fit the module ({_one_line(error)}); give the state_dict of the same architecture"
        ) from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300].rstrip(" .:") or type(error).__name__
