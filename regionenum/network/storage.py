"""A network as one .npz file: a JSON header and plain arrays, no pickles.

The header holds format, version, content hash, input shape, and each layer's name and piecewise-linear functions.
Arrays are named "layer.part". A weight is one array if dense, three (data, indices, indptr) if CSR. Filters of layers and
notes of the network are kept where there are any; they are no part of the hash.
"""

from __future__ import annotations

import json
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from regionenum.errors import InputError
from regionenum.files import write_atomically
from regionenum.network.filters import Filter
from regionenum.network.layers import Layer, Network
from regionenum.network.units import PiecewiseLinear, Units

FORMAT = "regionenum network"
VERSION = 1

# All that numpy, zipfile and json raise on bytes that are not what they expect.
_DAMAGE = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError),
    *(RuntimeError, MemoryError, SyntaxError, struct.error, zipfile.BadZipFile, zlib.error),
)


def save_npz(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a network to `path`, exactly as named, by way of a temporary file beside it.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    path = Path(path)
    arrays = _arrays(network)
    try:
        # an open file, because numpy would append ".npz" to a name
        write_atomically(path, lambda file: np.savez(file, allow_pickle=False, **arrays))
    except OSError as error:
        raise InputError(
            f"`{path}` cannot be written ({error.strerror}); choose a writable file in an existing folder"
        ) from error


def load_npz(path: str | os.PathLike[str]) -> Network:
    """Read a network that `save_npz` wrote.

    Raises
    ------
    InputError
        If the file is missing, foreign, damaged, of a newer version, or its content does not match its hash.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            arrays = _read(path, file)
    except OSError as error:
        raise InputError(f"`{path}` cannot be read ({error.strerror}); give the path of a network file") from error
    if "header" not in arrays:
        raise _foreign(path)
    try:
        header = json.loads(arrays["header"].tobytes())
        kind, version = header["format"], header["version"]
    except _DAMAGE as error:
        raise _foreign(path) from error
    if kind != FORMAT:
        raise _foreign(path)
    if version != VERSION:
        raise InputError(
            f"`{path}` has format version {version}, this program reads {VERSION}; use the regionenum that wrote it"
        )
    try:
        network = _network(header, arrays)
        unchanged = network.hash == header["hash"]
    except _DAMAGE as error:
        raise _damaged(path) from error
    if not unchanged:
        raise InputError(f"`{path}` does not match its content hash; it was changed after writing, write it again")
    return network


def _read(path: Path, file: Any) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(file):
        # A truncated archive has lost its table of contents, but still begins like one.
        file.seek(0)
        raise _damaged(path) if file.read(2) == b"PK" else _foreign(path)
    file.seek(0)
    try:
        with np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except _DAMAGE as error:
        raise _damaged(path) from error


def _foreign(path: Path) -> InputError:
    return InputError(f"`{path}` is not a network file; write one with save_npz(network, path)")


def _damaged(path: Path) -> InputError:
    return InputError(f"`{path}` is damaged or incomplete; write it again with save_npz(network, path)")


def _arrays(network: Network) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    layers = []
    for k, layer in enumerate(network.layers):
        functions = [[f.breakpoints, f.slopes, f.intercepts] for f in layer.units.functions]
        entry: dict[str, Any] = {"name": layer.name, "shape": [layer.n_rows, layer.n_in], "functions": functions}
        if layer.filter is not None:
            entry["stride"] = list(layer.filter.stride)
            arrays[f"{k}.filter"] = layer.filter.weight
        layers.append(entry)
        if isinstance(layer.weight, sp.csr_array):
            parts = {part: getattr(layer.weight, part) for part in ("data", "indices", "indptr")}
        else:
            parts = {"weight": layer.weight}
        units = {f"units.{part}": getattr(layer.units, part) for part in ("function_of", "indptr", "rows")}
        arrays |= {f"{k}.{part}": array for part, array in (parts | {"bias": layer.bias} | units).items()}
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "hash": network.hash,
        "input_shape": list(network.input_shape),
        "layers": layers,
    }
    if network.notes:
        header["notes"] = list(network.notes)
    return {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)} | arrays


def _network(header: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> Network:
    layers = []
    for k, entry in enumerate(header["layers"]):
        if f"{k}.weight" in arrays:
            weight = arrays[f"{k}.weight"]
        else:
            parts = tuple(arrays[f"{k}.{part}"] for part in ("data", "indices", "indptr"))
            weight = sp.csr_array(parts, shape=tuple(entry["shape"]))
            weight.check_format(full_check=True)
        functions = tuple(PiecewiseLinear(*map(tuple, function)) for function in entry["functions"])
        units = Units(functions, *(arrays[f"{k}.units.{part}"] for part in ("function_of", "indptr", "rows")))
        kept = Filter(arrays[f"{k}.filter"], tuple(entry["stride"])) if "stride" in entry else None
        layers.append(Layer(entry["name"], weight, arrays[f"{k}.bias"], units, kept))
    return Network(tuple(layers), tuple(header["input_shape"]), tuple(map(str, header.get("notes", ()))))
