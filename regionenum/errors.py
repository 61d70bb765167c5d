"""The errors that users meet. Each carries one sentence that names the value, the place and the mend."""


class InputError(ValueError):
    """A model, domain, configuration or run directory that cannot be used as given (command line: exit code 2)."""


class EngineError(RuntimeError):
    """An engine could not finish its computation; nothing it returned before may be taken for a complete count."""


class RunError(RuntimeError):
    """A run directory that cannot be written any further (command line: exit code 1)."""


class WorkerError(RuntimeError):
    """A worker failed or died (command line: exit code 1). A run directory can be resumed."""


def first_line(error: BaseException) -> str:
    """What an error of a library says first, fit for a sentence: one line, not too long."""
    lines = str(error).strip().splitlines()
    return " ".join(lines[0].split()).rstrip(" .:")[:300] if lines else type(error).__name__
