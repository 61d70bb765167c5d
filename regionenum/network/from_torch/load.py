"""Load a `torch.nn.Module`: check it, export its graph, lower it, and compare the result with torch itself.

The module is never changed: everything is done on deep copies on the CPU, in eval mode as found, without gradients, and
with the global random state restored.
"""

from __future__ import annotations

import copy
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import torch

from regionenum.errors import InputError, first_line
from regionenum.network.from_torch.file import damages_named, read_archive
from regionenum.network.from_torch.graph import Program
from regionenum.network.from_torch.lower import lower
from regionenum.network.from_torch.verify import LoadReport, compare
from regionenum.network.layers import Network

log = logging.getLogger(__name__)


def load_module(module: torch.nn.Module, example_input: Any) -> Network:
    """The network of a module; see `load_with_report`."""
    return load_with_report(module, example_input)[0]


def load_with_report(module: torch.nn.Module, example_input: Any) -> tuple[Network, LoadReport]:
    """The network that a module computes, and how closely it agrees with torch's own forward pass.

    Weights are converted to float64, which is exact for float32 and the half precisions; consecutive affine operations
    and batch normalisations are folded in float64. The folded network is the object that is enumerated.

    Parameters
    ----------
    module : torch.nn.Module
        In eval mode. One input tensor, one output tensor, and piecewise-affine operations between.
    example_input : tensor or array, (n, *input_shape)
        Real numbers, with a leading batch axis of which only the first sample is used. It fixes the input's shape.

    Returns
    -------
    Network
        With `input_shape` equal to `example_input.shape[1:]`.
    LoadReport
        The largest differences that were seen on the example and on random inputs.

    Raises
    ------
    InputError
        If the module is in train mode, has an operation that is not supported or a weight that is not finite, does not
        accept the example input, or disagrees with the network read from it by more than rounding explains.
    """
    _check_modes(module)
    x = _example(example_input)
    # Random operations are refused later, but tracing one must not advance the caller's random state.
    with torch.no_grad(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # Advice on the speed of torch's convolution, which has no bearing on the network.
        warnings.filterwarnings("ignore", message="Using padding='same' with even kernel lengths", category=UserWarning)
        # Pruning assigns its computed weight; the graph holds the computation, and a module whose answer depends on
        # what an earlier pass assigned does not survive the comparison.
        warnings.filterwarnings(
            "ignore", message="The tensor attributes? .* assigned during export", category=UserWarning
        )
        dtype = _dtype(module, x)
        double, own = _copy(module, torch.float64), _copy(module, dtype)
        network = lower(Program.of_export(_export(double, x.double()), tuple(x.shape[1:])))
        report = compare(network, double, own, x.to(dtype))
    log.info("loaded %d layers from %s: %s", len(network.layers), type(module).__name__, report)
    return network, report


def load_program(path: Path) -> Network:
    """The network of a program that `torch.export.save` wrote, in float64; nothing in the file is run but tensors.

    The batch axis is taken with one sample.

    Raises
    ------
    InputError
        If the file cannot be read, or the program cannot be loaded for the reasons that a module cannot.
    """
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            with damages_named():
                archive = read_archive(path)
                double, own = (archive.program(dtype) for dtype in (torch.float64, archive.dtype))
                x = torch.zeros(1, *double.input_shape, dtype=archive.dtype)
                own(x)
            network = lower(double)
            report = compare(network, double, own, x)
    except InputError as error:
        raise InputError(f"`{path}`: {error}") from error
    log.info("loaded %d layers from %s: %s", len(network.layers), path, report)
    return network


def _check_modes(module: torch.nn.Module) -> None:
    if isinstance(module, torch.jit.ScriptModule):
        raise InputError("the module is a TorchScript module, which cannot be traced; load the nn.Module it came from")
    sensitive = (torch.nn.modules.batchnorm._NormBase, torch.nn.modules.dropout._DropoutNd)
    for path, child in module.named_modules():
        if child.training and (path == "" or isinstance(child, sensitive)):
            what = f"`{path}` ({type(child).__name__})" if path else f"the module ({type(child).__name__})"
            raise InputError(f"{what} is in train mode; call model.eval() before loading it")
    for path, parameter in module.named_parameters():
        if torch.nn.parameter.is_lazy(parameter):
            raise InputError(f"parameter `{path}` has no values yet; run the model once on an input before loading it")
        if parameter.is_complex():
            raise InputError(f"parameter `{path}` is complex; supported: real weights")


def _example(example_input: Any) -> torch.Tensor:
    """The first sample of the example input, (1, *input_shape)."""
    if isinstance(example_input, tuple | list | dict):
        raise InputError(
            f"example_input is a {type(example_input).__name__}; supported: one input tensor with a leading batch axis"
        )
    try:
        # A copy: a module that begins in place would write into the caller's tensor.
        x = torch.as_tensor(example_input).detach().to("cpu", copy=True)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"example_input is a {type(example_input).__name__}; give a tensor or an array") from error
    if not x.is_floating_point():
        raise InputError(f"example_input has dtype {x.dtype}; give real numbers, for example example_input.float()")
    if x.ndim < 2:
        raise InputError(
            f"example_input has shape {tuple(x.shape)} without a batch axis; give example_input.unsqueeze(0)"
        )
    if x.numel() == 0:
        raise InputError(f"example_input has shape {tuple(x.shape)} and no values; give at least one sample")
    x = x[:1]
    if not torch.isfinite(x).all():
        raise InputError("example_input contains NaN or an infinite value; give finite numbers")
    return x


