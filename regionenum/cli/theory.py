"""`regionenum theory MODEL`: how many regions a network can have, by what is known, and how many it has."""

from __future__ import annotations

import argparse
import json
import math
import sys
from typing import TYPE_CHECKING, Any

from regionenum.cli.domain import add_domain, check_domain, read_domain_options
from regionenum.cli.model import ModelOptions, add_model

if TYPE_CHECKING:
    from regionenum.analysis.theory import Bounds
    from regionenum.domain import Domain
    from regionenum.network.layers import Network
    from regionenum.result import Result


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this verb."""
    parser = verbs.add_parser(
        "theory",
        help="print what theory says about a model: bounds and closed forms",
        description="Print upper bounds on the number of regions of a model after each layer, where they come from, and exact "
        "numbers where there are closed forms; with --run, beside what was counted.",
        allow_abbrev=False,
    )
    add_model(parser)
    add_domain(parser)
    parser.add_argument(
        "--run", dest="directory", metavar="RUN", help="a run of this model: its domain is taken, its counts are shown"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    # imported when a verb runs, so that help stays light
    from regionenum.analysis.theory import bounds

    network = ModelOptions.of(arguments).read()
    result = None if arguments.directory is None else _open(arguments.directory, network)
    domain = _domain(arguments, result)
    found = bounds(network, domain)
    known = closed_forms(network)
    if arguments.json:
        print(json.dumps(as_dict(network, found, known, result)))
    else:
        _show(found, known, result)
    return 0


def _open(directory: str, network: Network) -> Result:
    from regionenum.errors import InputError
    from regionenum.result import open_run

    result = open_run(directory)
    if result.network.hash != network.hash:
        raise InputError(
            f"--run {directory}: this run is of another network ({result.network.hash[:12]}; the model is "
            f"{network.hash[:12]}); give the run of this model, or {directory}/network.npz as model"
        )
    return result


def _domain(arguments: argparse.Namespace, result: Result | None) -> Domain | None:
    """The domain of the options, or of the run; the whole space if neither is given."""
    from regionenum.errors import InputError

    given = [
        name for name in ("box", "whole_space", "ball", "l1_ball", "domain") if getattr(arguments, name) is not None
    ]
    if result is not None:
        if given:
            raise InputError(
                f"--run {arguments.directory} brings its own domain; leave out --{given[0].replace('_', '-')}"
            )
        return result.domain
    if not given:
        return None
    check_domain(arguments)
    return read_domain_options(arguments)


def closed_forms(network: Network) -> list[str]:
    """Sentences with exact numbers, and with what is known of filters, for the layers that have them."""
    from regionenum.analysis.theory import hyperplane_regions, max_pool, root_pattern
    from regionenum.errors import InputError
    from regionenum.network.units import MAXIMUM

    found = []
    for k, layer in enumerate(network.unit_layers):
        groups = [
            layer.units.rows[layer.units.indptr[u] : layer.units.indptr[u + 1]].tolist()
            for u, number in enumerate(layer.units.function_of.tolist())
            if number == MAXIMUM
        ]
        if 0 < len(groups) <= _MOST_WINDOWS:
            try:
                count = max_pool(groups, _STATES)
            except InputError:  # too many states for a moment's computation
                continue
            found.append(f"`{layer.name}`: its {len(groups):,} maxima have {_exact(count)} regions on free rows")
        elif not groups and k == 0 and layer.n_rows <= _HYPERPLANES:
            normals, constants = _breakpoints(network)
            if 0 < len(normals) <= _HYPERPLANES:
                count = hyperplane_regions(normals, constants)
                found.append(
                    f"`{layer.name}`: its hyperplanes cut the whole space into {_exact(count)} regions (Zaslavsky)"
                )
    for layer in network.layers:
        kept = layer.filter
        if kept is not None and kept.weight.ndim == 3 and kept.weight.shape[:2] == (1, 1):
            values = kept.weight[0, 0].tolist()
            pattern = root_pattern(values)
            if pattern is not None:
                found.append(
                    f"`{layer.name}`: a filter of {len(values)} values, stride {kept.stride[0]}, with {pattern.n_real} real "
                    f"roots; multiplicities of real roots | pairs: {pattern}"
                )
    return found


_MOST_WINDOWS = 400
_STATES = 2_000
_HYPERPLANES = 12
"""Sizes up to which exact numbers take a second at most."""


def _breakpoints(network: Network) -> tuple[list[list[Any]], list[Any]]:
    """The hyperplanes on which units of the first layer have a breakpoint, exactly."""
    from fractions import Fraction

    import scipy.sparse as sp

    layer = network.unit_layers[0]
    weight = sp.csr_array(layer.weight).toarray()
    normals, constants = [], []
    for u, number in enumerate(layer.units.function_of.tolist()):
        row = int(layer.units.rows[layer.units.indptr[u]])
        for level in layer.units.functions[number].breakpoints:
            normals.append(weight[row].tolist())
            constants.append(Fraction(float(layer.bias[row])) - Fraction(level))
    return normals, constants


def as_dict(network: Network, found: Bounds, known: list[str], result: Result | None) -> dict[str, Any]:
    """Bounds, closed forms and counts as JSON types; numbers too long for readers of JSON are null, beside their logarithm."""
    from regionenum.analysis.theory import SOURCES

    return {
        "network": network.hash,
        "dim": found.dim,
        "count": None if result is None else result.count,
        "complete": None if result is None else result.complete,
        **_number("best", found.best),
        **_number("reached", found.reached),
        "sources": {str(bound): source for bound, source in SOURCES.items()},
        "layers": [
            {
                "name": layer.name,
                "n_units": layer.n_units,
                "dim": layer.dim,
                **_number("splits", layer.splits),
                "regions": {str(bound): _number("bound", value) for bound, value in layer.regions.items()},
                "count": None if result is None else result.layers[k].regions,
            }
            for k, layer in enumerate(found.layers)
        ],
        "closed_forms": known,
    }


def _number(name: str, value: int | None) -> dict[str, Any]:
    if value is None:
        return {name: None}
    return {name: value if value < 10**300 else None, f"log10_{name}": math.log10(value)}


def _exact(n: int) -> str:
    """A number for reading: all its digits, as long as they fit a line."""
    return f"{n:,}" if n < 10**42 else f"about {_down(n)}"


_WIDTH = 80
"""Width of tables that do not go to a terminal."""


def _show(found: Bounds, known: list[str], result: Result | None) -> None:
    from rich.console import Console
    from rich.text import Text

    from regionenum.analysis.theory import SOURCES
    from regionenum.cli.tables import plain_table
    from regionenum.network.describe import brief

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH)
    columns = ["layer", "units", "dimension at most", "splits into at most", "regions at most"]
    table = plain_table("Layers", console, *columns, *(["counted"] if result else []))
    for k, layer in enumerate(found.layers):
        best = min(layer.regions.values())
        cells = [layer.name, f"{layer.n_units:,}", f"{layer.dim:,}", brief(layer.splits), brief(best)]
        table.add_row(*map(Text, [*cells, *([f"{result.layers[k].regions:,}"] if result else [])]))
    console.print(table)
    console.print()
    table = plain_table(
        f"Regions of the network in {found.dim:,} dimensions", console, "bound", "regions at most", "by"
    )
    table.columns[2].justify = "left"
    for bound, value in found.regions.items():
        table.add_row(*map(Text, [str(bound), brief(value), SOURCES[bound]]))
    console.print(table)
    console.print()
    lines = list(known)
    if found.reached is not None:
        lines.append(
            f"some network of these widths has {_down(found.reached)} regions or more (arXiv 1402.1869, theorem 4)"
        )
    if result is not None:
        state = "" if result.complete else " (incomplete: a lower bound)"
        lines.append(
            f"counted: {result.count:,} regions{state}; {_share(result.count, found.best)} of the smallest bound"
        )
    for line in lines:
        console.print(Text(line), soft_wrap=not console.is_terminal)


def _down(n: int) -> str:
    """A number for reading, rounded down where it is too long, as it is a lower bound."""
    if n < 10**12:
        return f"{n:,}"
    exponent = math.floor(math.log10(n))
    exponent -= 10**exponent > n
    hundredths = n // 10 ** (exponent - 2)
    return f"{hundredths // 100}.{hundredths % 100:02}e+{exponent}"


def _share(count: int, bound: int) -> str:
    """The part that one number is of another."""
    if bound < 10**300:
        return f"{count / bound:.3g}"
    return f"10^{math.log10(count) - math.log10(bound):.0f}" if count else "0"
