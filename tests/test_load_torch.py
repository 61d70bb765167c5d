"""Loading torch modules: every supported option against torch, the structure of the layers, and the refusals."""

import subprocess
import sys
from copy import deepcopy
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("torch")

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.nn.utils import prune

from regionenum.errors import InputError
from regionenum.network.from_torch import operations as torch_ops
from regionenum.network.from_torch.load import load_with_report
from regionenum.network.from_torch.operations import SUPPORTED
from regionenum.network.from_torch.units import fixed
from regionenum.network.load import SUPPORTED as KINDS
from regionenum.network.load import load
from regionenum.network.storage import save_npz
from regionenum.network.units import MAXIMUM, RELU, leaky_relu

# Tiny convolutions on several threads spend their time waiting for each other on a busy machine.
torch.set_num_threads(1)


class Function(nn.Module):
    """A module whose forward pass is a given function of the input."""

    def __init__(self, function, **children):
        super().__init__()
        self.function = function
        for name, child in children.items():
            setattr(self, name, child)

    def forward(self, x):
        return self.function(self, x) if self._modules else self.function(x)


def points(shape, n=40, seed=0):
    """Random points of several scales and small integer points, where ties and zeros happen."""
    g = torch.Generator().manual_seed(seed)
    normal = torch.randn((n, *shape), generator=g, dtype=torch.float64)
    scale = 10.0 ** torch.randint(-2, 3, (n, *[1] * len(shape)), generator=g)
    return torch.cat([normal * scale, torch.randint(-2, 3, (n, *shape), generator=g).double()])


def torch_outputs(module, x):
    double = deepcopy(module).double()
    with torch.no_grad():
        return np.stack([double(point[None].clone()).reshape(-1).numpy() for point in x])


def loaded(module, shape):
    """Load an eval-mode module and compare it with torch at many points."""
    module = module.eval()
    network = load(module, torch.ones(2, *shape))
    assert network.input_shape == tuple(shape)
    x = points(shape)
    theirs = torch_outputs(module, x)
    np.testing.assert_allclose(network.forward(x.numpy()), theirs, rtol=1e-10, atol=1e-10)
    return network


