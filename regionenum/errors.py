"""The errors that users meet. Each carries one sentence that names the value, the place and the mend.

Any room may import this module.
"""


class InputError(ValueError):
    """A model, domain, configuration or run directory that cannot be used as given (command line: exit code 2)."""


class EngineError(RuntimeError):
    """An engine could not finish its computation; nothing it returned before may be taken for a complete count."""


class RunError(RuntimeError):
    """A run directory that cannot be written any further (command line: exit code 1)."""


class WorkerError(RuntimeError):
    """A worker failed or died (command line: exit code 1). A run directory can be resumed."""


def first_line(error: BaseException) -> str:
    """The first line of what an error says, for a sentence that quotes it; or its type, if it says nothing."""
    lines = str(error).strip().splitlines()
    return " ".join(lines[0].split()).rstrip(" .:")[:200] if lines else type(error).__name__
