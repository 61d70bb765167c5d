"""`regionenum describe MODEL`: the layers of a network, and how many regions it can have."""

from __future__ import annotations

import argparse
import json
import math
import sys
from typing import TYPE_CHECKING, Any

from regionenum.cli.model import ModelOptions, add_model

if TYPE_CHECKING:
    from regionenum.network.describe import Description
    from regionenum.network.filters import Filter


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this verb."""
    parser = verbs.add_parser(
        "describe",
        help="print the layers of a model",
        description="Print the layers of a model, its units, and upper bounds on the number of regions.",
        allow_abbrev=False,
    )
    add_model(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    # imported when a verb runs, so that help stays light
    from rich.console import Console
    from rich.text import Text

    from regionenum.cli.tables import PLAIN_WIDTH, plain_table

    description = ModelOptions.of(arguments).read().describe()
    if arguments.json:
        print(json.dumps(as_dict(description)))
        return 0
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    header, *rows = description.rows()
    table = plain_table("Layers", console, *header)
    table.columns[2].justify = "left"
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    console.print()
    for line in description.sentences():
        console.print(Text(line), soft_wrap=not console.is_terminal)
    return 0


def as_dict(description: Description) -> dict[str, Any]:
    """A description as JSON types."""
    return {
        "network": description.hash,
        "input_shape": list(description.input_shape),
        "dim": description.dim,
        **_bound(description.bound),
        "notes": list(description.notes),
        "layers": [
            {
                "name": layer.name,
                "n_rows": layer.n_rows,
                "n_out": layer.n_out,
                "units": layer.units,
                "stored": layer.stored,
                "n_weights": layer.n_weights,
                "dim": layer.dim,
                **_bound(layer.bound),
                "filter": layer.filter and _filter(layer.filter),
            }
            for layer in description.layers
        ],
    }


def _bound(bound: int) -> dict[str, Any]:
    """The number itself while readers of JSON can be expected to hold it, and its logarithm always."""
    return {"bound": bound if bound < 10**300 else None, "log10_bound": math.log10(bound)}


def _filter(kept: Filter) -> dict[str, Any]:
    return {"shape": list(kept.weight.shape), "stride": list(kept.stride), "weight": kept.weight.tolist()}