def _dtype(module: torch.nn.Module, x: torch.Tensor) -> torch.dtype:
    """The precision the module computes in: that of its first floating-point parameter or buffer."""
    tensors = [*module.parameters(), *module.buffers()]
    return next((t.dtype for t in tensors if t.is_floating_point()), x.dtype)


def _copy(module: torch.nn.Module, dtype: torch.dtype) -> torch.nn.Module:
    # Pruning and the older weight normalisation keep the weight they compute before each forward pass as an attribute
    # with a gradient history, which deepcopy refuses to copy; hand it plain copies of these.
    computed = (t for child in module.modules() for t in vars(child).values() if isinstance(t, torch.Tensor))
    memo: dict[int, Any] = {id(t): t.detach().clone() for t in computed if not t.is_leaf}
    try:
        return copy.deepcopy(module, memo).to("cpu", dtype)
    except (RuntimeError, TypeError, NotImplementedError, AttributeError) as error:
        raise InputError(
            f"the module cannot be copied to the CPU as {dtype} ({first_line(error)}); regionenum loads a copy of it"
        ) from error


def _export(module: torch.nn.Module, x: torch.Tensor) -> Any:
    """The module's graph of ATen operations, not decomposed, so that each layer is one node."""
    # A plain run first: torch's message about a wrong shape is clearer here than inside the exporter.
    try:
        y = module(x.clone())
    except Exception as error:
        raise InputError(
            f"the module does not run on an example_input of shape {tuple(x.shape)} in float64 ({first_line(error)}); "
            "give one input tensor of the shape it takes, and fix no dtypes in the forward pass"
        ) from error
    if not isinstance(y, torch.Tensor):
        raise InputError(f"the module returns a {type(y).__name__}; supported: one output tensor")
    try:
        with _without_dumps():
            return torch.export.export(module, (x,), strict=False)
    except Exception as error:
        raise InputError(
            f"torch.export cannot trace the module ({type(error).__name__}: {first_line(error)}); "
            "the forward pass must be a fixed sequence of tensor operations that does not depend on values"
        ) from error


@contextmanager
def _without_dumps() -> Iterator[None]:
    """Keep the exporter from printing its partial graph to stderr when it fails: the error says what matters.

    What the module itself prints there is not lost, because it was run once before.
    """
    logger = logging.getLogger("torch.fx.experimental.symbolic_shapes")
    disabled, logger.disabled = logger.disabled, True
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.disabled = disabled