def batch_norm(module, seed=1):
    """Give a normalisation statistics and weights unlike the initial ones."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        module.running_mean.copy_(torch.randn(module.num_features, generator=g))
        module.running_var.copy_(torch.rand(module.num_features, generator=g) + 0.1)
        if module.affine:
            module.weight.copy_(torch.randn(module.num_features, generator=g))
            module.bias.copy_(torch.randn(module.num_features, generator=g))
    return module


def weight_of(network):
    (layer,) = network.layers
    assert layer.units.is_identity
    return layer.weight if isinstance(layer.weight, np.ndarray) else layer.weight.toarray()


# Affine modules -------------------------------------------------------------------------------------------------------

CONVOLUTIONS = [
    *({"stride": s, "padding": p, "dilation": d} for s, p, d in product((1, 2), (0, 2), (1, 2))),
    *({"padding": "same", "dilation": d, "kernel_size": k} for d, k in product((1, 2), (2, 3))),
    {"padding": "valid", "stride": 2},
    {"groups": 2},
    {"groups": 2, "stride": 2, "padding": 1, "bias": False},
    *({"padding": 1, "padding_mode": mode} for mode in ("reflect", "replicate", "circular")),
]


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_convolution_is_its_matrix_bit_for_bit(dim, options):
    conv = (nn.Conv1d, nn.Conv2d)[dim - 1](4, 6, **({"kernel_size": 3} | options))
    shape = (4, 6, 5)[: dim + 1]
    weight = weight_of(loaded(conv, shape))
    if "padding_mode" not in options:  # other paddings add weights where pixels coincide
        basis = torch.eye(int(np.prod(shape)), dtype=torch.float64).reshape(-1, *shape)
        double = deepcopy(conv).double()
        if double.bias is not None:
            nn.init.zeros_(double.bias)
        with torch.no_grad():
            columns = double(basis).reshape(len(basis), -1).numpy()
        np.testing.assert_array_equal(weight, columns.T)


@pytest.mark.parametrize("options", [{"kernel_size": (3, 2), "stride": (1, 2), "padding": (0, 1), "dilation": (2, 1)}])
def test_options_may_differ_by_axis(options):
    loaded(nn.Conv2d(2, 3, **options), (2, 6, 5))
    loaded(nn.MaxPool2d(**options), (2, 6, 5))
    loaded(nn.AvgPool2d(**{k: v for k, v in options.items() if k != "dilation"}), (2, 6, 5))


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize(
    ("ceil_mode", "padding", "count", "stride"), list(product((False, True), (0, 1), (False, True), (None, 1, 3)))
)
def test_average_pooling(dim, ceil_mode, padding, count, stride):
    pool = (nn.AvgPool1d, nn.AvgPool2d)[dim - 1](3, stride, padding, ceil_mode, count)
    network = loaded(pool, (2, 7, 6)[: dim + 1])
    assert not network.unit_layers


def test_average_pooling_with_a_given_divisor():
    loaded(nn.AvgPool2d(2, divisor_override=3, ceil_mode=True, padding=1), (2, 5, 5))


AFFINE = {
    "linear": (lambda: nn.Linear(5, 3), (5,)),
    "linear without bias": (lambda: nn.Linear(5, 3, bias=False), (5,)),
    "linear on the last axis": (lambda: nn.Linear(5, 3), (2, 3, 5)),
    "batch norm 1d": (lambda: batch_norm(nn.BatchNorm1d(4)), (4,)),
    "batch norm 1d on sequences": (lambda: batch_norm(nn.BatchNorm1d(4)), (4, 3)),
    "batch norm 2d": (lambda: batch_norm(nn.BatchNorm2d(3)), (3, 2, 2)),
    "batch norm without affine": (lambda: batch_norm(nn.BatchNorm2d(3, affine=False, eps=0.1)), (3, 2, 2)),
    "weight norm": (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)), (4,)),
    "F.linear": (lambda: Function(lambda m, x: F.linear(x, m.fc.weight, m.fc.bias), fc=nn.Linear(4, 3)), (4,)),
    "F.conv1d": (lambda: Function(lambda m, x: F.conv1d(x, m.c.weight, padding=1), c=nn.Conv1d(2, 3, 2)), (2, 5)),
    "matmul": (lambda: Function(lambda m, x: x @ m.fc.weight.T + m.fc.bias, fc=nn.Linear(4, 3)), (4,)),
    "normalised input": (lambda: Function(lambda x: (x - x.new_tensor([0.5, 1.0])) / 4), (3, 2)),
    "constant minus input": (lambda: Function(lambda x: 1 - x * 2), (3,)),
    "negation, scaled sum": (lambda: Function(lambda x: torch.add(x.new_tensor([2.0]), -x, alpha=3)), (3,)),
    "convolution on a second batch axis": (
        lambda: Function(
            lambda m, x: m.b(m.c(x.reshape(-1, 1, 3, 3))), c=nn.Conv2d(1, 2, 2), b=batch_norm(nn.BatchNorm2d(2))
        ),
        (18,),
    ),
    "linear after linear": (lambda: nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3)), (4,)),
    "convolution, flatten, linear": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(8, 2)),
        (1, 3, 3),
    ),
}


@pytest.mark.parametrize("case", AFFINE)
def test_affine_modules_become_one_layer_without_units(case):
    make, shape = AFFINE[case]
    network = loaded(make(), shape)
    assert len(network.layers) == 1
    assert network.unit_layers == ()


def old_weight_norm():
    with pytest.warns(FutureWarning, match="weight_norm"):
        return nn.utils.weight_norm(nn.Linear(4, 3))


@pytest.mark.parametrize("make", [old_weight_norm, lambda: prune.l1_unstructured(nn.Linear(4, 3), "weight", 0.5)])
def test_weights_that_are_computed_before_each_pass(make):
    module = make().eval()
    network = load(module, torch.ones(1, 4))
    x = points((4,))
    with torch.no_grad():
        np.testing.assert_allclose(network.forward(x.numpy()), module.double()(x).numpy(), rtol=1e-10, atol=1e-10)


MOVEMENT = {
    "Flatten": nn.Flatten(),
    "Unflatten": nn.Unflatten(1, (1, 2)),
    "Identity": nn.Identity(),
    "Dropout": nn.Dropout(0.9),
    "Dropout2d": nn.Dropout2d(0.9),
    "ZeroPad2d": nn.ZeroPad2d((1, 0, 2, -1)),
    "ConstantPad2d": nn.ConstantPad2d(1, 3.5),
    "reflection": nn.ReflectionPad2d(1),
    "replication": nn.ReplicationPad2d(1),
    "view": Function(lambda x: x.view(x.shape[0], -1)),
    "reshape": Function(lambda x: x.reshape(1, 3, 8)),
    "squeeze": Function(lambda x: x[:, :1].squeeze(1).unsqueeze(-1).squeeze()),
    "permute": Function(lambda x: x.permute(0, 3, 1, 2).contiguous()),
    "transpose": Function(lambda x: x.transpose(1, -1).flatten(2)),
    "slice": Function(lambda x: x[:, 1, ::2, 1:].flip(-1)),
    "narrow": Function(lambda x: torch.narrow(x, 2, 1, 2).clone()),
    "expand": Function(lambda x: x[:, :1].expand(-1, 4, -1, -1).repeat(1, 1, 2, 1)),
    "dropout": Function(lambda x: F.dropout(x, 0.5, training=False).double()),
}


@pytest.mark.parametrize("case", MOVEMENT)
def test_movement_is_exact(case):
    module = MOVEMENT[case].eval()
    network = load(module, torch.ones(1, 2, 3, 4, dtype=torch.float64))
    x = points((2, 3, 4))
    np.testing.assert_array_equal(network.forward(x.numpy()), torch_outputs(module, x))
    assert network.unit_layers == ()
    if case in ("Flatten", "Identity", "Dropout", "Dropout2d", "view", "reshape", "dropout", "Unflatten"):
        assert network.layers == ()


# Units ----------------------------------------------------------------------------------------------------------------

POINTWISE = {
    "ReLU": (nn.ReLU(), RELU),
    "ReLU in place": (nn.ReLU(inplace=True), RELU),
    "LeakyReLU": (nn.LeakyReLU(0.25), leaky_relu(0.25)),
    "LeakyReLU, negative slope": (nn.LeakyReLU(-2.0), leaky_relu(-2.0)),
    "LeakyReLU, slope 0": (nn.LeakyReLU(0.0), RELU),
    "F.relu": (Function(F.relu), RELU),
    "torch.relu": (Function(torch.relu), RELU),
    "x.relu()": (Function(lambda x: x.relu()), RELU),
    "x.relu_()": (Function(lambda x: x.relu_()), RELU),
    "F.leaky_relu": (Function(lambda x: F.leaky_relu(x, 0.5)), leaky_relu(0.5)),
    "F.leaky_relu in place": (Function(lambda x: F.leaky_relu_(x, 0.5)), leaky_relu(0.5)),
}


@pytest.mark.parametrize("case", POINTWISE)
def test_pointwise_units(case):
    unit, function = POINTWISE[case]
    linear = nn.Linear(4, 3)
    network = loaded(nn.Sequential(linear, unit), (4,))
    (layer,) = network.layers
    assert layer.units.functions == (function,)
    np.testing.assert_array_equal(layer.weight, linear.weight.detach().double().numpy())
    np.testing.assert_array_equal(layer.bias, linear.bias.detach().double().numpy())


def test_leaky_relu_of_slope_one_is_affine():
    network = loaded(nn.Sequential(nn.Linear(4, 3), nn.LeakyReLU(1.0), nn.Linear(3, 2)), (4,))
    assert [layer.name for layer in network.layers] == ["2"]


POOLINGS = [
    {"kernel_size": k, "stride": s, "padding": p, "dilation": d, "ceil_mode": c}
    for k, s, p, d, c in product((1, 2, 3), (None, 1, 3), (0, 1), (1, 2), (False, True))
    if p <= k // 2
]


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("options", POOLINGS, ids=str)
def test_max_pooling(dim, options):
    shape = (2, 7, 6)[: dim + 1]
    function = (F.max_pool1d, F.max_pool2d)[dim - 1]
    network = loaded((nn.MaxPool1d, nn.MaxPool2d)[dim - 1](**options), shape)
    (layer,) = network.layers
    units = layer.units
    np.testing.assert_array_equal(units.function_of, MAXIMUM)
    n_in = int(np.prod(shape))
    np.testing.assert_array_equal(layer.weight.toarray(), np.eye(n_in))

    # A pixel is a candidate of the windows whose maximum it alone raises.
    raised = function(torch.eye(n_in).reshape(-1, *shape) - 1.0, **options).reshape(n_in, -1) == 0.0
    for unit, column in enumerate(raised.T):
        group = units.rows[units.indptr[unit] : units.indptr[unit + 1]]
        np.testing.assert_array_equal(group, np.flatnonzero(column.numpy()))

    # On an image without ties the piece is torch's winner.
    image = torch.randperm(n_in, generator=torch.Generator().manual_seed(0)).double().reshape(1, *shape)
    _, winners = function(image, **options, return_indices=True)
    plane = np.arange(shape[0]).reshape(-1, *[1] * dim) * (n_in // shape[0])
    ours = units.rows[units.indptr[:-1] + network.pattern(image.numpy())[0]]
    np.testing.assert_array_equal(ours, (winners[0].numpy() + plane).reshape(-1))


def test_max_pooling_after_relu_has_identity_weight():
    network = loaded(nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), (1, 4, 4))
    relu, pool = network.layers
    assert (relu.name, pool.name) == ("0", "1")
    np.testing.assert_array_equal(pool.weight.toarray(), np.eye(16))
    np.testing.assert_array_equal(pool.units.rows.reshape(4, 4)[0], [0, 1, 4, 5])


# Whole models ---------------------------------------------------------------------------------------------------------


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1, bias=False),
            batch_norm(nn.BatchNorm2d(3)),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )
        self.block = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 2), nn.LeakyReLU(0.1)), nn.AvgPool2d(2), nn.Dropout())
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = torch.flatten(self.block(self.features(x)), 1)
        x = F.relu(x)
        return self.head(F.max_pool1d(x.unsqueeze(1), 1).squeeze(1))


def test_names_of_a_nested_model():
    network = loaded(Cnn(), (1, 6, 6))
    assert [layer.name for layer in network.layers] == [
        "features.2", "features.3", "block.0.1", "relu", "max_pool1d", "head",
    ]  # fmt: skip
    assert network.layers[-1].units.is_identity


def test_functions_in_a_submodule_carry_its_path():
    network = loaded(nn.Sequential(Function(F.relu), nn.Linear(3, 3), Function(F.relu)), (3,))
    assert [layer.name for layer in network.layers] == ["0.relu", "2.relu_1"]


def test_shared_modules_form_a_chain_with_distinct_names():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.act = nn.Linear(3, 3), nn.ReLU()

        def forward(self, x):
            for _ in range(3):
                x = self.act(self.fc(x))
            return x

    network = loaded(Shared(), (3,))
    assert len({layer.name for layer in network.layers}) == 3
    np.testing.assert_array_equal(network.layers[0].weight, network.layers[2].weight)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_precision_is_read_exactly(dtype):
    model = Cnn().to(dtype).eval()
    network, report = load_with_report(model, torch.ones(1, 1, 6, 6))
    assert report.dtype == str(dtype).removeprefix("torch.")
    assert report.difference < 1e-10
    x = points((1, 6, 6))
    np.testing.assert_allclose(network.forward(x.numpy()), torch_outputs(model, x), rtol=1e-10, atol=1e-10)


def test_density_decides_the_storage():
    dense = nn.Linear(10, 10)
    sparse = nn.Linear(10, 10)
    with torch.no_grad():
        sparse.weight[:, 2:] = 0.0
    network = loaded(nn.Sequential(dense, nn.ReLU(), sparse), (10,))
    assert isinstance(network.layers[0].weight, np.ndarray)
    assert isinstance(network.layers[1].weight, sp.csr_array)
    assert network.layers[1].weight.nnz == 20


def test_a_large_convolutional_network_loads_in_memory_of_its_connections():
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()
    )
    network = load(model.eval(), torch.ones(1, 1, 112, 112))
    assert sum(layer.n_out for layer in network.layers) > 100_000
    assert [sp.csr_array(layer.weight).nnz for layer in network.layers] == [
        8 * 334**2,
        8 * 112**2,
        64 * 166**2,
    ]


def test_the_caller_s_module_input_and_random_state_are_left_alone():
    model = nn.Sequential(nn.ReLU(inplace=True), batch_norm(nn.BatchNorm1d(3)), nn.Dropout(), nn.Linear(3, 2)).eval()
    before = deepcopy(model.state_dict())
    x = torch.tensor([[-1.0, 2.0, -3.0]], dtype=torch.float64)
    state = torch.get_rng_state()
    load(model, x)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(x, torch.tensor([[-1.0, 2.0, -3.0]], dtype=torch.float64))
    assert not any(module.training for module in model.modules())
    for name, value in model.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name])


def test_example_input_may_be_an_array_and_only_its_first_sample_counts():
    model = nn.Linear(3, 2).eval()
    assert load(model, np.ones((5, 3))).hash == load(model, torch.zeros(1, 3)).hash


# Refusals -------------------------------------------------------------------------------------------------------------

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


# The door -------------------------------------------------------------------------------------------------------------


def test_load_paths(tmp_path):
    network = load(PLAIN, ONE)
    assert load(network) is network
    save_npz(network, tmp_path / "net.npz")
    assert load(tmp_path / "net.npz").hash == network.hash
    assert load(str(tmp_path / "net.npz")).hash == network.hash
    with pytest.raises(InputError) as caught:
        load("model.xyz")
    assert str(caught.value) == f"`model.xyz`: unknown kind of file; supported: {KINDS}"
    with pytest.raises(InputError) as caught:
        load(lambda x: x)
    assert str(caught.value) == f"cannot load a function; supported: {KINDS}"
    with pytest.raises(InputError) as caught:
        load("missing.npz")
    assert (
        str(caught.value) == "`missing.npz` cannot be read (No such file or directory); give the path of a network file"
    )


def test_torch_is_not_imported_until_a_module_is_loaded():
    code = "import sys, regionenum.network.load as d; d.load(d.Network((), (2,))); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
