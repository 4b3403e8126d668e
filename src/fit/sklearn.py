"""`FitRegressor`: a scikit-learn estimator, for pipelines, cross-validation and searches."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self
from warnings import warn

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fit.errors import FitError, missing_extra
from fit.execute import finished, run_jobs
from fit.folder import RunFolder
from fit.job import Job
from fit.messages import plural
from fit.settings.rules import RULES, check
from fit.settings.schema import whole

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise missing_extra("fit.FitRegressor", "sklearn", error) from None

# With fewer held-out rows, none are held out: they would not suffice to choose an epoch.
FEWEST_HELD_OUT = 10
# An evaluation takes as long as many passes over a small table; so many are enough to choose an epoch from.
EVALUATIONS = 250


class FitRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """An ensemble of multilayer perceptrons on standardized inputs and targets, trained as one stack.

    Parameters
    ----------
    hidden : widths of the hidden layers.
    activation : activation of the hidden layers, a value of model.activation.
    optimizer, scheduler : names of configurations of the command, such as `adam` and `cosine`.
    lr : peak learning rate.
    max_epochs : passes over the rows.
    ensemble : number of networks, which differ in their seed and held-out rows.
    batch_size : rows in each step; None: all.
    loss : a value of `loss`, such as `mse` or `huber`.
    l2 : factor of the sum of squared weights that is added to the loss.
    validation_fraction : fraction of the rows that each network holds out, unless there are fewer than 10; it
        keeps the weights of the lowest loss on them, of up to 500 epochs at equal distances.
    patience : epochs without a lower loss on the held-out rows after which a network stops; None: never.
    random_state : seed of start values, shuffling and held-out rows.
    verbose : whether to show a progress bar.

    Attributes
    ----------
    metrics_ : a dictionary of each network's metrics, as in metrics.json.
    history_ : each network's evaluations, a list of dictionaries.
    checkpoints_ : each network's weights and scalers.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (64, 64),
        activation: str = "gelu",
        optimizer: str = "adam",
        lr: float = 1e-2,
        max_epochs: int = 500,
        *,
        ensemble: int = 8,
        scheduler: str = "cosine",
        batch_size: int | None = 64,
        loss: str = "mse",
        l2: float = 0.0,
        validation_fraction: float = 0.1,
        patience: int | None = 100,
        random_state: int | np.random.RandomState | None = 0,
        verbose: bool = False,
    ) -> None:
        """Keep the settings; `fit` checks them."""
        self.hidden = hidden
        self.activation = activation
        self.optimizer = optimizer
        self.lr = lr
        self.max_epochs = max_epochs
        self.ensemble = ensemble
        self.scheduler = scheduler
        self.batch_size = batch_size
        self.loss = loss
        self.l2 = l2
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:  # noqa: ANN401, N803
        """Fit to inputs `[rows, inputs]` and targets `[rows]` or `[rows, targets]`, in their own units; return self.

        Raises ValueError for data that are not finite numbers or have fewer than two rows, and FitError for invalid
        settings; warns with ConvergenceWarning if networks diverged.
        """
        cfg = self._settings()
        if not whole(1).test(to_python(self.ensemble)):
            raise FitError(f"ensemble={self.ensemble} is not allowed: give {whole(1).allowed}.")
        X, y = validate_data(  # noqa: N806
            self, X, y, dtype=np.float64, y_numeric=True, multi_output=True, ensure_min_samples=2
        )
        self._flat: bool = y.ndim == 1
        seed = 0 if self.random_state == 0 else int(check_random_state(self.random_state).randint(2**30))
        held_out = round(len(X) * cfg.data.val_fraction) >= FEWEST_HELD_OUT
        cfg.trainer.check_val_every_n_epoch = max(1, cfg.trainer.max_epochs // EVALUATIONS)
        if not held_out:
            cfg.data.val_fraction, cfg.early_stopping.patience = 0.0, None
            cfg.trainer.check_val_every_n_epoch = cfg.trainer.max_epochs
        with TemporaryDirectory() as scratch:
            path = Path(scratch, "data.npz")
            save_rows(path, X, y.reshape(len(y), -1).astype(np.float64), held_out)
            jobs = [make_job(cfg, path, seed + number) for number in range(int(self.ensemble))]
            run_jobs([jobs], shown=bool(self.verbose), swept=[])
            if not finished(jobs):
                raise KeyboardInterrupt
            self.metrics_ = [job.metrics for job in jobs]
            self.history_ = [job.folder.read_history() for job in jobs]
            self.checkpoints_: list[Any] = [
                read_light_checkpoint(job.folder.best if held_out else job.folder.last) for job in jobs
            ]
        lost = sum(bool(each["diverged"]) for each in self.metrics_)
        if lost:
            message = (
                f"{lost} of {plural(len(jobs), 'network')} diverged, so predictions are meaningless: give a lower lr."
            )
            warn(message, ConvergenceWarning, stacklevel=2)
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:  # noqa: ANN401, N803
        """Return the mean prediction for inputs `[rows, inputs]`, in the shape and units of the fitted targets.

        With `return_std`, also return the standard deviation of the networks' predictions; zeros for a single one.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)  # noqa: N806
        from fit.training.checkpoint import predictor

        answers = np.stack([predictor(each, trust=True)(torch.tensor(X)).numpy() for each in self.checkpoints_])
        values = answers[..., 0] if self._flat else answers
        spread = values.std(0, ddof=1 if len(values) > 1 else 0)
        return (values.mean(0), spread) if return_std else values.mean(0)

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401
        """Declare that several targets are supported."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _settings(self) -> DictConfig:
        """Return the settings as a configuration; raise FitError for an invalid one, even if it is not used."""
        cfg = compose_settings(str(self.optimizer), str(self.scheduler)).copy()
        cfg.data.path = "data.npz"
        for key, value in {
            "loss": self.loss,
            "data.batch_size": self.batch_size,
            "data.val_fraction": self.validation_fraction,
            "model.hidden": self.hidden,
            "model.activation": self.activation,
            "optimizer.lr": self.lr,
            "regularization.l2": self.l2,
            "trainer.max_epochs": self.max_epochs,
            "early_stopping.patience": self.patience,
        }.items():
            try:
                OmegaConf.update(cfg, key, to_python(value))
            except OmegaConfBaseException:
                raise FitError(f"{key}={value} is not allowed: give {RULES[key].allowed}.") from None
        check(cfg)
        return cfg


def to_python(value: object) -> object:
    """Convert NumPy values and tuples to Python's numbers, strings and lists."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    return list(map(to_python, value)) if isinstance(value, tuple | list) else value


def make_job(cfg: DictConfig, path: Path, seed: int) -> Job:
    """Create the job of one network, in its own folder beside the data."""
    cfg = cfg.copy()
    cfg.seed, cfg.data.seed, cfg.data.path = seed, seed, str(path)
    folder = RunFolder(path.parent / str(seed))
    folder.write_config(cfg)
    return Job(cfg, folder, lambda text: None)


@cache
def compose_settings(optimizer: str, scheduler: str) -> DictConfig:
    """Compose a configuration, once for each choice, as composing takes longer than a small fit."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException

    from fit.hydra_adapter.command import CONF, describe_error
    from fit.hydra_adapter.private import VERSION

    groups = ["data=arrays", "logger=none", f"optimizer={optimizer}", f"scheduler={scheduler}"]
    try:
        with initialize_config_dir(str(CONF), **VERSION):
            return compose("train", groups)
    except HydraException as error:
        raise FitError(describe_error(error)) from None


def save_rows(path: Path, inputs: np.ndarray, targets: np.ndarray, held_out: bool) -> None:
    """Write the rows; if none are held out, the training rows are also evaluated, but choose no epoch."""
    validation = {} if held_out else {"val_inputs": inputs, "val_targets": targets}
    np.savez(path, allow_pickle=False, inputs=inputs, targets=targets, **validation)


def read_light_checkpoint(path: Path) -> dict[str, Any]:
    """Read the parts of a checkpoint that predictions need."""
    from fit.training.checkpoint import load

    return {key: value for key, value in load(path).items() if key not in ("optimizer", "generators")}
