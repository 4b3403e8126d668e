"""`FitRegressor`: fit in scikit-learn's shape, for pipelines, cross-validation and searches."""

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

# Held-out rows that are enough to choose an epoch by.
FEWEST_HELD_OUT = 10


class FitRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """An ensemble of multilayer perceptrons on standardized inputs and targets, trained as one stack.

    `hidden` layers, `activation`, `lr`, `max_epochs`, `batch_size` (None: all rows), `loss` and `l2` are settings of
    the command, `optimizer` and `scheduler` the names of their configurations. Each of the networks, `ensemble` in
    number, holds out `validation_fraction` of the rows, keeps the weights of the epoch at which these were answered
    best, and stops when that was `patience` epochs ago (None: never); of few rows, none are held out. `random_state`
    draws start values, order and held-out rows. With `verbose` a progress bar is shown.
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
        """Fit to inputs `[rows, inputs]` and targets `[rows]` or `[rows, targets]`.

        Raises ValueError for data that are not numbers or of one row, and FitError for settings that cannot be.
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
                f"{lost} of {plural(len(jobs), 'network')} diverged, and predicts nothing of worth: give a lower lr."
            )
            warn(message, ConvergenceWarning, stacklevel=2)
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:  # noqa: ANN401, N803
        """Return the targets at inputs `[rows, inputs]`, in the shape of those that were fitted.

        With `return_std` also the standard deviation of the networks' answers, zeros if there is but one.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)  # noqa: N806
        from fit.training.checkpoint import predictor

        answers = np.stack([predictor(each, trust=True)(torch.tensor(X)).numpy() for each in self.checkpoints_])
        values = answers[..., 0] if self._flat else answers
        spread = values.std(0, ddof=1 if len(values) > 1 else 0)
        return (values.mean(0), spread) if return_std else values.mean(0)

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401
        """Say that several targets are possible."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _settings(self) -> DictConfig:
        """Return the settings as a configuration; raise FitError for one that cannot be, whether or not it is used."""
        cfg = compose_settings(str(self.optimizer), str(self.scheduler)).copy()
        cfg.data.path = "data.npz"
        cfg.trainer.check_val_every_n_epoch = 1
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
    """Return a setting as Python's own numbers, words and lists, where it is of NumPy's, or a tuple."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    return list(map(to_python, value)) if isinstance(value, tuple | list) else value


def make_job(cfg: DictConfig, path: Path, seed: int) -> Job:
    """Write the settings of one network into a folder of its own, beside its data."""
    cfg = cfg.copy()
    cfg.seed, cfg.data.seed, cfg.data.path = seed, seed, str(path)
    folder = RunFolder(path.parent / str(seed))
    folder.write_config(cfg)
    return Job(cfg, folder, lambda text: None)


@cache
def compose_settings(optimizer: str, scheduler: str) -> DictConfig:
    """Compose a configuration, once for each choice, as that takes longer than a small fit."""
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
    """Write the rows; where none are held out, those trained on are looked at, and nothing is chosen by them."""
    looked_at = {} if held_out else {"val_inputs": inputs, "val_targets": targets}
    np.savez(path, allow_pickle=False, inputs=inputs, targets=targets, **looked_at)


def read_light_checkpoint(path: Path) -> dict[str, Any]:
    """Read of a checkpoint what predicting takes."""
    from fit.training.checkpoint import load

    return {key: value for key, value in load(path).items() if key not in ("optimizer", "generators")}
