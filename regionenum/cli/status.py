"""`regionenum status RUN`: watch a run."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regionenum.errors import InputError

if TYPE_CHECKING:
    from regionenum.parallel.estimate import Estimate

FOLLOW_SECONDS = 2.0
"""Time between two reports of `--follow`."""

ESTIMATE_SECONDS = 5.0

_TRIES = 5
"""How often to read a frontier that a running coordinator replaces meanwhile."""


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this verb."""
    parser = verbs.add_parser(
        "status",
        help="watch a run",
        description="Say what a run is doing: regions, rates, what waits, how busy the workers are, what is committed.",
        allow_abbrev=False,
    )
    parser.add_argument("directory", metavar="RUN", type=Path, help="the run directory")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--follow", action="store_true", help="report again and again while the run is running")
    parser.add_argument(
        "--estimate",
        metavar="SECONDS",
        type=float,
        nargs="?",
        const=ESTIMATE_SECONDS,
        help="estimate the regions that are left as of the last commit, by random probes (default: %(const)g seconds of "
        "one CPU)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from regionenum.results.status import snapshot

    while True:
        moment = snapshot(arguments.directory)
        if arguments.estimate is not None:
            moment["estimate"] = _estimated(arguments.directory, arguments.estimate)
        print(json.dumps(moment) if arguments.json else "\n".join(_lines(moment)))
        sys.stdout.flush()
        if not arguments.follow or moment["state"] != "running":
            return 0
        time.sleep(FOLLOW_SECONDS)
        if not arguments.json:
            print()


def _lines(moment: dict[str, Any]) -> list[str]:
    from regionenum.cli.progress import elapsed

    state = moment["state"]
    if state == "running" and moment["host"]:
        state += f" on {moment['host']} (process {moment['pid']}), as of {elapsed(moment['status_age'])} ago"
    elif state == "stopped":
        state += f": {moment['stopped']}"
    elif state == "failed":
        # a worker's error goes on with a traceback
        state += f": {moment['failed'].splitlines()[0]}"
    recent = "" if moment["recent_rate"] is None else f", {moment['recent_rate']:,.0f}/s in the last minute"
    lines = [
        f"{state}; attempt {moment['attempt']}",
        f"{moment['regions']:,} regions in {elapsed(moment['seconds'])}, {moment['rate']:,.0f}/s{recent}",
    ]
    if moment["cells"]:
        lines.append(f"cells by layer: {' '.join(f'{n:,}' for n in moment['cells'])}")
    committed = moment["committed"]
    age = "" if committed["age"] is None else f", {elapsed(committed['age'])} ago"
    lines.append(
        f"committed: {committed['regions']:,} regions, {committed['rows']:,} rows in {committed['parts']:,} parts, "
        f"{committed['bytes']:,} bytes{age}"
    )
    if moment["frontier"]:
        frontier = moment["frontier"]
        lines.append(f"frontier: {frontier['waiting']:,} subtrees waiting, {frontier['in_flight']:,} in flight")
    if moment["dry"] is not None:
        lines.append(f"the frontier ran dry {moment['dry']:,} times")
    lines += [
        f"worker {w['worker']}: {w['tasks']:,} tasks, {w['rate']:,.0f} regions/s, busy {w['busy']:.0%}"
        for w in moment["workers"]
    ]
    if "estimate" in moment:
        lines.append(_sentence(moment["estimate"]))
    return lines


def _sentence(estimate: dict[str, Any]) -> str:
    if not estimate["probes"]:
        return "nothing is left to explore"
    return (
        f"estimate (Knuth, {estimate['probes']:,} probes): {estimate['regions']:.3g} regions left at the last commit, "
        f"standard error {estimate['error']:.2g}; the spread is skewed, and large errors are themselves too small"
    )


def _estimated(directory: Path, seconds: float) -> dict[str, Any]:
    estimate = _probed(directory, seconds)
    return {"method": "Knuth", "regions": estimate.regions, "error": estimate.error, "probes": estimate.probes}


def _probed(directory: Path, seconds: float) -> Estimate:
    from regionenum.domain import domain_from
    from regionenum.engine.by_name import engine_by_name
    from regionenum.engine.explore import open_explorer
    from regionenum.engine.interface import Options, Problem
    from regionenum.network.storage import load_npz
    from regionenum.parallel.estimate import Estimate, estimate
    from regionenum.parallel.journal import decode
    from regionenum.parallel.subtree_codec import decode_subtree
    from regionenum.results.manifest import NETWORK, Manifest

    manifest = Manifest.read(directory)
    if manifest.complete:
        return Estimate(0.0, 0.0, 0)
    engine = engine_by_name(manifest.engine)
    if not manifest.frontier:
        raise InputError(f'{directory}: nothing can be estimated, engine "{manifest.engine}" keeps no frontier')
    problem = Problem.over(load_npz(directory / NETWORK), domain_from(manifest.domain))
    for _ in range(_TRIES):
        path = directory / Manifest.read(directory).frontier
        if path.is_file():
            subtrees = [decode_subtree(subtree) for subtree in decode(path.read_bytes(), path).unfinished()]
            return estimate(open_explorer(engine, problem, Options()), subtrees, seconds)
    raise InputError(f"{path} is listed in the manifest but missing; restore it from a copy")
