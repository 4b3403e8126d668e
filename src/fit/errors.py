"""Errors that the user can fix, each reported in one sentence."""

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from omegaconf.errors import OmegaConfBaseException


class FitError(Exception):
    """A setting, file or folder that cannot be used; its message is the sentence that the user reads."""


class LackingError(FitError, AttributeError):
    """A name of the library that needs an extra which is not installed."""


# The packages of each extra, by module name.
EXTRAS = {
    "table": {"pandas": "pandas", "pyarrow": "pyarrow"},
    "sklearn": {"sklearn": "scikit-learn"},
    "onnx": {"onnx": "onnx", "onnxscript": "onnxscript", "onnxruntime": "onnxruntime"},
    "optuna": {"optuna": "Optuna"},
    "ray": {"ray": "Ray"},
}


def missing_extra(what: str, extra: str, error: ImportError) -> FitError:
    """Return the error that an extra is not installed, or that it cannot be imported."""
    modules = EXTRAS[extra]
    if isinstance(error, ModuleNotFoundError) and error.name in modules:
        return FitError(f"{what} needs {modules[error.name]}: pip install '.[{extra}]' in the clone of fit.")
    libraries = " and ".join(modules.values())
    return FitError(f"{what} needs {libraries}, which cannot be imported: {as_sentence(error)}.")


# Errors that the user can fix: reported in one sentence, without a traceback.
MENDABLE = (FitError, OSError, MemoryError, OmegaConfBaseException)


def as_sentence(error: BaseException) -> str:
    """Return the message of an error as one sentence."""
    # One without a file name may be of a socket or a process; those of a full or failing disk have no subclass.
    if isinstance(error, OSError) and error.strerror and (error.filename or type(error) is OSError):
        return f"{error.filename or 'A file of the run'} cannot be read or written: {error.strerror}."
    if isinstance(error, MemoryError):
        return "There is not enough memory: give a smaller model.hidden, data.points or data.batch_size."
    if isinstance(error, OmegaConfBaseException):
        return f"The settings cannot be read: {str(error).splitlines()[0]}."
    if isinstance(error, FitError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


@contextmanager
def errors_exit() -> Iterator[None]:
    """Report errors and exit, in Hydra's callbacks, where Hydra would only warn and continue."""
    try:
        yield
    except MENDABLE as error:
        raise SystemExit(refuse(error)) from None
    except Exception:
        traceback.print_exc()
        raise SystemExit(1) from None


def run_command(work: Callable[[], int | None]) -> int:
    """Do the work of a command and return its exit code; a person's mistake is one sentence on standard error."""
    try:
        return work() or 0
    except BrokenPipeError:  # who reads it has enough, and Python would say so once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MENDABLE as error:
        return refuse(error)
    except KeyboardInterrupt:
        return 130


def refuse(error: BaseException) -> int:
    """Print an error to standard error, and return the exit code 2."""
    print(f"fit: {as_sentence(error)}", file=sys.stderr)
    return 2
