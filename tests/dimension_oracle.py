"""The tables of `rn.analyze` in plain Python, one cell after the other, from the exact oracle's cells.

Shares and means are fractions. Nothing here comes from the engines, from recorded rows, or from the analysis.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, combinations
from math import prod
from typing import Any

from regionenum.domain import Domain
from regionenum.engine.interface import Problem
from regionenum.network.layers import Layer, Network
from regionenum.network.units import MAXIMUM
from tests.exact_forms import exact_form
from tests.exact_oracle import Truth, enumerate_exactly
from tests.oracles import Pattern, chart_rows, dense, fractions, outputs, pivots, preactivations

Rows = list[dict[str, Any]]


def output_rank(problem: Problem, pattern: Pattern) -> int:
    """Rank of the network's own map on the region with a pattern."""
    rows, place = chart_rows(problem.chart), 0
    for layer in problem.network.unit_layers:
        pieces = pattern[place : place + layer.n_out]
        rows, place = outputs(layer, preactivations(layer, rows), pieces), place + layer.n_out
    if len(problem.network.layers) > problem.depth:
        rows = preactivations(problem.network.layers[-1], rows)
    return len(pivots([row[:-1] for row in rows]))


def sum_of_products(pieces: Sequence[int], dim: int) -> int:
    """The sum over all sets of at most `dim` units of the product of their pieces minus 1."""
    sets = (chosen for size in range(min(dim, len(pieces)) + 1) for chosen in combinations(pieces, size))
    return sum(prod(n - 1 for n in chosen) for chosen in sets)


def cutting_units(layer: Layer) -> tuple[list[int], int]:
    """Pieces of the units that can cut, and the rank of the rows that they read."""
    weight, units = dense(layer.weight), layer.units
    pieces, read = [], set[int]()
    for u, function in enumerate(units.function_of.tolist()):
        rows = units.rows[units.indptr[u] : units.indptr[u + 1]].tolist()
        if function == MAXIMUM:
            n = len({tuple(weight[row].tolist()) for row in rows})
        else:
            n = len(units.functions[function].slopes) if any(weight[rows[0]].tolist()) else 1
        if n > 1:
            pieces.append(n)
            read |= set(rows)
    return pieces, len(pivots([fractions(weight[row]) for row in sorted(read)]))


