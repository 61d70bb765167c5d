"""`regionenum compare STUDY.toml`: train, enumerate and compare many networks."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

from regionenum.cli.limits import STOPPED, add_limits
from regionenum.errors import InputError

if TYPE_CHECKING:
    from regionenum.study.compare import Plan
    from regionenum.study.entries import Part

_RANKS = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
"""Where launchers say how many ranks there are."""


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this verb."""
    parser = verbs.add_parser(
        "compare",
        help="train, enumerate and compare many networks",
        description="Train the networks of a study where it asks for that, enumerate all of them over one domain, and write "
        "one table and one report. What is finished is not done again; what was interrupted goes on.",
        allow_abbrev=False,
    )
    parser.add_argument("study", metavar="STUDY.toml", help="the study")
    parser.add_argument(
        "--out", metavar="DIR", help="the folder of runs, tables and report, instead of the study's `out`"
    )
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="replace one value, for example grid.seeds=5; VALUE is TOML, or a word",
    )
    parser.add_argument("--list", action="store_true", help="print what would be done, and do nothing")
    parser.add_argument(
        "--merge", action="store_true", help="write the table and the report of what there is, and enumerate nothing"
    )
    parser.add_argument("--json", action="store_true", help="print the table as one JSON object instead of text")
    parts = parser.add_argument_group(
        "parts", "A part of a study, for several machines; in a task of a Slurm array that task's part."
    )
    parts.add_argument("--index", metavar="I", type=int, help="run part I of N; the last part to end writes the table")
    parts.add_argument("--of", metavar="N", type=int, help="the number of parts")
    add_limits(parser, regions=False)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    # imported when a verb runs, so that help stays light
    from regionenum.cli.config import override
    from regionenum.cli.limits import Limits
    from regionenum.study.compare import Plan, run_groups, with_options
    from regionenum.study.description import read_study
    from regionenum.study.display import study_display
    from regionenum.study.entries import part_from

    _refuse_ranks()
    # a warning that comes before the study listens is no reason to die
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    changes = [override(text, "grid.seeds=5") for text in arguments.set]
    plan = Plan.of(with_options(read_study(arguments.study, changes), arguments.out or None, arguments.workers))
    for note in plan.notes:
        print(f"regionenum: {note}", file=sys.stderr)
    if not plan.entries:
        print(
            f"regionenum: study {plan.study.study.name}: none of its networks is there, so it is skipped",
            file=sys.stderr,
        )
        return 0
    part = part_from(arguments.index, arguments.of, dict(os.environ))
    if arguments.list:
        return _list(plan, part)
    if arguments.merge:
        return _finish(plan, as_json=arguments.json)
    todo, stop = plan.open_groups(part), Limits.of(arguments).stop()
    with stop.listening():
        try:
            with study_display(sys.stderr, sum(map(len, todo))) as show:
                run_groups(plan.study, todo, stop, show)
        except KeyboardInterrupt:
            print(f"regionenum: interrupted; {_again(plan)}", file=sys.stderr)
            return 130
    left = plan.unfinished()
    mine = plan.open_groups(part)
    if mine:
        done = f"{len(plan.entries) - len(left)} of {len(plan.entries)} networks are finished"
        print(f"regionenum: stopped: {stop.reason}; {done}; {_again(plan)}", file=sys.stderr)
        return STOPPED
    if left:
        print(
            f"part {part.index} of {part.of} is finished; {len(left)} of {len(plan.entries)} networks of other parts are not: "
            "the last part to end writes the table"
        )
        return 0
    return _finish(plan, as_json=arguments.json)


def _finish(plan: Plan, *, as_json: bool) -> int:
    """Write and print the table."""
    from regionenum.study.compare import merge
    from regionenum.study.text import WIDTH, study_text

    table, text = merge(plan)
    if as_json:
        print(json.dumps({"study": plan.study.study.name, "networks": table.to_pylist()}))
        return 0
    if sys.stdout.isatty():
        wide = max(WIDTH, os.get_terminal_size(sys.stdout.fileno()).columns)
        text = study_text(plan.study.study.name, table, plan.notes, wide)
    print(text)
    print(f"{plan.study.out}: study.parquet, architectures.parquet, study.csv, study.txt, report.html, runs/")
    return 0


def _list(plan: Plan, part: Part) -> int:
    """Print the networks, with their state and the part that each belongs to."""
    from regionenum.results.run_directory import holds_run
    from regionenum.study.entries import Made, groups
    from regionenum.study.execute import finished

    every = groups(plan.entries)
    mine = [id(entry) for group in part.take(every) for entry in group]
    for entry in plan.entries:
        if part.of > 1 and id(entry) not in mine:
            continue
        state = "finished" if finished(entry) else "begun" if holds_run(entry.run) else "to do"
        source = entry.source
        said = ""
        if isinstance(source, Made):
            said = f", {source.n_parameters:,} parameters"
            if source.asked is not None:
                said += f" ({source.n_parameters / source.asked - 1:+.1%} of {source.asked:,})"
        print(f"{entry.name}: {state}{said}")
    print(f"{len(plan.entries)} networks; they can be run in up to {len(every)} parts")
    return 0


def _again(plan: Plan) -> str:
    return f"{plan.study.out} holds what was found; give the same command again to go on"


def _refuse_ranks() -> None:
    for name in _RANKS:
        size = os.environ.get(name, "1")
        if size.isdecimal() and int(size) > 1:
            raise InputError(
                f"compare was started as {size} ranks ({name}), but does not use MPI; give --workers {size} to one process, or "
                "--index I --of N to several"
            )
