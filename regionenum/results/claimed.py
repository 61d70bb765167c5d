"""What a run directory claims, as plain arrays for the checker (`exact/checker.py`)."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pyarrow as pa

from regionenum.choices import Record
from regionenum.exact.claim import Claim, Rows, TreeRows
from regionenum.results.findings import Findings
from regionenum.results.patterns import Packing
from regionenum.results.schema import fixed_array


def claim_of(findings: Findings) -> Claim:
    """The claim of a run whose regions were recorded; rows are numbered in the order of its parts.

    Raises
    ------
    InputError
        If a part cannot be read.
    """
    problem, statistics = findings.subject.problem, findings.totals.statistics
    packing = Packing.of(problem.network)

    def rows(table: pa.Table) -> Rows:
        pieces = packing.unpack(fixed_array(table.column("pattern")))
        ranks = fixed_array(table.column("ranks"))
        output_rank = table.column("output_rank").to_numpy()
        witness = np.full((table.num_rows, problem.network.n_in), np.nan)
        if findings.subject.witnesses:
            witness = fixed_array(table.column("witness"))
        return Rows(pieces, ranks[:, : problem.depth], output_rank, witness)

    tree = None
    if findings.subject.record is Record.TREE:
        table = findings.cells
        layer, cell, parent = (table.column(name).to_numpy() for name in ("layer", "cell", "parent"))
        tree = TreeRows(layer, cell, parent, rows(table))
    counts = {f.name: np.asarray(getattr(statistics, f.name)) for f in fields(statistics)}
    return Claim(problem.network, rows(findings.regions), counts, tree)
