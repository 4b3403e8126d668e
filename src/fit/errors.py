"""The errors that are a person's to mend, told in one sentence."""

import sys

from omegaconf.errors import OmegaConfBaseException


class FitError(Exception):
    """A setting, file or folder that cannot be used; its text is the sentence that the user reads."""


class LackingError(FitError, AttributeError):
    """A name of the library that is there only if something else is installed."""


# What a person can mend: told in one sentence, never with a traceback.
MENDABLE = (FitError, OSError, MemoryError, OmegaConfBaseException)


def as_sentence(error: BaseException) -> str:
    """Say in one sentence what went wrong."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'A file of the run'} cannot be read or written: {error.strerror}."
    if isinstance(error, MemoryError):
        return "There is not enough memory: give a smaller model.hidden, data.points or data.batch_size."
    if isinstance(error, OmegaConfBaseException):
        return f"The settings cannot be read: {str(error).splitlines()[0]}."
    if isinstance(error, FitError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def refuse(error: BaseException) -> int:
    """Say on standard error what cannot be, and return the exit code."""
    print(f"fit: {as_sentence(error)}", file=sys.stderr)
    return 2
