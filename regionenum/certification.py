"""Certify a finished run: read its directory, and check what it claims without the engine (`exact/checker.py`).

The tree of cells is divided among processes at nodes; a process finds its node again by its address.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from regionenum.choices import Record
from regionenum.errors import InputError, WorkerError
from regionenum.exact.checker import Checker, Node, Work
from regionenum.exact.claim import RefutedError
from regionenum.exact.domains import ExactDomain
from regionenum.parallel.local import process_context
from regionenum.results.claimed import claim_of
from regionenum.results.manifest import Manifest
from regionenum.results.reader import read_run

NODES = 64
"""Into how many subtrees a tree is divided at least, so that the first failure found does not depend on the processes."""


@dataclass(frozen=True)
class CheckProgress:
    """How far a check got.

    Attributes
    ----------
    regions, total : regions reached, and to be reached
    """

    regions: int
    total: int
    seconds: float


@dataclass(frozen=True)
class Certificate:
    """What was proved of a run.

    Attributes
    ----------
    regions : of the run
    sampled : regions whose paths were followed; None for all
    work : what was proved
    """

    regions: int
    sampled: int | None
    work: Work
    seconds: float

    @property
    def sentence(self) -> str:
        """All of it in a sentence."""
        w = self.work
        found = f" ({w.found:,} of them found by the checker)" if w.found else ""
        proofs = (
            f"{w.proofs:,} proofs of 'does not cut', {w.splits:,} splits, {w.cells:,} ranks, {w.witnesses:,} witnesses"
            f"{found}, {self.seconds:.3g} s"
        )
        if self.sampled is None:
            return f"certified: {self.regions:,} regions, complete; {proofs}"
        return (
            f"sampled: {self.sampled:,} of {self.regions:,} regions exist, with these ranks, and every decision on the paths "
            f"to them is right; that the others exist, and that none is missing elsewhere, is not proved; {proofs}"
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "certified": self.sampled is None,
            "regions": self.regions,
            "sampled": self.sampled,
            "seconds": self.seconds,
            "work": vars(self.work),
        }


def certify(
    path: str | os.PathLike[str],
    workers: int = 1,
    sample: int | None = None,
    seed: int | None = None,
    on_progress: Callable[[CheckProgress], None] | None = None,
) -> Certificate:
    """Check that a finished run found all regions of its network over its domain, with their ranks, and none else.

    Parameters
    ----------
    path : path
        The run directory, recorded with `record="regions"` or `"tree"`.
    workers : int
        Processes.
    sample : int, optional
        Follow the paths to so many regions only, drawn at random.
    seed : int, optional
        Draw the same sample again; without it, another each time.
    on_progress : callable, optional
        Called now and then.

    Raises
    ------
    InputError
        If there is no finished run with recorded regions.
    RefutedError
        If the run is not what it claims to be, naming the place.
    """
    start, directory = time.monotonic(), Path(path)
    manifest = Manifest.read(directory)
    if manifest.record is Record.NONE:
        raise InputError(f'{directory}: regions were not recorded (record="none"); enumerate with record="regions"')
    if not manifest.complete:
        raise InputError(
            f"{directory}: the run is incomplete, so there is nothing to certify; finish it by `regionenum resume`"
        )
    if sample is not None and sample < 1:
        raise InputError(f"sample is {sample}; give a number of regions, 1 or more")
    if seed is not None and seed < 0:
        raise InputError(f"seed is {seed}; give a number that is not negative")
    checker = _checker(directory, None)
    claim, n = checker.claim, len(checker.claim.regions)
    claim.check_patterns()
    claim.check_tree()
    if sample is not None and sample < n:
        checker.chosen = np.zeros(n, np.bool_)
        checker.chosen[np.random.default_rng(seed).choice(n, sample, replace=False)] = True
    else:
        sample = None
    nodes = checker.frontier(max(NODES, 8 * workers))
    steps = _here(checker, nodes) if workers == 1 else _elsewhere(directory, checker, nodes, workers)
    for regions in steps:
        if on_progress is not None:
            on_progress(CheckProgress(regions, sample or n, time.monotonic() - start))
    claim.check_statistics(checker.domain.dim)
    return Certificate(n, sample, checker.work, time.monotonic() - start)


def _checker(directory: Path, chosen: np.ndarray | None) -> Checker:
    try:
        findings = read_run(directory)
        claim = claim_of(findings)
    except InputError as error:
        # the run says what should be there, and it is not
        raise RefutedError(str(error)) from error
    problem = findings.subject.problem
    domain = ExactDomain.of(problem.domain, problem.chart, problem.network.input_shape)
    return Checker(claim, domain, chosen)


def _here(checker: Checker, nodes: list[Node]) -> Iterator[int]:
    for node in nodes:
        yield from checker.check(node)


def _elsewhere(directory: Path, checker: Checker, nodes: list[Node], workers: int) -> Iterator[int]:
    """In worker processes; failures come in the order of the nodes."""
    addresses = [node.address for node in nodes]
    try:
        with ProcessPoolExecutor(workers, process_context(), _prepare, (directory, checker.chosen)) as pool:
            futures = [pool.submit(_check_at, address) for address in addresses]
            try:
                for future in futures:
                    checker.work.add(future.result())
                    yield checker.work.regions
            finally:
                for future in futures:
                    future.cancel()
    except BrokenProcessPool as error:
        raise WorkerError(
            "a worker process of the check died; check again with fewer workers or more memory"
        ) from error


_prepared: list[Checker] = []


def _prepare(directory: Path, chosen: np.ndarray | None) -> None:
    _prepared[:] = [_checker(directory, chosen)]


def _check_at(address: tuple[int, ...]) -> Work:
    checker = _prepared[0]
    checker.work = Work()
    for _ in checker.check(checker.at(address)):
        pass
    return checker.work
