"""What the rows of a layer have to do with those of the layer before, told to the cells.

On a cell all rows of a layer are combinations of the outputs of the layer before and of 1. Their span has one dimension more
than the map to these outputs has rank. The row of a cut is in the span of its own layer's rows, and in that of the next
layer's if its unit has a slope there.
"""

from __future__ import annotations

from regionenum.engine.cells import relate, set_span
from regionenum.engine.policy import kernel
from regionenum.engine.tables import CUT
from regionenum.engine.walk.layer_kernel import branch
from regionenum.engine.walk.state import RANK


@kernel
def relate_rows(tables, walk, cells, layer):
    """Tell the cells which rows span those of `layer`, before any is tested; the layers before are decided, with ranks."""
    at = tables.at
    if layer > 0:
        set_span(cells, layer, walk.tally.path[RANK, layer] + 1)
        for c in range(at[layer - 1, CUT], at[layer, CUT]):
            u = tables.cuts.unit[c]
            passed = 0
            if u >= 0:
                _, slope, _ = branch(tables.units, walk.images, u)
                passed = 1 if slope != 0.0 else 0
            relate(cells, c, layer - 1, passed)
    for c in range(at[layer, CUT], at[layer + 1, CUT]):
        relate(cells, c, layer, 0)
