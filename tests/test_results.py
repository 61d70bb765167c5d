"""What an enumeration found, in memory: counts, statistics and recorded rows."""

import numpy as np
import pytest

from regionenum.enumeration import enumerate_regions
from regionenum.errors import InputError
from regionenum.result import open_run
from regionenum.results.patterns import Packing
from tests.line import LineEngine, chain
from tests.runs import CELLS, REGIONS
from tests.test_schema import BOX, NET


def test_the_summary():
    result = enumerate_regions(NET, BOX, record="tree", engine=LineEngine())
    assert (result.count, result.complete, result.exact) == (REGIONS, True, False)
    assert [(layer.name, layer.regions) for layer in result.layers] == [("layers.0", 3), ("layers.1", REGIONS)]
    assert result.layers[0].by_rank.keys() == {1}
    summary = result.layers[0].by_rank[1]
    assert (summary.regions, summary.children, summary.max_children, summary.unsplit) == (3, 5, 3, 2)
    assert result.layers[1].by_rank[1].children == 0
    assert (result.input.regions, result.input.by_rank[1].children) == (1, 3)
    assert repr(result).startswith("<Result: 5 regions, complete, not exact, ")


def test_regions_are_the_leaves_of_the_tree():
    tree = enumerate_regions(NET, BOX, record="tree", engine=LineEngine())
    regions = enumerate_regions(NET, BOX, record="regions", engine=LineEngine())
    assert tree.regions.equals(regions.regions)
    assert tree.distinct_maps() == regions.distinct_maps() == 4
    cells = tree.cells.to_pylist()
    assert len(cells) == CELLS
    above = {cell["cell"]: cell for cell in cells if cell["layer"] == 0}
    for cell in cells:
        if cell["layer"] == 0:
            assert (cell["parent"], cell["ranks"][1], cell["pattern"][0] & 0b00011111) == (-1, 0, 0)
        else:
            parent = above[cell["parent"]]
            assert parent["pattern"][0] == cell["pattern"][0] & 0b11100000


def test_witnesses_have_the_patterns_of_their_rows():
    regions = enumerate_regions(NET, BOX, record="regions", engine=LineEngine()).regions
    x = np.array(regions.column("witness").to_pylist())
    patterns = Packing.of(NET).pack(NET.pattern(x))
    assert [bytes(p) for p in patterns] == regions.column("pattern").to_pylist()


def test_what_was_not_recorded_is_refused():
    nothing = enumerate_regions(NET, BOX, engine=LineEngine())
    assert nothing.count == REGIONS
    for ask in (lambda: nothing.regions, nothing.distinct_maps):
        with pytest.raises(InputError, match=r'regions were not recorded .* enumerate with record="regions"'):
            ask()
    regions = enumerate_regions(NET, BOX, record="regions", engine=LineEngine())
    with pytest.raises(InputError, match=r'cells were not recorded .* enumerate with record="tree"'):
        _ = regions.cells


def test_a_network_without_units_is_one_region(tmp_path):
    affine = chain(([[2.0]], [1.0], None))
    result = enumerate_regions(affine, BOX, record="tree", engine=LineEngine(), out=tmp_path / "run")
    assert (result.count, result.layers, result.distinct_maps()) == (1, (), 1)
    assert open_run(tmp_path / "run").cells.to_pylist() == [
        {"layer": -1, "cell": 0, "parent": -1, "pattern": b"\x00", "ranks": [0], "output_rank": 1, "witness": [0.5]}
    ]
