"""`python -m fit.predict RUN_FOLDER x=1.5 y=-2` or `--input points.csv`: predictions of a run."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fit.data.table.dialect import DATES
from fit.errors import FitError, run_command
from fit.messages import nearest
from fit.settings.rules import RULES
from fit.settings.schema import is_number

if TYPE_CHECKING:  # torch takes seconds to import
    from fit.data.table.dialect import Dialect
    from fit.predict.predictor import Predictor


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m fit.predict", description=__doc__)
    parser.add_argument("folder", type=Path, help="a run folder")
    parser.add_argument(
        "values",
        nargs="*",
        metavar="NAME=VALUE",
        help="the inputs of a single point; predictions are printed with six digits",
    )
    parser.add_argument("--input", metavar="FILE", help="a CSV, TSV or Parquet file of points; -: standard input")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="the file for the rows and their predictions, with all digits: CSV, or Parquet if it ends in .parquet; "
        "-, the default: standard output (six digits if that is a terminal)",
    )
    parser.add_argument("--checkpoint", choices=["last", "best"], default="last", help="which weights to use")
    for name in ("separator", "header", "decimal", "encoding"):
        message = RULES[f"data.{name}"].allowed
        parser.add_argument(f"--{name}", help=f"of --input: {message}; by default that of the table trained on")
    parser.add_argument("--trust", action="store_true", help="run code that the folder names, such as a model.module")
    typed = parser.parse_intermixed_args(arguments)
    return run_command(lambda: predict(typed))


def predict(typed: argparse.Namespace) -> None:
    """Predict at the point or the file that was typed; raise FitError for what cannot be predicted."""
    source = typed.input or ("-" if typed.output else None)
    if (source is None) == (not typed.values):
        raise FitError("There are no points: give the inputs as NAME=VALUE, or a file of them as --input FILE.")
    from fit.predict.predictor import load_predictor

    predictor = load_predictor(typed.folder, typed.checkpoint, typed.trust)
    if predictor.diverged:
        raise FitError(
            f"The {typed.checkpoint} checkpoint of {typed.folder} has diverged: give another run, or --checkpoint best."
        )
    if source is None:
        predict_point(predictor, typed.values)
        return
    import fit.data.table.file  # noqa: F401  raises FitError if pyarrow is missing
    from fit.predict.file import predict_file

    predict_file(predictor, source, typed.output or "-", override_dialect(predictor.dialect, typed))


def override_dialect(dialect: "Dialect", typed: argparse.Namespace) -> "Dialect":
    """Return the dialect of the input, changed by options; raise FitError for an invalid one."""
    for name in dialect._fields:
        value = getattr(typed, name)
        if value is None:
            continue
        value = {"true": True, "false": False}.get(value, value) if name == "header" else value
        rule = RULES[f"data.{name}"]
        if not rule.test(value):
            raise FitError(f"--{name}={value} is not allowed: give {rule.allowed}{nearest(value, rule.names)}.")
        dialect = dialect._replace(**{name: value})
    return dialect


def predict_point(predictor: "Predictor", typed: Sequence[str]) -> None:
    """Print the targets at one point, given as `NAME=VALUE` for every input; raise FitError for an invalid one."""
    from fit.predict.inputs import encode_inputs, input_columns, required_columns

    values, names = dict[str, str](), input_columns(predictor)
    for each in typed:
        # A name may contain an equals sign.
        name = max((name for name in names if each.startswith(f"{name}=")), key=len, default=None)
        if name is None:
            wrong = each.partition("=")[0]
            raise FitError(f"{each} is not INPUT=VALUE: the inputs are {', '.join(names)}{nearest(wrong, names)}.")
        if name in values:
            raise FitError(f"{name} is given twice: give it one value.")
        values[name] = each[len(name) + 1 :]
    if lacking := [name for name in required_columns(predictor) if name not in values]:
        raise FitError(
            f"{lacking[0]} is missing: give {' '.join(f'{name}=VALUE' for name in required_columns(predictor))}."
        )
    inputs = encode_inputs(predictor, {name: parse_value(predictor, name, value) for name, value in values.items()})
    means, deviations = predictor(inputs)
    for index, name in enumerate(predictor.targets):
        spread = "" if deviations is None else f" ± {float(deviations[0, index]):.3g} (standard deviation)"
        print(f"{name} = {float(means[0, index]):.6g}{spread}")
    if bool(predictor.outside(inputs)[0]):
        point = zip(predictor.inputs, inputs[0].tolist(), predictor.low.tolist(), predictor.high.tolist(), strict=True)
        ranges = ", ".join(
            f"{name} from {low:.6g} to {high:.6g}" for name, value, low, high in point if not low <= value <= high
        )
        print(f"This point lies outside the range of the training rows: {ranges}.", file=sys.stderr)


def parse_value(predictor: "Predictor", name: str, value: str) -> "Sequence[str] | Sequence[float]":
    """Parse an input as a column of one row: a word, or a finite number, for a date in years."""
    if name in predictor.categories:
        words = predictor.categories[name]
        if value not in words:
            raise FitError(f"{name}={value} is not allowed: give {' or '.join(words)}{nearest(value, words)}.")
        return [value]
    try:
        number = float({"true": "1", "false": "0"}.get(value.lower(), value))
    except ValueError:
        number = parse_year(value) if name in predictor.dates else math.nan
    if not is_number(number):
        others = f", or {DATES}" if name in predictor.dates else ""
        raise FitError(f"{name}={value} is not allowed: give {RULES['data.low'].allowed}{others}.")
    return [number]


def parse_year(text: str) -> float:
    """Convert a date to years; NaN if it is not a date."""
    import numpy as np

    import fit.data.table.file  # noqa: F401  raises FitError if pyarrow is missing
    from fit.data.table.dates import years_of

    years = years_of(np.array([text]))
    return math.nan if years is None else float(years[0])


if __name__ == "__main__":
    sys.exit(main())
