"""The Python interface: `fit.run`, `fit.load` and `fit.run_sweep`."""

import math
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from fit.errors import FitError, missing_extra
from fit.folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from fit.predict.predictor import Predictor


class FittedRun:
    """A finished run.

    `folder` is its path. `metrics` holds the numbers of metrics.json, such as `val/rmse` in the targets' own units,
    `val/r2`, and `val/loss` in scaled units; a number that is not finite is None.
    """

    def __init__(self, folder: str | Path, checkpoint: str = "last", trust: bool = False) -> None:
        """Read a run folder.

        `checkpoint` is `last` or `best`, the one with the lowest val/loss. With `trust`, predictions and figures may
        run code that the folder names, such as a model.module or a data.function. Raises FitError if the folder is not
        that of a finished run.
        """
        self.folder = Path(folder)
        self.checkpoint = checkpoint
        self.trust = trust
        self.metrics: dict[str, Any] = RunFolder(folder).read_metrics()
        if self.predictor.inputs and not self.metrics:
            raise FitError(f"{folder} has not finished: resume it with python -m fit.train resume={folder}.")

    @cached_property
    def predictor(self) -> "Predictor":
        """The fitted function on tensors, with the names and ranges of its columns."""
        from fit.predict.predictor import load_predictor

        return load_predictor(self.folder, self.checkpoint, self.trust)

    @property
    def diagnosis(self) -> dict[str, Any]:
        """The contents of diagnosis.json: `healthy`, and a list of `findings`; empty without a diagnosis.

        Each finding has `id`, `certainty`, `evidence`, `explanation`, `cure` (a list of overrides) and `expected`.
        """
        return RunFolder(self.folder).read_diagnosis()

    @property
    def history(self) -> dict[str, list[float]]:
        """The columns of history.csv by name, a value for each evaluation; NaN where there is none.

        `pandas.DataFrame(run.history)` is a table. For several networks it is the mean, at each epoch, over those that
        were still training.
        """
        rows = RunFolder(self.folder).mean_history()
        return {key: [row.get(key, math.nan) for row in rows] for key in (rows[0] if rows else ())}

    def predict(self, inputs: Any, return_std: bool = False) -> Any:  # noqa: ANN401
        """Return the predicted targets `[rows, targets]`, an array of float64 in the targets' own units.

        `inputs` is an array `[rows, inputs]` (or `[rows]` for a single input) in the inputs' own units, or a DataFrame
        or mapping of columns by name. With `return_std`, also return the standard deviation of an ensemble's
        predictions, of the same shape. Raises FitError for missing or invalid columns, a run that diverged, and
        `return_std` of a single network.
        """
        import torch

        from fit.predict.frame import to_inputs

        if self.predictor.diverged:
            raise FitError(
                f"The {self.checkpoint} checkpoint of {self.folder} has diverged: "
                f"give another run, or fit.load({str(self.folder)!r}, 'best')."
            )
        values, spread = self.predictor(to_inputs(inputs, self.predictor))
        if not return_std:
            return values.numpy()
        if spread is None:
            raise FitError("return_std needs several networks: train with ensemble=10 or cv=5.")
        assert isinstance(spread, torch.Tensor)
        return values.numpy(), spread.numpy()

    def plot(self) -> "Figure":
        """Return the figure of the fit, which notebooks show; raise FitError if that needs code that is not trusted."""
        from fit.report.run import draw_run_fit
        from fit.settings.resume import read_config
        from fit.settings.trust import check_trust

        cfg = read_config(self.folder)
        if not self.trust:
            check_trust(cfg, self.folder, "give fit.load(..., trust=True)")
        return draw_run_fit(RunFolder(self.folder), cfg, self.checkpoint)

    def __repr__(self) -> str:
        """Return the folder and the validation errors."""
        message = [
            f"{key} {self.metrics[key]:.6g}" for key in ("val/rmse", "val/r2") if self.metrics.get(key) is not None
        ]
        return f"FittedRun({str(self.folder)!r}{''.join(', ' + each for each in message)})"

    def _repr_html_(self) -> str:
        """Return the errors and the figure for a notebook."""
        from base64 import b64encode

        picture = RunFolder(self.folder).fit_figure
        if not picture.exists():
            return f"<code>{self!r}</code>"
        image = b64encode(picture.read_bytes()).decode()
        return f'<code>{self!r}</code><br><img src="data:image/png;base64,{image}">'


def load(folder: str | Path, checkpoint: str = "last", trust: bool = False) -> FittedRun:
    """Return the finished run of a folder; without `trust`, no code that it names is run.

    `checkpoint` is `last` or `best`; with `trust`, predictions and figures may run such code. Raises FitError if the
    folder is not that of a finished run.
    """
    return FittedRun(folder, checkpoint, trust)


def run(*overrides: str, data: Any = None, verbose: bool = True) -> FittedRun:  # noqa: ANN401
    """Fit as `python -m fit.train` does, with the same overrides, such as `fit.run("data=xy_square", "seed=1")`.

    `data` is a pair of arrays, inputs `[rows, inputs]` or `[rows]` and targets `[rows, targets]` or `[rows]`, in their
    own units; or a DataFrame, with `"data.targets=[c]"` and, unless all other columns are inputs,
    `"data.inputs=[a,b]"`. With `verbose=False` nothing is printed, except to train.log. Raises FitError for invalid
    settings or data, and KeyboardInterrupt if interrupted; `"resume=FOLDER"` resumes the run. A fit whose
    loss diverges is no error: `metrics["diverged"]` is true.
    """
    from fit.determinism import fix_products
    from fit.execute import finished, run_jobs
    from fit.hydra_adapter.python import opened_run
    from fit.interruption import StopNow
    from fit.job import Job

    fix_products()
    path = next((line for line in overrides if line.lstrip("+").startswith("data.path=")), None)
    if data is not None and path is not None:
        raise FitError(f"{path} and data=... are both given: give one of them.")
    chosen = [] if data is None else ["data=table" if hasattr(data, "columns") else "data=arrays", "data.path=data"]
    with opened_run([*chosen, *overrides], data) as (cfg, folder):
        job = Job(cfg, folder, folder.log_and_print if verbose else folder.log)
        try:
            run_jobs([[job]], shown=verbose)
        except StopNow:
            raise KeyboardInterrupt from None
        if not finished([job]):
            raise KeyboardInterrupt
    return FittedRun(folder.path, trust=True)


def run_sweep(*overrides: str, verbose: bool = True) -> "pd.DataFrame":
    """Sweep as `python -m fit.train -m` does, and return `sweep.csv` as a DataFrame, a row for each job.

    Columns are the job's `status` (finished, diverged, failed or unfinished), swept settings, errors and folder. With
    `verbose=False` nothing is printed. Raises FitError for invalid settings; a job that fails is only a row.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise missing_extra("fit.run_sweep", "table", error) from None
    command = [sys.executable, "-m", "fit.train", "-m", *overrides]
    table = None
    # A file: the sweep would block on a full pipe that is not read while the other one is.
    with TemporaryFile("w+") as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if verbose:
                    print(line, end="")
                if line.startswith("table "):
                    table = Path(line.partition(" ")[2].strip())
        errors.seek(0)
        message = errors.read().strip()
    if table is None and "Traceback" in message:
        raise RuntimeError(message)  # not a user error
    if table is None:
        message = message.removeprefix("fit: ")
        raise FitError(message or f"The sweep ended with exit code {process.returncode}.")
    return pd.read_csv(table)
