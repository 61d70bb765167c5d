"""Reading a run directory."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from regionenum.choices import Record
from regionenum.domain import domain_from
from regionenum.engine.interface import Problem
from regionenum.errors import InputError
from regionenum.network.storage import load_npz
from regionenum.results.findings import Findings
from regionenum.results.manifest import MANIFEST, NETWORK, PARTS, Manifest, statistics_from_lists
from regionenum.results.progress import Totals
from regionenum.results.row_store import RowsInParts
from regionenum.results.schema import Layout
from regionenum.results.subject import Subject


def read_run(path: str | PathLike[str]) -> Findings:
    """The findings in a run directory, finished or not; rows are read from its parts when they are asked for.

    Raises
    ------
    InputError
        If the directory is not a run, has another format version, or what its manifest lists is not there.
    """
    directory = Path(path)
    if not directory.is_dir():
        raise InputError(f"{directory} is not a run directory: no such folder")
    manifest = Manifest.read(directory)
    place = directory / MANIFEST
    if not (directory / NETWORK).is_file():
        raise InputError(f"{directory / NETWORK} is missing; restore it from a copy")
    network = load_npz(directory / NETWORK)
    if network.hash != manifest.network:
        raise InputError(
            f"{directory / NETWORK} has hash {network.hash[:12]}, but the manifest names {manifest.network[:12]}; "
            "one of them was copied from another run"
        )
    try:
        domain = domain_from(manifest.domain)
    except InputError as error:
        raise InputError(f"{place}: {error}; restore it from a copy") from error
    subject = Subject(
        Problem.over(network, domain), manifest.record, manifest.engine, manifest.exact, manifest.witnesses
    )
    layout = Layout.of(subject.problem, subject.witnesses)
    rows = RowsInParts(directory / PARTS, manifest.parts, layout, manifest.record)
    rows.check()
    statistics = statistics_from_lists(manifest.statistics, subject.problem, place)
    totals = Totals(statistics, manifest.counters, manifest.seconds, manifest.complete)
    findings = Findings(subject, totals, rows)
    _check_rows(findings, manifest, place)
    return findings


def _check_rows(found: Findings, manifest: Manifest, place: Path) -> None:
    """Every commit lists rows and statistics that agree."""
    cells = int(found.totals.statistics.cells[1:].sum())
    expected = {Record.NONE: 0, Record.REGIONS: found.count, Record.TREE: cells if found.layers else found.count}
    n_rows = sum(part.rows for part in manifest.parts)
    if n_rows != expected[manifest.record]:
        raise InputError(
            f"{place}: it lists {n_rows} rows, but counts {expected[manifest.record]} cells of record "
            f'"{manifest.record}"; restore it from a copy'
        )
