"""Exact linear-region enumeration for ReLU and max-pool networks.

The public names below are imported when they are first used, so that `import regionenum` and the command line's help
stay light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regionenum.analysis import theory
    from regionenum.analysis.dimension import Analysis, analyze
    from regionenum.choices import AnalysisPlot, EngineName, Fill, Record
    from regionenum.domain import Box, Domain, Polytope, Slice, WholeSpace, l1_ball, linf_ball
    from regionenum.engine.interface import Counters, Engine, Statistics
    from regionenum.enumeration import enumerate_regions
    from regionenum.errors import EngineError, InputError, RunError, WorkerError
    from regionenum.network.layers import Network
    from regionenum.network.load import load
    from regionenum.network.storage import save_npz
    from regionenum.network.transform import relu_after_pooling, with_decision
    from regionenum.result import Result, open_run
    from regionenum.results.findings import Audit, LayerSummary, RankSummary
    from regionenum.results.progress import Progress
    from regionenum.results.schema import unpack_patterns
    from regionenum.study.compare import compare

    __version__: str

__all__ = [
    "Analysis",
    "AnalysisPlot",
    "Audit",
    "Box",
    "Counters",
    "Domain",
    "Engine",
    "EngineError",
    "EngineName",
    "Fill",
    "InputError",
    "LayerSummary",
    "Network",
    "Polytope",
    "Progress",
    "RankSummary",
    "Record",
    "Result",
    "RunError",
    "Slice",
    "Statistics",
    "WholeSpace",
    "WorkerError",
    "__version__",
    "analyze",
    "compare",
    "enumerate_regions",
    "l1_ball",
    "linf_ball",
    "load",
    "open_run",
    "relu_after_pooling",
    "save_npz",
    "theory",
    "unpack_patterns",
    "with_decision",
]

_HOMES = {
    "Analysis": "analysis.dimension",
    "AnalysisPlot": "choices",
    "Box": "domain",
    "Counters": "engine.interface",
    "Domain": "domain",
    "Engine": "engine.interface",
    "EngineError": "errors",
    "EngineName": "choices",
    "Fill": "choices",
    "InputError": "errors",
    "Audit": "results.findings",
    "LayerSummary": "results.findings",
    "Network": "network.layers",
    "Polytope": "domain",
    "Progress": "results.progress",
    "RankSummary": "results.findings",
    "Record": "choices",
    "Result": "result",
    "RunError": "errors",
    "Slice": "domain",
    "Statistics": "engine.interface",
    "WholeSpace": "domain",
    "WorkerError": "errors",
    "analyze": "analysis.dimension",
    "compare": "study.compare",
    "enumerate_regions": "enumeration",
    "l1_ball": "domain",
    "linf_ball": "domain",
    "load": "network.load",
    "open_run": "result",
    "relu_after_pooling": "network.transform",
    "save_npz": "network.storage",
    "theory": "analysis.theory",
    "unpack_patterns": "results.schema",
    "with_decision": "network.transform",
}

_ROOMS = {"theory"}
"""The names that are modules themselves."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("regionenum")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_HOMES[name]}")
    value = home if name in _ROOMS else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
