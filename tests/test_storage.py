"""Saving and loading networks: round trips, and files that are missing, foreign, damaged or changed."""

import io
import json
import os

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from regionenum.errors import InputError
from regionenum.network import storage
from regionenum.network.layers import Layer, Network
from regionenum.network.storage import load_npz, save_npz
from regionenum.network.units import RELU, PiecewiseLinear, Units, leaky_relu

CLIP = PiecewiseLinear((-1 / 3, 1.0), (0.0, 1.0, 0.0), (-1 / 3, 0.0, 1.0))


def example():
    """Dense and sparse weights, pointwise units and maxima, names that are not plain, an output without units."""
    rng = np.random.default_rng(0)
    mixed = Units(
        (RELU, CLIP, leaky_relu(0.1)), np.array([0, -1, 1, 2]), np.array([0, 1, 3, 4, 5]), np.array([0, 1, 2, 3, 0])
    )
    return Network(
        (
            Layer("features.0 é\n\0", rng.standard_normal((4, 6)), rng.standard_normal(4), mixed),
            Layer("pool", sp.eye_array(4, format="csr"), np.zeros(4), Units.maxima([[0, 1], [3, 2]])),
            Layer("head", rng.standard_normal((3, 2)) * 1e-300, np.full(3, -0.0), Units.identity(3)),
        ),
        (2, 3),
    )


def assert_equal(a, b):
    assert a.hash == b.hash
    assert a.input_shape == b.input_shape
    for ours, theirs in zip(a.layers, b.layers, strict=True):
        assert ours.name == theirs.name
        assert type(ours.weight) is type(theirs.weight)
        assert ours.units.functions == theirs.units.functions
        for part in ("function_of", "indptr", "rows"):
            np.testing.assert_array_equal(getattr(ours.units, part), getattr(theirs.units, part))
    x = np.random.default_rng(1).standard_normal((20, a.n_in))
    np.testing.assert_array_equal(a.forward(x), b.forward(x))
    np.testing.assert_array_equal(a.pattern(x), b.pattern(x))


@pytest.mark.parametrize("network", [example(), Network((), (3,))], ids=["layers", "empty"])
@pytest.mark.parametrize("name", ["net.npz", "net", "net.weights"])
def test_round_trip_at_the_path_as_given(tmp_path, network, name):
    save_npz(network, tmp_path / name)
    assert os.listdir(tmp_path) == [name]
    assert_equal(load_npz(str(tmp_path / name)), network)


def test_saving_replaces_and_failing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "net.npz"
    path.write_bytes(b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(InputError) as caught:
            save_npz(example(), path)
    assert str(caught.value) == (
        f"`{path}` cannot be written (No space left on device); choose a writable file in an existing folder"
    )
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["net.npz"]
    save_npz(example(), path)
    assert_equal(load_npz(path), example())


def test_saving_into_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match=r"nowhere/net.npz` cannot be written \(No such file or directory\); choose"):
        save_npz(example(), tmp_path / "nowhere" / "net.npz")


def sentence(path):
    with pytest.raises(InputError) as caught:
        load_npz(path)
    return str(caught.value)


FOREIGN = "is not a network file; write one with save_npz(network, path)"
DAMAGED = "is damaged or incomplete; write it again with save_npz(network, path)"


def test_missing_file_and_folder(tmp_path):
    path = tmp_path / "net.npz"
    assert sentence(path) == f"`{path}` cannot be read (No such file or directory); give the path of a network file"
    assert sentence(tmp_path) == f"`{tmp_path}` cannot be read (Is a directory); give the path of a network file"


def plain_array():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def test_foreign_files(tmp_path):
    path = tmp_path / "net.npz"
    for write in (
        lambda: path.write_bytes(b""),
        lambda: path.write_bytes(b"hello"),
        lambda: path.write_bytes(plain_array()),
        lambda: np.savez(path, weight=np.zeros(3)),
        lambda: np.savez(path, header=np.zeros(3)),
        lambda: np.savez(path, header=np.frombuffer(b'{"format": "other", "version": 1}', np.uint8)),
    ):
        write()
        assert sentence(path) == f"`{path}` {FOREIGN}"


def test_pickles_are_not_read(tmp_path):
    path = tmp_path / "net.npz"
    np.savez(path, header=np.array([{"format": storage.FORMAT}], object))
    assert sentence(path) == f"`{path}` {DAMAGED}"


def test_every_truncation_is_damage(tmp_path):
    path = tmp_path / "net.npz"
    save_npz(example(), path)
    content = path.read_bytes()
    for length in [*range(2, 200), *range(200, len(content), 37), len(content) - 1]:
        path.write_bytes(content[:length])
        assert sentence(path) == f"`{path}` {DAMAGED}"


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_changed_byte_is_found_or_harmless(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "flipped.npz"
    save_npz(example(), path)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    refused = None
    try:
        network = load_npz(path)
    except InputError as error:
        refused = str(error)
    if refused is None:
        assert_equal(network, example())
    else:
        assert refused.startswith(f"`{path}` ")
        assert "\n" not in refused


def rewritten(path, **changes):
    """Save the example with parts replaced; a change of None drops the part."""
    save_npz(example(), path)
    with np.load(path) as stored:
        arrays = dict(stored)
    header = json.loads(arrays["header"].tobytes())
    header |= changes.pop("header", {})
    arrays |= {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)} | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize(
    "changes",
    [
        {"0.bias": None},
        {"0.weight": None},
        {"0.bias": np.zeros(3)},
        {"0.bias": np.full(4, np.nan)},
        {"0.weight": np.zeros((4, 6), np.float32)},
        {"1.indices": np.full(4, 99)},
        {"0.units.rows": np.full(5, 77)},
        {"0.units.function_of": np.full(4, 9)},
        {"header": {"layers": None}},
        {"header": {"input_shape": [7]}},
        {"header": {"input_shape": "six"}},
    ],
    ids=str,
)
def test_inconsistent_parts_are_damage(tmp_path, changes):
    path = tmp_path / "net.npz"
    rewritten(path, **changes)
    assert sentence(path) == f"`{path}` {DAMAGED}"


def test_changed_content_does_not_match_its_hash(tmp_path):
    path = tmp_path / "net.npz"
    rewritten(path, **{"0.bias": np.ones(4)})
    assert sentence(path) == (f"`{path}` does not match its content hash; it was changed after writing, write it again")


def test_a_newer_version_is_named(tmp_path):
    path = tmp_path / "net.npz"
    rewritten(path, header={"version": 2})
    assert sentence(path) == f"`{path}` has format version 2, this program reads 1; use the regionenum that wrote it"
