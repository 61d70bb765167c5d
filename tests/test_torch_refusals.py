"""Modules and inputs that are refused, each with its one sentence."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from regionenum.errors import InputError
from regionenum.network.from_torch import operations as torch_ops
from regionenum.network.from_torch.operations import SUPPORTED
from regionenum.network.from_torch.units import fixed
from regionenum.network.load import load
from regionenum.network.units import leaky_relu
from tests.torch_models import (
    Function,
)

ONE = torch.ones(1, 4)
IMAGE = torch.ones(1, 1, 4, 4)
PLAIN = nn.Linear(4, 3).eval()


def poisoned():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    with torch.no_grad():
        model[0].weight[1, 1] = float("nan")
    return model.eval()


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("n", torch.zeros(()))

    def forward(self, x):
        self.n += 1
        return F.relu(x)


REFUSED = {
    "unsupported module": (
        lambda: nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU(), Function(torch.erfinv))), ONE,
        f"`1.1.erfinv` (erfinv) is not supported; supported: {SUPPORTED}",
    ),
    "write through a view": (
        lambda: Function(lambda x: (x.view(-1).relu_(), x)[1]), ONE,
        "`relu_` (relu_) writes in place through a view of the input, which is used again; write it without the "
        "in-place operation",
    ),
    "train mode": (
        lambda: nn.Sequential(nn.Linear(4, 3)).train(), ONE,
        "the module (Sequential) is in train mode; call model.eval() before loading it",
    ),
    "one child in train mode": (
        lambda: nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4).train()), ONE,
        "`1` (BatchNorm1d) is in train mode; call model.eval() before loading it",
    ),
    "dropout always on": (
        lambda: Function(lambda x: F.dropout(x)), ONE,
        "`dropout` (dropout) drops values at random (training=True); call model.eval(), or pass training=self.training",
    ),
    "batch statistics": (
        lambda: nn.BatchNorm2d(1, track_running_stats=False), IMAGE,
        "`batch_norm` (BatchNorm2d) uses the statistics of the batch; call model.eval(), and set "
        "track_running_stats=True",
    ),
    "random numbers": (
        lambda: Function(lambda x: x + torch.rand(4, dtype=x.dtype)), ONE,
        "`rand` (rand) draws random numbers; a network must be a function of its input alone",
    ),
    "stateful": (
        Counter, ONE,
        "`add_` (add_) changes a buffer of the module; the forward pass must leave it as it is",
    ),
    "NaN": (
        poisoned, ONE,
        "parameter `0.weight` contains NaN or an infinite value; retrain the model or mend the value",
    ),
    "complex weights": (
        lambda: nn.Linear(4, 3, dtype=torch.complex64), ONE, "parameter `weight` is complex; supported: real weights",
    ),
    "lazy": (
        lambda: nn.LazyLinear(3), ONE,
        "parameter `weight` has no values yet; run the model once on an input before loading it",
    ),
    "two outputs": (
        lambda: Function(lambda x: (x, x)), ONE, "the module returns a tuple; supported: one output tensor",
    ),
    "constant output": (
        lambda: Function(lambda x: torch.ones(1, 3)), ONE,
        "the module's output does not depend on its input; there is nothing to enumerate",
    ),
    "conversion": (
        lambda: Function(lambda x: F.relu(x).long().double()), ONE,
        "`to` (to) converts to torch.int64, which is not affine; remove the conversion",
    ),
    "window in the padding": (
        lambda: nn.MaxPool1d(2, padding=1, dilation=3), torch.ones(1, 1, 2),
        "`max_pool1d` (MaxPool1d) cannot be used: a pooling window lies entirely in the padding, so its maximum is "
        "minus infinity; choose a smaller padding",
    ),
    "weight from the input": (
        lambda: Function(lambda x: F.linear(torch.ones(2, 4, dtype=x.dtype), x)), ONE,
        "`linear` (linear) has a weight that depends on the input; the weight must be a constant",
    ),
    "no batch axis": (
        lambda: PLAIN, torch.ones(4),
        "example_input has shape (4,) without a batch axis; give example_input.unsqueeze(0)",
    ),
    "scalar": (
        lambda: PLAIN, torch.tensor(1.0),
        "example_input has shape () without a batch axis; give example_input.unsqueeze(0)",
    ),
    "empty": (
        lambda: PLAIN, torch.ones(0, 4), "example_input has shape (0, 4) and no values; give at least one sample",
    ),
    "integers": (
        lambda: PLAIN, torch.ones(1, 4).long(),
        "example_input has dtype torch.int64; give real numbers, for example example_input.float()",
    ),
    "complex input": (
        lambda: PLAIN, torch.ones(1, 4) * 1j,
        "example_input has dtype torch.complex64; give real numbers, for example example_input.float()",
    ),
    "several inputs": (
        lambda: PLAIN, (ONE, ONE),
        "example_input is a tuple; supported: one input tensor with a leading batch axis",
    ),
    "text": (lambda: PLAIN, "x", "example_input is a str; give a tensor or an array"),
    "infinite input": (
        lambda: PLAIN, torch.full((1, 4), torch.inf),
        "example_input contains NaN or an infinite value; give finite numbers",
    ),
    "missing input": (
        lambda: PLAIN, None,
        "example_input is missing; give one input with a leading batch axis, for example torch.zeros(1, 784)",
    ),
    "wrong shape": (
        lambda: PLAIN, torch.ones(1, 5),
        "the module does not run on an example_input of shape (1, 5) in float64 (mat1 and mat2 shapes cannot be "
        "multiplied (1x5 and 4x3)); give one input tensor of the shape it takes, and fix no dtypes in the forward pass",
    ),
    "fixed precision": (
        lambda: Function(lambda m, x: m.fc(x.float()), fc=nn.Linear(4, 3)), ONE,
        "the module does not run on an example_input of shape (1, 4) in float64 (mat1 and mat2 must have the same "
        "dtype, but got Float and Double); give one input tensor of the shape it takes, and fix no dtypes in the "
        "forward pass",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_are_one_exact_sentence(case):
    make, x, sentence = REFUSED[case]
    module = make()
    if "train mode" not in case:
        module.eval()
    elif case != "train mode":
        module.eval()[1].train()
    with pytest.raises(InputError) as caught:
        load(module, x)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (lambda x: x if x.sum() > 0 else -x, "torch.export cannot trace the module (GuardOnDataDependentSymNode: "),
        (lambda x: x * float(x[0, 0]), "torch.export cannot trace the module (GuardOnDataDependentSymNode: "),
        (lambda x: x[x > 0].relu(), "`gt` (gt) is not continuous; use relu, "),
    ],
)
def test_value_dependent_control_flow_is_one_sentence(function, sentence, capfd):
    with pytest.raises(InputError) as caught:
        load(Function(function).eval(), ONE)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_scripted_modules_are_refused():
    with pytest.warns(DeprecationWarning, match="trace"):
        scripted = torch.jit.trace(nn.Linear(4, 3).eval(), ONE)
    with pytest.raises(InputError, match="is a TorchScript module"):
        load(scripted, ONE)


def test_a_module_that_takes_two_inputs_is_refused():
    class Two(nn.Module):
        def forward(self, x, y):
            return x + y

    with pytest.raises(InputError, match=r"missing 1 required positional argument: 'y'"):
        load(Two().eval(), ONE)


def test_a_misread_operation_is_caught_by_the_comparison(monkeypatch):
    monkeypatch.setitem(torch_ops.OPERATIONS, "relu", fixed(leaky_relu(1e-7)))
    with pytest.raises(InputError, match=r"differs from torch's float64 forward pass by .*more than rounding explains"):
        load(nn.Sequential(nn.Linear(4, 3), nn.ReLU()).eval(), ONE)
