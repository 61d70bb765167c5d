"""Architectures of a study: their parameters, their sizes, and the modules that torch makes of them."""

import itertools

import numpy as np
import pytest

import regionenum as rn
from regionenum.study.architecture import (
    TOLERANCE,
    Activation,
    Architecture,
    Order,
    blocks,
    fitted,
    n_parameters,
)

IMAGE = (1, 8, 8)

CASES = [
    # by hand: (4 + 1) 16 + (16 + 1) 3
    (Architecture(widths=(16,)), (4,), 3, 131),
    # windows of two leave 8 values: 80 + 9 * 3
    (Architecture(widths=(16,), pool=2), (4,), 3, 107),
    # 4 filters of 9 + 1; an image of 6 x 6, pooled to 3 x 3; 36 values: 40 + 37 * 12 + 13 * 10
    (Architecture((4,), (12,), pool=2), IMAGE, 10, 614),
    # 40, then 2 filters of 4 * 9 + 1 on 6 x 6; an image of 4 x 4: 74 + 33 * 10
    (Architecture((4, 2), ()), IMAGE, 10, 444),
    # a last layer alone: 5 * 3
    (Architecture(), (4,), 3, 15),
    (Architecture((2,), (), kernel=5), IMAGE, 10, 2 * 26 + 33 * 10),
]


@pytest.mark.parametrize(("architecture", "shape", "n_out", "expected"), CASES)
def test_parameters(architecture, shape, n_out, expected):
    assert n_parameters(architecture, shape, n_out) == expected


@pytest.mark.parametrize(("architecture", "shape", "n_out", "expected"), CASES)
@pytest.mark.parametrize("activation", Activation)
def test_modules_have_these_parameters_and_units(architecture, shape, n_out, expected, activation):
    torch = pytest.importorskip("torch")
    from dataclasses import replace

    from regionenum.study.training.modules import make_module

    made = replace(architecture, activation=activation)
    module = make_module(made, shape, n_out).double().eval()
    assert sum(parameter.numel() for parameter in module.parameters()) == expected
    x = torch.randn(5, *shape, dtype=torch.float64)
    assert module(x).shape == (5, n_out)
    network = rn.load(module, torch.zeros(1, *shape))
    np.testing.assert_allclose(network.forward(x.numpy()), module(x).detach().numpy(), rtol=1e-9, atol=1e-12)
    # every block has a layer of units for its activation, and one for its windows where there are any
    pooled = sum(block.pooled != block.after for block in blocks(made, shape, n_out))
    per_block = 0 if activation is Activation.NONE else len(made.sizes)
    assert len(network.unit_layers) == per_block + pooled


def test_the_order_of_activation_and_pooling():
    torch = pytest.importorskip("torch")
    from regionenum.study.training.modules import make_module

    first = make_module(Architecture(widths=(4,), pool=2, order=Order.POOLING), (3,), 2)
    assert [name for name, _ in first.named_children()] == ["linear1", "rows1", "pool1", "flat1", "relu1", "linear2"]
    then = make_module(Architecture(widths=(4,), pool=2), (3,), 2)
    assert [name for name, _ in then.named_children()] == ["linear1", "relu1", "rows1", "pool1", "flat1", "linear2"]
    # neighbouring rows are in one window
    y = torch.tensor([[1.0, 5.0, -3.0, -2.0]])
    assert torch.nn.Sequential(*list(first.children())[1:4])(y).tolist() == [[5.0, -2.0]]


@pytest.mark.parametrize("wanted", [120, 200, 313, 500, 1000])
@pytest.mark.parametrize("weights", [(1,), (1, 1), (2, 1), (1, 2, 3)])
@pytest.mark.parametrize("pool", [1, 2])
def test_sizes_are_scaled_to_the_nearest_count(wanted, weights, pool):
    """Against all sizes near the same shape, tried one by one."""
    found = fitted(Architecture(widths=weights, pool=pool), (4,), 3, wanted)
    assert all(size % pool == 0 for size in found.widths)
    scale = max(size / weight for size, weight in zip(found.widths, weights, strict=True))
    # sizes are one factor, but for one step each
    assert all(weight * scale - size < 2 * pool + 1e-9 for size, weight in zip(found.widths, weights, strict=True))
    best = abs(n_parameters(found, (4,), 3) - wanted)
    assert best <= TOLERANCE * wanted
    # along a factor, all layers at once, nothing is nearer
    for factor in np.arange(0.5, 60.0, 0.01):
        sizes = tuple(max(1, int(weight * factor / pool + 1e-9)) * pool for weight in weights)
        assert abs(n_parameters(Architecture(widths=sizes, pool=pool), (4,), 3) - wanted) >= best


def test_channels_are_scaled_with_widths():
    found = fitted(Architecture((1,), (3,), pool=2), IMAGE, 10, 900)
    count = n_parameters(found, IMAGE, 10)
    near = [
        abs(n_parameters(Architecture((c,), (w,), pool=2), IMAGE, 10) - 900)
        for c, w in itertools.product(range(1, 12), range(1, 40))
        if abs(w / c - 3) < 0.5
    ]
    assert abs(count - 900) <= min(near) + 40
    assert found.channels[0] > 1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: fitted(Architecture(widths=(1, 1)), (4,), 3, 5), r"parameters = 5: .* no nearer than 13"),
        (lambda: fitted(Architecture(), (4,), 3, 100), "cannot be scaled; give one of them"),
        (lambda: n_parameters(Architecture((4,)), (4,), 3), r"inputs of shape \(4,\) are no images"),
        (
            lambda: n_parameters(Architecture((4, 4), kernel=5), IMAGE, 3),
            "an image of 4 x 4 is too small for a kernel of 5",
        ),
        (lambda: n_parameters(Architecture((4,), pool=9), IMAGE, 3), "too small for a kernel of 3 and windows of 9"),
        (lambda: n_parameters(Architecture(widths=(5,), pool=2), (4,), 3), "windows of 2 do not fill a layer of 5"),
    ],
)
def test_what_cannot_be_built_is_refused(build, message):
    with pytest.raises(rn.InputError, match=message):
        build()
