"""Progress on a terminal and elsewhere."""

from io import StringIO

from regionenum.cli.progress import progress_display, progress_line
from regionenum.results.progress import Progress


class Stream(StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


MOMENT = Progress(regions=12345, cells=(10, 12345), seconds=10.0, doubtful=3)


def test_progress_line():
    assert progress_line(MOMENT) == ("12,345 regions, 1,234/s, 10 s, cells by layer: 10 12,345, doubtful decisions: 3")


def test_progress_elsewhere_is_a_line_now_and_then(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("regionenum.cli.progress.time.monotonic", lambda: now[0])
    stream = Stream(terminal=False)
    with progress_display(stream) as show:
        for now[0] in (1.0, 9.9, 10.0, 11.0, 20.5):
            show(MOMENT)
    assert stream.getvalue() == 2 * (progress_line(MOMENT) + "\n")


def test_progress_on_a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    stream = Stream(terminal=True)
    with progress_display(stream) as show:
        show(MOMENT)
    assert "12,345 regions" in stream.getvalue()
    assert "%" not in stream.getvalue()
