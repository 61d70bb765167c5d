"""What a study prints and reports: tables of 80 columns, and one HTML file."""

import re
from html.parser import HTMLParser

import pyarrow as pa
import pytest

from regionenum.analysis import html
from regionenum.study.report import report
from regionenum.study.table import SCHEMA
from regionenum.study.text import study_text
from tests.studies import columns


def row(**given):
    """A row as of a network of three layers."""
    found = {
        "name": "x",
        "architecture": "16-16-16-relu",
        "data": "iris",
        "seed": 0,
        "epoch": 50,
        "parameters": 500,
        "units": 48,
        "depth": 3,
        "train_accuracy": 0.99,
        "test_accuracy": 0.95,
        "regions": 12_345,
        "complete": True,
        "exact": True,
        "seconds": 0.25,
        "rate": 49_380.0,
        "regions_by_layer": [100, 1000, 12_345],
        "dimensions": [{"dimension": 3, "regions": 12_000}, {"dimension": 2, "regions": 345}],
        "mean_dimension": 2.97,
        "log10_bound": 9.9,
    }
    return found | given


def table(*rows):
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def test_what_all_rows_share_stands_above():
    text = study_text("x", table(row(), row(architecture="30-relu")), [])
    assert text.splitlines()[:2] == ["Study x: 2 networks", "All of them: data iris, epoch 50, seed 0"]
    (line,) = [
        line for line in text.splitlines() if line.startswith("16-16-16-relu  ") and "12,345" in line and "500" in line
    ]
    assert line.split()[:3] == ["16-16-16-relu", "500", "48"]
    assert "epoch" not in text.split("Networks")[1]
    text = study_text("x", table(row(), row(epoch=51)), ["a note"])
    assert "epoch" in text.split("Networks")[1].splitlines()[2]
    assert text.endswith("\na note\n")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_columns_give_way_and_digits_do_not(width):
    large = row(
        regions=10**12,
        regions_by_layer=[10**6, 10**9, 10**12],
        parameters=123_456,
        rate=1e6,
        distinct_maps=10**11,
        seconds=1e6,
        data="digits",
        dimensions=[{"dimension": k, "regions": 10**11 + k} for k in range(10, 0, -1)],
    )
    rows = [large, large | {"seed": 1, "data": "iris", "epoch": 1000}, row(data="wine", complete=False, epoch=7)]
    text = study_text("large", table(*rows), [], width)
    assert columns(text) <= width
    networks = text.split("\nNetworks\n")[1].split("Growth")[0]
    assert "1.00e+12" in networks or "1,000,000,000,000" in networks
    assert "12,345+" in text
    assert "1 network is incomplete" in text
    assert "asked" not in text
    wide = study_text("large", table(*rows), [], 300)
    assert "…" not in wide
    assert all(head in wide for head in ("bound", "units", "train", "seconds", "regions/s", "maps", "dim"))


def test_a_label_without_end_is_cut():
    text = study_text("x", table(row(architecture="16-" * 60), row(architecture="30-relu")), [])
    assert columns(text) <= 80
    assert "…" in text
    assert "12,345" in text


def test_seeds_are_averaged():
    text = study_text("x", table(row(regions=10), row(seed=1, regions=14), row(seed=2, regions=12)), [])
    assert "12 ± 2" in text
    assert "10 .. 14" in study_text("x", table(row(regions=10), row(seed=1, regions=14)), [], 120)
    assert "By architecture" not in study_text("x", table(row()), [])


def test_given_networks_of_one_architecture_have_their_names():
    given = [row(name=f"net-{k}", file=f"{k}.onnx", architecture="6x50", seed=None, regions=k) for k in (77, 99)]
    text = study_text("x", table(*given), [])
    assert "standard deviation over networks" in text
    networks = text.split("\nNetworks\n")[1]
    assert [line.split()[0] for line in networks.splitlines()[2:4]] == ["net-77", "net-99"]


def test_no_rows():
    assert study_text("x", table(), ["3 are missing"]) == "Study x: no network has a run yet\n3 are missing\n"
    assert "0 networks" in report("x", table(), [])


class Checked(HTMLParser):
    """Refuses tags that are not closed, and notes what a page fetches and which names it gives."""

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.names, self.cells = [], [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br"):
            self.open.append(tag)
        for key, value in attrs:
            if key in ("src", "href", "xlink:href") and not value.startswith("#"):
                self.fetched.append(value)
            if key == "id":
                self.names.append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["td"]:
            self.cells.append(data)


def parsed(text):
    checked = Checked()
    checked.feed(text)
    assert checked.open == []
    return checked


def test_the_report_needs_nothing_else():
    pytest.importorskip("matplotlib")
    text = report("x", table(row(), row(architecture="30-relu", parameters=480, regions=99)), ["a <note>"])
    page = parsed(text)
    assert page.fetched == []
    assert len(page.names) == len(set(page.names))
    assert text.count("<svg") == text.count("<figure>") == 4
    assert html.INK not in text
    assert "currentColor" in text
    assert "prefers-color-scheme: dark" in text
    assert "<script" not in text
    assert "a &lt;note&gt;" in text
    assert {"12,345", "99"} <= set(page.cells)
    # what a figure refers to is in the page
    referred = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    assert referred <= set(page.names)
    # the same study gives the same report
    assert text == report("x", table(row(), row(architecture="30-relu", parameters=480, regions=99)), ["a <note>"])


def test_pages_are_escaped():
    text = html.page("<b>", [html.heading("a & b"), html.table(["<"], [["<i>"]]), html.paragraph("1 < 2", note=True)])
    page = parsed(text)
    assert page.cells == ["<i>"]
    assert "<b>" not in text
    assert "a &amp; b" in text


def test_without_matplotlib_there_are_no_pictures(monkeypatch):
    monkeypatch.setattr("regionenum.study.report.find_spec", lambda name: None)
    text = report("x", table(row()), [])
    assert "<svg" not in text
    assert "matplotlib is not installed, so there are no pictures." in text


def test_incomplete_counts_are_marked():
    text = report("x", table(row(complete=False)), [])
    assert "12,345+" in text
    assert "lower bounds" in text
    assert "All counts are exact and complete." in report("x", table(row()), [])
    assert "decided in floating point" in report("x", table(row(exact=False)), [])
