"""One enumeration on the command line: progress on stderr, tables on stdout, exit code back."""

from __future__ import annotations

import sys
from pathlib import Path

from regionenum.cli.progress import progress_display
from regionenum.cli.tables import print_result
from regionenum.domain import Domain
from regionenum.enumeration import Enumeration, follow, refuse_unavailable
from regionenum.network.layers import Network


def run_session(
    network: Network,
    domain: Domain,
    *,
    model: str,
    record: str,
    engine: str,
    out: str | None,
    exact: bool = False,
    as_json: bool = False,
    maps: bool = False,
) -> int:
    """Enumerate, print the result, and return the exit code: 0, or 130 after Ctrl-C."""
    refuse_unavailable(exact=exact)
    config = {
        "model": str(Path(model).resolve()),
        "domain": domain.describe(),
        "record": record,
        "exact": exact,
        "engine": engine,
        "out": out and str(Path(out).resolve()),
    }
    enumeration = Enumeration(network, domain, record=record, out=out, engine=engine, config=config)
    try:
        with progress_display(sys.stderr) as show:
            follow(enumeration, show)
    except KeyboardInterrupt:
        kept = (
            f"{out} holds what was found, marked incomplete" if out else "nothing was kept, use --out DIR to keep rows"
        )
        count = enumeration.result().count
        print(f"regionenum: interrupted after {count:,} regions; {kept}", file=sys.stderr)
        return 130
    print_result(enumeration.result(), as_json=as_json, maps=maps)
    return 0
