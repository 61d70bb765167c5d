"""Names among which users choose: the one list of each. Light, because the command line reads it before a verb is chosen."""

from __future__ import annotations

import enum


class Record(enum.StrEnum):
    """What is kept of the cells, beside the statistics."""

    NONE = "none"
    REGIONS = "regions"
    TREE = "tree"


class EngineName(enum.StrEnum):
    """The engines: the compiled one, and the slow, independent reference on HiGHS."""

    COMPILED = "compiled"
    HIGHS = "highs"


class Fill(enum.StrEnum):
    """What the colours of a picture say.

    REGION: nothing but that neighbours are different regions; DIMENSION: the rank of the map to the output of a unit layer;
    CLASS: the largest output.
    """

    REGION = "region"
    DIMENSION = "dimension"
    CLASS = "class"


class AnalysisPlot(enum.StrEnum):
    """What a plot of an analysis shows.

    CHILDREN: children of cells by dimension, against the bound; DIMENSIONS: the shares of the dimensions, layer by layer.
    """

    CHILDREN = "children"
    DIMENSIONS = "dimensions"
