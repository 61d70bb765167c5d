"""The tables of a study: one row for each network, and one for each architecture, over its seeds."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from regionenum.network.layers import Network
from regionenum.result import Result, open_run
from regionenum.results.schema import Table
from regionenum.study.description import Study
from regionenum.study.entries import Entry, Made
from regionenum.study.execute import distinct_maps
from regionenum.study.prepare import Facts, read_facts, write_file

_HISTOGRAM = pa.list_(pa.struct([("dimension", pa.int32()), ("regions", pa.int64())]))

_COLUMNS: tuple[tuple[str, Any, str], ...] = (
    ("name", pa.string(), "name of the network in the study"),
    (
        "architecture",
        pa.string(),
        "what the table of architectures averages over: sizes and units, without seed and epoch",
    ),
    ("data", pa.string(), "data set, null without one"),
    ("file", pa.string(), "file of a given network, null of others"),
    ("channels", pa.list_(pa.int32()), "filters of each convolutional block, null of given networks"),
    ("widths", pa.list_(pa.int32()), "rows of each dense block, null of given networks"),
    ("activation", pa.string(), "of all blocks, null of given networks"),
    ("pooling", pa.int32(), "size of the windows along each axis, 1 without pooling, null of given networks"),
    ("order", pa.string(), "which of activation and pooling comes first, null where there are not both"),
    ("seed", pa.int32(), "of weights and training"),
    ("epoch", pa.int32(), "epochs of training"),
    ("parameters_asked", pa.int64(), "number of parameters to which the sizes were scaled, null if they were not"),
    ("parameters", pa.int64(), "weights and biases"),
    ("units", pa.int64(), "units of all layers"),
    ("depth", pa.int32(), "layers of units"),
    ("inputs", pa.int32(), "input values"),
    ("dim", pa.int32(), "dimension of the domain"),
    ("train_accuracy", pa.float64(), "share of the training samples whose largest output is their class"),
    ("test_accuracy", pa.float64(), "the same of the test samples"),
    ("regions", pa.int64(), "full-dimensional activation regions in the domain; a lower bound unless complete"),
    ("complete", pa.bool_(), "whether all regions were found"),
    ("exact", pa.bool_(), "whether every decision is certain"),
    ("doubtful", pa.int64(), "decisions left in doubt; 0 in an exact run"),
    ("seconds", pa.float64(), "time of the enumeration, of all attempts"),
    ("rate", pa.float64(), "regions per second"),
    ("regions_by_layer", pa.list_(pa.int64()), "cells after each layer of units"),
    ("mean_dimension_by_layer", pa.list_(pa.float64()), "mean rank of the maps to the output of each layer of units"),
    ("dimensions", _HISTOGRAM, "regions by the rank of the network's own map, ranks descending"),
    ("mean_dimension", pa.float64(), "mean rank of the network's own map over the regions, null without any"),
    ("distinct_maps", pa.int64(), "different affine maps among the regions, null where regions were not recorded"),
    ("log10_bound", pa.float64(), "decimal logarithm of an upper bound on the number of regions (network/describe.py)"),
    ("network", pa.string(), "content hash of the network"),
    ("run", pa.string(), "run directory, seen from the folder of the study"),
)

SCHEMA = pa.schema([pa.field(name, kind, metadata={"meaning": meaning}) for name, kind, meaning in _COLUMNS])
"""One row for each network of a study."""

MEASURES = (
    "parameters",
    "test_accuracy",
    "regions",
    "rate",
    "mean_dimension",
    "distinct_maps",
)
"""Columns of which the table of architectures has mean, standard deviation (over the seeds, n - 1), least and largest."""

KEYS = ("architecture", "data", "parameters_asked", "epoch")
"""What the networks of one row of the table of architectures have in common."""

STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "mean": lambda values: float(np.mean(values)),
    "std": lambda values: float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
    "min": min,
    "max": max,
}


def table_of(found: list[Entry]) -> Table:
    """One row for each network that has a run, finished or not, in the order given.

    Raises
    ------
    InputError
        If a run directory or the facts of a network cannot be read.
    """
    rows = [row_of(entry) for entry in found if (entry.run / "manifest.json").is_file()]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def row_of(entry: Entry) -> dict[str, Any]:
    """The row of a network that has a run."""
    result, facts = open_run(entry.run), read_facts(entry) or Facts()
    means = [_mean({rank: s.regions for rank, s in layer.by_rank.items()}) for layer in result.layers]
    seconds = result.seconds
    return {
        "name": entry.name,
        **_source(entry),
        "parameters": facts.parameters,
        "units": sum(layer.units.n_units for layer in result.network.unit_layers),
        "depth": len(result.network.unit_layers),
        "inputs": result.network.n_in,
        "dim": (dim := result.domain.chart(result.network.input_shape).dim),
        "train_accuracy": facts.train_accuracy,
        "test_accuracy": facts.test_accuracy,
        "regions": result.count,
        "complete": result.complete,
        "exact": result.exact,
        "doubtful": result.audit.doubtful,
        "seconds": seconds,
        "rate": result.count / seconds if seconds > 0 else None,
        "regions_by_layer": [layer.regions for layer in result.layers],
        "mean_dimension_by_layer": means,
        **_dimensions(result),
        "distinct_maps": distinct_maps(entry) if result.complete else None,
        "log10_bound": _log10_bound(result.network, dim),
        "network": result.network.hash,
        "run": f"runs/{entry.key}",
    }


def _source(entry: Entry) -> dict[str, Any]:
    source = entry.source
    if isinstance(source, Made):
        shape = source.architecture
        both = shape.pool > 1 and shape.activation != "none"
        return {
            "architecture": str(shape),
            "data": source.data,
            "channels": list(shape.channels),
            "widths": list(shape.widths),
            "activation": str(shape.activation),
            "pooling": shape.pool,
            "order": str(shape.order) if both else None,
            "seed": source.seed,
            "epoch": source.epoch,
            "parameters_asked": source.asked,
        }
    return {
        "architecture": source.architecture or entry.name,
        "data": source.data,
        "file": source.file,
        "seed": source.seed,
        "epoch": source.epoch,
    }


def _dimensions(result: Result) -> dict[str, Any]:
    by_rank = result.output.by_rank
    histogram = [{"dimension": rank, "regions": n} for rank, n in sorted(by_rank.items(), reverse=True)]
    return {"dimensions": histogram, "mean_dimension": _mean(by_rank)}


def _mean(by_rank: dict[int, int]) -> float | None:
    n = sum(by_rank.values())
    return sum(rank * count for rank, count in by_rank.items()) / n if n else None


def _log10_bound(network: Network, dim: int) -> float:
    return sum(math.log10(layer.bound) for layer in network.describe(max(dim, 1)).layers)


def by_architecture(table: Table) -> Table:
    """One row for each architecture, data set, number of parameters asked for and epoch: its networks differ by seed.

    Columns: `KEYS`; `networks`, their number; `complete`, whether all of them are; of each of `MEASURES` the mean,
    `_std`, `_min` and `_max`, null where no network has the value; `regions_by_layer`, the means over the seeds.
    """
    grouped: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        grouped.setdefault(tuple(row[key] for key in KEYS), []).append(row)
    rows = []
    for key, members in grouped.items():
        row = dict(zip(KEYS, key, strict=True))
        row |= {"networks": len(members), "complete": all(member["complete"] for member in members)}
        for measure in MEASURES:
            values = [float(member[measure]) for member in members if member[measure] is not None]
            for name, statistic in STATISTICS.items():
                row[f"{measure}_{name}"] = statistic(values) if values else None
        layers = [member["regions_by_layer"] for member in members]
        # given networks that are called one architecture may have different depths
        same = len({len(each) for each in layers}) == 1
        row["regions_by_layer"] = np.mean(layers, axis=0).tolist() if same else None
        rows.append(row)
    kinds = {name: kind for name, kind, _ in _COLUMNS}
    fields = [(key, kinds[key]) for key in KEYS] + [("networks", pa.int32()), ("complete", pa.bool_())]
    fields += [(f"{measure}_{name}", pa.float64()) for measure in MEASURES for name in STATISTICS]
    return pa.Table.from_pylist(rows, schema=pa.schema([*fields, ("regions_by_layer", pa.list_(pa.float64()))]))


def write_tables(study: Study, table: Table, text: str) -> None:
    """Write the tables into the folder of the study: study.parquet, architectures.parquet, study.csv and study.txt.

    Raises
    ------
    RunError
        If they cannot be written.
    """
    write_file(study.out / "study.parquet", lambda file: pq.write_table(table, file, compression="zstd"))
    averaged = by_architecture(table)
    write_file(study.out / "architectures.parquet", lambda file: pq.write_table(averaged, file, compression="zstd"))
    write_file(study.out / "study.csv", lambda file: file.write(as_csv(table).encode()))
    write_file(study.out / "study.txt", lambda file: file.write(text.encode()))


def as_csv(table: Table) -> str:
    """A table as CSV: nulls are empty, lists have spaces between their values, a histogram is dimension:regions."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow([_cell(value) for value in row.values()])
    return stream.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        return ":".join(str(_cell(inner)) for inner in value.values())
    if isinstance(value, list):
        return " ".join(str(_cell(inner)) for inner in value)
    return "" if value is None else value
