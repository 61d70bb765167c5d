"""`compare`: run a study, or a part of it, and put what was found into one table.

The folder of a study holds `networks/` (weights, and what is known of them), `runs/` (an ordinary run directory for each
network), and once nothing is left to do `study.parquet`, `architectures.parquet`, `study.csv`, `study.txt` and
`report.html`. Nothing in it depends on which process did what.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import msgspec

from regionenum.errors import InputError, RunError
from regionenum.files import write_atomically
from regionenum.parallel.local import available_workers
from regionenum.parallel.stop import Stop
from regionenum.results.schema import Table
from regionenum.study.description import Study, read_study, study_from
from regionenum.study.display import study_display
from regionenum.study.entries import Entry, Part, entries, groups, present
from regionenum.study.execute import Show, finished, run_group
from regionenum.study.report import write_report
from regionenum.study.side_by_side import run_side_by_side
from regionenum.study.table import table_of, write_tables
from regionenum.study.text import study_text


@dataclass(frozen=True)
class Plan:
    """What a study consists of.

    Attributes
    ----------
    study : the study
    entries : its networks, in the order of the table
    notes : a sentence for each given network that is not there and is skipped
    """

    study: Study
    entries: list[Entry]
    notes: list[str]

    @classmethod
    def of(cls, study: Study) -> Plan:
        """The plan of a study.

        Raises
        ------
        InputError
            If a network cannot be built, or its file is missing and may not be.
        """
        return cls(study, *present(study, entries(study)))

    def open_groups(self, part: Part) -> list[list[Entry]]:
        """The groups of a part in which something is left to do."""
        return [group for group in part.take(groups(self.entries)) if not all(map(finished, group))]

    def unfinished(self) -> list[Entry]:
        """The networks of the whole study of which something is left to do."""
        return [entry for entry in self.entries if not finished(entry)]


def compare(
    study: str | PathLike[str] | Mapping[str, Any] | Study,
    *,
    out: str | PathLike[str] | None = None,
    workers: int | str | None = None,
) -> Table:
    """Train, enumerate and compare many networks over one domain.

    What is finished in the folder of the study is not done again, and what was interrupted goes on.

    Parameters
    ----------
    study : path, dict or Study
        A STUDY.toml, or its tables as dictionaries; `regionenum/study/description.py` has all keys.
    out : path, optional
        The folder of runs, tables and report; by default what the study says, or runs/NAME.
    workers : int or "auto", optional
        Processes; by default what the study says. They work on networks side by side while there are enough of them.

    Returns
    -------
    pyarrow.Table
        One row for each network: its architecture, parameters and accuracy, its regions, their growth by layer and their
        dimensions, and the rate (`regionenum.study.table.SCHEMA`). `regionenum.study.table.by_architecture` makes means
        over seeds of it.

    Raises
    ------
    InputError
        If the study cannot be used as given, or a package that it needs is missing.
    EngineError, RunError, WorkerError
        If an enumeration fails; what was found remains, and the study can be run again.
    """
    plan = Plan.of(with_options(as_study(study), out, workers))
    todo = plan.open_groups(Part())
    with study_display(sys.stderr, sum(map(len, todo))) as show:
        run_groups(plan.study, todo, Stop(), show)
    return merge(plan)[0]


def as_study(study: str | PathLike[str] | Mapping[str, Any] | Study) -> Study:
    """The study that a path, tables or a `Study` give.

    Raises
    ------
    InputError
        If they cannot be used as given.
    """
    if isinstance(study, Study):
        return study
    if isinstance(study, Mapping):
        return study_from(study)
    if isinstance(study, str | PathLike):
        return read_study(study)  # type: ignore[arg-type]
    raise InputError(
        f"the study is an object of type {type(study).__name__}; give the path of a STUDY.toml, or its tables as a dict"
    )


def with_options(study: Study, out: str | PathLike[str] | None, workers: int | str | None) -> Study:
    """The study with another folder, or another number of workers, where they are given.

    Raises
    ------
    InputError
        If there cannot be so many workers.
    """
    given: dict[str, Any] = {}
    if out is not None:
        given["out"] = str(out)
    if workers is not None:
        if workers != "auto" and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
            raise InputError(f'workers={workers!r}: give the number of processes, at least 1, or "auto"')
        given["workers"] = workers
    return msgspec.structs.replace(study, study=msgspec.structs.replace(study.study, **given))


def run_groups(study: Study, todo: list[list[Entry]], stop: Stop, show: Show) -> None:
    """Run groups of networks until they are finished, or there is a reason to stop.

    While there are as many groups as workers, each group has one; if there are fewer, each has several, which share its
    enumeration.

    Raises
    ------
    InputError, EngineError, RunError, WorkerError
        The first error.
    """
    said = study.study.workers
    workers = available_workers() if said == "auto" else said
    side = min(workers, len(todo))
    stop.begin()
    _make_folder(study)
    if side > 1:
        run_side_by_side(todo, stop, side, workers // side, show)
        return
    for group in todo:
        run_group(group, stop, workers, show)


def merge(plan: Plan) -> tuple[Table, str]:
    """Write the tables and the report of what there is; the table, and its text.

    Raises
    ------
    InputError
        If a run directory cannot be read.
    RunError
        If they cannot be written.
    """
    study, table = plan.study, table_of(plan.entries)
    absent = len(plan.entries) - table.num_rows
    notes = [*plan.notes, *([f"{absent} of {len(plan.entries)} networks have no run yet"] if absent else [])]
    text = study_text(study.study.name, table, notes)
    _make_folder(study)
    write_tables(study, table, text)
    write_report(study, table, notes)
    return table, text


def _make_folder(study: Study) -> None:
    try:
        for folder in (study.out / "networks", study.out / "runs"):
            folder.mkdir(parents=True, exist_ok=True)
        text = msgspec.json.format(msgspec.json.encode(study), indent=1)
        write_atomically(study.out / "study.json", lambda file: file.write(text))
    except OSError as error:
        raise RunError(
            f"{study.out} cannot be written ({error.strerror or error}); give another folder with --out, or mend it"
        ) from error