def expected(network: Network, domain: Domain, max_cells: int = 2000) -> dict[str, Rows]:
    """All tables but `cells`, as rows in the order of the analysis; raises as `enumerate_exactly`."""
    truth: Truth = enumerate_exactly(*exact_form(network, domain), max_cells)
    problem = Problem.over(network, domain)
    names, depth = ["input", *(layer.name for layer in network.unit_layers)], problem.depth
    ends = [0, *accumulate(problem.n_units)]
    levels: list[dict[Pattern, int]] = [{(): problem.dim}, *truth.cells[:depth]]
    families: list[dict[Pattern, list[Pattern]]] = []
    for k in range(depth):
        of_cell = defaultdict(list)
        for pattern in levels[k + 1]:
            of_cell[pattern[: ends[k]]].append(pattern)
        families.append(of_cell)
    finals = [Counter(pattern[: ends[k]] for pattern in levels[-1]) for k in range(max(depth, 1))]
    out = {pattern: output_rank(problem, pattern) for pattern in levels[-1]}
    tables: dict[str, Rows] = {}
    count = len(levels[-1])

    dimensions = [(k - 1, names[k], Counter(level.values())) for k, level in enumerate(levels)]
    dimensions.append((depth, "output", Counter(out.values())))
    tables["dimensions"] = [
        {"layer": k, "name": name, "dimension": r, "regions": n, "share": Fraction(n, sum(ranks.values()))}
        for k, name, ranks in dimensions
        for r, n in sorted(ranks.items())
    ]

    def distribution(k: int, value_of: Any) -> list[tuple[dict[str, Any], int, int, Fraction]]:
        found = defaultdict[int, Counter[int]](Counter)
        for pattern, rank in levels[k].items():
            found[rank][value_of(pattern)] += 1
        return [
            ({"layer": k - 1, "name": names[k], "dimension": rank}, value, n, Fraction(n, sum(counts.values())))
            for rank, counts in sorted(found.items())
            for value, n in sorted(counts.items())
        ]

    for name in ("children", "transitions", "spread", "cutting", "spread_exact", "descent"):
        tables[name] = []
    for k in range(depth):
        family, place = families[k], slice(ends[k], ends[k + 1])
        pieces, rank_of_weights = cutting_units(network.unit_layers[k])
        by_rank = defaultdict[int, list[int]](list)
        flows = defaultdict[int, Counter[int]](Counter)
        for pattern, rank in levels[k].items():
            by_rank[rank].append(len(family[pattern]))
            flows[rank].update(levels[k + 1][child] for child in family[pattern])
        for rank, numbers in sorted(by_rank.items()):
            bounds = [sum_of_products(pieces, r) for r in (rank, min(rank, rank_of_weights))]
            row = {"layer": k - 1, "name": names[k], "dimension": rank, "next_name": names[k + 1]}
            row |= {"regions": len(numbers), "closed": len(numbers), "children": sum(numbers)}
            mean = Fraction(sum(numbers), len(numbers))
            row |= {"mean": mean, "max": max(numbers), "unsplit": numbers.count(1)}
            row |= {"unsplit_share": Fraction(numbers.count(1), len(numbers)), "units": len(pieces)}
            row |= {"rank": min(rank_of_weights, max(by_rank))}
            for name, bound in zip(("bound", "rank_bound"), bounds, strict=True):
                row |= {name: bound, f"{name}_exact": str(bound)}
                row |= {f"mean_of_{name}": mean / bound, f"max_of_{name}": Fraction(max(numbers), bound)}
            tables["children"].append(row)
        tables["transitions"] += flowing(k, names[k], names[k + 1], flows)
        for cells, power, n, share in distribution(k, lambda cell, of=family: len(of[cell]).bit_length() - 1):
            bin_of = {"least": 2**power, "most": 2 ** (power + 1) - 1}
            tables["spread"].append(cells | bin_of | {"regions": n, "share": share})
        for cells, value, n, share in distribution(k, lambda cell, of=family: len(of[cell])):
            tables["spread_exact"].append(cells | {"children": value, "regions": n, "share": share})
        for cells, value, n, share in distribution(
            k,
            lambda cell, of=family, at=place: sum(
                len(set(p)) > 1 for p in zip(*(c[at] for c in of[cell]), strict=True)
            ),
        ):
            tables["cutting"].append(cells | {"units": value, "and_more": False, "regions": n, "share": share})
    flows = defaultdict(Counter)
    for pattern, rank in levels[-1].items():
        flows[rank][out[pattern]] += 1
    tables["transitions"] += flowing(depth, names[depth], "output", flows)
    for k in range(max(depth, 1)):
        below = defaultdict[int, list[int]](list)
        for pattern, rank in levels[k].items():
            below[rank].append(finals[k][pattern])
        for rank, numbers in sorted(below.items()):
            once, n, total = numbers.count(1), len(numbers), sum(numbers)
            row = {"layer": k - 1, "name": names[k], "dimension": rank, "regions": n, "final_regions": total}
            row |= {"share": Fraction(total, count), "mean": Fraction(total, n), "min": min(numbers)}
            row |= {"max": max(numbers), "never_split": once, "never_split_share": Fraction(once, n)}
            tables["descent"].append(row)
    split = Counter(
        (
            max((k for k in range(depth) if len(families[k][pattern[: ends[k]]]) > 1), default=-1),
            rank,
            out[pattern],
        )
        for pattern, rank in levels[-1].items()
    )
    tables["last_split"] = [
        {"layer": k, "name": names[k + 1], "dimension": rank, "output_dimension": of_output}
        | {"regions": n, "share": Fraction(n, count)}
        for (k, rank, of_output), n in sorted(split.items())
    ]
    return tables


def flowing(k: int, name: str, to_name: str, flows: dict[int, Counter[int]]) -> Rows:
    """The rows of `transitions` from one level to the next."""
    return [
        {"layer": k - 1, "name": name, "dimension": rank, "to_layer": k, "to_name": to_name, "to_dimension": to}
        | {"regions": n, "share": Fraction(n, sum(counts.values()))}
        for rank, counts in sorted(flows.items())
        for to, n in sorted(counts.items())
    ]
