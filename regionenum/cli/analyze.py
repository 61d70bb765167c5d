"""`regionenum analyze RUN`: how the dimension of cells governs their splitting, as tables."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from regionenum.choices import AnalysisPlot
from regionenum.errors import InputError

if TYPE_CHECKING:
    from regionenum.analysis.dimension import Analysis


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this verb."""
    parser = verbs.add_parser(
        "analyze",
        help="say how the dimension of cells governs their splitting",
        description="Print how cells split, by layer and dimension, against bounds. `python -m "
        "regionenum.analysis.dimension_tables` prints what every column means.",
        allow_abbrev=False,
    )
    parser.add_argument("directory", metavar="RUN", help="the run directory, finished or not")
    parser.add_argument(
        "--table",
        metavar="NAME",
        help="one table, in full: dimensions, children, transitions, spread or cutting; of a run with recorded rows also "
        "descent, spread_exact, last_split or cells",
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--csv", action="store_true", help="print the table as CSV")
    output.add_argument("--json", action="store_true", help="print one JSON object: the table, or all but cells")
    output.add_argument("--parquet", metavar="FILE", type=Path, help="write the table as Parquet")
    output.add_argument(
        "--plot",
        metavar=("KIND", "FILE"),
        nargs=2,
        help=f"write a picture instead: {' or '.join(AnalysisPlot)} (needs matplotlib)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    # imported when a verb runs, so that help stays light
    from regionenum.analysis.dimension import analyze

    analysis = analyze(arguments.directory)
    name: str | None = arguments.table
    if arguments.plot:
        if name:
            raise InputError(f"--plot draws no table: leave out --table {name}, or --plot")
        kind, path = arguments.plot
        analysis.plot(kind, path=path)
    elif arguments.csv or arguments.parquet:
        _write(analysis, name, arguments.parquet)
    elif arguments.json:
        print(json.dumps(analysis.to_dict(*([name] if name else []))))
    else:
        print(analysis.text(*([name] if name else [])))
    return 0


def _write(analysis: Analysis, name: str | None, path: Path | None) -> None:
    """One table as CSV to stdout, or as Parquet to a file."""
    from regionenum.analysis.dimension_tables import write_csv, write_parquet

    if name is None:
        option = "--parquet" if path else "--csv"
        raise InputError(f"{option} writes one table; choose it with --table {', '.join(analysis.tables_there)}")
    table = analysis.table(name)
    if path is None:
        sys.stdout.flush()
        write_csv(table, sys.stdout)
        return
    try:
        write_parquet(table, path)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose a file in an existing folder") from error
