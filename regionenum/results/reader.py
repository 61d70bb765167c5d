"""Reading a run directory."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from regionenum.domain import domain_from
from regionenum.engine.interface import Problem, Record
from regionenum.errors import InputError
from regionenum.network.storage import load_npz
from regionenum.results.manifest import MANIFEST, NETWORK, PARTS, Manifest, statistics_from_lists
from regionenum.results.rows import PartRows
from regionenum.results.schema import Layout
from regionenum.results.summary import Result


def open_run(path: str | PathLike[str]) -> Result:
    """The result in a run directory, finished or not; rows are read from its parts when they are asked for.

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
    except KeyError as error:
        raise InputError(f"{place}: the domain has no {error}; restore it from a copy") from error
    problem = Problem.over(network, domain)
    rows = PartRows(directory / PARTS, manifest.parts, Layout.of(problem), manifest.record)
    rows.check()
    result = Result(
        network=network,
        domain=domain,
        record=manifest.record,
        engine=manifest.engine,
        statistics=statistics_from_lists(manifest.statistics, problem, place),
        counters=manifest.counters,
        seconds=manifest.seconds,
        complete=manifest.complete,
        exact=manifest.exact,
        rows=rows,
    )
    _check_rows(result, manifest, place)
    return result


def _check_rows(result: Result, manifest: Manifest, place: Path) -> None:
    """Every commit lists rows and statistics that agree."""
    cells = int(result.statistics.cells[1:].sum())
    expected = {Record.NONE: 0, Record.REGIONS: result.count, Record.TREE: cells if result.layers else result.count}
    n_rows = sum(part.rows for part in manifest.parts)
    if n_rows != expected[manifest.record]:
        raise InputError(
            f"{place}: it lists {n_rows} rows, but counts {expected[manifest.record]} cells of record "
            f'"{manifest.record}"; restore it from a copy'
        )
