"""Every engine against every known answer that it can reach in the time of a test."""

from __future__ import annotations

import numpy as np
import pytest

from regionenum.engine.interface import Problem, Record
from tests.exploring import ENGINES, Found, explore
from tests.oracles import dense, exact_map, exact_pattern, fractions, pivots
from tests.problems import Known, problems

LIMITS = {"highs": 150, "compiled": 20_000}
"""Most regions of a problem, by engine."""

CASES = [
    pytest.param(engine, known, id=f"{engine}: {known.name}")
    for engine in ENGINES
    for known in problems()
    if known.regions <= LIMITS[engine] and not known.large
]

KEYS = ("parents", "children", "max_children", "unsplit")

MAPS = 500
"""Most regions of a problem whose maps and witnesses are checked one by one, in rational arithmetic."""


@pytest.mark.parametrize(("engine", "known"), CASES)
def test_known_answers(engine: str, known: Known) -> None:
    network, box = known.build()
    problem = Problem.over(network, box)
    one_by_one = known.regions <= MAPS
    found = explore(ENGINES[engine](), problem, Record.REGIONS if one_by_one else Record.NONE)
    assert found.regions == known.regions
    if known.layers:
        assert_layers(known, problem, found)
    if one_by_one:
        assert_regions(known, problem, found)


def assert_layers(known: Known, problem: Problem, found: Found) -> None:
    """Ranks after each layer, and the children of each cell.

    The known children are grouped by the dimension of the map to the pre-activations: that of the map to the output of
    the layer before, but at most the rank of the weight (and not less, in these networks).
    """
    statistics = found.statistics
    assert len(known.layers) == len(statistics.cells) - 1
    for k, facts in enumerate(known.layers):
        assert {r: n for r, n in enumerate(statistics.cells[k + 1]) if n} == facts.ranks
        weight_rank = len(pivots([fractions(row) for row in dense(problem.network.unit_layers[k].weight)]))
        by_rank: dict[int, dict[str, int]] = {}
        for rank in np.flatnonzero(statistics.cells[k]):
            facts_of = by_rank.setdefault(min(int(rank), weight_rank), dict.fromkeys(KEYS, 0))
            facts_of["parents"] += statistics.cells[k, rank]
            facts_of["children"] += statistics.children[k, rank]
            facts_of["max_children"] = max(facts_of["max_children"], statistics.max_children[k, rank])
            facts_of["unsplit"] += statistics.unsplit[k, rank]
        assert by_rank == facts.parents


def assert_regions(known: Known, problem: Problem, found: Found) -> None:
    assert found.cells is not None
    patterns = list(found.layer(problem.depth - 1))
    assert len(patterns) == known.regions
    assert patterns == [exact_pattern(problem, witness) for witness in found.cells.witness]
    if known.distinct_maps is not None:
        assert len({exact_map(problem.network, pattern) for pattern in patterns}) == known.distinct_maps


def test_the_table_is_not_empty() -> None:
    assert len(problems()) > 250
    assert {known.name.split(" ")[0] for known in problems()} >= {"golden", "arrangement", "ReLU", "convolution"}
