"""The errors that are a person's to mend, told in one sentence."""

import sys


class FitError(Exception):
    """A setting, file or folder that cannot be used; its text is the sentence that the user reads."""


def refuse(error: BaseException) -> int:
    """Say on standard error what cannot be, and return the exit code."""
    if isinstance(error, OSError) and error.strerror:
        sentence = f"{error.filename or 'A file of the run'} cannot be read or written: {error.strerror}."
    elif isinstance(error, MemoryError):
        sentence = "There is not enough memory: give a smaller model.hidden, data.points or data.batch_size."
    else:
        sentence = str(error)
    print(f"fit: {sentence}", file=sys.stderr)
    return 2
