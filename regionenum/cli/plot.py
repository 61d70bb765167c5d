"""`regionenum plot RUN --out picture.png`: draw the regions of a run with one or two free dimensions."""

from __future__ import annotations

import argparse

from regionenum.choices import Fill


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this verb."""
    parser = verbs.add_parser(
        "plot",
        help="draw the regions of a run",
        description="Draw the recorded regions of a run over a domain with one or two free dimensions.",
        allow_abbrev=False,
    )
    parser.add_argument("directory", metavar="RUN", help="the run directory")
    parser.add_argument("--out", metavar="FILE", required=True, help="the picture: .png, .pdf, .svg")
    parser.add_argument(
        "--fill",
        choices=list(map(str, Fill)),
        default=str(Fill.REGION),
        help="what colours say: nothing but that neighbours differ (region, the default), the dimension after a layer, or the "
        "largest output (class)",
    )
    parser.add_argument("--layer", metavar="NAME", help="layer after which dimensions are drawn (default: the last)")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    # imported when a verb runs, so that help stays light
    from regionenum.result import open_run

    open_run(arguments.directory).plot(arguments.fill, arguments.layer, path=arguments.out)
    return 0
