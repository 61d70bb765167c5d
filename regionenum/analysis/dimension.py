"""How the dimension of a cell governs its splitting: the tables of `rn.analyze`.

The map from the domain to the output of a layer is affine on every cell. Its rank, the cell's dimension, bounds how far later
layers can split the cell (`layer_bounds.py`), and never grows: after dimension 0 nothing is split. That dimension governs
splitting is a subject of Drammis, Zheng, Srinivasan, Berwick, Lynch, Ajemian: Parallel algorithms for exact enumeration of
deep neural network activation regions, arXiv 2403.00860.

What the walk counts at every level of recording (`engine/statistics.py`) gives the tables `dimensions`, `children`,
`transitions`, `spread` and `cutting`; recorded rows (`ancestry.py`) give `descent`, `spread_exact`, `last_split` and `cells`,
the same from `record="regions"` as from `record="tree"`. `dimension_tables.py` says what every column means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any, Protocol, runtime_checkable

import numpy as np

from regionenum.analysis.ancestry import Ancestry
from regionenum.analysis.dimension_plot import plot
from regionenum.analysis.dimension_tables import BY_NAME, TABLES, Table
from regionenum.analysis.dimension_text import lines
from regionenum.analysis.layer_bounds import LayerBounds
from regionenum.choices import AnalysisPlot, Record
from regionenum.engine.statistics import MOST_UNITS, Statistics
from regionenum.errors import InputError
from regionenum.network.units import Ints
from regionenum.results.findings import Findings
from regionenum.results.reader import read_run

MOST_DIGITS = 1000
"""A bound of more digits is not written out."""

Row = tuple[Any, ...]


@runtime_checkable
class HasFindings(Protocol):
    """What a `Result` offers."""

    @property
    def findings(self) -> Findings:
        """What was found."""
        ...


def analyze(run: HasFindings | str | PathLike[str]) -> Analysis:
    """Tables of how regions split, by layer and dimension.

    Of a cell of dimension r (the rank of the map to the layer's output there) the next layer reads an affine image of dimension
    r. If it has n ReLUs, it can split the cell into at most C(n, 0) + ... + C(n, min(n, r)) children, and the same holds with
    the rank of its weights in place of r, if that is smaller; `analysis/layer_bounds.py` has the bounds for all units, and
    proofs. The tables say how cells really split (Drammis et al., arXiv 2403.00860, study how dimension governs it).

    Parameters
    ----------
    run : Result or path
        What `enumerate_regions` or `open_run` returned, or a run directory, finished or not.

    Returns
    -------
    Analysis
        Its attributes are pyarrow tables. Those that need recorded rows are None with `record="none"`.

    Raises
    ------
    InputError
        If `run` is neither, or the directory cannot be read.
    """
    if isinstance(run, str | PathLike):
        return Analysis(read_run(run))
    if isinstance(run, HasFindings):
        return Analysis(run.findings)
    raise InputError(
        f"the run is an object of type {type(run).__name__}; give a Result, for example of regionenum.open_run, or the path "
        "of a run directory"
    )


@dataclass(frozen=True, eq=False, repr=False)
class Analysis:
    """The tables of `rn.analyze`, made when they are first asked for; `print` shows them as text of 80 columns.

    Most rows are about the cells after one layer that have one dimension; layer -1 is the domain, one cell. The type, the unit
    and the meaning of every column are in `dimension_tables.py`, and in the metadata of the arrow fields. While a run is
    incomplete, numbers of cells are lower bounds (`notes` says what else).

    Attributes
    ----------
    findings : Findings
        What is analysed.
    """

    findings: Findings

    @property
    def complete(self) -> bool:
        """Whether the tree was exhausted."""
        return self.findings.totals.complete

    @cached_property
    def dimensions(self) -> Table:
        """Cells by dimension after every layer, and regions by the dimension of the network's own map."""
        found, rows = self.findings, list[Row]()
        for layer, (name, of_rank) in enumerate(zip(self._names, self._statistics.cells, strict=True), start=-1):
            rows += [
                (layer, name, rank, n, _over(n, int(of_rank.sum())))
                for rank, n in enumerate(of_rank.tolist())
                if n or (layer < 0 and rank == found.subject.problem.dim)
            ]
        output = found.totals.statistics.output.tolist()
        rows += [(self._depth, "output", rank, n, _over(n, sum(output))) for rank, n in enumerate(output) if n]
        return BY_NAME["dimensions"].of_rows(rows)

    @cached_property
    def children(self) -> Table:
        """How the next layer splits cells of each layer and dimension, against the bounds."""
        rows, s = list[Row](), self._statistics
        for level, layer in enumerate(self.findings.subject.network.unit_layers):
            ranks = np.flatnonzero(s.cells[level]).tolist()
            bounds = LayerBounds.of(layer, max(ranks, default=0))
            for rank in ranks:
                closed = int(s.spread[level, self._column(level, rank)].sum())
                children, most, unsplit = (int(array[level, rank]) for array in (s.children, s.max_children, s.unsplit))
                row: list[Any] = [level - 1, self._names[level], rank, layer.name, int(s.cells[level, rank]), closed]
                row += [children, _over(children, closed), most, unsplit, _over(unsplit, closed)]
                row += [bounds.units, bounds.rank]
                for bound in (bounds.by_units(rank), bounds.by_rank(rank)):
                    reached = _over(most, bound) if closed else None
                    row += [_rounded_up(bound), _digits(bound), _over(children, closed * bound), reached]
                rows.append(tuple(row))
        return BY_NAME["children"].of_rows(rows)

    @cached_property
    def transitions(self) -> Table:
        """From the dimension of a cell to the dimensions of its children."""
        s, depth, dim = self._statistics, self._depth, self.findings.subject.problem.dim
        names, rows = [*self._names[1:], "output"], list[Row]()
        if not depth:
            regions = int(s.output.sum())
            rows += [
                (-1, "input", dim, 0, "output", rank, n, _over(n, regions))
                for rank, n in enumerate(s.output.tolist())
                if n
            ]
        for level, before, after in np.argwhere(s.transitions).tolist():
            n, of_all = int(s.transitions[level, before, after]), int(s.transitions[level, before].sum())
            rank = before if level else dim
            rows.append((level - 1, self._names[level], rank, level, names[level], after, n, _over(n, of_all)))
        return BY_NAME["transitions"].of_rows(rows)

    @cached_property
    def spread(self) -> Table:
        """Numbers of children in powers of two."""
        return BY_NAME["spread"].of_rows(
            [
                (*cells, 1 << power, (1 << (power + 1)) - 1, n, share)
                for cells, power, n, share in self._distribution(self._statistics.spread)
            ]
        )

    @cached_property
    def cutting(self) -> Table:
        """How many units of the next layer cut a cell."""
        widths, rows = self.findings.subject.problem.n_units, list[Row]()
        for cells, units, n, share in self._distribution(self._statistics.cutting):
            rows.append((*cells, units, units == MOST_UNITS < widths[cells[0] + 1], n, share))
        return BY_NAME["cutting"].of_rows(rows)

    @cached_property
    def descent(self) -> Table | None:
        """How many final regions lie in cells of each layer and dimension; None without recorded rows."""
        if self.missing:
            return None
        found, rows = self._ancestry, list[Row]()
        for level in range(max(self._depth, 1)):
            finals = found.final_regions[level]
            for rank, of_rank in _by_rank(found.ranks[level], finals):
                n, final, once = len(of_rank), int(of_rank.sum()), int((of_rank == 1).sum())
                row = (n, final, _over(final, found.n_regions), final / n, int(of_rank.min()), int(of_rank.max()))
                rows.append((level - 1, self._names[level], rank, *row, once, once / n))
        return BY_NAME["descent"].of_rows(rows)

    @cached_property
    def spread_exact(self) -> Table | None:
        """Numbers of children, each by itself; None without recorded rows."""
        if self.missing:
            return None
        found, rows = self._ancestry, list[Row]()
        for level, children in enumerate(found.children):
            for rank, of_rank in _by_rank(found.ranks[level], children):
                values, counts = np.unique(of_rank, return_counts=True)
                rows += [
                    (level - 1, self._names[level], rank, value, n, n / len(of_rank))
                    for value, n in zip(values.tolist(), counts.tolist(), strict=True)
                ]
        return BY_NAME["spread_exact"].of_rows(rows)

    @cached_property
    def last_split(self) -> Table | None:
        """The layer at which final regions were last split; None without recorded rows."""
        if self.missing:
            return None
        found = self._ancestry
        keys = np.stack([found.last_split, found.ranks[-1], found.output_ranks])
        size = keys.max(axis=1, initial=0) + 2
        codes, counts = np.unique(((keys[0] + 1) * size[1] + keys[1]) * size[2] + keys[2], return_counts=True)
        layers, ranks = np.divmod(codes // size[2], size[1])
        return BY_NAME["last_split"].of_rows(
            [
                (layer - 1, self._names[layer], rank, output, n, n / found.n_regions)
                for layer, rank, output, n in zip(
                    *(array.tolist() for array in (layers, ranks, codes % size[2], counts)), strict=True
                )
            ]
        )

    @cached_property
    def cells(self) -> Table | None:
        """One row for every cell before the last layer; None without recorded rows."""
        if self.missing:
            return None
        found, levels = self._ancestry, range(max(self._depth, 1))
        sizes = [len(found.ranks[level]) for level in levels]
        children = found.children if self._depth else (np.zeros(sizes[0], np.int64),)
        return BY_NAME["cells"].of_columns(
            {
                "layer": np.repeat(np.arange(-1, len(sizes) - 1), sizes),
                "cell": np.concatenate(found.numbers[: len(sizes)]) if found.numbers else [None] * sum(sizes),
                "dimension": np.concatenate(found.ranks[: len(sizes)]),
                "children": np.concatenate(children),
                "final_regions": np.concatenate(found.final_regions[: len(sizes)]),
            }
        )

    @property
    def missing(self) -> str:
        """A sentence that says which tables are not there and how to get them; empty if all are."""
        if self.findings.subject.record is not Record.NONE:
            return ""
        names = [description.name for description in TABLES if description.needs_rows]
        return (
            f'{", ".join(names[:-1])} and {names[-1]} need recorded rows, and this run has none (record="none"); enumerate '
            'with record="regions" or "tree"'
        )

    @property
    def notes(self) -> list[str]:
        """What has to be known to read the tables, one sentence each."""
        found, notes = self.findings, list[str]()
        if not self.complete:
            notes.append(
                "incomplete: all numbers of cells, children and units and all maxima are lower bounds; means and shares are of "
                "what was counted so far, and are no bounds"
            )
        if not found.subject.exact:
            notes.append(
                f"decided in floating point, {found.audit.doubtful:,} decisions in doubt: if that is not 0, counts may be wrong"
            )
        return [*notes, *([self.missing] if self.missing else [])]

    def table(self, name: str) -> Table:
        """A table by its name.

        Raises
        ------
        InputError
            If there is no such table, or it needs recorded rows and the run has none.
        """
        if name not in BY_NAME:
            raise InputError(f'there is no table "{name}"; choose one of {", ".join(BY_NAME)}')
        found: Table | None = getattr(self, name)
        if found is None:
            raise InputError(self.missing)
        return found

    @property
    def tables(self) -> dict[str, Table]:
        """All tables that are there, by name, in the order of the data dictionary."""
        return {d.name: self.table(d.name) for d in TABLES if not (d.needs_rows and self.missing)}

    def to_dict(self, *names: str) -> dict[str, Any]:
        """The analysis as JSON types: `count`, `complete`, `exact`, `notes`, and `tables`, {name: list of rows}.

        Parameters
        ----------
        names : of the tables; by default all that are there, but `cells`, which has a row for every cell

        Raises
        ------
        InputError
            As `table`.
        """
        chosen = names or tuple(name for name in self.tables_there if name != "cells")
        return {
            "count": self.findings.count,
            "complete": self.complete,
            "exact": self.findings.subject.exact,
            "notes": self.notes,
            "tables": {
                name: [{key: _plain(value) for key, value in row.items()} for row in self.table(name).to_pylist()]
                for name in chosen
            },
        }

    def text(self, *names: str, width: int = 80) -> str:
        """The tables as text, no line of a table longer than `width`.

        Parameters
        ----------
        names : of the tables; by default those that sum up what is there

        Raises
        ------
        InputError
            As `table`.
        """
        return "\n".join(lines(self, names, width))

    def plot(
        self, kind: AnalysisPlot | str = AnalysisPlot.CHILDREN, ax: Any = None, path: str | PathLike[str] | None = None
    ) -> Any:
        """Draw the analysis, with matplotlib.

        Parameters
        ----------
        kind : AnalysisPlot or str
            "children": mean and largest number of children by dimension, for each layer, on a logarithmic scale, and the
            bound by rank; "dimensions": the shares of the dimensions among the cells, layer by layer.
        ax : matplotlib.axes.Axes, optional
            What to draw on; by default a new figure, of pyplot if there is no path.
        path : path, optional
            File to write the figure to, in the format of its ending.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        InputError
            If the kind is unknown, matplotlib is missing, or the file cannot be written.
        """
        return plot(self, kind, ax, path)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        state = "complete" if self.complete else "incomplete"
        return f"<Analysis: {self.findings.count:,} regions, {state}; tables {', '.join(self.tables_there)}>"

    @property
    def tables_there(self) -> tuple[str, ...]:
        """Names of the tables that are there."""
        return tuple(d.name for d in TABLES if not (d.needs_rows and self.missing))

    @property
    def _statistics(self) -> Statistics:
        return self.findings.totals.statistics

    @property
    def _depth(self) -> int:
        return self.findings.subject.problem.depth

    @property
    def _names(self) -> list[str]:
        """Of the domain and the unit layers, by level."""
        return ["input", *(layer.name for layer in self.findings.subject.network.unit_layers)]

    @cached_property
    def _ancestry(self) -> Ancestry:
        return Ancestry.of(self.findings)

    def _column(self, level: int, rank: int) -> int:
        """The column of a rank in the statistics that have the domain in column 0."""
        return rank if level else 0

    def _distribution(self, counts: Ints) -> list[tuple[tuple[int, str, int], int, int, float | None]]:
        """Of counts (level, column, value): layer, name and dimension; value; count; share of these cells."""
        dim = self.findings.subject.problem.dim
        return [
            (
                (level - 1, self._names[level], column if level else dim),
                value,
                int(counts[level, column, value]),
                _over(int(counts[level, column, value]), int(counts[level, column].sum())),
            )
            for level, column, value in np.argwhere(counts).tolist()
        ]


def _by_rank(ranks: Ints, values: Ints) -> list[tuple[int, Ints]]:
    """The values of the cells of each rank that occurs."""
    order = np.argsort(ranks, kind="stable")
    occurring, starts = np.unique(ranks[order], return_index=True)
    return list(zip(occurring.tolist(), np.split(values[order], starts[1:]), strict=True)) if len(ranks) else []


def _over(part: int, whole: int) -> float | None:
    """The quotient of two integers of any size, None if there is nothing to divide by."""
    return part / whole if whole else None


def _rounded_up(n: int) -> float:
    """The smallest float64 that is no smaller."""
    try:
        nearest = float(n)
    except OverflowError:
        return math.inf
    return nearest if nearest >= n else math.nextafter(nearest, math.inf)


def _digits(n: int) -> str | None:
    return str(n) if n < 10**MOST_DIGITS else None


def _plain(value: Any) -> Any:
    """A value of JSON, which has no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
