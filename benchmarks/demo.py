"""Count the regions of networks trained on real data: `make demo`, or `python -m benchmarks.demo [CONFIG ...]`.

Every configuration is run as by `regionenum run`, but without a run directory. By default: the networks in `configs/`
trained on the iris and wine data, over the bounding box of the data. Their weights lie there; torch is not needed.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import regionenum as rn
from regionenum.cli.config import read_config
from regionenum.cli.doctor import star_network
from regionenum.cli.limits import Limits
from regionenum.cli.model import ModelOptions
from regionenum.cli.session import Request, run_session
from regionenum.errors import InputError

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
DEFAULT = (CONFIGS / "iris.toml", CONFIGS / "wine.toml")


def main(argv: list[str] | None = None) -> int:
    """Run the configurations one after the other; returns the first exit code that is not 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("configs", nargs="*", type=Path, default=DEFAULT, metavar="CONFIG", help="run configurations")
    options = parser.parse_args(argv)
    prepare_kernels()
    for path in options.configs:
        print(f"\n{'-' * 100}\n{leading_comment(path)}\n", flush=True)
        config = read_config(path)
        model = ModelOptions.of(config)
        request = Request(
            network=model.read(),
            domain=config.domain.build(),
            record=config.record,
            engine=config.engine,
            out=None,
            model=model.describe(),
            exact=config.exact,
        )
        code = run_session(request, Limits())
        if code:
            return code
    return 0


def prepare_kernels() -> None:
    """Load the kernels by counting a network with a known answer."""
    start = time.perf_counter()
    count = rn.enumerate_regions(star_network(), rn.Box(-1, 1)).count
    if count != 5:
        raise rn.EngineError(f"the self-test finds {count} regions, not 5; run `regionenum doctor`")
    print(f"Kernels ready in {time.perf_counter() - start:.1f} s; self-test passed.", flush=True)


def leading_comment(path: Path) -> str:
    """The comment at the head of a configuration, which says what is counted."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the path of a TOML file") from error
    head = [line.lstrip("# ") for line in lines[: next((k for k, x in enumerate(lines) if x[:1] != "#"), len(lines))]]
    return "\n".join([str(path.name), *head])


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except (rn.InputError, rn.EngineError) as failure:
        print(f"demo: error: {failure}", file=sys.stderr)
        raise SystemExit(2 if isinstance(failure, rn.InputError) else 1) from failure
