"""Networks and domains in three forms: the package's own, the exact oracle's, and the JSON of the data files.

In JSON a network is {"n_in", "layers": [{"W", "b", "units"}]} with fractions as strings; a unit is
["f", row, breakpoints, slopes, intercepts] or ["max", rows], and units are null in a layer that is affine only. A domain
is ["whole"], ["box", lower, upper], ["polytope", A, b] or ["slice", origin, directions], the last two with lower and
upper bounds of the inputs after them, or without. Every number is a float64.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from regionenum.domain import Box, Domain, Polytope, Slice, WholeSpace
from regionenum.network.layers import Layer, Network
from regionenum.network.units import MAXIMUM, PiecewiseLinear, Units
from tests.exact_oracle import ExactLayer, Maximum, Pointwise, Space, Truth, enumerate_exactly

Json = dict[str, Any]


@dataclass(frozen=True)
class Example:
    """A network over a domain, and what is true of it.

    `truth` is {"count", "layers": [{"regions", "by_rank": {rank: [regions, children, max_children, unsplit]}}]}, one
    layer for each unit layer.
    """

    name: str
    kind: str
    network: Network
    domain: Domain
    truth: Json

    @classmethod
    def of(cls, name: str, kind: str, network: Network, domain: Domain, max_cells: int = 100_000) -> Example:
        """With the truth from the exact oracle, which may give up (see there)."""
        return cls(name, kind, network, domain, as_json(enumerate_exactly(*exact_form(network, domain), max_cells)))

    @classmethod
    def read(cls, entry: Json) -> Example:
        """From JSON."""
        network = network_from(entry["network"])
        return cls(entry["name"], entry["kind"], network, domain_from(entry["domain"]), entry["truth"])

    def write(self) -> Json:
        """As JSON."""
        return {
            "kind": self.kind,
            "name": self.name,
            "network": describe_network(self.network),
            "domain": describe_domain(self.domain, self.network.n_in),
            "truth": self.truth,
        }


def read_examples(path: Path) -> list[Example]:
    """The examples of a data file."""
    return [Example.read(entry) for entry in json.loads(path.read_text())]


def write_examples(path: Path, examples: Sequence[Example]) -> None:
    """A data file, with a line for each example."""
    lines = (json.dumps(example.write(), separators=(",", ":")) for example in examples)
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def as_json(truth: Truth) -> Json:
    """A truth as it is kept in data files."""
    layers = [
        {
            "regions": sum(facts.regions for facts in layer.values()),
            "by_rank": {
                str(rank): [facts.regions, facts.children, facts.max_children, facts.unsplit]
                for rank, facts in layer.items()
            },
        }
        for layer in truth.layers
    ]
    return {"count": truth.count, "layers": layers}


# ---------------------------------------------------------------------------------------------------------------------
# JSON -> the package's form


def network_from(form: Json) -> Network:
    """The network of a JSON form."""
    layers: list[Layer] = []
    for k, layer in enumerate(form["layers"]):
        bias = _floats(layer["b"])
        n_in = layers[-1].n_out if layers else form["n_in"]
        units = Units.identity(len(bias)) if layer["units"] is None else _units(layer["units"])
        layers.append(Layer(f"layers.{k}", _floats(layer["W"]).reshape(len(bias), n_in), bias, units))
    return Network(tuple(layers), (form["n_in"],))


def _units(forms: Sequence[Any]) -> Units:
    functions: list[PiecewiseLinear] = []
    function_of, groups = [], []
    for kind, rows, *numbers in forms:
        if kind == "max":
            function_of.append(MAXIMUM)
            groups.append(list(rows))
            continue
        function = PiecewiseLinear(*(tuple(_floats(values).tolist()) for values in numbers))
        if function not in functions:
            functions.append(function)
        function_of.append(functions.index(function))
        groups.append([rows])
    indptr = np.cumsum([0, *map(len, groups)])
    rows = np.concatenate([np.array(group, np.int64) for group in groups])
    return Units(tuple(functions), np.array(function_of, np.int64), indptr, rows)


def domain_from(form: Sequence[Any]) -> Domain:
    """The domain of a JSON form."""
    kind, *arrays = form
    match kind, *(_floats(array) for array in arrays):
        case ["whole"]:
            return WholeSpace()
        case ["box", lower, upper]:
            return Box(lower, upper)
        case ["polytope", normals, levels, *bounds]:
            return Polytope(normals, levels, within=Box(*bounds) if bounds else None)
        case ["slice", origin, directions, *bounds]:
            return Slice(origin, directions, within=Box(*bounds) if bounds else None)
    raise ValueError(f"unknown kind of domain {kind!r}")


def _floats(values: Sequence[Any]) -> np.ndarray:
    array = np.array(values, dtype=object)
    return np.array([_float(text) for text in array.ravel()], np.float64).reshape(array.shape)


def _float(text: str) -> float:
    number = float(Fraction(text))
    if Fraction(number) != Fraction(text):
        raise ValueError(f"{text} is not a float64")
    return number


# ---------------------------------------------------------------------------------------------------------------------
# The package's form -> JSON


def describe_network(network: Network) -> Json:
    """A network as JSON."""
    return {
        "n_in": network.n_in,
        "layers": [
            {"W": _texts(_dense(layer)), "b": _texts(layer.bias), "units": _describe_units(layer)}
            for layer in network.layers
        ],
    }


def _describe_units(layer: Layer) -> list[Any] | None:
    units = layer.units
    if units.is_identity:
        return None
    found: list[Any] = []
    for u, function in enumerate(units.function_of.tolist()):
        rows = units.rows[units.indptr[u] : units.indptr[u + 1]].tolist()
        if function == MAXIMUM:
            found.append(["max", rows])
        else:
            f = units.functions[function]
            found.append(["f", rows[0], *(_texts(values) for values in (f.breakpoints, f.slopes, f.intercepts))])
    return found


def describe_domain(domain: Domain, n_in: int) -> list[Any]:
    """A domain as JSON."""
    form = domain.describe()
    match form["kind"]:
        case "whole_space":
            return ["whole"]
        case "box":
            return ["box", *_bounds(form, n_in)]
        case "polytope":
            parts = ["polytope", _texts(form["A"]), _texts(form["b"])]
        case "slice":
            directions = np.reshape(form["directions"], (-1, n_in))
            parts = ["slice", _texts(np.ravel(form["origin"])), _texts(directions)]
        case kind:
            raise ValueError(f"unknown kind of domain {kind!r}")
    return parts if form["within"] is None else [*parts, *_bounds(form["within"], n_in)]


def _bounds(box: Json, n_in: int) -> list[list[str]]:
    return [_texts(np.broadcast_to(np.ravel(box[side]), n_in)) for side in ("lower", "upper")]


def _texts(values: Any) -> Any:
    if isinstance(values, float | int):
        return str(Fraction(values))
    return [_texts(value) for value in (values.tolist() if isinstance(values, np.ndarray) else values)]


def _dense(layer: Layer) -> np.ndarray:
    return np.asarray(layer.weight.toarray() if isinstance(layer.weight, sp.csr_array) else layer.weight)


# ---------------------------------------------------------------------------------------------------------------------
# The package's form -> the exact oracle's


def exact_form(network: Network, domain: Domain) -> tuple[list[ExactLayer], Space]:
    """A network and a domain as rationals, for `enumerate_exactly`."""
    layers = [
        ExactLayer(
            [_fractions(row) for row in layer["W"]],
            _fractions(layer["b"]),
            None if layer["units"] is None else [_exact_unit(*unit) for unit in layer["units"]],
        )
        for layer in describe_network(network)["layers"]
    ]
    kind, *arrays = describe_domain(domain, network.n_in)
    numbers = [_fractions(array) for array in arrays]
    bounds = (numbers[-2], numbers[-1]) if len(numbers) == 4 else None
    match kind:
        case "whole":
            return layers, Space.whole(network.n_in)
        case "box":
            return layers, Space.box(*numbers)
        case "polytope":
            return layers, Space.polytope(numbers[0], numbers[1], bounds)
    return layers, Space.slice(numbers[0], numbers[1], bounds)


def _exact_unit(kind: str, rows: Any, *numbers: Any) -> Pointwise | Maximum:
    return Maximum(rows) if kind == "max" else Pointwise(rows, *map(_fractions, numbers))


def _fractions(values: Any) -> Any:
    return Fraction(values) if isinstance(values, str) else [_fractions(value) for value in values]
