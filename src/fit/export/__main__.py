"""`python -m fit.export RUN_FOLDER --format FORMAT`: write a run's network as one self-contained file."""

import argparse
import sys
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

from fit.errors import FitError, run_command
from fit.folder import write_atomically

if TYPE_CHECKING:
    from fit.export.network import Format

# A format is a module of this package, and the ending of its files.
ENDINGS = {"pt2": ".pt2", "onnx": ".onnx", "python": ".py", "c": ".h"}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m fit.export", description=__doc__)
    parser.add_argument("folder", type=Path, help="a run folder, under outputs/runs or in a sweep folder")
    parser.add_argument("--format", choices=ENDINGS, required=True, help="torch, ONNX, Python with NumPy, or C99")
    parser.add_argument("--output", type=Path, help=f"the file, default RUN_FOLDER/network{'|'.join(ENDINGS.values())}")
    parser.add_argument("--checkpoint", choices=["last", "best"], default="last", help="whose weights")
    parser.add_argument("--trust", action="store_true", help="run code that the folder names, such as a model.module")
    typed = parser.parse_args(arguments)
    return run_command(lambda: export(typed.folder, typed.format, typed.output, typed.checkpoint, typed.trust))


def export(folder: Path, kind: str, output: Path | None, which: str, trust: bool = False) -> None:
    """Write a run's network as one file and print how to use it; raise FitError if it does not predict like the run."""
    if output is not None:
        check_output(output, kind)
    path = output or folder / f"network{ENDINGS[kind]}"
    from fit.export.network import SAMPLE_ROWS, draw_samples, largest_difference, read_network

    network, form = read_network(folder, which, trust), load_format(kind)
    samples = draw_samples(network)
    with TemporaryDirectory() as drafts:
        draft = Path(drafts) / path.name
        form.write(network, draft)
        predictions = form.predict(network, draft, samples)
        if isinstance(predictions, str):
            checked = f"not checked: {predictions}"
        else:
            difference = largest_difference(network, samples, predictions)
            off = f"differs from the run by at most {difference:.1e} of a target's standard deviation"
            checked = f"{off} on {SAMPLE_ROWS}, 1 and 0 rows of the training range"
        write_atomically(path, draft.read_bytes())
    print("\n".join(network.describe()))
    print(f"export   {path}\nchecked  {checked}\nuse      {form.usage(network, path)}")


def load_format(kind: str) -> "Format":
    """Return what writes and reads a format."""
    return cast("Format", import_module(f"fit.export.{kind}"))


def check_output(path: Path, kind: str) -> None:
    """Raise FitError if a file cannot be written there, or its name does not suit the format."""
    if path.is_dir():
        raise FitError(f"--output {path} is not allowed, it is a folder: give a file name ending in {ENDINGS[kind]}.")
    if not path.parent.is_dir():
        raise FitError(f"--output {path} is not allowed: the folder {path.parent} does not exist.")
    if path.suffix != ENDINGS[kind]:
        raise FitError(f"--output {path} is not allowed with --format {kind}: give a name ending in {ENDINGS[kind]}.")
    code = kind in ("python", "c")
    if code and not (path.stem.isascii() and path.stem.isidentifier() and not iskeyword(path.stem)):
        raise FitError(
            f"--output {path} is not allowed with --format {kind}: give a name of letters, digits and _, "
            "such as network, which code can use."
        )


if __name__ == "__main__":
    sys.exit(main())
